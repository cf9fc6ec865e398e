"""`python -m dissect_iqa.cli`."""

from dissect_iqa.cli import app

app()
