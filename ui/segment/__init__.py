"""The Segment page: controls, views of the result, its scores."""
