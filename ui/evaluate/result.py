"""What came out of an evaluation: scores, images, groups of objects, ladder, and the files."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from ui.evaluate import errors, images, ladder, pixels, protocol, scores, sentences
from ui.shared import cache, glossary, guess, html, page
from ui.shared.words import plain
from unet_core.runs.jobs import Job
from unet_core.scoring.errors import table as error_table

Document = dict[str, Any]


def show(job: Job, document: Document) -> None:
    """All of a finished evaluation."""
    html.shrink_numbers()
    settings = sentences.settings(document)
    st.caption(plain(settings), help=glossary.of(settings))
    _warn(document)
    if not _guess_first(job, document):
        return
    protocol.show(document)
    parts = _parts(job, document)
    tabs = st.tabs(list(parts), key="show", bind="query-params")
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab, page.guard():
                draw(document)
    with page.guard():
        _show_downloads(job, document)


def _guess_first(job: Job, document: Document) -> bool:
    """Whether the scores may be shown to somebody who follows a lesson."""
    if not sentences.has_objects(document):
        return True
    return guess.first(
        f"f1-{job.id}",
        f"What is F1 of all objects together, at IoU .50? {glossary.F1}",
        sentences.row_at(document["pooled"]).get("f1"),
        low=0.0,
        high=1.0,
        step=0.01,
    )


def _parts(job: Job, document: Document) -> dict[str, Callable[[Document], None]]:
    """The tabs: only those that this evaluation has something for."""
    parts: dict[str, Callable[[Document], None]] = {}
    if sentences.has_objects(document):
        parts["Objects"] = scores.show
    if document.get("pixels"):
        parts["Pixels"] = pixels.show
    if document.get("membranes"):
        parts["Membranes"] = pixels.show_membranes
    parts["Images"] = images.show
    if sentences.has_objects(document):
        parts["Errors"] = functools.partial(errors.show, job)
        parts["Size and crowding"] = images.show_groups
        parts["Ladder"] = ladder.show
    return parts


def _warn(document: Document) -> None:
    """What is to be known before one believes the figures."""
    tuned_on = document.get("tuned_on") or ""
    try:
        config = cache.model_config(document["model"])
    except ValueError:
        st.caption(
            f":material/info: The model {plain(document['model'])} is no longer there: the figures "
            "stay, but its images cannot be opened."
        )
        return
    marked = sentences.tuned_on_test(tuned_on)
    for sentence in sentences.use_warnings(
        config.replace(tuned_on=tuned_on),
        document["data"],
        document["split"],
        document["scheme"],
    ):
        if sentence == marked:
            st.error(plain(sentence), icon=":material/block:")
        else:
            st.warning(plain(sentence), icon=":material/info:")


def _show_downloads(job: Job, document: Document) -> None:
    st.subheader("Take it home", anchor=False)
    text = json.dumps(document, indent=1)
    # A name of its own for each content: a browser must not take one for the other.
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    stem = f"{sentences.file_stem(document)}-{digest}"
    with st.container(horizontal=True):
        offer("Everything as JSON", text, f"{stem}.json", "application/json")
        if document.get("per_image"):
            table = pd.DataFrame(document["per_image"]).drop(columns="confusion", errors="ignore")
            offer("Images as CSV", table.to_csv(index=False), f"{stem}-images.csv", "text/csv")
        if sentences.has_objects(document):
            table = scores.table(document)
            offer("Scores as CSV", table.to_csv(index=False), f"{stem}-scores.csv", "text/csv")
        if document.get("errors"):
            table = error_table(document["errors"]["rows"])
            offer("Errors as CSV", table.to_csv(index=False), f"{stem}-errors.csv", "text/csv")
        if document.get("ladder"):
            table = ladder.table(document["ladder"])
            offer("Ladder as CSV", table.to_csv(index=False), f"{stem}-ladder.csv", "text/csv")
    st.caption("The same figures from the command line; with `--json`, the same document:")
    st.code(job.command, language="bash", wrap_lines=True)


def offer(label: str, text: str, name: str, mime: str) -> None:
    """A button that downloads a text."""
    st.download_button(
        label,
        data=text.encode(),
        file_name=name,
        mime=mime,
        on_click="ignore",
        icon=":material/download:",
        key=f"save-{name}",
    )
