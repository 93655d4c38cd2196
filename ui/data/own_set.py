"""An own set once it is there: its title, deleting it, the news of that, and the trash."""

import time

import streamlit as st

from ui.shared import page, words
from ui.shared.words import many, plain
from unet_core.data import own
from unet_core.data.catalogue import DataSet
from unet_core.runs import overview


def edit(about: DataSet) -> None:
    """Another title and sentence for an own set, and another name for commands and links."""
    with st.popover("Describe …", icon=":material/edit:", type="tertiary", key="describe"):
        title = st.text_input("Title", about.title, key=f"title-{about.version}", max_chars=80)
        sentence = st.text_input("What it is", about.sentence, key=f"about-{about.version}")
        classes = st.text_input(
            "Classes, the background first",
            ", ".join(about.classes),
            key=f"classes-{about.version}",
            help="With commas between them. Models that were trained on the set keep the old "
            "names; Segment then no longer compares their class maps with these.",
        )
        name = st.text_input(
            "Name in commands and links",
            about.name,
            key=f"name-{about.version}",
            max_chars=own.LONGEST_NAME,
            help="Runs and links that know the old name go on to find the set.",
        )
        if st.button("Save", key="save-description", type="primary"):
            with page.guard():
                own.describe(about.name, title=title, sentence=sentence, classes=classes.split(","))
                present = about.name
                if name.strip() != present:
                    overview.check_unused(present)
                    present = own.rename(present, name)
                    own.describe(present, title=title)  # which renaming has set to the name
                    tell(added=present)
                st.rerun()


def ask_to_delete(name: str) -> None:
    """A question, and a button that moves an own set into the trash."""
    with st.popover("Delete …", icon=":material/delete:", type="tertiary", key="delete-question"):
        st.markdown(
            "Delete this data set? Models that were trained on it stay. It lies in the trash for "
            f"{own.KEPT_DAYS} days; until then *Add a data set* brings it back."
        )
        if st.button("Delete", key="delete", type="primary"):
            with page.guard():
                overview.check_unused(name)
                own.remove(name)
                tell(deleted=name)


def tell(*, added: str = "", deleted: str = "") -> None:
    """Run the page anew, which then shows the right set and says what has happened."""
    st.session_state["_news"] = (added, deleted)
    st.rerun()


def take_news() -> None:
    """What `tell` has left; before the choice of the set is drawn, which it changes."""
    added, deleted = st.session_state.pop("_news", ("", ""))
    if not added and not deleted:
        return
    st.session_state.pop("page", None)
    for key in ("set", "sample", "split", "scheme"):
        st.session_state.pop(key, None)
        st.query_params.pop(key, None)
    if added:
        st.session_state["set"] = added
        st.toast(f"{plain(words.set_title(added))} is here: every page offers it now.")
    else:
        st.toast(f"{plain(deleted)} is in the trash: *Add a data set* brings it back.")


def show_trash() -> None:
    """The deleted sets, each with a button that brings it back; nothing where there are none."""
    gone = own.trash()
    if not gone:
        return
    st.divider()
    st.markdown("**In the trash**")
    for number, one in enumerate(gone):
        with st.container(horizontal=True, vertical_alignment="center"):
            days = max(1, round((one.until - time.time()) / 86400))
            st.markdown(f"{plain(one.name)}: goes for good in {many(days, 'day')}", width="content")
            # Of several sets of one name the latest comes back first.
            is_latest = one.name not in [other.name for other in gone[:number]]
            if is_latest and st.button("Bring back", key=f"restore-{number}", type="tertiary"):
                own.restore(one.name)
                st.query_params.pop("add", None)
                tell(added=one.name)
