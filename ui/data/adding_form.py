"""What was found among somebody's files, and what shall become of it: the lower part of adding."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared import cache, forms, page, pictures
from ui.shared.words import many, plain
from unet_core.data import division, importing, own
from unet_core.data.division import Division
from unet_core.data.importing import Plan, Row
from unet_core.imaging import coding
from unet_core.imaging.coding import ClassCode

PER_PAGE = 12
SWATCH = 50
SIDE = 88  # px of a small picture in the table
STATES = {
    "found": "✓ found",
    "missing": "– missing",
    "doubtful": "? doubtful",
    "unusable": "✗ cannot be used",
}
ORDER = ("doubtful", "unusable", "missing", "found")  # what asks for a look comes first
KIND_WORDS = {"objects": "Objects", "classes": "Classes", "unlabelled": "No labels"}
KIND_HELP = (
    "Objects: every cell or nucleus on its own. Classes: each pixel is one of several kinds, and "
    "nobody asks where one thing ends. No labels: to look at and to segment, not to train on."
)
OBJECT_HELP = "One of them, such as nucleus: models that know nuclei are then offered first."


@contextmanager
def bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that says how far it is: takes the images done and all images."""
    place = st.progress(0.0, text=f"{doing} …")

    def tell(done: int, total: int) -> None:
        place.progress(done / total, text=f"{doing} {done} of {total} …")

    try:
        yield tell
    finally:
        place.empty()


def show_plan(plan: Plan, key: object) -> None:
    """How many pairs there are of each sort, what the labels mean, and every pair."""
    counts = {state: count for state, count in plan.counts.items() if count or state == "found"}
    with st.container(horizontal=True, gap="large"):
        for state, count in counts.items():
            st.metric(STATES[state], f"{count:,}", width="content")
    st.markdown("\n".join(f"- {plain(note)}" for note in plan.notes()))
    rows = sorted(plan.rows, key=lambda row: ORDER.index(row.pair.state))
    n_pages = -(-len(rows) // PER_PAGE)
    number = st.pagination(n_pages, key="add_page") if n_pages > 1 else 1
    shown = rows[(number - 1) * PER_PAGE : number * PER_PAGE]
    st.dataframe(
        pd.DataFrame([_cells(plan, row, key) for row in shown]),
        hide_index=True,
        row_height=SIDE,
        column_config={"picture": st.column_config.ImageColumn(" ", width=SIDE)},
        key="add_table",
    )


def _cells(plan: Plan, row: Row, key: object) -> dict[str, Any]:
    labels = row.pair.labels
    return {
        "picture": _picture(plan, row, key),
        "pair": STATES[row.pair.state],
        "why": row.pair.why,
        "image": row.pair.image or "–",
        "labels": labels[0] if len(labels) == 1 else f"{len(labels)} files" if labels else "–",
        "rows × columns": f"{row.shape[0]} × {row.shape[1]}" if row.shape else "–",
        "objects": "–" if row.objects is None else f"{row.objects:,}",
    }


def _picture(plan: Plan, row: Row, key: object) -> str | None:
    """A small picture with the outlines of what is labelled, as an address that holds it."""
    if row.shape is None:
        return None

    def draw() -> bytes:
        return pictures.thumbnail(*importing.read(plan, row), side=SIDE)

    picture = cache.shelf("thumbnails").get(("adding", key, row.pair.image), draw)
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def show_form(plan: Plan) -> str:
    """Name, kind and division of the set, and a button; gives its name once it is added."""
    take, leave_out = _choose_rest(plan)
    labelled = plan.labelled(take_doubtful=take)
    left, right = st.columns(2, gap="large")
    with left:
        title = st.text_input("Name of the data set", key="add_title", max_chars=80)
        kind = _choose_kind(plan)
        classes: list[ClassCode] = []
        object_name = own.OBJECT
        if kind == "objects":
            object_name = st.text_input(
                "The objects are called", own.OBJECT, key="add_object", help=OBJECT_HELP
            )
        elif kind == "classes" and plan.coding is not None:
            classes = _edit_classes(plan.coding)
    with right:
        how = Division() if kind == "unlabelled" else _choose_division(plan, labelled)
    name = _tell_name(title)
    if st.button(
        "Add",
        type="primary",
        icon=":material/add:",
        key="add",
        disabled=not name or how is None,
        help=None if name else "Give it a name first.",
    ):
        with bar("Storing image") as tell:
            return importing.add(
                title,
                plan,
                how,
                kind=kind,
                classes=classes,
                object_name=object_name,
                take_doubtful=take,
                leave_out=leave_out,
                on_progress=tell,
            )
    return ""


def _choose_kind(plan: Plan) -> str:
    kinds = [kind for kind in own.KINDS if kind == "unlabelled" or plan.coding]
    if plan.coding is not None and not plan.coding.can_be_classes:
        kinds.remove("classes")
    kind = st.segmented_control(
        "The labels are",
        kinds,
        default=plan.kind,
        required=True,
        format_func=KIND_WORDS.__getitem__,
        key="add_kind",
        help=KIND_HELP,
    )
    return str(kind)


def _edit_classes(meant: coding.Coding) -> list[ClassCode]:
    """The classes with names that can be changed; what is not ticked is no class."""
    total = sum(meant.counts.values())
    table = pd.DataFrame(
        [
            {
                "colour": _swatch(one.code),
                "name": one.name,
                "in the files": one.code,
                "share": 100 * meant.counts[one.code] / total,
            }
            for one in coding.class_codes(meant)
        ]
    )
    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=["colour", "in the files", "share"],
        column_order=["colour", "name", "in the files", "share"]
        if any(one.startswith("#") for one in meant.counts)
        else ["name", "in the files", "share"],
        column_config={
            "colour": st.column_config.ImageColumn(" ", width=SWATCH),
            "share": st.column_config.NumberColumn("share of pixels", format="%.1f %%"),
        },
        key="add_classes",
    )
    st.caption("The first one is the background. A click on a name changes it.")
    pairs = zip(edited["name"], edited["in the files"], strict=True)
    return [ClassCode(str(name).strip(), str(code)) for name, code in pairs]


def _swatch(code: str) -> str | None:
    """A patch of a colour such as #ff0000, as an address that holds it."""
    if not code.startswith("#"):
        return None
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24">'
        f'<rect width="24" height="24" rx="4" fill="{code}" stroke="#888"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"


def _choose_division(plan: Plan, labelled: dict[str, str]) -> Division | None:
    """How the images are divided, with what comes of it; None where that is impossible."""
    guess = division.guess_pattern(list(labelled))
    base = Division(by=importing.usual_division(plan), group=guess)
    options = ("folder", "fractions") if base.by == "folder" else ("fractions",)
    entered: dict[str, str] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, width in (("by", 130), ("val", 130), ("test", 130), ("seed", 100)):
            is_idle = name == "test" and entered.get("by") == "folder"
            entered[name] = forms.as_text(
                forms.draw(
                    Division,
                    name,
                    base.get(name),
                    key=f"add_{name}",
                    choices=options if name == "by" else (),
                    idle="The folders say which images test." if is_idle else "",
                    width=width,
                )
            )
    entered["group"] = forms.draw(Division, "group", base.group, key="add_group")
    if guess and not entered["group"]:
        st.warning(
            f"{division.LEAK} The names look like several specimens: {plain(guess)} keeps them "
            "together."
        )
    entry = forms.check(base, entered)
    for sentence in entry.sentences:
        st.error(sentence)
    how = None
    if entry.config is not None:
        with page.guard():
            _tell_division(labelled, entry.config)
            how = entry.config
    return how


def _tell_division(labelled: dict[str, str], how: Division) -> None:
    found = division.divide(labelled, how)
    counts = pd.Series(list(found.values())).value_counts()
    parts = [many(int(counts.get(split, 0)), "image") + f" for {split}" for split in own.SPLITS[:3]]
    text = ", ".join(parts) + "."
    if how.group:
        groups = {division.specimen(name, how.group) for name in found}
        some = ", ".join(sorted(groups)[:4]) + (", …" if len(groups) > 4 else "")
        text += (
            f" {many(len(groups), 'specimen')} ({some}), each in one split alone. {division.LEAK}"
        )
    st.caption(plain(text))


def _choose_rest(plan: Plan) -> tuple[bool, bool]:
    """What becomes of doubtful and unusable pairs; only asked where there are any."""
    take = bool(plan.counts["doubtful"]) and st.toggle(
        f"Take {many(plan.counts['doubtful'], 'doubtful pair')} as found: I have looked at them",
        key="add_take",
    )
    rest = plan.counts["unusable"] + (0 if take else plan.counts["doubtful"])
    leave_out = bool(rest) and st.toggle(
        f"Leave out {many(rest, 'image')}: doubtful, or not to be used",
        key="add_leave",
    )
    return bool(take), bool(leave_out)


def _tell_name(title: str) -> str:
    """The name that commands use for a title, which is said where it differs; empty for none."""
    name = ""
    if title.strip():
        with page.guard():
            wanted = own.name_of(title)
            own.check_free(wanted)
            name = wanted
    if name not in ("", title):
        st.caption(f"In commands it is called `{name}`.")
    return name
