"""What this is, what is there, and where to start."""

import streamlit as st

from ui.shared import cache, glossary, overview, page, states
from ui.shared.words import plain
from unet_core.data import datasets
from unet_core.network import checkpoint
from unet_core.runs.overview import Seen

PIPELINE = page.UI / "home" / "pipeline.html"
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
    ("evaluate", "Evaluate a model", "Score a model on a whole set beside published methods, and "
     "find its best thresholds on validation images."),
)  # fmt: skip


def show_starts() -> None:
    for column, (name, title, text) in zip(st.columns(len(STARTS)), STARTS, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.subheader(title, anchor=False, icon=page.icon(name))
            st.markdown(text)
            label = f":primary[**Go to {page.title(name)}**]"
            page.link(name, label=label, icon=":material/arrow_forward:")
    show_item(
        "learn",
        label=":primary[**New here? Learn it step by step**]",
        icon=page.icon("learn"),
        query={},
        text="From pixels to objects in twenty minutes, and five public tutorials: Segmentation "
        "with U-Net, Pixel classification (DL4MIA), UNet-PyTorch, the EM challenge notebook and "
        "unet-multiclass.",
    )


@page.guard()
def show_data_sets() -> None:
    st.subheader("Data sets", anchor=False)
    for name in datasets.names():
        show_data_set(name)
    query = {"add": "1"}
    page.link("data", label="Add images of your own", icon=":material/add:", query=query)


def show_item(name: str, *, label: str, icon: str, query: dict[str, str], text: str) -> None:
    """A link with a line about it, close together."""
    with st.container(gap=None):
        page.link(name, label=label, icon=icon, query=query)
        st.caption(text)


@page.guard()
def show_data_set(name: str) -> None:
    about = datasets.info(name)
    if name in datasets.available():
        icon, text = ":material/photo_library:", f"Images: {count_images(name)}"
    else:
        icon = ":material/download:"
        text = "Not on this computer yet: the Data page downloads it with one click."
    show_item("data", label=plain(about.title), icon=icon, query={"set": name}, text=text)


def count_images(name: str) -> str:
    splits = datasets.info(name).splits
    return ", ".join(f"{len(datasets.sample_names(name, split))} {split}" for split in splits)


@page.guard()
def show_models() -> None:
    st.subheader("Models", anchor=False)
    names = checkpoint.names()
    for name in names:
        show_model(name)
    trained = sum(one.has_weights for one in overview.all_runs())
    if trained:
        st.caption(f"{trained} of your runs can segment, too.")
    elif not names:
        st.caption("None yet. Training makes one: the preset quick takes about two minutes.")


@page.guard()
def show_model(name: str) -> None:
    text, query = describe_model(name), {"model": name}
    show_item("segment", label=name, icon=":material/category:", query=query, text=text)


def describe_model(name: str) -> str:
    config = cache.model_config(name)
    text = f"Trained on {plain(datasets.info(config.train.images.data).title)}."
    if config.diameter:
        text += f" Typical object: {config.diameter:.0f} px across."
    return text


@page.guard()
def show_runs() -> None:
    st.subheader("Training runs", anchor=False)
    found = overview.all_runs()
    if not found:
        st.caption("None yet. A run keeps its curve, its settings and its best weights.")
    for seen in found[:RUNS_SHOWN]:
        show_run(seen)
    if len(found) > RUNS_SHOWN:
        page.link("train", label=f"All {len(found)} runs", icon=":material/list:")


@page.guard()
def show_run(seen: Seen) -> None:
    run, status = seen.run, seen.status
    text = f"{status.state.capitalize()}, epoch {status.current_epoch} of {status.epochs}"
    if status.state in ("failed", "lost"):
        text = f"{status.state.capitalize()}: {plain(status.reason)}"
    icon, query = states.ICONS[status.state], {"run": run.id}
    show_item("train", label=plain(run.id), icon=icon, query=query, text=text)


page.setup("U-Net Workbench", EXPLANATION)
st.markdown(
    "Browse microscopy data, train a U-Net and watch it learn, segment your own images, "
    "and read what the score means.",
    help=glossary.of("Watershed F1"),  # which stand in the picture, where no help can
)
st.html(PIPELINE)
# A link's own padding would set it apart from the line below it.
st.html("<style>.st-key-home [data-testid=stPageLink-NavLink] { padding-left: 0; }</style>")
with st.container(key="home"):
    show_starts()
    for column, show in zip(st.columns(3), (show_data_sets, show_models, show_runs), strict=True):
        with column:
            show()
