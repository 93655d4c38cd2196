"""The app's interface: `shared` for all pages, and a folder for each page."""
