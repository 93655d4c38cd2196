"""Start training runs, watch them live, and compare them."""

import streamlit as st

from ui.shared import page
from ui.train import form, repeat, table, view

EXPLANATION = """
**What happens here.** A U-Net learns from images in which people have marked the objects. In each
*step* it sees a few crops, guesses for every pixel whether it belongs to an object, and its weights
are moved a little so that the guess becomes better. An *epoch* is one round over the training
images.

- **Loss** says how wrong the guesses are; training makes it small. **Dice** says how well the
  predicted and the true pixels overlap: 0 is nothing, 1 is all. *Soft* Dice takes the probabilities
  as they are, the other one counts pixels above one half. Where classes are learned, the **mean
  IoU** shows each of them by itself; **AP** counts whole objects, on a few images.
- **Training** (blue) is measured on the images that the network learns from, **validation**
  (orange) on images that it never learns from. When training still improves while validation gets
  worse, the network learns its images by heart: that is overfitting. The star marks the epoch whose
  weights are kept.
- **Learning rate** is the size of a step. Too large, and the loss jumps or grows; too small, and
  nothing happens. *Find a learning rate* tries many of them, one step each.

- **Chance.** Two trainings of one recipe differ, because the first weights, the order of the
  images, the crops and their augmentation are drawn. *Repeat with n seeds* trains the same several
  times and tells how large a difference must be before it means anything.

A run is a process of its own. Close the browser, come back with the link, or watch from two
computers: the run goes on and looks the same. One run at a time uses the device; others wait. A run
that has ended can have more epochs, and a new one can start from the weights of any model whose
network is built alike.
"""

page.setup("Train", EXPLANATION)
with page.guard():
    if chosen := st.query_params.get("run"):
        view.show(chosen)
    elif chosen := st.query_params.get("repeat"):
        repeat.show(chosen)
    else:
        form.show()
        table.show()
