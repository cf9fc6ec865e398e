"""Damage that decoders pass over in silence is found when a data set is prepared."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFile

from dissect_iqa.datasets.decoding.decode import check_whole
from dissect_iqa.datasets.pictures import inspect_pairs


def picture(height=64, width=88, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), dtype=np.uint8)
    shown = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(shown) + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def saved(shown, kind="JPEG", **options):
    buffer = io.BytesIO()
    shown.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _room_to_write(monkeypatch):
    """Pillow writes progressive pictures of high quality in one piece."""
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1 << 22)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_whole_jpegs_pass(progressive, subsampling):
    for size in ((64, 88), (37, 53), (8, 8), (1, 1), (17, 100)):
        shown = picture(*size)
        for quality in (3, 50, 100):
            for more in ({}, {"optimize": True}, {"restart_marker_blocks": 3}):
                check_whole(
                    saved(
                        shown,
                        quality=quality,
                        subsampling=subsampling,
                        progressive=progressive,
                        **more,
                    )
                )
        for mode in ("L", "CMYK"):
            check_whole(saved(shown.convert(mode), progressive=progressive))
    check_whole(saved(Image.new("RGB", (64, 64)), progressive=progressive, optimize=True))
    check_whole(saved(shown) + b"what cameras append")
    check_whole(saved(shown).replace(b"\xff\xd9", b"\xff\xff\xff\xd9"))
    check_whole(saved(shown).replace(b"\xff\xd9", b"\xff\xd0\xff\xd9"))


def hurt(data, at, content):
    return data[:at] + content + data[at + len(content) :]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 5}])
def test_damage_in_the_middle_of_a_jpeg_is_found(options):
    """Noise in place of a block of a disk: Pillow decodes most of these without a word."""
    data = saved(picture(256, 256), quality=90, **options)
    rng, silent = np.random.default_rng(1), 0
    for at in rng.integers(data.index(b"\xff\xda") + 16, len(data) - 520, 20):
        broken = hurt(data, int(at), rng.bytes(512).replace(b"\xff", b"\0"))
        with pytest.raises(ValueError, match=r"^is damaged \(.*\); restore it, or save what"):
            check_whole(broken)
        try:
            Image.open(io.BytesIO(broken)).load()
            silent += 1
        except (OSError, SyntaxError):
            continue
    assert silent > 5


def test_what_jpegs_lack_is_named():
    data = saved(picture(), restart_marker_blocks=3)
    start = data.index(b"\xff\xda")
    second = data.index(b"\xff\xd1", start)
    for broken, sentence in (
        (data[:-2], "it is cut short"),
        (data[: start + 200], "a scan ends before its last block|it is cut short|restart marker"),
        (hurt(data, second, b"\xff\xd3"), "a restart marker is missing or out of turn"),
        (data[:second] + data[second + 2 :], "restart marker|goes on after|isn't in its table"),
        (data[:-2] + bytes(40) + data[-2:], "a scan goes on after its last block"),
        (data[: start] + b"\xff\xd9", "it ends before its last scan"),
        (hurt(data, start, b"\xff\xd9"), "it ends before its last scan"),
        (hurt(data, data.index(b"\xff\xc4") + 5, b"\xff" * 8), "a table of codes"),
        (data.replace(b"\xff\xc4", b"\xff\xee"), "a scan without its table of codes"),
        (data.replace(b"\xff\xdb", b"\xff\xee"), "a scan without its table of quantization"),
        (data.replace(b"\xff\xc0", b"\xff\xc9"), "of a kind that can't be checked"),
        (b"\xff\xd8 and text", "no marker at byte 2"),
        (b"\xff\xd8\xff\xe0\xff", "it is cut short"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=sentence):
            check_whole(broken)


def test_a_wrong_checksum_in_a_png_is_found():
    """Pillow doesn't look at those of the pixels."""
    data = saved(picture(), "PNG")
    at = data.index(b"IDAT") + 20
    with pytest.raises(ValueError, match="the checksum of its 'IDAT' chunk is wrong"):
        check_whole(hurt(data, at, bytes([data[at] ^ 4])))
    with pytest.raises(ValueError, match="is cut short"):
        check_whole(data[:-12])
    check_whole(data + b"more")


def test_all_damaged_pictures_of_a_data_set_are_named_at_once(tmp_path):
    data = saved(picture(256, 256), quality=90)
    png = saved(picture(256, 256), "PNG")
    half = len(data) // 2
    (tmp_path / "r.png").write_bytes(png)
    (tmp_path / "a.jpg").write_bytes(hurt(data, half, np.random.default_rng(2).bytes(512)))
    (tmp_path / "b.jpg").write_bytes(data[:half])
    (tmp_path / "c.png").write_bytes(hurt(png, len(png) - 14, b"\0\0"))
    (tmp_path / "d.jpg").write_bytes(data)
    (tmp_path / "e.bmp").write_bytes(saved(picture(256, 256), "BMP")[:1000])
    names = ["a.jpg", "b.jpg", "c.png", "d.jpg", "e.bmp", "f.png"]
    pairs = pd.DataFrame({"reference_file": "r.png", "distorted_file": names})
    problems = inspect_pairs(pairs, tmp_path).problems
    assert [line.split(":")[0] for line in problems] == [
        "a.jpg",
        "b.jpg",
        "c.png",
        "e.bmp",
        "f.png",
    ]
    assert problems[-1] == "f.png: No such file or directory"
