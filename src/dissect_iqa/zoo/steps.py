"""Networks that take pictures only in steps of some pixels, as far as their rows tell."""

import re

from dissect_iqa.zoo.cells import parse_input
from dissect_iqa.zoo.row import ModelRow

#: timm's families that take any size, but only in steps of so many pixels; tried with each of them.
_FAMILIES = (
    (re.compile(r"hrnet|dla"), 32),
    (re.compile(r"tresnet"), 4),
    (re.compile(r"resnet\w*_clip"), 32),
    (re.compile(r"csatv2"), 64),
    (re.compile(r"naflexvit"), 16),
    (re.compile(r"deepseek_vit"), 14),
    (re.compile(r"gemma4_vit"), 48),
    (re.compile(r"lambda_"), 32),
    (re.compile(r"\w*halonet|\w*halonext|bat_|halo2botnet|lamhalobotnet"), 256),
)


def family_step(row: ModelRow) -> int:
    """Return the step of sides, in pixels, that a timm row's family demands; 1 if none."""
    if row.builder != "timm":
        return 1
    return next((step for form, step in _FAMILIES if form.match(row.name)), 1)


def least_side(row: ModelRow) -> int:
    """Return how many pixels a picture's shorter side needs for the row's step, if it tells."""
    written = dict(item.split("=", 1) for item in parse_input(row.input)[1] if "=" in item)
    step = written.get("multiple", "")
    return int(step) if step.isdecimal() else family_step(row)
