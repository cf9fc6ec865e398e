"""Several steps of a network done as one, where nobody looks in between."""
