"""The app: `streamlit run app.py`. Everything else stands in pages/, ui/ and unet_core/."""

from pathlib import Path

import streamlit as st

from ui import page

st.set_page_config(
    page_title="U-Net Workbench",
    # A file of our own: the built-in symbols would be fetched from the internet.
    page_icon=str(Path(page.__file__).parent / "icon.svg"),
    layout="wide",
)
page.navigate().run()
