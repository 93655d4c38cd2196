"""What went wrong in a run of a recipe that is broken on purpose, and the link that mends it."""

import streamlit as st

from ui.shared import page
from ui.train import state
from unet_core.runs.runs import Run
from unet_core.training import presets


def show(run: Run) -> None:
    """The reason, hidden until it is asked for; nothing for a run of any other recipe."""
    name = state.recipe(run)
    known = presets.PRESETS.get(name)
    if known is None or not known.wrong or run.fault:
        return
    is_mended = run.config.with_text(known.mend) == run.config
    with st.expander("What went wrong?", icon=":material/quiz:", key=f"wrong-{run.id}"):
        st.markdown(known.wrong)
        mended = ", ".join(f"`{one}`" for one in known.mend)
        if is_mended:
            st.markdown(f"This run is mended, with {mended}: compare it with one that is not.")
            return
        st.markdown(f"One setting mends it: {mended}.")
        page.link(
            "train",
            label="Open the form with it mended",
            icon=":material/build:",
            query={
                "preset": name,
                "data": run.config.images.data,
                **dict(one.split("=", 1) for one in known.mend),
            },
        )
