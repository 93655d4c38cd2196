"""Lessons: an overview with what is done, or the one that the address names."""

import streamlit as st

from ui.learn import lesson, lessons, overview
from ui.shared import learner, page

EXPLANATION = """
A lesson leads through the app step by step. Each step has a link that opens the right page with
the right settings, and says what you should see there.

- **Ticks** come by themselves: when you have opened a link, when a run that you started has
  finished, when you have evaluated a model. Only where nothing can be told you tick the box.
- **Yours** stands beside what to expect: your best score, and how long your training took.
- **Questions** show their answer on a click. Think first.
- **Guess first** hides a score, a best threshold or what augmentation does until you have guessed,
  on the pages that a lesson opens. A guess that was wrong is what one remembers.

A cookie with a random number tells your browser from others, and a file on this computer keeps what
you have started and ticked; neither knows your name. Lessons are files in the folder *lessons*, and
its README says how to write one.
"""

page.setup(page.title("learn"), EXPLANATION)
with page.guard():
    learner.begin()
    found, faults = lessons.load()
    chosen = next((one for one in found if one.name == st.query_params.get("lesson")), None)
    if chosen is not None:
        lesson.show(chosen)
    else:
        overview.show(found, faults)
