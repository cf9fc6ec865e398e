"""The manual's table of options and the JSON schemas, made from the typed configuration.

``python -m dissect_iqa.study.manual`` rewrites the generated parts; a test fails if they are
stale.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dissect_iqa.baselines.outside import OutsideMetric, ScoresEntry
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.study.config import Config
from dissect_iqa.zoo.table import ModelRow

MANUAL = Path("config/README.md")
SCHEMAS = Path("workflow/schemas")
#: Generated text stands between these two lines, one pair a table.
BEGIN, END = "<!-- generated: {} -->", "<!-- end -->"

_FILES: dict[str, type[BaseModel]] = {
    "config": Config,
    "datasets": DatasetEntry,
    "models": ModelRow,
}
#: Tables of options: those of the files, and of what stands in lists and mappings within.
_TABLES: dict[str, type[BaseModel]] = {**_FILES, "scores": ScoresEntry, "metrics": OutsideMetric}


def options_table(model: type[BaseModel], prefix: str = "") -> str:
    """Return a Markdown table of a Pydantic model's options, nested ones as ``section.option``."""
    head = "| option | default | meaning |\n| --- | --- | --- |\n" if not prefix else ""
    rows = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            rows.append(options_table(field.annotation, f"{prefix}{name}."))
            continue
        default = "*required*" if field.is_required() else f"`{_plain(field.default)}`"
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {default} | {meaning} |\n")
    return head + "".join(rows)


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return json.dumps(value) if isinstance(value, bool | None) else str(value)


def manual(text: str) -> str:
    """Return the manual with its generated tables renewed."""
    for name, model in _TABLES.items():
        begin = BEGIN.format(name)
        before, found, rest = text.partition(begin)
        if found:
            after = rest.partition(END)[2]
            text = f"{before}{begin}\n{options_table(model)}{END}{after}"
    return text


def schemas() -> dict[Path, str]:
    """Return the JSON schema of each configuration file, by path."""
    return {
        SCHEMAS / f"{name}.schema.json": json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **model.model_json_schema(),
            },
            indent=2,
        )
        + "\n"
        for name, model in _FILES.items()
    }


def main() -> None:
    """Rewrite the manual's tables and the schemas in the current folder."""
    MANUAL.write_text(manual(MANUAL.read_text()))
    for path, text in schemas().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
