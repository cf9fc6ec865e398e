"""The command line: look at models, data sets and a study before and after it runs."""

from dissect_iqa.cli import data, models, study
from dissect_iqa.cli.console import app

__all__ = ["app", "data", "models", "study"]
