"""Contrast thresholds of layers and metrics against people's."""
