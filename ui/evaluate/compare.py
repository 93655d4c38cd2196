"""Two recipes on the same images: is one better, or is it chance?"""

import hashlib
import json
from typing import Any

import streamlit as st

from ui.evaluate import charts, form, jobs, sentences
from ui.evaluate.result import offer
from ui.shared import cache, glossary, html, models, overview, page
from ui.shared.choice import choose, choose_set, tell_empty
from ui.shared.words import many, plain, set_title
from unet_core.base.config import ModelConfig
from unet_core.data import datasets
from unet_core.runs.jobs import Job
from unet_core.scoring import comparison

Document = dict[str, Any]
LABELS = {"F1": "f1", "AP": "ap", "Mean IoU": "mean_iou"}
SECOND_HELP = (
    "The score of B minus that of A is told. A repeat stands for all of its finished seeds: only "
    "with one is it known how far chance alone moves the score."
)
INTERVAL = (
    "As many images as there are, drawn with replacement, 10,000 times, and both scored on each "
    "draw; the middle 95 % of the differences. It tells what other images would do, not what "
    "other seeds would."
)
NOISE = (
    "Two standard deviations of a difference of two such means, from the seeds of the repeats. A "
    "single run is taken to vary as the other recipe does."
)


def show_form() -> None:
    """The form of a comparison and those so far."""
    with st.container(border=True), page.guard():
        _choose()
    with page.guard():
        jobs.show_all("compare", headline)


def _choose() -> None:
    repeats = _finished_repeats()
    names = [*repeats, *models.names()]
    if len(names) < 2:
        st.info(
            "It takes two trained models, or repeats of two recipes: train them first.",
            icon=":material/show_chart:",
        )
        page.link("train", label="Train a U-Net", icon=page.icon("train"))
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        first = choose("A", names, "a", width=290)
        other = names[1] if first == names[0] else names[0]
        second = choose("B", names, "b", default=other, width=290, help=SECOND_HELP)
    if first == second:
        st.error(f"A and B are both {plain(first)}: choose two different ones.")
        return
    configs = [cache.model_config(repeats.get(name, name)) for name in (first, second)]
    own = configs[0].train.images
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        sets = list(dict.fromkeys([*datasets.names(), own.data]))
        data = choose_set(sets, default=own.data, width=250)
        if not sentences.is_here(data):
            form.say_how_to_get(data)
            return
        about = datasets.info(data)
        splits = [one for one in about.splits if one != "unlabelled"]
        if not splits:
            raise ValueError(f"Nobody has labelled {about.title}: there is nothing to measure on.")
        split = choose("Split", splits, "two-split", default="val", help=form.SPLIT_HELP, width=130)
        usual = datasets.resolve_scheme(data, own.scheme if own.data == data else None)
        scheme = choose(
            "Scheme",
            list(about.schemes),
            "scheme",
            default=usual,
            help=glossary.SCHEME,
            width=150,
        )
        has_objects = about.labels == "instances"
        labels = [one for one, key in LABELS.items() if has_objects or key == "mean_iou"]
        default = "Mean IoU" if data == "isbi2012" else labels[0]
        terms = glossary.of(" ".join(labels))
        label = choose("Score", labels, "two-score", default=default, width=130, help=terms)
    problems = [one for config in configs if (one := sentences.mismatch(config, data))]
    _warn(configs, problems, data, split, scheme)
    images = len(datasets.sample_names(data, split, scheme=scheme))
    if not images:
        tell_empty(split, scheme)
    chosen = form.Choice(first, configs[0], data, split, scheme, images)
    words = ["compare", first, second, "--data", data, "--split", split, "--scheme", scheme]
    words += ["--measure", LABELS[label]]
    title = f"{second} against {first} on {data} {split}, {label}"
    form.start_button(
        "Compare", "compare", chosen, words, title=title, is_possible=not problems and images > 1
    )


def _finished_repeats() -> dict[str, str]:
    """Each repeat that has a finished seed, the newest first, with one run that has finished."""
    return {
        one.status.repeat: one.run.id
        for one in overview.all_runs()
        if one.status.repeat and one.status.state == "finished"
    }


def _warn(
    configs: list[ModelConfig], problems: list[str], data: str, split: str, scheme: str
) -> None:
    if problems:
        st.error(plain(problems[0]))
        return
    told = [
        one for config in configs for one in sentences.use_warnings(config, data, split, scheme)
    ]
    for sentence in dict.fromkeys(told):
        st.warning(plain(sentence), icon=":material/info:")


def headline(document: Document) -> str:
    """The difference, for a list."""
    if _is_foreign(document):
        return "made by another version"
    if document["low"] is None:
        return f"difference {document['difference']:+.3f}"
    span = f"{document['low']:+.3f} to {document['high']:+.3f}"
    return f"difference {document['difference']:+.3f} (95 %: {span})"


def _is_foreign(document: Document) -> bool:
    """Whether it lacks what is shown: another version has made it."""
    needed = {"first", "second", "difference", "low", "high", "noise", "title", "images"}
    return not needed <= document.keys()


def show(job: Job, document: Document) -> None:
    """What a comparison has found."""
    if _is_foreign(document):
        st.error(
            "This comparison was made by another version and cannot be shown: start it again.",
            icon=":material/error:",
        )
        return
    html.shrink_numbers()
    where = f"{plain(set_title(document['data']))}, {document['split']}"
    st.caption(
        f"{document['title']} · {document['average']} · {many(document['images'], 'image')} of "
        f"{where}, scheme {document['scheme']}",
        help=glossary.of(document["title"]),
    )
    for key in ("first", "second"):
        if document[key]["note"]:
            name = plain(document[key]["name"])
            st.warning(f"{name}: {plain(document[key]['note'])}", icon=":material/info:")
    _show_numbers(document)
    first, *others = comparison.sentences(document)
    st.markdown(f"**{plain(first)}**")
    for sentence in others:
        st.markdown(plain(sentence))
    if document["low"] is not None:
        fig = charts.difference(document)
        st.plotly_chart(fig, key="difference", config={"displaylogo": False})
    _show_downloads(job, document)


def _show_numbers(document: Document) -> None:
    with st.container(horizontal=True, gap="large"):
        for letter, key in (("A", "first"), ("B", "second")):
            side = document[key]
            deviation = "" if side["deviation"] is None else f" ± {side['deviation']:.3f}"
            text = ", ".join("–" if one is None else f"{one:.4f}" for one in side["scores"])
            st.metric(
                f"{letter}: {plain(side['name'])}",
                f"{side['mean']:.3f}{deviation}",
                help=f"{many(side['n'], 'run')}: {text}.",
                width="content",
            )
        st.metric("B minus A", f"{document['difference']:+.3f}", help=INTERVAL, width="content")
        noise = "not known" if document["noise"] is None else f"{document['noise']:.3f}"
        st.metric("Noise of the seeds, up to", noise, help=NOISE, width="content")


def _show_downloads(job: Job, document: Document) -> None:
    st.subheader("Take it home", anchor=False)
    text = json.dumps(document, indent=1)
    # A name of its own for each content: a browser must not take one for the other.
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    offer("Everything as JSON", text, f"comparison-{digest}.json", "application/json")
    st.code(job.command, language="bash", wrap_lines=True)
