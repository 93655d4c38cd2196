"""Two buttons on every chart of a page: save it as PNG or as SVG.

Streamlit's own toolbars give a Plotly chart as PNG and an ECharts chart as SVG. Both charts are
drawn as SVG in the browser, so that one script can give each of them in both forms, without a
package on the server.
"""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent


def offer() -> None:
    """Give every chart of the page, also those that come later, its two buttons."""
    style, script = (
        (HERE / f"chart_files.{ending}").read_text(encoding="utf-8") for ending in ("css", "js")
    )
    # Both are ours alone: nothing that anybody typed or uploaded comes near them.
    st.html(
        f'<style>{style}</style><script type="module">{script}</script>',
        unsafe_allow_javascript=True,
    )
