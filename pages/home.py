"""What this is, what is there, and where to start."""

import streamlit as st

from ui import page

page.setup("U-Net Workbench", "Explanation")
st.write("hello")
