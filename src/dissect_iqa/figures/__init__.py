"""Figures that show what a study found; plotting libraries load when one is drawn."""
