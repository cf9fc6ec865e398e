"""One line of the model table: a configuration and what each column may hold."""

import re
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from dissect_iqa.errors import suggest
from dissect_iqa.files.validation import Settings
from dissect_iqa.zoo.cells import parse_architecture, parse_function, parse_strip

#: Raise it when a preset of layers, an input policy or a builder changes what a row means.
MODELS_VERSION = 1

#: Schemes of the `weights` column, with the form of what follows the colon.
WEIGHTS_FORMS = {
    "enum": (r"\w+", "enum:IMAGENET1K_V1"),
    "tag": (r"[\w.-]+", "tag:augreg_in1k"),
    "url": (r"(https?|ftp|file)://\S+", "url:https://host/file.pth"),
    "file": (r"\S.*", "file:folder/weights.pth"),
    "wheel": (r"[\w.-]+==[\w.+-]+!\S+", "wheel:NAME==VERSION!path/inside"),
    "package": (r"[\w.-]+!\S+", "package:NAME!path/inside"),
    "hub": (r"[\w.-]+/[\w.-]+(@[\w.-]+)?!\S+", "hub:owner/repository!file"),
    "seed": (r"\d+", "seed:0"),
}

#: Longer titles leave no room for a figure.
LONGEST_TITLE = 40

#: Options by which torchvision's and timm's builders fetch or read files.
_LOADING = ("weights", "checkpoint_path", "pretrained", "cache_dir")

#: Columns that change numbers; the others only describe.
_SPEC = (
    "builder",
    "architecture",
    "weights",
    "sha256",
    "unwrap",
    "strip",
    "drop",
    "layers",
    "input",
)
_DESCRIPTION = (
    "id",
    "title",
    "set",
    "builder",
    "architecture",
    "weights",
    "function",
    "supervision",
    "family",
    "environment",
    "scale",
    "licence",
    "top1",
    "citation",
)


class ModelRow(Settings):
    """One configuration: an architecture, its weights, and how it is read.

    See the manual (config/README.md) for the meaning and the form of every column.
    """

    model_config = ConfigDict(str_strip_whitespace=True)

    id: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$",
        description="Name of the configuration, unique in the table; also the name of its files.",
    )
    title: str = Field(
        "",
        validate_default=True,
        description=f"What figures and the closing summary call it, at most {LONGEST_TITLE} "
        "characters, unique in the table: 'ResNet-50 DINO'; empty: the id.",
    )
    set: Literal["demo", "paper", "extended", "own"] = Field(
        "own", description="What the config can name as a whole; 'own' for lines of yours."
    )
    builder: str = Field(
        pattern=r"^(torchvision|timm|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$",
        description="'torchvision', 'timm', or a function of yours: package.module:function.",
    )
    architecture: str = Field(
        min_length=1, description="The builder's name for it, then options: 'resnet50 head=none'."
    )
    weights: str = Field(description="Where the weights come from; the forms stand below.")
    sha256: str = Field(
        "",
        pattern=r"^([0-9a-f]{8,64})?$",
        description="Of the downloaded file, or its first 8 digits or more; empty: recorded at the "
        "first fetch.",
    )
    unwrap: str = Field(
        "",
        pattern=r"^([^.\s][^\s]*)?$",
        description="Where in the checkpoint the weights lie: 'state_dict'; with '?' only if it is "
        "there.",
    )
    strip: str = Field(
        "",
        description="What is done to each key, in order, ';' between: 'module.' is taken off, "
        "'=encoder.' keeps only keys with it, 'old->new' replaces, 'in-order' matches by order.",
    )
    drop: str = Field(
        "", description="Wildcards of keys that are left out, after strip: 'fc.*;num_batches'."
    )
    layers: str = Field(
        "auto", description="A preset, or module paths and wildcards with ';' between; stand below."
    )
    input: str = Field(
        "auto",
        description="A preset or settings such as 'mean=0.5/0.5/0.5,std=0.5/0.5/0.5'; stand below.",
    )
    function: str = Field(min_length=1, description="What it was trained to do.")
    supervision: Literal[
        "", "class labels", "other labels", "language", "mixed", "none", "untrained"
    ] = Field(
        "",
        description="What told it right from wrong: labels of people's (of classes, or others such "
        "as outlines), texts, several of these in turn, none (self- or unsupervised), or nothing "
        "at all (untrained). Claims count rows by it; empty: none of them.",
    )
    family: str = Field(min_length=1, description="Family of the architecture.")
    environment: str = Field(min_length=1, description="What it was trained on.")
    scale: Literal["", "large and natural", "small or restricted", "neither"] = Field(
        "",
        description="What kind of pictures that is: many and of all kinds, few or of one kind, or "
        "neither (altered ones). Claims count rows by it; empty: none of them.",
    )
    licence: str = Field(
        "",
        description="Terms of the weights; non-commercial ones are flagged wherever they are used.",
    )
    top1: float | None = Field(
        None, ge=0, le=100, description="ImageNet-1k top-1 accuracy in per cent, as published."
    )
    top1_source: str = Field("", description="Where that figure is from.")
    citation: str = Field(
        "",
        pattern=r"^([\w:.-]+(;\s*[\w:.-]+)*)?$",
        description="Keys of config/references.bib, ';' between.",
    )
    notes: str = Field("", description="Anything else.")

    @field_validator("title")
    @classmethod
    def _title_fits(cls, text: str, info: ValidationInfo) -> str:
        id = info.data.get("id", "")
        if text in ("", id):
            return id  # which may be longer
        if not text.isprintable():
            raise ValueError("a title is one line of printable characters; take out the others")
        if len(text) > LONGEST_TITLE:
            raise ValueError(
                f"{len(text)} characters; shorten it to at most {LONGEST_TITLE}, or leave the cell "
                "empty to be called by the id"
            )
        return text

    @field_validator("architecture")
    @classmethod
    def _architecture_parses(cls, text: str) -> str:
        parse_architecture(text)
        return text

    @field_validator("strip")
    @classmethod
    def _strip_parses(cls, text: str) -> str:
        parse_strip(text)
        return text

    @field_validator("weights")
    @classmethod
    def _known_scheme(cls, text: str) -> str:
        scheme, colon, rest = text.partition(":")
        examples = ", ".join(example for _, example in WEIGHTS_FORMS.values())
        if not colon or scheme not in WEIGHTS_FORMS:
            close = suggest(scheme, tuple(WEIGHTS_FORMS))
            raise ValueError(f"unknown kind of weights {scheme!r}{close}; write one of: {examples}")
        form, example = WEIGHTS_FORMS[scheme]
        if not re.fullmatch(form, rest):
            raise ValueError(f"what follows {scheme + ':'!r} must look like {example!r}")
        return text

    @model_validator(mode="after")
    def _weights_fit_builder(self) -> "ModelRow":
        needs = {"enum": "torchvision", "tag": "timm"}.get(self.weights_kind)
        if needs and self.builder != needs:
            raise ValueError(
                f"weights {self.weights!r} belong to builder {needs!r}, found builder "
                f"{self.builder!r}"
            )
        return self

    @model_validator(mode="after")
    def _builders_load_nothing(self) -> "ModelRow":
        """Keep builders from files and addresses of their own: some would unpickle what is there.

        Only what the column ``weights`` names is fetched, and read without executing any of it.
        """
        loads = [name for name in self.options if name.startswith(_LOADING)]
        if self.builder in ("torchvision", "timm") and (loads or ":" in self.name):
            raise ValueError(
                f"architecture {self.architecture!r} would have {self.builder} load something "
                "by itself; name an architecture, and its weights in the column 'weights'"
            )
        return self

    @property
    def name(self) -> str:
        """Name of the architecture, without its options."""
        return parse_architecture(self.architecture)[0]

    @property
    def options(self) -> dict[str, Any]:
        """Options of the architecture, e.g. ``{"head": "none", "patch_size": 14}``."""
        return parse_architecture(self.architecture)[1]

    @property
    def weights_kind(self) -> str:
        """Scheme of the weights: a key of `WEIGHTS_FORMS`."""
        return self.weights.partition(":")[0]

    @property
    def weights_source(self) -> str:
        """What follows the scheme of the weights."""
        return self.weights.partition(":")[2]

    @property
    def weights_inside(self) -> tuple[str, str]:
        """Of weights inside a package, a wheel or a repository: its name, and the file in it."""
        name, _, file = self.weights_source.partition("!")
        return name, file

    @property
    def unwrap_path(self) -> tuple[str, ...]:
        """Keys to follow inside the checkpoint; one that ends in ``?`` may be absent."""
        return tuple(self.unwrap.split(".")) if self.unwrap else ()

    @property
    def strip_steps(self) -> tuple[tuple[str, str, str], ...]:
        """Renamings of keys as (kind, old, new); kind is ``prefix``, ``only`` or ``replace``."""
        return parse_strip(self.strip)

    @property
    def drop_globs(self) -> tuple[str, ...]:
        """Patterns of keys that are dropped after renaming."""
        return tuple(part.strip() for part in self.drop.split(";") if part.strip())

    def spec(self) -> dict[str, Any]:
        """Return everything of the row that can change a number, as plain data."""
        return {"version": MODELS_VERSION, **self.model_dump(include=set(_SPEC), mode="json")}

    def description(self) -> dict[str, Any]:
        """Return what figures, claims and reports say of the row, as plain data.

        Besides columns of the table: `name` of the architecture without options, `group` of the
        function without particulars, and whether it is `untrained`.
        """
        return {
            **self.model_dump(include=set(_DESCRIPTION), mode="json"),
            "name": self.name,
            "group": parse_function(self.function),
            "untrained": self.weights_kind == "seed",
        }


def timm_name(row: ModelRow) -> str:
    """Return timm's name of a row, with the tag of its weights where it has one."""
    return f"{row.name}.{row.weights_source}" if row.weights_kind == "tag" else row.name
