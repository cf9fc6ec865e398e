"""Dissect which deep features predict the perceived quality of pictures, layer by layer."""

__version__ = "0.1.0"
