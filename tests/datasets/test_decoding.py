"""A picture is decoded as a viewer shows it, or refused in one sentence: format by format."""

import io
import os
import socket
import struct
import zlib

import icc
import numpy as np
import pytest
from PIL import Image, ImageCms, features

from dissect_iqa.datasets.decoding.decode import MOST_PIXELS, decode_picture
from dissect_iqa.datasets.pictures import inspect_pairs
from dissect_iqa.files.regular_files import open_regular, read_bytes

HEIGHT, WIDTH = 24, 40


def noise(channels=3, seed=0):
    shape = (HEIGHT, WIDTH, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def with_chunks(data, **chunks):
    """A PNG file with more chunks after its header."""
    more = b"".join(chunk(kind.encode(), content) for kind, content in chunks.items())
    return data[:33] + more + data[33:]


def tiff(bits, sample_format=1, samples=3):
    """An uncompressed TIFF file of two rows and columns."""
    pixels = bytes(2 * 2 * samples * (bits // 8))
    entries = [
        (256, 3, 1, 2), (257, 3, 1, 2), (258, 3, samples, None), (259, 3, 1, 1),
        (262, 3, 1, 2 if samples == 3 else 1), (273, 4, 1, None), (277, 3, 1, samples),
        (278, 3, 1, 2), (279, 4, 1, len(pixels)), (339, 3, samples, None),
    ]  # fmt: skip
    tail = 8 + 2 + 12 * len(entries) + 4
    extra, out = b"", struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    for tag, kind, count, value in entries:
        if tag in (258, 339):
            each = struct.pack("<H", bits if tag == 258 else sample_format) * count
            if count == 1:
                out += struct.pack("<2HI", tag, kind, count) + each + b"\0\0"
                continue
            value, extra = tail + len(extra), extra + each
        if tag == 273:
            value = tail + 4 * samples * (samples > 1)
        out += struct.pack("<2H2I", tag, kind, count, value)
    return out + b"\0\0\0\0" + extra + pixels


# ---------------------------------------------------------------------- what stays as it is


def ordinary():
    """Yield (name, file) of 8-bit opaque pictures in sRGB."""
    rgb, grey = Image.fromarray(noise()), Image.fromarray(noise(1))
    for kind in ("PNG", "BMP", "TIFF", "PPM", "TGA", "PCX", "JPEG", "WEBP", "JPEG2000", "AVIF"):
        if kind != "AVIF" or features.check("avif"):
            yield kind, saved(rgb, kind)
    for kind in ("PNG", "BMP", "TIFF", "PPM", "TGA", "PCX", "JPEG", "JPEG2000", "GIF"):
        yield f"grey {kind}", saved(grey, kind)
    for kind in ("PNG", "BMP", "TIFF", "GIF", "PCX"):
        yield f"palette {kind}", saved(rgb.quantize(16), kind)
    for kind in ("PNG", "BMP", "TIFF", "PPM", "GIF"):
        yield f"two colours {kind}", saved(grey.convert("1"), kind)
    opaque = noise(4)
    opaque[..., 3] = 255
    for kind in ("PNG", "TIFF", "WEBP", "TGA"):
        yield (
            f"opaque {kind}",
            saved(opaque, kind, **({"lossless": True} if kind == "WEBP" else {})),
        )
    yield "grey opaque PNG", saved(grey.convert("LA"), "PNG")
    yield "progressive JPEG", saved(smooth(), "JPEG", progressive=True)
    for way in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{way} TIFF", saved(rgb, "TIFF", compression=way)
    yield "PPM of 100", b"P6 # people\n2 1\n100\n" + bytes([0, 50, 100, 100, 50, 0])
    yield (
        "key that no pixel has",
        with_chunks(saved(np.zeros((4, 4, 3), np.uint8), "PNG"), tRNS=struct.pack(">3H", 1, 2, 3)),
    )
    yield "opaque palette", saved(rgb.quantize(16), "PNG", transparency=bytes([255] * 16))
    yield "unused palette key", saved(rgb.quantize(16), "PNG", transparency=200)


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in ordinary()])
def test_ordinary_pictures_are_what_pillow_makes_of_them(name, data, recwarn):
    picture = Image.open(io.BytesIO(data))
    picture.info.pop("transparency", None)
    expected = np.asarray(picture.convert("RGB"))
    found = decode_picture(data)
    assert found.dtype == np.uint8 and np.array_equal(found, expected)
    assert not recwarn.list


# --------------------------------------------------------------------------- more than 8 bits


def deep():
    grey = Image.fromarray(noise(1).astype(np.uint16) * 200)
    yield "JPEG2000", saved(grey, "JPEG2000")
    yield "bare JPEG2000", saved(grey, "JPEG2000", no_jp2=True)
    jpeg = bytearray(saved(noise(), "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    yield "JPEG", bytes(jpeg)
    if features.check("avif"):
        avif = bytearray(saved(noise(), "AVIF"))
        avif[avif.index(b"av1C") + 6] |= 0x40
        yield "AVIF", bytes(avif)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in deep()])
def test_more_than_eight_bits_are_refused_where_they_are_not_read(data):
    with pytest.raises(
        ValueError,
        match=r"has (9|10|12|16) bits per channel, which would be cut to 8; save it as a 16-bit",
    ):
        decode_picture(data)


@pytest.mark.parametrize(
    "data", [tiff(32, 3), tiff(32, 3, 1), tiff(8, 2, 1), saved(Image.new("F", (3, 3)), "TIFF")]
)
def test_numbers_that_are_no_levels_are_refused(data):
    with pytest.raises(
        ValueError, match=r"bits per channel|numbers other than|mode F|damaged or no"
    ):
        decode_picture(data)


# -------------------------------------------------------------------------------- which way up


def turned(orientation):
    """A picture, and the same stored so that this orientation makes it upright again."""
    upright = smooth()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    return upright, upright.transpose(Image.Transpose(undo))


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_orientation_is_honoured_in_every_format(kind, orientation):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow can't write AVIF")
    upright, stored = turned(orientation)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    found = decode_picture(saved(stored, kind, exif=exif, **options))
    assert found.shape == (HEIGHT, WIDTH, 3)
    off = np.abs(found.astype(int) - np.asarray(upright)).mean()
    assert off == 0 if kind not in ("JPEG", "AVIF") else off < 8


def test_orientation_that_is_none(tmp_path):
    exif = Image.Exif()
    exif[274] = 9
    pixels = noise()
    assert np.array_equal(decode_picture(saved(pixels, "PNG", exif=exif)), pixels)


def test_orientation_that_viewers_read_differently():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6"/></x:xmpmeta>'
    for kind in ("JPEG", "WEBP"):
        with pytest.raises(ValueError, match="turned by its XMP data alone"):
            decode_picture(saved(noise(), kind, xmp=xmp))
        decode_picture(saved(noise(), kind, xmp=xmp.replace(b"6", b"1")))
    with pytest.raises(ValueError, match="Exif data that can't be read"):
        decode_picture(with_chunks(saved(noise(), "PNG"), eXIf=b"nothing of the kind"))


def test_sizes_in_messages_are_those_that_viewers_show(tmp_path):
    """A quarter turn: stored upright, shown lying, like its reference."""
    import pandas as pd

    exif = Image.Exif()
    exif[274] = 6
    upright, stored = turned(6)
    (tmp_path / "r.png").write_bytes(saved(upright, "PNG"))
    (tmp_path / "d.png").write_bytes(saved(stored, "PNG", exif=exif))
    (tmp_path / "e.png").write_bytes(saved(stored, "PNG"))
    pairs = pd.DataFrame({"reference_file": "r.png", "distorted_file": ["d.png", "e.png"]})
    found = inspect_pairs(pairs, tmp_path)
    assert found.identical == [0]
    assert found.problems == ["e.png: 24x40 pixels, but its reference r.png has 40x24"]
    assert ("d.png", 40, 24) in [(file, *size) for file, _, *size in found.pictures]


# -------------------------------------------------------------------------------- transparency


def transparent():
    seen = noise(4)
    seen[..., 3] = 255
    seen[3, 4, 3] = 254
    for kind in ("PNG", "WEBP", "TIFF", "TGA"):
        yield kind, saved(seen, kind, **({"lossless": True} if kind == "WEBP" else {}))
    yield "grey with alpha", saved(Image.fromarray(seen).convert("LA"), "PNG")
    palette = Image.fromarray(noise()).quantize(4)
    yield "palette of opacities", saved(palette, "PNG", transparency=bytes([255, 255, 7, 255]))
    yield "palette key", saved(palette, "PNG", transparency=2)
    yield "GIF", saved(palette, "GIF", transparency=1)
    plain = np.full((4, 4, 3), 9, np.uint8)
    yield "colour key", with_chunks(saved(plain, "PNG"), tRNS=struct.pack(">3H", 9, 9, 9))
    yield "grey key", with_chunks(saved(plain[..., 0], "PNG"), tRNS=struct.pack(">H", 9))
    grey = b"\0" + b"\x1b" * 2  # 0, 1, 2, 3 of 2 bits, twice
    yield "key of 2 bits", (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 8, 1, 2, 0, 0, 0, 0))
        + chunk(b"tRNS", struct.pack(">H", 2)) + chunk(b"IDAT", zlib.compress(grey))
        + chunk(b"IEND", b"")
    )  # fmt: skip
    part = bytearray(saved(palette, "GIF"))
    part[6:8] = struct.pack("<H", WIDTH + 3)
    yield "GIF that leaves a part open", bytes(part)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in transparent()])
def test_transparency_is_refused_whatever_carries_it(data):
    with pytest.raises(ValueError, match="is partly transparent; blend it with a background first"):
        decode_picture(data)


# ------------------------------------------------------------------------------------- colours

SRGB_BY_PILLOW = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOUR_FORMATS = ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"]


def skip_without(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow can't write AVIF")


@pytest.mark.parametrize("kind", COLOUR_FORMATS)
@pytest.mark.parametrize(
    "profile",
    [
        SRGB_BY_PILLOW,
        icc.rgb_profile("sRGB of some maker", icc.SRGB, "srgb"),
        icc.rgb_profile("sRGB, simplified", icc.SRGB, 2.2),
    ],
)
def test_srgb_by_any_maker_changes_nothing(kind, profile):
    skip_without(kind)
    assert np.array_equal(
        decode_picture(saved(smooth(), kind, icc_profile=profile)),
        decode_picture(saved(smooth(), kind)),
    )


@pytest.mark.parametrize("kind", COLOUR_FORMATS)
@pytest.mark.parametrize(
    ("name", "colorants", "gamma"),
    [
        ("Adobe RGB (1998)", icc.ADOBE_RGB, 2.2),
        ("Display P3", icc.DISPLAY_P3, "srgb"),
        ("old Mac", icc.SRGB, 1.8),
        ("linear", icc.SRGB, 1.0),
    ],
)
def test_other_colour_profiles_are_refused_by_name(kind, name, colorants, gamma):
    skip_without(kind)
    data = saved(smooth(), kind, icc_profile=icc.rgb_profile(name, colorants, gamma))
    with pytest.raises(ValueError, match="a colour profile other than sRGB") as caught:
        decode_picture(data)
    assert f"({name})" in str(caught.value) and "convert it to sRGB" in str(caught.value)


def test_profiles_of_grey_pictures():
    grey = noise(1)
    for profile in (icc.grey_profile("grey", "srgb"), icc.grey_profile("2.2", 2.2), SRGB_BY_PILLOW):
        found = decode_picture(saved(grey, "PNG", icc_profile=profile))
        assert np.array_equal(found, np.stack([grey] * 3, -1))
    with pytest.raises(ValueError, match=r"other than sRGB \(dot gain\)"):
        decode_picture(saved(grey, "PNG", icc_profile=icc.grey_profile("dot gain", 1.7)))
    with pytest.raises(ValueError, match="a colour profile for gray pictures"):
        decode_picture(saved(noise(), "PNG", icc_profile=icc.grey_profile("grey", 2.2)))
    with pytest.raises(ValueError, match="a colour profile that can't be read"):
        decode_picture(saved(noise(), "PNG", icc_profile=b"no profile"))


SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
WIDE_CHRM = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ({"gAMA": struct.pack(">I", 45455)}, None),
        ({"gAMA": struct.pack(">I", 45455), "cHRM": SRGB_CHRM}, None),
        ({"sRGB": b"\0", "gAMA": struct.pack(">I", 100000)}, None),
        ({"cICP": bytes([1, 13, 0, 1]), "gAMA": struct.pack(">I", 100000)}, None),
        ({"gAMA": struct.pack(">I", 55556)}, r"a gamma of 1/1\.8"),
        ({"gAMA": struct.pack(">I", 100000)}, r"a gamma of 1/1,"),
        ({"gAMA": struct.pack(">I", 45455), "cHRM": WIDE_CHRM}, "primaries of its own"),
        ({"cICP": bytes([9, 16, 0, 1])}, "coding-independent code points"),
    ],
)
def test_colour_chunks_of_png(chunks, problem):
    data = with_chunks(saved(noise(), "PNG"), **chunks)
    if problem is None:
        assert np.array_equal(decode_picture(data), noise())
    else:
        with pytest.raises(ValueError, match=problem):
            decode_picture(data)


def test_profile_of_a_bitmap():
    """Version 5 headers carry one, which Pillow doesn't read."""
    pixels = saved(noise(), "BMP")
    header = bytearray(124)
    header[:40] = pixels[14:54]
    struct.pack_into("<I", header, 0, 124)
    for mask, at in ((0xFF0000, 40), (0xFF00, 44), (0xFF, 48)):
        struct.pack_into("<I", header, at, mask)

    def bitmap(kind, profile=b""):
        body = pixels[54:]
        header[56:60] = kind
        struct.pack_into("<2I", header, 112, 124 + len(body), len(profile))
        size = 14 + 124 + len(body) + len(profile)
        head = b"BM" + struct.pack("<3I", size, 0, 14 + 124)
        return head + header + body + profile

    for kind, profile in ((b"BGRs", b""), (b"DEBM", SRGB_BY_PILLOW)):
        assert np.array_equal(decode_picture(bitmap(kind, profile)), noise())
    with pytest.raises(ValueError, match=r"other than sRGB \(wide\)"):
        decode_picture(bitmap(b"DEBM", icc.rgb_profile("wide", icc.ADOBE_RGB, 2.2)))
    with pytest.raises(ValueError, match="has a linked colour profile"):
        decode_picture(bitmap(b"KNIL"))


def test_colours_of_boxes():
    jp2 = saved(noise(), "JPEG2000")
    with pytest.raises(ValueError, match="a colour space other than sRGB"):
        decode_picture(jp2.replace(b"colr\x01\0\0\0\0\0\x10", b"colr\x01\0\0\0\0\0\x14"))
    if features.check("avif"):
        avif = saved(noise(), "AVIF")
        at = avif.index(b"nclx")
        for colours, fine in (((1, 13), True), ((9, 16), False), ((12, 13), False)):
            data = avif[: at + 4] + struct.pack(">2H", *colours) + avif[at + 8 :]
            if fine:
                decode_picture(data)
            else:
                with pytest.raises(ValueError, match="a colour space other than sRGB"):
                    decode_picture(data)


def test_inks_are_refused():
    for kind in ("JPEG", "TIFF"):
        with pytest.raises(ValueError, match="is of mode CMYK"):
            decode_picture(saved(Image.fromarray(noise()).convert("CMYK"), kind))
    with pytest.raises(ValueError, match="is of mode LAB"):
        decode_picture(saved(Image.new("LAB", (4, 4)), "TIFF"))


# ------------------------------------------------------------------- frames, sizes, other files


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_several_frames_are_refused(kind):
    skip_without(kind)
    data = saved(smooth(), kind, save_all=True, append_images=[smooth(1)])
    with pytest.raises(ValueError, match="has several frames or pages"):
        decode_picture(data)


def test_too_large_and_other_formats():
    huge = bytearray(saved(Image.new("L", (4, 4)), "PNG"))
    for side in (20_000, 100_000):
        header = struct.pack(">2I", side, side) + bytes(huge[24:29])
        huge[12:33] = b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
        with pytest.raises(ValueError, match=f"more than the {MOST_PIXELS:,} pixels"):
            decode_picture(bytes(huge))
    for data in (
        saved(smooth(), "ICO"),
        saved(smooth(), "SGI"),
        b"text",
        b"",
        b"\x89PNG\r\n\x1a\n",
    ):
        with pytest.raises(ValueError, match="is damaged or no picture that is read here"):
            decode_picture(data)


def test_only_regular_files_are_read(tmp_path, monkeypatch):
    (tmp_path / "text").write_bytes("ä\r\nb\r".encode())
    (tmp_path / "link").symlink_to("text")
    assert read_bytes(tmp_path / "link") == (tmp_path / "text").read_bytes()
    with pytest.raises(OSError, match="has 6 bytes, more than the 5 that are read"):
        read_bytes(tmp_path / "text", 5)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to pipe").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # a socket's address must be short
    server.bind("socket")
    for name, kind in (
        ("pipe", "is a named pipe, not a file"),
        ("to pipe", "is a named pipe, not a file"),
        ("socket", "is a socket, not a file"),
        ("/dev/zero", "is a device, not a file"),
        (".", "is a folder, not a file"),
        ("loop", "Too many levels of symbolic links"),
        ("none", "No such file"),
    ):
        with pytest.raises(OSError, match=kind):
            open_regular(tmp_path / name)
    server.close()
