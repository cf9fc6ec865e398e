"""One module for each published database."""
