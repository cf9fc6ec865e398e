"""Small copies of pictures: small, each once, true to shape and colour."""

from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from dissect_iqa.datasets.thumbnails import SIDE, thumbnails
from dissect_iqa.errors import UserError


def opened(small, file):
    return Image.open(BytesIO(small.set_index("file").loc[file, "webp"]))


def test_each_is_there_once_and_keeps_its_shape(tmp_path):
    for name, size in (("wide.png", (640, 320)), ("tall.png", (100, 400)), ("tiny.png", (20, 30))):
        Image.new("RGB", size, (200, 40, 40)).save(tmp_path / name)
    small = thumbnails(["wide.png", "tall.png", "wide.png", "tiny.png"], tmp_path)
    assert small["file"].tolist() == ["wide.png", "tall.png", "tiny.png"]
    assert opened(small, "wide.png").size == (SIDE, SIDE // 2)
    assert opened(small, "tall.png").size == (SIDE // 4, SIDE)
    assert opened(small, "tiny.png").size == (20, 30)  # never enlarged
    colour = np.asarray(opened(small, "wide.png").convert("RGB")).mean(axis=(0, 1))
    assert np.abs(colour - (200, 40, 40)).max() < 4


def test_a_photograph_takes_few_bytes(tmp_path):
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "photo.png")
    assert len(thumbnails(["photo.png"], tmp_path)["webp"][0]) < 6000


def test_sixteen_bits_become_eight(tmp_path):
    deep = np.full((40, 60, 3), 257 * 99, np.uint16)
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    picture = opened(thumbnails(["deep.tif"], tmp_path), "deep.tif").convert("RGB")
    assert np.abs(np.asarray(picture).astype(int) - 99).max() < 4


def test_none_is_a_table_all_the_same(tmp_path):
    small = thumbnails([], tmp_path)
    assert list(small.columns) == ["file", "webp"] and small.empty


def test_what_is_missing_or_damaged_is_named(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"gone\.png: picture is missing"):
        thumbnails(["gone.png"], tmp_path)
    with pytest.raises(UserError, match=r"bad\.png: can't be decoded"):
        thumbnails(["bad.png"], tmp_path)
