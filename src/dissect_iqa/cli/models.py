"""Commands about models: `models`, `layers`, `info`, `check`."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from dissect_iqa.cli.console import (
    app,
    print_facts,
    print_table,
    print_verdicts,
    say,
    sentence,
    width,
    working,
)
from dissect_iqa.errors import UserError, suggest
from dissect_iqa.files.amounts import in_bytes, in_time

ModelId = Annotated[str, typer.Argument(metavar="MODEL", help="An id of the model table.")]
ModelTable = Annotated[Path, typer.Option(help="The model table.")]
TABLE = Path("config/models.tsv")
DATASETS_TABLE = Path("config/datasets.yaml")
RESOURCES = Path("resources")
#: Below so many columns the architecture stands under the id.
STACKED = 110
BENCHMARKS = Path("results/shared/benchmarks/extract_features")


@app.command()
@sentence
def models(
    pattern: Annotated[list[str] | None, typer.Argument(help="Ids, sets or wildcards.")] = None,
    function: Annotated[str | None, typer.Option(help="Only functions that contain this.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this architecture family.")] = None,
    environment: Annotated[str | None, typer.Option(help="Only this training data.")] = None,
    all_columns: Annotated[bool, typer.Option(help="Titles, sets, licences, too.")] = False,
    csv: Annotated[bool, typer.Option(help="All columns as CSV, for other programs.")] = False,
    table: ModelTable = TABLE,
) -> None:
    """List the zoo, filtered by factor."""
    from dissect_iqa.zoo.listing import LEGEND, brief
    from dissect_iqa.zoo.table import models_table, read_models, select

    rows = read_models(table)
    chosen = select(rows, pattern) if pattern else list(rows.values())
    filters = {"function": function, "family": family, "environment": environment}
    frame = models_table(chosen, {key: value for key, value in filters.items() if value})
    if csv:
        typer.echo(frame.to_csv(index=False), nl=False)
        return
    title = f"{len(frame)} configurations"
    if all_columns:
        print_table(frame, title)
        return
    narrow = width() < STACKED
    print_table(brief(frame, narrow), title, whole=("id", "id, architecture", "terms"))
    for line in LEGEND:
        say(line)


@app.command()
@sentence
def layers(
    model: ModelId,
    size: Annotated[str, typer.Option(help="Picture height x width.")] = "384x512",
    table: ModelTable = TABLE,
) -> None:
    """Print a model's layers with their shapes and relative depth."""
    row, shape = _row(model, table), _size(size)
    with working(f"Loading PyTorch and building {model}"):
        from dissect_iqa.models.layers import layers_table

        frame, left_out = layers_table(row, shape)
    if not frame["skipped"].any():
        frame = frame.drop(columns="skipped")
    print_table(frame, f"{model}, a picture of {size}", whole=("shape", "layout"))
    for item in left_out:
        say(f"Not read: {item}")


@app.command()
@sentence
def info(
    model: ModelId,
    dataset: Annotated[str | None, typer.Option(help="A data set of the table.")] = None,
    size: Annotated[str | None, typer.Option(help="Instead: height x width.")] = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="How many pictures.")] = None,
    pairs: Annotated[int | None, typer.Option(min=0, help="How many pairs.")] = None,
    table: ModelTable = TABLE,
) -> None:
    """Tell what extracting a model's features will take; weights need not be here."""
    row = _row(model, table)
    with working(f"Loading PyTorch and building {model}"):
        from dissect_iqa.features.estimate import earlier_seconds, estimate
        from dissect_iqa.study import costs

        given = _pictures(dataset, size, pictures, pairs)
        network = costs.bare_network(row)
        told = estimate(network, given.sizes, given.pairs)
        counts = costs.counted_pictures(RESOURCES)
        time = _time(told, earlier_seconds(BENCHMARKS, counts, row.id, told.pictures))
    here = _weights(row.id).is_file()
    height, width = given.sizes.value_counts().index[0]
    size = f"{'supposed to be' if given.supposed else 'most'} of {height}x{width}"
    facts = [
        ("pictures", f"{told.pictures}, {size}; {given.pairs} pairs"),
        ("layers", f"{len(told.layers)} ('dissect-iqa layers {model}' lists them)"),
        ("operations", f"{told.gflops:.3g} GFLOPs a picture of that size"),
        ("weights", f"{in_bytes(costs.weights_bytes(network))}, {'here' if here else 'to fetch'}"),
        ("feature file", in_bytes(told.cache_bytes)),
        ("raw features", f"{in_bytes(costs.raw_bytes(told))}, were they kept as float32"),
        ("time", time),
    ]
    print_facts(facts, model)


def _time(told: Any, earlier: float | None) -> str:
    """Return in words how long an extraction will take, by earlier runs if there are any."""
    from dissect_iqa.features.estimate import machine_speed

    if earlier:
        return f"about {in_time(earlier)}, as in its slowest run here"
    try:
        seconds = told.gflops * told.pictures / machine_speed()
    except RuntimeError:  # a GPU that doesn't work, which `doctor` tells
        return "not known before it has run here once, on any data set"
    return (
        f"about {in_time(seconds)}, from its GFLOPs and a measurement of a second; give or take "
        "a factor of three, until it has run here once"
    )


@app.command()
@sentence
def check(model: ModelId, table: ModelTable = TABLE) -> None:
    """Check one model in under a minute; its weights must have been fetched."""
    from dissect_iqa.zoo.table import read_models

    row = _row(model, table)
    weights = _weights(row.id)
    if not weights.is_file():
        raise UserError(f"{weights}: not there; run: snakemake --cores 1 {weights}")
    with working(f"Loading PyTorch, and {model} from its weights"):
        from dissect_iqa.doctor.check_model import check_model, rivals

        others = {name: _weights(name) for name in rivals(row, read_models(table).values())}
        results = check_model(row, weights, others)
    print_verdicts(
        ((item.outcome, item.what, item.found, item.mend) for item in results),
        model,
    )
    if not all(item.passed for item in results):
        raise typer.Exit(1)


def _row(model: str, table: Path) -> Any:
    from dissect_iqa.zoo.table import read_models, select

    rows = select(read_models(table), [model])
    if len(rows) != 1:
        raise UserError(f"{model!r} selects {len(rows)} models of {table}; name one")
    return rows[0]


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise UserError(f"--size: found {text!r}; write height x width, e.g. 384x512")
    return int(found[1]), int(found[2])


def _pictures(
    dataset: str | None, size: str | None, pictures: int | None, pairs: int | None
) -> Any:
    """Return the pictures that the options of `info` describe."""
    from dissect_iqa.study import costs

    described = (size, pictures, pairs)
    if dataset is not None:
        if described != (None, None, None):
            raise UserError("give either --dataset, or --size, --pictures and --pairs; not both")
        return _of_dataset(dataset)
    if size is None or pictures is None or pairs is None:
        raise UserError(
            "say for which pictures: --dataset NAME, or all of --size, --pictures and --pairs "
            "(TID2013: --size 384x512 --pictures 3025 --pairs 3000)"
        )
    return costs.uniform(_size(size), pictures, pairs)


def _of_dataset(name: str) -> Any:
    """Return the pictures of a data set that is prepared, or that the table tells enough of."""
    from dissect_iqa.datasets.registry import read_datasets
    from dissect_iqa.study import costs

    prepared = [path.parent.name for path in RESOURCES.glob("datasets/*/pairs.parquet")]
    table = read_datasets(DATASETS_TABLE) if DATASETS_TABLE.is_file() else {}
    if name in table and name not in prepared:
        parent = table[name].of
        if parent in prepared:  # as many pictures, of the same sizes
            return costs.prepared(RESOURCES / "datasets" / str(parent))
        told = costs.expected(table[name], table)
        if told is not None:
            return told
    known = list(dict.fromkeys([*prepared, *table]))
    if name not in known:
        raise UserError(
            f"there is no data set {name!r} in {DATASETS_TABLE}{suggest(name, known)}; give it a "
            "line there, or say what it holds: --size HEIGHTxWIDTH --pictures N --pairs N"
        )
    return costs.prepared(RESOURCES / "datasets" / name)


def _weights(model: str) -> Path:
    return RESOURCES / "weights" / f"{model}.safetensors"
