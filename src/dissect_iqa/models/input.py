"""The `input` column: how a picture becomes a network's input."""

import re
from dataclasses import fields, replace
from typing import Any

from torch import nn

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.models.architecture import skeleton
from dissect_iqa.models.network import InputPolicy
from dissect_iqa.zoo.cells import parse_input
from dissect_iqa.zoo.row import ModelRow, timm_name
from dissect_iqa.zoo.steps import family_step

#: Named normalisations; the picture keeps its native size. Sources: the ImageNet statistics
#: used by torchvision and timm, CLIP (Radford et al. 2021), the Caffe model zoo's means, and
#: the CIFAR statistics of chenyaofo's training code.
PRESETS = {
    "imagenet": InputPolicy(),
    "unit": InputPolicy(mean=(0.0,) * 3, std=(1.0,) * 3),
    "inception": InputPolicy(mean=(0.5,) * 3, std=(0.5,) * 3),
    "clip": InputPolicy(
        mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
    ),
    "caffe_bgr": InputPolicy(
        scale=255.0, channels="bgr", mean=(103.939, 116.779, 123.68), std=(1.0,) * 3
    ),
    "caffe_rgb": InputPolicy(scale=255.0, mean=(123.675, 116.28, 103.53), std=(1.0,) * 3),
    "cifar10": InputPolicy(mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)),
    "cifar100": InputPolicy(mean=(0.5070, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2761)),
    # CIELAB lightness 0..100, centred: what the colorization networks of VISSL were trained on
    "lab_l": InputPolicy(scale=100.0, channels="lab_l", mean=(50.0,), std=(1.0,)),
}

#: Presets that read the normalisation from the package the weights come from.
FROM_PACKAGE = ("auto", "timm", "torchvision")

#: timm's networks that take one size only, though timm does not say so.
_FIXED_TIMM = re.compile(r"haloregnetz")

#: torchvision's transformers that refuse any size but the one they were built for.
_FIXED_TORCHVISION = re.compile(r"vit_|maxvit_")


def input_policy(row: ModelRow, module: nn.Module | None = None) -> InputPolicy:
    """Turn a row's `input` cell into a policy.

    Parameters
    ----------
    row : ModelRow
        `input` holds a preset (``imagenet``, ``timm``, ...), then ``key=value`` items that
        overrule it: ``size=224`` or ``384x512`` or ``native``, ``mean=0.5/0.5/0.5``, ``std``,
        ``interpolation``, ``scale``, ``channels``, ``multiple``; separated by commas or blanks.
    module : nn.Module, optional
        The built network; tells the patch size of a transformer that takes any size, and a
        detector's normalisation.

    Raises
    ------
    UserError
        If a preset, an item or its value isn't known, or the package records no normalisation.
    """
    preset, items = parse_input(row.input)
    if preset in FROM_PACKAGE:
        policy = _from_package(row, preset, module)
    elif preset in PRESETS:
        policy = PRESETS[preset]
    elif not preset:
        policy = InputPolicy()
    else:
        known = (*PRESETS, *FROM_PACKAGE)
        raise UserError(
            f"{row.id}: column 'input': unknown preset {preset!r}{suggest(preset, known)}; "
            f"allowed: {', '.join(known)}"
        )
    changes = dict(_item(row, item) for item in items)
    policy = replace(policy, **changes)
    if len(policy.mean) != len(policy.std):
        raise UserError(f"{row.id}: column 'input': mean and std differ in length")
    if len(policy.mean) != (1 if policy.channels == "lab_l" else 3):
        raise UserError(
            f"{row.id}: column 'input': {policy.channels} needs "
            f"{1 if policy.channels == 'lab_l' else 3} values of mean and std, found "
            f"{len(policy.mean)}"
        )
    return policy


def _item(row: ModelRow, part: str) -> tuple[str, Any]:
    key, equals, value = part.partition("=")
    known = [field.name for field in fields(InputPolicy)]
    if not equals or key not in known:
        raise UserError(
            f"{row.id}: column 'input': unknown item {part!r}{suggest(key, known)}; allowed: a "
            f"preset first, then key=value with key one of {', '.join(known)}"
        )
    try:
        return key, _READERS[key](value)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{row.id}: column 'input': {key}={value!r} can't be read; {_FORMS[key]}"
        ) from error


def _size(text: str) -> tuple[int, int] | None:
    if text == "native":
        return None
    height, _, width = text.partition("x")
    size = int(height), int(width or height)
    if min(size) < 1:
        raise ValueError(text)
    return size


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split("/"))


def _divisors(text: str) -> tuple[float, ...]:
    numbers = _numbers(text)
    if min(numbers) <= 0:
        raise ValueError(text)
    return numbers


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _one_of(*allowed: str) -> Any:
    return {word: word for word in allowed}.__getitem__


_READERS = {
    "size": _size,
    "interpolation": _one_of("bilinear", "bicubic"),
    "scale": {"1": 1.0, "100": 100.0, "255": 255.0}.__getitem__,
    "channels": _one_of("rgb", "bgr", "lab_l"),
    "mean": _numbers,
    "std": _divisors,
    "multiple": _positive,
}
_FORMS = {
    "size": "write size=224, size=384x512 (height x width) or size=native",
    "interpolation": "allowed: bilinear, bicubic",
    "scale": "allowed: 1, 100, 255",
    "channels": "allowed: rgb, bgr, lab_l",
    "mean": "write one number a channel, e.g. mean=0.485/0.456/0.406",
    "std": "write one positive number a channel, e.g. std=0.229/0.224/0.225",
    "multiple": "write a whole number of at least 1",
}


def _from_package(row: ModelRow, preset: str, module: nn.Module | None) -> InputPolicy:
    if row.builder == "timm" and preset in ("auto", "timm"):
        return _from_timm(row, module)
    if row.builder == "torchvision" and preset in ("auto", "torchvision"):
        return _from_torchvision(row, module)
    raise UserError(
        f"{row.id}: column 'input': {row.input!r} can't tell how the pictures of builder "
        f"{row.builder!r} are normalised; write one of {', '.join(PRESETS)}, or "
        "mean=... and std=..."
    )


def _from_timm(row: ModelRow, module: nn.Module | None) -> InputPolicy:
    config = _timm_config(row, module)
    options = row.options
    size: tuple[int, int] | None = None
    multiple = family_step(row)
    if options.get("dynamic_img_size"):
        multiple = _patch_size(row, module)
    elif "img_size" in options:
        side = options["img_size"]
        size = tuple(side) if isinstance(side, list) else (side, side)
    elif config.fixed_input_size or _FIXED_TIMM.match(row.name):
        size = tuple(config.input_size[-2:])
    return InputPolicy(
        size=size,
        interpolation="bilinear" if config.interpolation == "bilinear" else "bicubic",
        mean=tuple(config.mean),
        std=tuple(config.std),
        multiple=multiple,
    )


def _timm_config(row: ModelRow, module: nn.Module | None) -> Any:
    """Return timm's record of the weights: normalisation, size, interpolation."""
    import timm

    config = timm.models.get_pretrained_cfg(timm_name(row))
    own = getattr(module, "pretrained_cfg", None)
    if config is None and isinstance(own, dict):
        # an old name of an architecture; the built module knows its new one
        config = timm.models.PretrainedCfg(**own)
    if config is None or not config.mean:
        raise UserError(
            f"{row.id}: timm {timm.__version__} records no normalisation for {timm_name(row)!r}; "
            f"write one of {', '.join(PRESETS)} into the column 'input'"
        )
    return config


def _patch_size(row: ModelRow, module: nn.Module | None) -> int:
    if "patch_size" in row.options:
        return int(row.options["patch_size"])
    size = getattr(getattr(module, "patch_embed", None), "patch_size", None)
    if size is None:
        match = re.search(r"patch(\d+)", row.name)
        size = int(match.group(1)) if match else 1
    return max(size) if isinstance(size, tuple) else int(size)


def _from_torchvision(row: ModelRow, module: nn.Module | None) -> InputPolicy:
    from dissect_iqa.models.torchvision_builders import weights_of

    transforms = weights_of(row).transforms()
    if hasattr(transforms, "mean"):
        mean, std = transforms.mean, transforms.std
    else:  # a detector, which normalises its pictures itself
        detector: Any = (module or skeleton(row)).transform
        mean, std = detector.image_mean, detector.image_std
    side = None
    if _FIXED_TORCHVISION.match(row.name):
        side = getattr(module, "image_size", None) or transforms.crop_size[0]
    return InputPolicy(
        size=(side, side) if side else None,
        interpolation="bicubic" if "bicubic" in str(transforms).lower() else "bilinear",
        mean=tuple(mean),
        std=tuple(std),
    )
