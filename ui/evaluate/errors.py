"""Every error of an evaluation, with a picture of its place; a press opens it in Segment."""

from typing import Any

import streamlit as st

from ui.evaluate import images, sentences
from ui.shared import cache, errors, page, pictures, places, words
from unet_core.data import datasets
from unet_core.runs.jobs import Job

Document = dict[str, Any]
KEY = "errors"


def show(job: Job, document: Document) -> None:
    """What each kind costs, and the list of errors."""
    found = document.get("errors")
    if not found:
        st.info(
            "This evaluation is from before errors were kept. Start it again to see each of them: "
            "its command stands above under *The same as a command*, and *All evaluations* leads "
            "to the form.",
            icon=":material/history:",
        )
        return
    errors.show_kinds(found)
    if not found["rows"]:
        st.success("Not one error: every true object is hit, and nothing else was found.")
        return
    rows = errors.choose(found["rows"], KEY)
    drawn = Pictures(job, document)
    can_open = images.can_open(document)
    numbers = images.numbers(document)
    pressed = errors.show_list(
        rows,
        key=KEY,
        picture=drawn.draw,
        action="Open" if can_open else "",
        titles=lambda name: words.sample_title(name, numbers.get(name, 0)),
    )
    if drawn.problem:
        st.caption(f":material/info: There are no pictures: {words.plain(drawn.problem)}")
    if found["left_out"]:
        st.caption(
            f"Listed are the {len(found['rows']):,} errors that cost most; the other "
            f"{found['left_out']:,} are counted in the table above."
        )
    text = "*Open* shows the place in Segment with this model and these settings." * can_open
    st.caption(f"Hits at IoU {found['iou']:.2f}; those that cost most objects come first. {text}")
    if pressed is not None and can_open:
        st.switch_page(page.named("segment"), query_params=query(document, pressed))


def query(document: Document, row: errors.Row) -> dict[str, str]:
    """What the Segment page must be asked for, to show an error at its place."""
    return images.query(document, row["image"]) | {
        "result": "Hits and misses",
        "iou": f"{document['errors']['iou']:.2f}",
        places.KEY: places.write(row["image"], row["box"]),
    }


class Pictures:
    """Draws places; `problem` says why not, where it could not."""

    def __init__(self, job: Job, document: Document) -> None:
        self.job, self.document = job, document
        self.problem = "" if sentences.is_here(document["data"]) else "the data set is not here."

    def draw(self, row: errors.Row) -> bytes | None:
        """The place of an error, from the shelf where it was drawn before."""
        if self.problem:
            return None
        try:
            key = (self.job.path, row["image"], tuple(row["box"]), tuple(row["true_labels"]))
            return cache.shelf("places").get(key, lambda: self._draw(row))
        except ValueError as problem:
            self.problem = f"{problem}."
            return None

    def _draw(self, row: errors.Row) -> bytes:
        pred_HW = self.job.labels(row["image"])
        found = datasets.load(self.document["data"], self.document["split"], row["image"])
        rows, columns = pred_HW.shape  # the image may have been cut
        true_HW = found.truth_HW[:rows, :columns]
        if true_HW.shape != pred_HW.shape:
            raise ValueError(f"{row['image']} has another size now than when it was measured")
        grey_HW = cache.grey(found.image_HW, datasets.pixel_hash(found.image_HW))
        objects = row["true_labels"], row["pred_labels"]
        return pictures.outlines(grey_HW[:rows, :columns], true_HW, pred_HW, row["box"], *objects)
