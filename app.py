"""The app: `streamlit run app.py`. Everything else stands in pages/, ui/ and unet_core/."""

from ui.shared import page

page.navigate().run()
