"""Architectures that neither torchvision nor timm builds, under the keys of their weights."""
