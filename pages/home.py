"""What this is, what is there, and where to start."""

from pathlib import Path

import streamlit as st

from ui import page
from unet_core import checkpoint, datasets, runs

PIPELINE = Path(page.__file__).parent / "pipeline.html"
RUNS_SHOWN = 5

EXPLANATION = """
A microscope gives grey values; a biologist wants objects: how many nuclei, how large, where. The
picture shows the way from one to the other.

- **U-Net** is a neural network that answers one question for every pixel: how likely does it
  belong to an object, and how likely to the border of one? It learns this from images in which
  people have drawn the objects.
- **Watershed** turns these probabilities into separate objects. Every object starts from a seed
  and grows until it meets a neighbour or the background. The thresholds decide where the seeds
  are, and you can move them and watch.
- **F1** says how well the objects agree with those that were drawn by hand: 1 is perfect, and
  0 means that no object was found where one is. Where there is no drawing, there is no score.

Nothing leaves this computer: your images are computed on here.
"""

STARTS = (
    ("data", "Look at data", "Browse images with their hand-drawn objects, and see what size, "
     "shape and number of them mean for training."),
    ("train", "Train a U-Net", "Start a short training with one click and watch it learn, or "
     "change every setting. It goes on when you close the browser."),
    ("segment", "Segment an image", "Take a sample or your own file, move the thresholds, read "
     "the score, and download objects and measurements."),
)  # fmt: skip

STATE_ICONS = {
    "queued": ":material/schedule:",
    "running": ":material/play_circle:",
    "finished": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "failed": ":material/error:",
    "lost": ":material/help:",
}


def show_starts() -> None:
    for column, (name, title, text) in zip(st.columns(len(STARTS)), STARTS, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.subheader(title, anchor=False, icon=page.icon(name))
            st.markdown(text)
            label = f":primary[**Go to {page.title(name)}**]"
            page.link(name, label=label, icon=":material/arrow_forward:")


@page.guard()
def show_data_sets() -> None:
    st.subheader("Data sets", anchor=False)
    for name in datasets.NAMES:
        show_data_set(name)


@page.guard()
def show_data_set(name: str) -> None:
    about = datasets.info(name)
    if datasets.folder(name) is None and not about.is_synthetic:
        page.link("data", label=about.title, icon=":material/download:", query={"set": name})
        st.caption("Not here yet: the Data page downloads it with one click.")
        return
    page.link("data", label=about.title, icon=":material/photo_library:", query={"set": name})
    counts = [f"{len(datasets.sample_names(name, split))} {split}" for split in about.splits]
    st.caption(f"Images: {', '.join(counts)}")


@page.guard()
def show_models() -> None:
    st.subheader("Models", anchor=False)
    names = checkpoint.names()
    for name in names:
        page.link("segment", label=name, icon=":material/category:", query={"model": name})
        st.caption(describe_model(name))
    trained = [run.id for run in runs.list_runs() if run.has_weights()]
    if trained:
        st.caption(f"{len(trained)} of your runs can segment, too.")
    elif not names:
        st.caption("None yet. Training makes one: the preset quick takes about two minutes.")


def describe_model(name: str) -> str:
    config = checkpoint.read_config(name)
    text = f"Trained on {datasets.info(config.train.data).title}."
    if config.diameter:
        text += f" Typical object: {config.diameter:.0f} pixels across."
    return text


@page.guard()
def show_runs() -> None:
    st.subheader("Training runs", anchor=False)
    found = runs.list_runs()
    if not found:
        st.caption("None yet. A run keeps its curve, its settings and its best weights.")
    for run in found[:RUNS_SHOWN]:
        status = run.status()
        page.link("train", label=run.id, icon=STATE_ICONS[status.state], query={"run": run.id})
        st.caption(f"{status.state.capitalize()}, epoch {status.epoch} of {status.epochs}")
    if len(found) > RUNS_SHOWN:
        page.link("train", label=f"All {len(found)} runs", icon=":material/list:")


page.setup("U-Net Workbench", EXPLANATION)
st.markdown(
    "Browse microscopy data, train a U-Net and watch it learn, segment your own images, "
    "and read what the score means."
)
st.html(PIPELINE)
show_starts()
for column, show in zip(st.columns(3), (show_data_sets, show_models, show_runs), strict=True):
    with column:
        show()
