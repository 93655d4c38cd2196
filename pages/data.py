"""Look at the data sets: their images, one sample in detail, and their statistics."""

import streamlit as st

from ui.data import (
    adding,
    augmentation,
    checkup,
    download,
    generator,
    own_set,
    sample,
    statistics,
    weights,
)
from ui.shared import cache, glossary, page
from ui.shared.choice import choose, choose_set, set_names, tell_empty
from ui.shared.words import plain, sample_title
from unet_core.data import datasets, shapes
from unet_core.data.catalogue import DataSet

EXPLANATION = """
A network learns what the data show it, so look at them before you train. People have drawn into
each image where the objects are: these **labels** give every object its own number.

- **Overview** shows small pictures with the outlines of all objects. Choose one to open it.
- **Sample** shows one image beside its labels and beside the **target**: the picture that the
  network learns to draw. Some targets mark the border of each object, so that objects that touch
  can be told apart afterwards. All pictures zoom together, and the pointer reads the values.
- **Statistics** says how many objects there are, how large, how round and how close together,
  and what that means for the settings of a training.
- **Augmentation** changes one image at random, as training does with each of them: turned, bent,
  brighter, noisier. A network that has seen such changes is not surprised by a new image.
- **Weight map** shows how much each pixel counts in the loss when narrow gaps are to be learned.
- **Check-up**, of sets of your own, names what is doubtful: empty and saturated images, merged
  objects, copies between splits, images unlike those that a model knows.
- **Add a data set** brings images of your own, with their labels where there are any.
- **Generator**, for the synthetic lines and ellipses, draws a set of your own and cuts patches.

A **split** keeps images apart: the network learns from *train*, thresholds and the best epoch are
chosen on *val*, and *test* is only for the final score. A **scheme** says how val is taken from
the training images. The address of this page holds all your choices: copy it to show somebody
what you see.
"""

PER_PAGE = 24
SIDE, CARD = 160, 132  # pixels of a small picture, and the narrowest place for it
TABS = ("Overview", "Sample", "Statistics", "Augmentation", "Weight map")
GENERATOR = "Generator"  # only where there is something to generate
CHECKUP = "Check-up"  # only of own sets

SPLIT_HELP = (
    "train: the network learns from these. val: they choose the best epoch and the thresholds. "
    "test: only for the final score."
)

# As many columns as fit. The whole card answers to a click and to the keyboard, not only its name.
CARDS = f"""<style>
.st-key-grid {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({CARD}px, 1fr)); }}
.st-key-grid [class*="st-key-card-"] {{ position: relative; padding: 4px; border-radius: 6px; }}
.st-key-grid [class*="st-key-card-"] * {{ position: static; }}
.st-key-grid [data-testid=stElementToolbar] {{ display: none; }}
.st-key-grid [data-testid=stImage] {{ aspect-ratio: 1; place-content: center;
  place-items: center; }}
.st-key-grid img {{ border-radius: 3px; }}
.st-key-grid button::after {{ content: ""; position: absolute; inset: 0; border-radius: 6px;
  cursor: pointer; }}
.st-key-grid button:hover::after {{ box-shadow: 0 0 0 2px var(--st-primary-color); }}
.st-key-grid button:focus-visible::after {{ box-shadow: 0 0 0 3px var(--st-primary-color); }}
</style>"""


def start_over() -> None:
    """Forget the page and the sample, since other images are looked at now."""
    for key in ("page", "sample"):
        st.session_state.pop(key, None)


def choose_data() -> DataSet:
    names = set_names(datasets.names(), "set")
    return datasets.info(choose_set(names, width=250, on_change=start_over))


def choose_split(about: DataSet) -> tuple[str, str]:
    split = choose(
        "Split", list(about.splits), "split", width=140, help=SPLIT_HELP, on_change=start_over
    )
    scheme = about.default_scheme
    if len(about.schemes) > 1:
        schemes = [scheme, *(one for one in about.schemes if one != scheme)]
        scheme = choose(
            "Scheme", schemes, "scheme", width=160, help=glossary.SCHEME, on_change=start_over
        )
    return split, scheme


def open_sample(sample: str) -> None:
    """Show a sample, also after a reload: a choice that is drawn only now is not in the address."""
    st.session_state.update(sample=sample, tab="Sample")
    st.query_params["sample"] = sample


def show_overview(about: DataSet, split: str, names: list[str]) -> None:
    n_pages = -(-len(names) // PER_PAGE)
    if st.session_state.get("page", 1) > n_pages:
        st.session_state["page"] = n_pages
    number = 1
    if n_pages > 1:
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            number = st.pagination(n_pages, key="page", bind="query-params")
            first = (number - 1) * PER_PAGE
            last = min(first + PER_PAGE, len(names))
            st.caption(f"{first + 1} to {last} of {len(names)} images", width="content")
    st.html(CARDS)
    with st.container(key="grid"):
        first = (number - 1) * PER_PAGE
        for index, sample in enumerate(names[first : first + PER_PAGE]):
            show_card(about, split, sample, index, sample_title(sample, first + index + 1))


def show_card(about: DataSet, split: str, sample: str, index: int, title: str) -> None:
    with st.container(gap=None, key=f"card-{index}", horizontal_alignment="center"):
        try:
            picture = cache.thumbnail(about.name, split, sample, side=SIDE)
        except ValueError:  # the others are fine; opening this one says what is wrong with it
            st.markdown(":material/broken_image: cannot be read", width="content")
        else:
            st.image(picture, width="stretch", alt="")
        short = title if len(title) <= 20 else f"{title[:12]}…"
        st.button(
            plain(short), key=f"open-{index}", type="tertiary", on_click=open_sample, args=(sample,)
        )


def show_set(about: DataSet, split: str, scheme: str) -> None:
    names = datasets.sample_names(about.name, split, scheme=scheme)
    is_new = "tab" not in st.session_state and "tab" not in st.query_params
    if is_new and "sample" in st.query_params:  # a link that names a sample wants to show it
        st.session_state["tab"] = "Sample"
    more_tabs = [GENERATOR] if about.name.partition(":")[0] == shapes.SET else []
    if about.is_own:
        more_tabs = [CHECKUP]
    tabs = st.tabs([*TABS, *more_tabs], key="tab", bind="query-params")
    overview_tab, sample_tab, statistics_tab, augmentation_tab, weights_tab, *more = tabs
    for tab, show in (
        (overview_tab, show_overview),
        (sample_tab, sample.show),
        (augmentation_tab, augmentation.show),
        (weights_tab, weights.show),
    ):
        if tab.open:
            with tab, page.guard():
                if names:
                    show(about, split, names)
                else:
                    tell_empty(split, scheme)
    if statistics_tab.open:
        with statistics_tab, page.guard():
            statistics.show(about, scheme)
    for tab in more:
        if tab.open:
            with tab, page.guard():
                if more_tabs == [CHECKUP]:
                    checkup.show(about)
                else:
                    generator.show(about, split, scheme)


def show_sets() -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with row:
        about = choose_data()
        st.button(
            "Add a data set",
            icon=":material/add:",
            type="tertiary",
            key="add-set",
            on_click=adding.enter,
        )
    if not datasets.is_available(about.name):
        st.markdown(f"**{plain(about.title)}.** {plain(about.sentence)}")
        download.show(about)
    else:
        with row:
            split, scheme = choose_split(about)
            if about.is_own:
                own_set.edit(about)
                own_set.ask_to_delete(about.name)
            st.caption(
                f"**{plain(about.title)}.** {plain(about.sentence)}",
                help=f"Licence: {about.licence}",
            )
        show_set(about, split, scheme)


page.setup("Data", EXPLANATION)
with page.guard():
    own_set.take_news()
    if adding.is_open():
        adding.show()
    else:
        show_sets()
