"""What every page begins with: the menu, a title, an explanation, the device, and a net for errors.

A cold server can run a page without app.py (a deep link, or a browser that comes back after a
restart), so a page relies on nothing but its own call of `setup`.
"""

import functools
import gc
import importlib
import logging
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from ui.shared import chart_files, choice, html, learner
from ui.shared.words import plain
from unet_core.base import device, faults

UI = Path(__file__).resolve().parents[1]
FOLDER = UI.parent / "pages"

# The file in pages/ (its address, too), the title in the menu, and the icon.
MENU = {
    "home": ("Home", ":material/home:"),
    "learn": ("Learn", ":material/school:"),
    "data": ("Data", ":material/photo_library:"),
    "model": ("Model", ":material/account_tree:"),
    "train": ("Train", ":material/show_chart:"),
    "segment": ("Segment", ":material/category:"),
    "evaluate": ("Evaluate", ":material/leaderboard:"),
}

_log = logging.getLogger("unet_workbench")
_only_one = threading.Lock()


def named(name: str) -> st.Page:
    """The page of a file in pages/, for the menu and for links."""
    path = FOLDER / f"{name}.py"
    return st.Page(path, title=title(name), icon=icon(name), url_path=name, default=name == "home")


def title(name: str) -> str:
    """The page's name in the menu."""
    return MENU[name][0]


def icon(name: str) -> str:
    """The page's symbol in the menu."""
    return MENU[name][1]


def link(name: str, *, label: str, icon: str, query: dict[str, str] | None = None) -> None:
    """A link to a page, with what it shall show; plain words while there is no such page."""
    if exists(name):
        st.page_link(named(name), label=label, icon=icon, query_params=query)
    else:
        st.markdown(f"{icon} {label}")


def navigate() -> st.Page:
    """Draw the menu; gives the page that the address asks for."""
    st.set_page_config(
        page_title="U-Net Workbench",
        # A file of our own, and before the menu: the symbol of a page would be the tab's, too, and
        # be fetched from the internet.
        page_icon=str(Path(__file__).parent / "icon.svg"),
        layout="wide",
    )
    st.session_state["_menu"] = True
    return st.navigation([named(name) for name in MENU if exists(name)], position="top")


def exists(name: str) -> bool:
    """Whether there is such a page."""
    return (FOLDER / f"{name}.py").is_file()


def setup(title: str, explanation: str) -> None:
    """Begin a page: its title, the device beside it, and a folded explanation in Markdown."""
    if "_menu" not in st.session_state:
        # Without app.py Streamlit would show the bare file names as its menu, until a restart.
        navigate()
        st.rerun()
    _obey_link(title)
    html.style_page()
    device.share_cores()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"
    ):
        st.title(title, width="content", anchor=False)
        with st.container(width="content", gap=None):
            show_device()
            chart_files.offer()
    _show_way_back(title)
    with st.expander("What is on this page?", icon=":material/help:", type="compact"):
        st.markdown(explanation)


def _obey_link(title: str) -> None:
    """Forget, on the way to another page, what was chosen there before and the link asks for.

    Streamlit keeps the values of bound widgets when their page is left, and a kept value wins over
    an address that asks for the widget's default.
    """
    if st.session_state.get("_page") != title:
        st.session_state["_page"] = title
        choice.enter_page()
        for key in st.query_params:
            st.session_state.pop(key, None)


def _show_way_back(here: str) -> None:
    """For whoever follows a lesson: the way from its pages back to it."""
    step = learner.follow_step()
    if step is not None and here != title("learn"):
        link(
            "learn",
            label=f"Back to the lesson, step {step[1]}",
            icon=icon("learn"),
            query={"lesson": step[0]},
        )


@contextmanager
def guard() -> Iterator[None]:
    """Show errors as one sentence: `with guard(): ...`, or `@guard()` over a function.

    A ValueError that the app or the core raised on purpose is a mistake that the person can mend,
    and its sentence says how. Anything else is ours, and leaves its trace in the log under a code
    that the sentence names.
    """
    try:
        yield
    except OSError as error:
        _log.exception("the surroundings failed")
        where = f" ({error.filename})" if error.filename else ""
        st.error(plain(f"The computer could not do this: {error.strerror or error}{where}."))
    except Exception as error:
        if faults.is_deliberate(error, UI, FOLDER):
            st.error(plain(str(error)), icon=":material/info:")
            return
        code = secrets.token_hex(3)
        _log.exception("error %s", code)
        st.error(
            "Something went wrong here, and it is not your fault. Nothing that was saved is lost: "
            f"reload the page, or try other settings. The server's log has details under {code}."
        )


def show_device() -> None:
    """One line: where the network computes, and why there."""
    if finding_device().done():
        _show_found_device()
    else:
        st.fragment(_wait_for_device, run_every=0.5)()


def _wait_for_device() -> None:
    if finding_device().done():
        st.rerun()
    st.caption(":material/memory: Looking for a GPU …", width="content")


@guard()
def _show_found_device() -> None:
    found = finding_device().result()
    st.caption(f":material/memory: **{found.title}**: {found.reason}", width="content")


def wait_for_torch() -> None:
    """What stands where a network will answer until torch is there: a fragment that repeats."""
    if finding_device().done():
        st.rerun()
    st.caption(":material/hourglass_top: Loading PyTorch. This takes some seconds, once.")


def finding_device() -> Future[device.Device]:
    """The search for the device, which the first caller starts and nobody needs to wait for."""
    with _only_one:
        return _start_search()


@functools.cache
def _start_search() -> Future[device.Device]:
    return ThreadPoolExecutor(1, thread_name_prefix="find-device").submit(_warm_up)


def _warm_up() -> device.Device:
    """Import what is heavy, away from any page, and spare the garbage collector all of it.

    With these modules in memory each full look takes 150 ms, and meanwhile nobody gets an answer;
    frozen, they are no longer looked at. The configuration keeps Streamlit from asking for a full
    look after every run.
    """
    for module in ("pandas", "plotly.graph_objects", "skimage.measure", "skimage.segmentation"):
        importlib.import_module(module)
    found = device.choose()
    gc.collect()
    gc.freeze()
    return found
