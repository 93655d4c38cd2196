"""Score a model on whole sets of images, see where it fails, and tune its thresholds."""

import streamlit as st

from ui.evaluate import compare, form, jobs, result, tuning
from ui.shared import page

EXPLANATION = """
One image tells little about a model; a whole set tells how good it is, and where it fails.

- **Evaluate** segments every image of a split and compares with the truth. A found object is a
  *hit* if it overlaps a true one well enough (IoU), else a *false alarm*; a true object that
  nobody hit is a *miss*. All scores are made of these three counts. The table of images begins
  with the worst: open those.
- **Errors** lists every miss, false alarm, merge, split and bad outline with a picture of its
  place, and what F1 would be without those of a kind.
- **The ladder** scores the same images by simple rules, by the network before its training, and
  by the truth written as a network's output. A good model is far from the rules and near to that.
- **Tune thresholds** tries more than a hundred pairs of settings on a split and draws the score
  as a landscape. A broad top means that the exact values hardly matter.
- **Compare two** tells whether one recipe is better than another, or whether it is chance: the
  choice of images (an interval) and the seeds (noise, known from repeats).

Use **val** to choose anything, such as thresholds or the better of two models, and **test** once,
for the figure that you report: a score on images that have chosen something is too kind.

The work goes on in the background when you close the browser. Each result has its own address.
"""

TABS = ("Evaluate", "Tune thresholds", "Compare two")

page.setup("Evaluate", EXPLANATION)
with page.guard():
    if job_id := st.query_params.get("job"):
        results = {"evaluate": result.show, "tune": tuning.show, "compare": compare.show}
        jobs.show(job_id, results)
    else:
        evaluate, tune, two = st.tabs(TABS, key="task", bind="query-params")
        if evaluate.open:
            with evaluate:
                form.show_evaluate()
        if tune.open:
            with tune:
                form.show_tune()
        if two.open:
            with two:
                compare.show_form()
