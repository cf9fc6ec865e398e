"""Rows that are the same network, fed or read in another way."""

from model_rows import MODELS, make_row

from dissect_iqa.zoo.table import read_models
from dissect_iqa.zoo.variants import Variant, find_variants


def test_rows_that_differ_in_layers_or_input_alone_are_variants():
    plain = make_row("resnet50", id="plain", input="imagenet")
    rows = [
        plain,
        make_row("resnet50", id="small", input="imagenet,size=224"),
        make_row("resnet50", id="wrong", input="unit"),
        make_row("resnet50", id="class", layers="auto@tokens=class"),
        make_row("resnet50", id="both", layers="stages", input="imagenet,size=224"),
        make_row("resnet50", id="again"),
        make_row("resnet18", id="other", input="unit"),
        make_row("resnet50", id="seed", weights="seed:1", input="unit"),
    ]
    assert find_variants(rows) == [
        Variant("small", "plain", "size=224"),
        Variant("wrong", "plain", "unit"),
        Variant("class", "plain", "@tokens=class"),
        Variant("both", "plain", "stages, size=224"),
    ]


def test_the_first_row_is_the_plain_one_and_what_is_lacking_is_said():
    rows = [
        make_row("resnet50", id="first", input="imagenet,size=224"),
        make_row("resnet50", id="second", input="imagenet"),
    ]
    assert find_variants(rows) == [Variant("second", "first", "without size=224")]
    assert find_variants(rows[::-1]) == [Variant("first", "second", "size=224")]


def test_what_else_differs_makes_another_network():
    rows = [
        make_row("resnet50", id="a", strip="module."),
        make_row("resnet50", id="b", input="unit"),
        make_row("resnet50 head=none", id="c", input="unit"),
    ]
    assert find_variants(rows) == []


def test_the_table_of_the_project_has_none():
    """Whoever adds one means it; a network that is listed twice by mistake would not count."""
    assert find_variants(read_models(MODELS).values()) == []
