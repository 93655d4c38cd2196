"""What is to be measured: a model, images, and the button that starts the job.

Both forms of the page, to evaluate and to tune, begin with the same choice.
"""

import contextlib
import secrets
from dataclasses import dataclass

import streamlit as st

from ui.evaluate import jobs, more, protocol, sentences
from ui.shared import cache, glossary, models, page
from ui.shared.choice import asked_for, choose, choose_set, tell_empty
from ui.shared.words import many, plain, set_title
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.imaging import matching
from unet_core.scoring import landscape

SPLIT_HELP = (
    "val chose the best epoch and the thresholds. test is only for the final score. train is what "
    "the model learnt from."
)
LADDER_HELP = (
    "Scores the same images by simple rules, by the network before its training, and by a network "
    "without any fault. It shows what a score is worth, and takes about three times as long."
)


@dataclass(frozen=True)
class Choice:
    """A model (or the first of two) and the images to measure it on."""

    model: str
    config: ModelConfig
    data: str
    split: str
    scheme: str
    images: int

    @property
    def words(self) -> list[str]:
        """The options of the command that name all of this."""
        return [
            *("--model", self.model, "--data", self.data),
            *("--split", self.split, "--scheme", self.scheme),
        ]

    @property
    def title(self) -> str:
        """What is measured on what."""
        return sentences.title(self.model, self.data, self.split)


def choose_what(key: str) -> Choice | None:
    """The choice of both forms, kept in the address; None, with a sentence, where there is none.

    `key` is the split's: whoever tunes wants other images than whoever measures.
    """
    names = models.names()
    if not names:
        models.say_how_to_get_one()
        return None
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with row:
        model = models.choose(asked_for("set"), names, width=290, then=_fit_set)
        config = cache.model_config(model)
        own_set = config.train.images.data  # its name may carry settings
        sets = list(dict.fromkeys([*datasets.names(), own_set]))
        data = choose_set(sets, default=own_set, width=250)
    if not sentences.is_here(data):
        say_how_to_get(data)
        return None
    about = datasets.info(data)
    with row:
        own = [one for one in about.splits if one != "unlabelled"]
        if not own:
            raise ValueError(f"Nobody has labelled {about.title}: there is nothing to measure on.")
        split = choose("Split", own, key, default="val", help=SPLIT_HELP, width=130)
        default = config.train.images.scheme if config.train.images.data == data else None
        scheme = choose(
            "Scheme",
            list(about.schemes),
            "scheme",
            default=datasets.resolve_scheme(data, default),
            help=glossary.SCHEME,
            width=150,
        )
    images = len(datasets.sample_names(data, split, scheme=scheme))
    if not images:
        tell_empty(split, scheme)
    return Choice(model, config, data, split, scheme, images)


def _fit_set() -> None:
    """Measure another model on its own set, where the chosen one shows what it has not learnt."""
    with contextlib.suppress(ValueError):  # the form says it when it reads the model
        own, chosen = cache.model_config(asked_for("model")).train.images.data, asked_for("set")
        if not models.fits(own, chosen):
            st.session_state["set"] = own
            st.toast(f"Data set {plain(own)} takes the place of {plain(chosen)}: it fits better.")


def say_how_to_get(data: str) -> None:
    """What stands where a data set is needed that is not on this computer."""
    about = datasets.info(data)
    with st.container(border=True):
        st.markdown(f"**{plain(about.title)}** is not on this computer yet.")
        link = {"label": "Open the Data page to download it", "icon": ":material/download:"}
        page.link("data", **link, query={"set": data})


def show_evaluate() -> None:
    """The form of an evaluation and those so far."""
    with st.container(border=True), page.guard():
        chosen = choose_what("split")
        if chosen is not None:
            _finish_evaluate(chosen)
    with page.guard():
        jobs.show_all("evaluate", sentences.headline)


def _finish_evaluate(chosen: Choice) -> None:
    problem = sentences.mismatch(chosen.config, chosen.data)
    has_objects = datasets.info(chosen.data).labels == "instances"
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        flips = st.toggle(
            "Average over flips and rotations",
            key="flips",
            bind="query-params",
            help="The network sees each image in 8 positions: a little better, 8 times as slow.",
        )
        ladder = st.toggle(
            "With the ladder",
            key="ladder",
            bind="query-params",
            disabled=not has_objects,
            help=LADDER_HELP if has_objects else "The ladder is about objects, not classes.",
        )
        printed = protocol.choose_name()
        usual = protocol.settings(printed) or chosen.config.segmentation
        others = more.choose(usual, chosen.config, has_objects=has_objects)
    problem = problem or protocol.explain(printed, chosen.config, chosen.data)
    words = ["evaluate", *chosen.words, *(["--flips"] if flips else []), *others]
    words += ["--protocol", printed] if printed else []
    if ladder and has_objects:
        words.append("--ladder")
    _warn(chosen, problem)
    title = chosen.title + (" with the ladder" if "--ladder" in words else "")
    title += f" as in {printed}" if printed else ""
    start_button("Evaluate", "evaluate", chosen, words, title=title, is_possible=not problem)


def _warn(chosen: Choice, problem: str) -> None:
    if problem:
        st.error(plain(problem))
        return
    if sentence := models.misfit(chosen.config, chosen.data):
        st.warning(sentence, icon=":material/info:")
    for sentence in sentences.use_warnings(chosen.config, chosen.data, chosen.split, chosen.scheme):
        st.warning(plain(sentence), icon=":material/info:")


def start_button(
    label: str, kind: str, chosen: Choice, words: list[str], *, title: str, is_possible: bool
) -> None:
    """Start, once: a second click of a double click finds the first one's job by the token."""
    token = st.session_state.setdefault(f"_{kind}-token", secrets.token_hex(8))
    if st.session_state.get(f"_used-{kind}-token") == token:
        # The form is shown again after a start: the next click is meant as another job.
        token = st.session_state[f"_{kind}-token"] = secrets.token_hex(8)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        clicked = st.button(
            label,
            type="primary",
            icon=":material/play_arrow:",
            key=f"start-{kind}",
            disabled=not (is_possible and chosen.images),
        )
        count = many(chosen.images, "image")
        where = f"{plain(set_title(chosen.data))}, {chosen.split}, scheme {chosen.scheme}"
        st.caption(f"{count} of {where}")
    if clicked:
        st.session_state[f"_used-{kind}-token"] = token
        jobs.start(kind, words, title=title, token=token)


def show_tune() -> None:
    """The form of a threshold landscape and those so far."""
    with st.container(border=True), page.guard():
        chosen = choose_what("tune-split")
        if chosen is not None:
            _finish_tune(chosen)
    with page.guard():
        jobs.show_all("tune", sentences.tune_headline)


def _finish_tune(chosen: Choice) -> None:
    if datasets.info(chosen.data).labels != "instances":
        st.error(
            f"{plain(chosen.data)} has classes to tell apart and no objects, so there are no "
            "thresholds to tune: choose another data set."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        scores = [one.upper() for one in landscape.MEASURES]
        about = glossary.of(" ".join(scores))
        measure = choose("Score", scores, "measure", width=110, help=about)
        averages = {sentences.AVERAGES[one]: one for one in landscape.AVERAGES}
        average = choose(
            "Average", list(averages), "average", width=140, help=sentences.ABOUT_AVERAGES
        )
        iou = choose(
            "A hit from IoU",
            [f"{value:.2f}" for value in matching.IOUS],
            "hit",
            width=130,
            help=glossary.HIT,
        )
        flips = st.toggle("Average over flips and rotations", key="flips", bind="query-params")
    on_test, is_possible = _ask_about_test(chosen)
    words = ["tune", *chosen.words, "--iou", iou]
    words += ["--measure", measure.lower(), "--average", averages[average]]
    words += [flag for flag, is_on in (("--flips", flips), ("--on-test", on_test)) if is_on]
    title = f"{chosen.title}, {average} {measure} at IoU {iou}"
    start_button("Tune", "tune", chosen, words, title=title, is_possible=is_possible)


def _ask_about_test(chosen: Choice) -> tuple[bool, bool]:
    """Whether test images are meant, and whether the job may be started."""
    if not sentences.are_test_images(chosen.config, chosen.data, chosen.split, chosen.scheme):
        if chosen.data == chosen.config.train.images.data and chosen.split == "train":
            st.warning(
                "The model knows its training images by heart: thresholds that suit them may not "
                "suit new ones. Better choose val.",
                icon=":material/info:",
            )
        return False, True
    st.error(
        "These are test images. Thresholds chosen on them make every score on them too good, so "
        "the test is no measurement any more. Choose val instead.",
        icon=":material/block:",
    )
    is_meant = st.checkbox(
        "Tune on test images all the same, to show what happens. The result is marked everywhere.",
        key="on-test",
    )
    return is_meant, is_meant
