"""The U-Net itself: drawn from its settings, measured, and looked into."""

import streamlit as st

from ui.model import facts, maps, picture, start, stretch
from ui.shared import page
from unet_core.network import anatomy

EXPLANATION = """
A U-Net first makes an image small, to see what is in it, and then large again, to say where. The
picture shows the way of an image through the network with the settings above it: change one and
watch the sizes, the number of weights and the receptive field.

- **Levels and channels**: each level works at half the size of the one above. More levels see more
  of the surroundings, more channels can tell more patterns apart; both cost time and memory.
- **Sizes** tells which images fit, and how large the output is with valid convolutions: the paper's
  572 pixels become 388.
- **Feature maps** shows what a trained network has learned: each map answers to one kind of
  pattern. Near the top these are edges and spots, further down whole objects.
- **Stretching** shows a mistake with valid convolutions, so that nobody repeats it.

The address of this page holds the settings: copy it to show somebody the same network.
"""

TABS = ("Layers", "Sizes", "Time and memory", "Feature maps", "Stretching")

page.setup("Model", EXPLANATION)
design = start.choose_design()
if design is not None:
    with page.guard():
        blocks = anatomy.blocks(design)
        facts.show_numbers(design, blocks)
        picture.show(design, blocks)
        facts.show_takeover(design)
layers, sizes, costs, maps_tab, stretch_tab = st.tabs(TABS, key="part", bind="query-params")
for tab, show in (
    (layers, facts.show_layers),
    (sizes, facts.show_sizes),
    (costs, facts.show_costs),
):
    if tab.open:
        with tab, page.guard():
            if design is None:
                st.caption("This stands here as soon as the settings above are corrected.")
            else:
                show(design)
if maps_tab.open:
    with maps_tab:
        maps.show()
if stretch_tab.open:
    with stretch_tab:
        stretch.show()
