"""Weights of channels fitted to people's scores."""
