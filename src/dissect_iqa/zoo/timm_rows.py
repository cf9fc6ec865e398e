"""Rows of the model table for pretrained models of timm, made from a pattern."""

import re
from fnmatch import fnmatchcase
from typing import Any

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.zoo.row import ModelRow

#: Modules of timm whose transformers take any size if they are asked to.
_ANY_SIZE = ("vision_transformer", "deit", "eva")

#: What a tag says of the data, first match first; several in a row mean fine-tuning.
_DATA = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "laion2b": "LAION-2B",
    "laion400m": "LAION-400M",
    "datacompxl": "DataComp-XL",
    "openai": "WIT-400M",
    "webli": "WebLI",
    "lvd142m": "LVD-142M",
    "lvd1689m": "LVD-1689M",
    "sat493m": "SAT-493M",
    "yfcc100m": "YFCC100M",
    "yfcc15m": "YFCC15M",
    "cc12m": "Conceptual Captions 12M",
    "ig1b": "Instagram-1B",
    "metaclip_400m": "MetaCLIP-400M",
    "dfn2b": "DFN-2B",
    "dfn5b": "DFN-5B",
    "sa1b": "SA-1B",
}

#: Tags that name no data because their papers use one data set only.
_IMPLIED = {"dino": "ImageNet-1k", "mae": "ImageNet-1k"}

#: What a name or a tag says of the objective, first match first: pattern, function, supervision.
_FUNCTIONS = (
    (r"eupe", "not recorded", ""),
    (r"dinov3", "self-supervised: self-distillation (DINOv3)", "none"),
    (r"dinov2|lvd142m", "self-supervised: self-distillation (DINOv2)", "none"),
    (r"dino", "self-supervised: self-distillation (DINO)", "none"),
    (r"mae", "self-supervised: masked autoencoding (MAE)", "none"),
    (r"mim|beit|fcmae", "self-supervised: masked image modelling", "none"),
    (r"siglip|webli", "language supervision (SigLIP)", "language"),
    (r"clip|laion|openai|datacomp|dfn", "language supervision (CLIP)", "language"),
    (r"swsl", "hashtag-supervised, then supervised classification", "mixed"),
    (r"_ssl_", "semi-supervised, then supervised classification", "mixed"),
    (r"sa1b", "supervised segmentation", "other labels"),
    (r"in1k|in12k|in21k|in22k", "supervised classification", "class labels"),
)
#: Data that is no large collection of natural pictures of all kinds.
_RESTRICTED = ("SAT-493M",)
_UNKNOWN = "not recorded"


def timm_rows(pattern: str) -> list[ModelRow]:
    """Return one row for each pretrained model of timm that a pattern matches.

    Parameters
    ----------
    pattern : str
        A glob over ``architecture.tag``; without a dot it may match the architecture alone.

    Raises
    ------
    UserError
        If nothing matches; names the closest models.
    """
    import timm

    names = timm.list_pretrained()
    found = [
        name
        for name in names
        if fnmatchcase(name, pattern)
        or ("." not in pattern and fnmatchcase(name.partition(".")[0], pattern))
    ]
    if not found:
        raise UserError(
            f"models: 'timm:{pattern}' matches none of the {len(names)} pretrained models of timm "
            f"{timm.__version__}{suggest(pattern, names)}"
        )
    return [_row(name) for name in found]


def _row(name: str) -> ModelRow:
    import timm

    architecture, _, tag = name.partition(".")
    config: Any = timm.models.get_pretrained_cfg(name)
    module = timm.models.model_entrypoint(architecture).__module__.rpartition(".")[2]
    any_size = config.fixed_input_size and module in _ANY_SIZE
    pretext, _, tuning = tag.partition("_ft_")
    objective = tag if re.search("swsl|_ssl_", tag) else pretext
    function, supervision = _function(architecture, objective)
    if tuning and ", then" not in function:
        function, supervision = f"{function}, then fine-tuned", supervision and "mixed"
    environment, scale = _environment(tag)
    return ModelRow(
        id=name,
        set="own",
        builder="timm",
        architecture=architecture + (" dynamic_img_size=true" if any_size else ""),
        weights=f"tag:{tag}",
        layers="auto",
        input="timm",
        function=function,
        supervision=supervision,
        family=module,
        environment=environment,
        scale=scale,
        licence=config.license or "not stated",
        citation="wightman2019timm",
        notes="row made from a pattern; what it was trained to do and on is read off the tag",
    )


def _function(architecture: str, tag: str) -> tuple[str, str]:
    # The tag knows what was trained; the architecture's name is only asked if it does not.
    for text in (tag, architecture):
        for form, function, supervision in _FUNCTIONS:
            if re.search(form, text):
                return function, supervision
    return _UNKNOWN, ""


def _environment(tag: str) -> tuple[str, str]:
    keys = sorted(_DATA, key=len, reverse=True)
    found = re.findall("|".join(map(re.escape, keys)), tag)
    data = list(dict.fromkeys(_DATA[key] for key in found)) or [_IMPLIED.get(tag, _UNKNOWN)]
    if _UNKNOWN in data:
        return _UNKNOWN, ""
    restricted = set(data) & set(_RESTRICTED)
    return ", then ".join(data), "small or restricted" if restricted else "large and natural"
