"""The table of models and what it says without loading a network."""
