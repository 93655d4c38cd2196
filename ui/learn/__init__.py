"""The Learn page: lessons from Markdown files, what is done of them, and one lesson at a time."""
