"""Documents as recordings: their text, page by page."""
