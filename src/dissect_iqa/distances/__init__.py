"""Distances between reference and distorted picture from the features of a layer."""
