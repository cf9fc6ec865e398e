"""Tables and YAML that people write: read as what they say, or refused with the line."""

from pathlib import Path

import layouts
import numpy as np
import openpyxl
import pytest
from scipy.io import savemat

from dissect_iqa.datasets.base import index_folder
from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.folder import read_folder
from dissect_iqa.datasets.public.csiq import _workbook
from dissect_iqa.datasets.public.matlab import variables, vector
from dissect_iqa.datasets.registry import read_datasets
from dissect_iqa.errors import LISTED, Problems, UserError
from dissect_iqa.files.delimited import decimal_commas, read_delimited, to_number
from dissect_iqa.files.strict_yaml import read_yaml
from dissect_iqa.files.text_files import read_text
from dissect_iqa.study.config import parse_config
from dissect_iqa.study.config_files import check_files
from dissect_iqa.zoo.comparisons import read_comparisons
from dissect_iqa.zoo.table import read_models

HEADER = "reference,distorted,score"
PAIRS = ("a.png,a1.png,3", "a.png,a2.png,2", "b.png,b1.png,4", "b.png,b2.png,1")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder with two references and two distorted pictures of each."""
    for seed, name in enumerate(("a", "a1", "a2", "b", "b1", "b2")):
        (tmp_path / f"{name}.png").write_bytes(layouts.picture(seed, "png"))
    return tmp_path


def scores(folder: Path, content: str | bytes, name: str = "scores.csv", **options):
    """Return the frame that a table of scores is read as."""
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)
    options = {"direction": "higher is better", **options}
    entry = DatasetEntry(kind="folder", folder=folder, csv=name, **options)
    return read_folder(index_folder(folder), entry).frame


def refused(folder: Path, content: str | bytes, **options) -> str:
    with pytest.raises(UserError) as caught:
        scores(folder, content, **options)
    return str(caught.value)


def table(*columns: str) -> str:
    """Return the four pairs with more columns, each 'name:cell cell cell cell'."""
    lines = [HEADER, *PAIRS]
    for column in columns:
        name, _, cells = column.partition(":")
        lines = [f"{line},{cell}" for line, cell in zip(lines, [name, *cells.split()], strict=True)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_are_recognised_by_the_named_columns(mine: Path, separator: str) -> None:
    text = table("type:blur noise blur noise").replace(",", separator)
    frame = scores(mine, text, distortion="type")
    assert frame["score"].tolist() == [3, 2, 4, 1]
    assert frame["distortion"].tolist() == ["blur", "noise"] * 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_are_recognised(mine: Path, encoding: str) -> None:
    text = table("type:Körnung Rauschen Körnung Rauschen")
    assert scores(mine, text.encode(encoding), distortion="type")["distortion"][0] == "Körnung"


def test_latin_1_is_refused_and_not_merged(mine: Path) -> None:
    """Undecodable bytes were replaced, so that two types became one."""
    found = refused(mine, table("type:für für fär fär").encode("latin-1"), distortion="type")
    assert "scores.csv, line 2: byte 0xfc is not UTF-8" in found
    assert "a.png,a1.png,3,für" in found and "save the file as UTF-8" in found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("reference;x".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"PK\x03\x04 a workbook", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "old Excel file"),
        (b"reference,distorted,score\na\x00.png,b,1\n", "line 2: character U+0000"),
        (b"reference,distorted,score\n\na,b\x1b[31m,1\n", "line 3: character U+001B"),
        ("reference,distorted,score\nf\ufffdr,b,1\n", "line 2: character U+FFFD (left by a conv"),
        (b"", "empty; it needs a header"),
        (b"\n\n", "empty; it needs a header"),
    ],
)
def test_what_is_no_text_is_refused(mine: Path, content: str | bytes, words: str) -> None:
    assert words in refused(mine, content)


def test_no_fifo_no_folder_and_nothing_huge_is_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: this is no regular file"):
        read_text(tmp_path / "pipe")
    with pytest.raises(UserError, match="this is no regular file"):
        read_text(tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(UserError, match=r"1,074 MB are too much for a table"):
        read_text(tmp_path / "huge", "table")


@pytest.mark.parametrize("names", ["MOS,mos", "score,score", "id,Id,mos"])
def test_a_column_named_twice_is_refused(mine: Path, names: str) -> None:
    lines = [f"reference,distorted,{names}"]
    lines += [f"{pair.rpartition(',')[0]},3{',30' * names.count(',')}" for pair in PAIRS]
    found = refused(mine, "\n".join(lines), score=names.split(",")[-1])
    assert "scores.csv, line 1: columns " in found and "have the same name" in found


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("name", ["", '""', "Unnamed: 0"])
def test_row_numbers_of_pandas_and_r_are_left_out(mine: Path, start: int, name: str) -> None:
    lines = [f"{name},{HEADER}", *(f"{n},{pair}" for n, pair in enumerate(PAIRS, start))]
    frame = scores(mine, "\n".join(lines))
    assert not [column for column in frame if column.startswith("subset_")]
    assert frame["score"].tolist() == [3, 2, 4, 1]


def test_columns_without_a_name(mine: Path) -> None:
    assert len(scores(mine, "\n".join([f"{HEADER},,", *(f"{pair},," for pair in PAIRS)]))) == 4
    assert "column 4 has no name, but holds 'x'" in refused(mine, table(":x x y y"))


def test_a_column_that_differs_in_every_row_is_no_subset(mine: Path) -> None:
    assert "column 'id' is different in every row" in refused(mine, table("id:k1 k2 k3 k4"))
    assert "subset_id=k1" not in scores(mine, table("id:k1 k2 k3 k4"), ignore_columns=["id"])
    found = refused(mine, table("id:k1 k1 k3 k3"), ignore_columns=["idd"])
    assert "no column 'idd', which 'ignore_columns' names (did you mean 'id'?)" in found


def test_twenty_thousand_columns_are_refused_at_once(mine: Path) -> None:
    names = ",".join(f"c{n}" for n in range(20_000))
    line = f"a.png,a1.png,3{',1' * 20_000}"
    assert "20,003 columns are too many" in refused(mine, f"{HEADER},{names}\n{line}\n")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['a.png,"a1.png,3', "a.png,a2.png,2"], "line 2: a quote that opens here is never closed"),
        (['a.png,"a1.png,3', 'a.png,a2".png,2'], "line 2: after a cell in quotes"),
        (['a.png,"a1.png', '3",3'], "line 2: a quote that opens here is closed only on line 3"),
        ([f"a.png,a1.png,{'3' * 140_000}"], "line 2: a cell has more than 131,072 characters"),
        (["a.png,a1.png"], "line 2: found 'a.png,a1.png', expected 3 cells"),
    ],
)
def test_broken_lines_are_named(mine: Path, lines: list[str], words: str) -> None:
    assert words in refused(mine, "\n".join([HEADER, *lines, ""]))


@pytest.mark.parametrize(
    "cell",
    ["1_0", "nan", "inf", "-Infinity", "true", "0x10", "３", '"1,000"', "1 000", "1e999", ""],
)
def test_only_numbers_are_numbers(mine: Path, cell: str) -> None:
    lines = [HEADER, *PAIRS[:3], f"b.png,b2.png,{cell}"]
    assert "line 5: found" in refused(mine, "\n".join(lines))


def test_to_number() -> None:
    for text, value in (("3", 3), ("-3.50", -3.5), ("+.5", 0.5), ("2.", 2), (" 1e-3 ", 0.001)):
        assert to_number(text) == value


@pytest.mark.parametrize(
    ("column", "role", "words"),
    [
        ("n:1 2 3 1e19", "level", "expected at most 1e+12 in column 'n'"),
        ("n:1 2 3 2.5", "level", "expected a whole number in column 'n'"),
        ("n:1 2 3 true", "raters", "expected a number such as 3.5 in column 'n' (an empty cell"),
        ("n:1 2 3 12.5", "raters", "expected a whole number"),
        ("n:1 2 3 -1", "raters", "expected 0 or more"),
        ("n:1 2 3 NA", "score_se", "an empty cell, if there is none"),
    ],
)
def test_counts_are_counts(mine: Path, column: str, role: str, words: str) -> None:
    assert words in refused(mine, table(column), **{role: "n"})


def test_decimal_commas_only_beyond_doubt(mine: Path) -> None:
    rows = ["a.png;a1.png;3,25", "a.png;a2.png;2", "b.png;b1.png;4,5", "b.png;b2.png;1,125"]
    frame = scores(mine, "\n".join([HEADER.replace(",", ";"), *rows]))
    assert frame["score"].tolist() == [3.25, 2, 4.5, 1.125]
    rows[1] = "a.png;a2.png;2.5"
    assert "line 2: found '3,25'" in refused(mine, "\n".join([HEADER.replace(",", ";"), *rows]))
    assert decimal_commas(["1,5", "2", "1,250"]) and decimal_commas(["0,1", ""])
    for doubt in (["1,000", "2,500"], ["1,5", "1.5"], ["1", "2"], ["1,000,000", "2"], []):
        assert not decimal_commas(doubt)


def test_all_problems_of_a_table_are_listed_at_once_and_not_endlessly(mine: Path) -> None:
    found = refused(mine, "\n".join([HEADER, "a.png,a1.png,x", "a.png,a2.png,2", "b.png,b1.png,y"]))
    assert "line 2" in found and "line 4" in found and "line 3" not in found
    found = refused(mine, "\n".join([HEADER, *(f"a.png,p{n}.png,x" for n in range(50))]))
    assert len(found.splitlines()) == LISTED + 1
    assert found.endswith(f"... and {50 - LISTED} more problems like these")


def test_problems_count_the_rest() -> None:
    problems = Problems()
    problems.raise_all()
    assert not problems
    for number in range(LISTED + 1):
        problems.add(f"line {number}")
    with pytest.raises(UserError, match=r"line 19\n\.\.\. and 1 more problem like these$"):
        problems.raise_all()


def test_the_model_table_is_read_as_strictly(tmp_path: Path) -> None:
    head = "id\tbuilder\tarchitecture\tweights\tfunction\tfamily\tenvironment\ttop1\tnotes"
    row = "one\ttimm\tresnet18\tseed:0\tf\tF\te\t70.5\t"
    path = tmp_path / "models.tsv"
    for content, words in (
        (f"{head}\n{row}".encode() + b"f\xfcr\n", "line 2: byte 0xfc is not UTF-8"),
        (f'{head}\n{row}"abc\n'.encode(), "line 2: a quote that opens here is never closed"),
        (f"{head}\tID\n{row}\n".encode(), "columns 'id', 'ID' have the same name"),
        (f"{head}\n{row}{'x' * 140_000}\n".encode(), "line 2: a cell has more than 131,072"),
        (f"{head}\n{row.replace('70.5', '7_0')}\n".encode(), "'top1': found '7_0'"),
        (f"{head}\n{row.replace('70.5', 'nan')}\n".encode(), "'top1': found 'nan'"),
        (f"{head}\t\tmore\n{row}\n".encode(), "column 10 has no name"),
        (f"{head},{row}\n".replace("\t", ",").encode(), "separated by commas?"),
        (f"{head.replace('weights', 'wights').replace('family', 'famly')}\n".encode(), "'famly'"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_models(path)
        assert words in str(caught.value)
    assert "'wights'" in str(caught.value), "all problems of the header at once"
    path.write_bytes(f"{head}\t\t\n{row}\t\t\n".encode("utf-16"))
    assert read_models(path)["one"].top1 == 70.5


def yaml_problem(folder: Path, content: str | bytes) -> str:
    path = folder / "a.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' stands here a second time (first on line 1)"),
        ("a:\n  b: {c: 1, d: 2, c: 3}\n", "line 2: 'c' stands here a second time"),
        ("- {x: 1}\n- x: 1\n  x: 2\n", "line 3: 'x' stands here a second time"),
        ("yes: 1\ntrue: 2\n", "line 2: 'true' stands here a second time"),
        ('"a": 1\na: 2\n', "line 2: 'a' stands here a second time"),
        ("a: 1_0\n", "line 1: found '1_0', which YAML reads as the number 10"),
        ("a: [010, 0x1f, 1:30]\n", "'1:30', which YAML reads as the number 90"),
        ("a: .inf\n", "found '.inf', which YAML reads as the number inf"),
        (b"a: {kind: demo} # \xfc\n", "line 1: byte 0xfc is not UTF-8"),
        ("a:\n\tb: 1\n", "line 2: no valid YAML"),
        ("a: *b\n", "line 1: no valid YAML: found undefined alias 'b'"),
        ("a: 1\n---\na: 2\n", "no valid YAML: expected a single document"),
        ("[" * 3000, "nested too deeply"),
        ("a: 2001-99-99\n", "no valid YAML"),
    ],
)
def test_yaml_is_read_strictly(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in yaml_problem(tmp_path, text)


def test_yaml_that_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = "base: &b {draws: 10}\nmore: {<<: *b, draws: 20, level: .95, big: 1e3, minus: -1}\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(text, encoding=encoding)
        more = {"draws": 20, "level": 0.95, "big": "1e3", "minus": -1}
        assert read_yaml(path) == {"base": {"draws": 10}, "more": more}


def test_json_is_read_as_strictly(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n\t"a": [1, {"b": 2.5}]\n}')
    assert read_yaml(path) == {"a": [1, {"b": 2.5}]}
    for text, words in (
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' stands twice"),
        ('{"a": NaN}', "found NaN"),
        ('{\n"a": 1,}', "line 2: no valid JSON"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=words):
            read_yaml(path)


def test_every_yaml_file_of_a_study_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: {kind: demo}\nb: {kind: tid2013}\na: {kind: kadid10k}\n")
    with pytest.raises(UserError, match=r"a\.yaml, line 3: 'a' stands here a second time"):
        read_datasets(path)
    path.write_text("comparisons: []\ncomparisons: []\n")
    with pytest.raises(UserError, match="line 2: 'comparisons' stands here a second time"):
        read_comparisons(path, {})
    other = tmp_path / "b.yaml"
    path.write_text("baselines: [psnr]\nbaselines: [ssim]\n")
    other.write_text("statistics: {draws: 10, seed: 1, draws: 1_000}\n")
    with pytest.raises(UserError) as caught:
        check_files([path, other])
    assert len(str(caught.value).splitlines()) == 3, "all files at once"
    path.write_text("[]")
    with pytest.raises(UserError, match="'comparisons', and under it a list"):
        read_comparisons(path, {})


def test_all_wrong_data_sets_and_options_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "a: {kind: tid2031, scores: original}\nb: {kind: demo, fodler: x}\n"
        "c: {kind: folder, folder: x, archive: y}\n7: {kind: demo}\n"
    )
    with pytest.raises(UserError) as caught:
        read_datasets(path)
    for words in (
        "line 1: unknown kind 'tid2031' (did you mean 'tid2013'?)",
        "line 2: unknown option 'fodler' (did you mean 'folder'?)",
        "'archive' means nothing for kind 'folder'",
        "needs the option 'csv'",
        "needs the option 'direction'",
        "line 4: 7 can't name a data set",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("statistics", "words"),
    [
        ({"draws": True}, "'statistics.draws': found True; a whole number is needed"),
        ({"draws": "1_000"}, "found '1_000'; a whole number is needed"),
        ({"level": float("nan")}, "found nan; a number is needed"),
        ({"level": "true"}, "found 'true'; a number is needed"),
        ({"draws": 10.5}, "'statistics.draws': found 10.5"),
        ({"levl": 0.9}, "did you mean 'level'?"),
    ],
)
def test_numbers_of_the_configuration_are_numbers(statistics: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config({"models": ["demo"], "datasets": ["demo"], "statistics": statistics})
    assert words in str(caught.value)


def test_a_distance_for_the_figures_is_one_that_is_measured() -> None:
    values = {"models": ["a"], "datasets": ["b", "twin"], "distances": ["rmse"]}
    values["readouts"] = {"names": ["nnls_mse"], "concatenations": {"ends": ["a", "b"]}}
    for name in ("auto", "rmse", "nnls_mse", "nnls_mse@twin", "nnls_mse@twin on ends"):
        parse_config({**values, "figures": {"distance": name}})
    for name, meant in (("rmsee", "rmse"), ("nnls_mse@twins on ends", "nnls_mse@twin on ends")):
        with pytest.raises(UserError, match=rf"'{name}' is none .*\(did you mean '{meant}'\?\)"):
            parse_config({**values, "figures": {"distance": name}})


def test_damaged_spreadsheets_and_matlab_files_are_one_sentence(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "all_by_image"
    names = ["image", "dst_type", "dst_lev", "dmos_std", "dmos", "DMOS"]
    for row in (names, ["a", "noise", 1, 0.1, 0.5, 0.9]):
        book.active.append(row)
    path = tmp_path / "csiq.DMOS.xlsx"
    book.save(path)
    with pytest.raises(UserError, match=r"line 1: columns 'dmos', 'dmos' have the same name"):
        list(_workbook(path))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="not an Excel file that can be read"):
        list(_workbook(path))
    scores = tmp_path / "a.mat"
    savemat(scores, {"mos": np.arange(500.0), "names": "abc"}, do_compression=True)
    with pytest.raises(UserError, match="'names' does not hold numbers"):
        vector(scores, variables(scores), "names", 1)
    content = bytearray(scores.read_bytes())
    content[200:230] = bytes(30)
    scores.write_bytes(content)
    with pytest.raises(UserError, match="not a MATLAB file that can be read"):
        variables(scores)


def test_the_command_line_gives_numbers_as_text() -> None:
    values = {"models": ["a"], "datasets": ["b"], "statistics": {"draws": "10", "level": "0.9"}}
    assert parse_config(values).statistics.draws == 10


def test_a_value_that_refers_to_itself_often_is_shown_shortened() -> None:
    many: list = ["x"] * 9
    for _ in range(8):
        many = [many] * 9
    with pytest.raises(UserError) as caught:
        parse_config({"models": many, "datasets": ["demo"]})
    assert len(str(caught.value)) < 30_000


def test_a_wide_table_is_read_in_time(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("a,b\n" + "1,2\n" * 100_000)
    assert len(read_delimited(path, "table", ("a",)).rows) == 100_000
