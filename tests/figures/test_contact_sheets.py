"""Contact sheets: legible pages with each pair's pictures in their places, in one small PDF."""

import re
import warnings
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from drawn_text import check_text, covers, seen
from figure_tables import NOTICE, TID2013
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, UnidentifiedImageError
from PIL.PdfParser import PdfParser

from dissect_iqa.figures.contact_sheets import draw_contact_sheet, draw_contact_sheets
from dissect_iqa.figures.settings import FigureSettings
from dissect_iqa.figures.style import look
from dissect_iqa.files.provenance import fingerprint

CLOSED = "The terms of the data set don’t allow pictures to be shown: files are named instead."
SHAPES = {
    "landscape": [(160, 120)],
    "portrait": [(107, 160)],
    "square": [(160, 160)],
    "extreme": [(160, 2), (3, 160), (1, 1), (160, 120)],
}


def webp(colour, size=(160, 120)):
    content = BytesIO()
    Image.new("RGB", size, colour).save(content, "WEBP", lossless=True)
    return content.getvalue()


def colours(place):
    """Return the colours of a pair's pictures, of which no other has the same."""
    return (210, 10 * place, 0), (0, 10 * place, 210)


def sheet_of(count=20, model="ResNet-50 (ImageNet-1k)", shapes=((160, 120),), **columns):
    """Return rows of one model, and thumbnails of solid colours."""
    places = np.arange(1, count + 1)
    rows = pd.DataFrame(
        {
            "dataset": "tid2013",
            "model": model,
            "kind": "network",
            "distance": "lpips_uniform",
            "layer": "layer3.2.conv2",
            "place": places,
            "pair": places + 100,
            "reference_file": [f"reference_images/I{place:02}.BMP" for place in places],
            "distorted_file": [f"distorted_images/i{place:02}_08_4.bmp" for place in places],
            "distortion": [TID2013[place % 24] for place in places],
            "quality": np.linspace(0.24, 6.5, count),
            "error": np.where(places % 3, 1, -1) * np.linspace(3, 1, count),
            "psnr": np.linspace(17.2, 41.0, count),
        }
    )
    rows = rows.assign(mapped=rows["quality"] + rows["error"]).assign(**columns)
    sizes = [shapes[place % len(shapes)] for place in places]
    small = {
        name: webp(colour, size)
        for place, size, *names in zip(
            places, sizes, rows["reference_file"], rows["distorted_file"], strict=True
        )
        for name, colour in zip(names, colours(int(place)), strict=True)
    }
    return rows, table(small)


def table(small):
    return pd.DataFrame(
        {"file": list(small), "webp": pd.Series(list(small.values()), dtype=object)}
    )


def long_names(count=20):
    places = range(1, count + 1)
    folders = "a folder/with, many words/" * 4
    return {
        "model": "A network with a very long title, of which nobody knows why " * 5,
        "layer": "features.block.of.blocks." * 10,
        "distortion": "a type of distortion that takes many words to tell " * 3,
        "reference_file": [f"{folders}W\N{SNOWMAN}\n\x00ide {place}.png" for place in places],
        "distorted_file": [f"{folders}WWWWWWWWWWW\x1b_\N{SNOWMAN}{place}.png" for place in places],
    }


def drawn(rows, small, closed="", label=NOTICE, **settings):
    settings = FigureSettings(**settings)
    with look(settings), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_contact_sheet(rows, small, label, settings, closed)
        FigureCanvasAgg(figure).draw()
    return figure


def said(figure):
    return [" ".join(text.get_text().split()) for text, _ in seen(figure)]


def check_legible(figure):
    check_text(figure)
    width, height = figure.bbox.size
    labels = seen(figure)
    pictures = [image.get_window_extent() for axes in figure.axes for image in axes.images]
    for box in pictures:
        assert not [text.get_text() for text, place in labels if covers(box, place)]
        assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height
    assert not any(covers(a, b) for i, a in enumerate(pictures) for b in pictures[:i])
    assert NOTICE in " ".join(said(figure))


# --- legible -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("width", "palette"), [(140, "grey"), (190, "colorblind"), (300, "colorblind")]
)
def test_a_full_page_is_legible(width, shape, palette):
    rows, small = sheet_of(shapes=SHAPES[shape])
    figure = drawn(rows, small, width_mm=width, palette=palette)
    check_legible(figure)
    assert figure.get_figwidth() * 25.4 == pytest.approx(width)
    for image in figure.axes[0].images:  # a picture keeps its shape, as far as pixels can tell
        high, wide = image.get_array().shape[:2]
        box = image.get_window_extent()
        assert box.width / box.height == pytest.approx(wide / high, rel=0.02)


@pytest.mark.parametrize("closed", ["", CLOSED])
@pytest.mark.parametrize("width", [130, 190, 300])
def test_long_names_are_cut_where_they_end_the_room(width, closed):
    rows, small = sheet_of(shapes=SHAPES["extreme"], **long_names())
    figure = drawn(rows, small, closed, width_mm=width)
    check_legible(figure)
    texts = said(figure)
    assert [text for text in texts if text.startswith("…") and text.endswith("\N{SNOWMAN}7.png")]
    assert not [text for text in texts if re.search("[\x00-\x1f]", text)]


@pytest.mark.parametrize("closed", ["", CLOSED])
@pytest.mark.parametrize("scale", [(0, 0.1), (-10, 10), (-100, 0), (0, 100), (950, 1500)])
def test_scores_of_every_scale_have_room(scale, closed):
    low, high = scale
    rows, small = sheet_of(
        quality=np.linspace(low, high, 20), mapped=np.linspace(high, low, 20), psnr=100.0
    )
    check_legible(drawn(rows, small, closed, width_mm=130))


@pytest.mark.parametrize("closed", ["", CLOSED])
@pytest.mark.parametrize("count", [1, 5, 19])
def test_fewer_pairs_take_less_paper(count, closed):
    rows, small = sheet_of(count)
    figure = drawn(rows, small, closed)
    check_legible(figure)
    full = drawn(*sheet_of(), closed)
    assert figure.get_figheight() <= full.get_figheight()
    assert (f"The {count} pairs" in " ".join(said(figure))) == (count > 1)


def test_what_has_few_pixels_is_not_blown_up():
    figure = drawn(*sheet_of(shapes=[(32, 24)]))
    for image in figure.axes[0].images:
        assert image.get_window_extent().width / figure.dpi * 25.4 < 10


# --- what is said --------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["", CLOSED])
def test_a_page_says_whose_it_is_and_what_each_pair_has(closed):
    rows, small = sheet_of(2, quality=[1.5, 6.0], mapped=[4.25, -0.5], error=[2.75, -6.5])
    rows["distortion"] = ["Gaussian blur", "JPEG compression"]
    texts = said(drawn(rows, small, closed))
    assert texts.count("ResNet-50 (ImageNet-1k)") == 1
    assert "Data set tid2013; layer layer3.2.conv2; distance: LPIPS, uniform weights" in texts
    for text in ("1", "1.50", "4.25", "▲ sees less", "17.2 dB", "Gaussian blur",
                 "2", "6.00", "−0.50", "▼ sees more", "41.0 dB", "JPEG compression",
                 "distorted_images/i02_08_4.bmp"):  # fmt: skip
        assert text in texts
    assert (CLOSED in " ".join(texts)) == bool(closed)
    assert ("reference_images/I02.BMP" in texts) == bool(closed)


def test_a_metric_has_its_printed_name_and_neither_layer_nor_distance():
    texts = said(drawn(*sheet_of(3, model="ms_ssim", kind="metric", layer="", distance="")))
    assert "MS-SSIM" in texts and "Data set tid2013; a metric" in texts


@pytest.mark.parametrize("closed", ["", CLOSED])
def test_decibels_that_are_unknown_are_left_out(closed):
    rows, small = sheet_of(3, psnr=[np.nan, 23.4, np.inf])
    texts = said(drawn(rows, small, closed))
    assert [text for text in texts if text.endswith("dB")] == ["23.4 dB"]
    assert texts.count("PSNR") == 1
    assert not {"nan dB", "inf dB", "nan"} & set(texts)


def test_who_agrees_with_people_errs_in_no_direction():
    rows, small = sheet_of(2, error=[0.0, 0.0])
    assert not {"▲ sees less", "▼ sees more"} & set(said(drawn(rows, small)))


def test_a_closed_data_set_shows_no_picture_even_if_there_are_some():
    figure = drawn(*sheet_of(), CLOSED)
    check_legible(figure)
    assert not [image for axes in figure.axes for image in axes.images]


def test_a_picture_that_is_missing_is_said_to_be_and_the_others_are_drawn():
    rows, small = sheet_of(5, shapes=[(160, 90)])
    figure = drawn(rows, small[small["file"] != rows["distorted_file"][2]])
    check_legible(figure)
    assert said(figure).count("no picture") == 1
    assert len(figure.axes[0].images) == 9


def test_nothing_misjudged_gives_a_statement():
    rows, small = sheet_of(1)
    figure = drawn(rows[:0], small[:0])
    check_legible(figure)
    assert "No pair has a prediction" in " ".join(said(figure))


# --- pictures ------------------------------------------------------------------------------------


def centres(figure, count):
    """Return where, in pixels, the colours of each pair lie: `[[x, y], [x, y]]` of each."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    found = []
    for place in range(1, count + 1):
        pair = []
        for colour in colours(place):
            rows, columns = np.nonzero((np.abs(page - colour) <= 2).all(axis=-1))
            assert len(rows) > 100, (place, colour)
            pair.append([columns.mean(), rows.mean()])
        found.append(pair)
    return np.array(found)


@pytest.mark.parametrize(
    ("width", "across", "shape"), [(140, 3, "portrait"), (190, 4, "landscape"), (300, 6, "square")]
)
def test_the_reference_stands_left_of_the_distorted_picture_the_worst_pair_first(
    width, across, shape
):
    figure = drawn(*sheet_of(shapes=SHAPES[shape]), width_mm=width)
    found = centres(figure, 20)
    reference, distorted = found[:, 0], found[:, 1]
    assert reference[:, 1] == pytest.approx(distorted[:, 1], abs=0.6)
    own = distorted[:, 0] - reference[:, 0]
    assert (own > 0).all() and np.ptp(own) < 1.5
    for place in range(1, 20):
        if place % across:  # the next pair: in the same row, farther away than the own picture
            assert found[place, 0, 1] == pytest.approx(found[place - 1, 0, 1], abs=0.6)
            assert reference[place, 0] - distorted[place - 1, 0] > own[place]
        else:
            assert found[place, 0, 1] > found[place - 1, 0, 1] + 50
            assert reference[place, 0] == pytest.approx(reference[0, 0], abs=0.6)
    numbers = {
        text.get_text(): box for text, box in seen(figure) if text.get_fontweight() == "bold"
    }
    for place in range(1, 21):  # its number above its reference
        box = numbers[str(place)]
        assert box.x0 < reference[place - 1, 0] < box.x0 + own.max()
        above = figure.bbox.height - box.y0 - reference[place - 1, 1]
        assert -own.max() * 1.2 < above < 0


# --- the PDF -------------------------------------------------------------------------------------


def several(count=3, each=4):
    sheets = [sheet_of(each, model=f"Network {number} (ü)") for number in range(count)]
    return pd.concat([rows for rows, _ in sheets], ignore_index=True), sheets[0][1]


def written(path, rows, small, label=NOTICE, **how):
    draw_contact_sheets(rows, small, label, path, FigureSettings(), **how)
    return path.read_bytes()


def pages(content):
    """Return of each page what it draws: pictures as `(x, y, width, height, mean colour)`."""
    with PdfParser(buf=content) as pdf:
        found = []
        for reference in pdf.pages:
            page = pdf.read_indirect(reference)
            resources = pdf.read_indirect(page[b"Resources"])
            known = pdf.read_indirect(resources[b"XObject"])
            drawn = pdf.read_indirect(page[b"Contents"][-1]).decode().decode()
            placed = re.findall(r"q (\S+) 0 0 (\S+) (\S+) (\S+) cm /(\w+) Do Q", drawn)
            found.append(
                [
                    (float(x), float(y), float(width), float(height),
                     colour_of(pdf.read_indirect(known[name.encode()])))
                    for width, height, x, y, name in placed
                ]
            )  # fmt: skip
    return found


def colour_of(stream):
    return np.asarray(Image.open(BytesIO(stream.buf)).convert("RGB")).mean(axis=(0, 1))


def test_a_page_for_each_model_with_its_pictures_where_the_figure_has_them(tmp_path):
    rows, small = several(3, each=4)
    found = pages(written(tmp_path / "sheets.pdf", rows, small))
    assert len(found) == 3
    figure = drawn(rows[:4], small)
    expected = [image.get_window_extent().bounds for image in figure.axes[0].images]
    for page in found:
        assert len(page) == 8
        for number, (*box, colour) in enumerate(page):
            x, y, width, height = np.array(expected[number]) * 72 / figure.dpi
            assert box == pytest.approx([x, y, width, height], abs=0.01)
            assert colour == pytest.approx(colours(number // 2 + 1)[number % 2], abs=4)


def test_one_that_comes_twice_in_the_table_has_one_page(tmp_path):
    rows, small = several(2, each=4)
    mixed = rows.sort_values("place", kind="stable", ignore_index=True)
    content = written(tmp_path / "mixed.pdf", mixed, small)
    assert [len(page) for page in pages(content)] == [8, 8]
    assert content == written(tmp_path / "sorted.pdf", rows, small)


def test_a_picture_is_stored_once_however_many_pages_show_it(tmp_path):
    content = written(tmp_path / "sheets.pdf", *several(5, each=4))
    assert content.count(b"/DCTDecode") == 8


def test_a_reference_shown_twice_on_a_page_is_drawn_twice(tmp_path):
    rows, small = sheet_of(4)
    rows = rows.assign(reference_file=rows["reference_file"][0])
    (page,) = pages(written(tmp_path / "sheets.pdf", rows, small))
    assert len({picture[:2] for picture in page}) == 8


def test_the_same_sheets_are_the_same_bytes_and_say_what_they_were_made_from(tmp_path):
    rows, small = several()
    spec = '{"study":"demo"}'
    facts = {"title": "Pairs (most) misjudged: ü", "spec": spec}
    content = written(tmp_path / "one.pdf", rows, small, **facts)
    assert content == written(tmp_path / "other.pdf", rows, small, **facts)
    assert not re.search(rb"Date|D:20\d\d", content)
    assert str(tmp_path).encode() not in content
    with PdfParser(buf=content) as pdf:
        assert pdf.info.Title == "Pairs (most) misjudged: ü"
        assert pdf.info.Subject == NOTICE
        assert pdf.info.Keywords == f"study demo, fingerprint {fingerprint(spec)}"


def test_nothing_misjudged_gives_a_page_and_so_does_a_closed_data_set(tmp_path):
    rows, small = several(2)
    assert pages(written(tmp_path / "none.pdf", rows[:0], small[:0])) == [[]]
    assert pages(written(tmp_path / "closed.pdf", rows, small[:0], closed=CLOSED)) == [[], []]


def test_where_drawing_fails_the_file_of_before_is_left_and_no_other(tmp_path):
    rows, small = several()
    path = tmp_path / "sheets.pdf"
    before = written(path, rows, small)
    broken = small.assign(webp=[*small["webp"][:-1], b"not a picture"])
    with pytest.raises(UnidentifiedImageError):
        written(path, rows, broken)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["sheets.pdf"]


def test_a_large_study_stays_small(tmp_path):
    """Pictures like photographs, none of which comes twice."""
    rng = np.random.default_rng(0)
    sheets = [sheet_of(20, model=f"Network {number}") for number in range(2)]
    parts, small = [], {}
    for number, (rows, _) in enumerate(sheets):
        for column in ("reference_file", "distorted_file"):
            rows[column] = f"{number}/" + rows[column]
            small |= {name: photograph(rng) for name in rows[column]}
        parts.append(rows)
    content = written(tmp_path / "large.pdf", pd.concat(parts, ignore_index=True), table(small))
    assert content.count(b"/DCTDecode") == 80
    assert np.mean([len(webp) for webp in small.values()]) > 3000  # as `thumbnails` makes them
    # of 60 models at most 20 MB
    assert len(content) < 2 * 20e6 / 60


def photograph(rng):
    """Return a picture whose detail falls with frequency as in photographs, mostly without hue."""
    frequency = np.hypot(np.fft.fftfreq(120)[:, None], np.fft.fftfreq(160)[None]) ** 1.25
    frequency[0, 0] = 1
    light, *hues = np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(4, 120, 160))) / frequency))
    pixels = np.moveaxis(light + 0.15 * np.array(hues), 0, -1)
    pixels = np.clip(128 + 45 * pixels / pixels.std(), 0, 255).astype(np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, "WEBP", quality=60, method=6)
    return content.getvalue()
