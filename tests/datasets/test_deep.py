"""Pictures with more than 8 bits per channel reach whoever reads them without a loss."""

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import icc
import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from features_data import SPEC, resnet
from PIL import Image
from scipy.stats import spearmanr

from dissect_iqa.baselines import classic
from dissect_iqa.baselines.score_baselines import score_baselines
from dissect_iqa.datasets.decoding.decode import decode_picture
from dissect_iqa.datasets.decoding.deep import alike, widened
from dissect_iqa.datasets.pictures import inspect_pairs
from dissect_iqa.distances.measure_distances import measure_distances
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.forward.input import picture_input
from dissect_iqa.features.forward.pictures import Loader
from dissect_iqa.models.network import InputPolicy

torch.set_num_threads(1)

HEIGHT, WIDTH = 24, 40


def levels(channels=3, seed=0, most=65535):
    shape = (HEIGHT, WIDTH, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, most + 1, shape, dtype=np.uint16)


def with_channel(pixels, opacity):
    return np.concatenate([pixels.reshape(HEIGHT, WIDTH, -1), opacity[..., None]], axis=2)


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def netpbm(kind, pixels, most=65535):
    head = f"{kind}\n# a comment\n{WIDTH} {HEIGHT} {most}\n".encode()
    if kind in ("P2", "P3"):
        return head + " ".join(map(str, pixels.ravel().tolist())).encode()
    return head + pixels.astype(">u2").tobytes()


OPAQUE = np.full((HEIGHT, WIDTH), 65535, np.uint16)
RGB, GREY = levels(), levels(1)
FILES = {
    "PNG": (imagecodecs.png_encode(RGB), RGB),
    "grey PNG": (imagecodecs.png_encode(GREY), GREY),
    "opaque PNG": (imagecodecs.png_encode(with_channel(RGB, OPAQUE)), RGB),
    "opaque grey PNG": (imagecodecs.png_encode(with_channel(GREY, OPAQUE)), GREY),
    "TIFF": (tiff(RGB, photometric="rgb"), RGB),
    "compressed TIFF": (tiff(RGB, photometric="rgb", compression="zlib", predictor=True), RGB),
    "planar TIFF": (
        tiff(np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate"),
        RGB,
    ),
    "grey TIFF": (tiff(GREY, photometric="minisblack"), GREY),
    "grey TIFF, big endian": (tiff(GREY, photometric="minisblack", byteorder=">"), GREY),
    "PPM": (netpbm("P6", RGB), RGB),
    "PGM": (netpbm("P5", GREY), GREY),
    "plain PPM": (netpbm("P3", RGB), RGB),
}


@pytest.mark.parametrize("name", FILES)
def test_sixteen_bits_come_out_as_they_went_in(name):
    data, pixels = FILES[name]
    found = decode_picture(data)
    assert found.dtype == np.uint16 and found.shape == (HEIGHT, WIDTH, 3)
    wanted = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("bits", [9, 10, 12, 15])
def test_other_depths_are_spread_over_sixteen_bits_and_none_is_lost(bits):
    most = 2**bits - 1
    pixels = levels(most=most)
    pixels[0, 0] = most
    found = decode_picture(netpbm("P6", pixels, most))
    assert found[0, 0].tolist() == [65535] * 3
    np.testing.assert_array_equal(np.rint(found / 65535 * most), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_deep_pictures_are_turned_as_eight_bit_ones_are(orientation, kind):
    eight = (RGB >> 8).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    buffer = io.BytesIO()
    if kind == "PNG":
        Image.fromarray(eight).save(buffer, "PNG", exif=exif)
        block = exif.tobytes().removeprefix(b"Exif\0\0")
        plain = imagecodecs.png_encode(RGB)
        stated = struct.pack(">I", len(block)) + b"eXIf" + block
        stated += struct.pack(">I", zlib.crc32(b"eXIf" + block))
        deep = plain[:33] + stated + plain[33:]
    else:
        Image.fromarray(eight).save(buffer, "TIFF", tiffinfo={274: orientation})
        deep = tiff(RGB, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    found, wanted = decode_picture(deep), decode_picture(buffer.getvalue())
    np.testing.assert_array_equal(found >> 8, wanted)


def test_what_shines_through_is_refused():
    half = OPAQUE.copy()
    half[3, 4] = 65534  # which 8 bits would not tell
    key = struct.pack(">I", 6) + b"tRNS" + RGB[2, 3].astype(">u2").tobytes()
    key += struct.pack(">I", zlib.crc32(key[4:]))
    plain = FILES["PNG"][0]
    for data in (
        imagecodecs.png_encode(with_channel(RGB, half)),
        imagecodecs.png_encode(with_channel(GREY, half)),
        plain[:33] + key + plain[33:],
    ):
        with pytest.raises(ValueError, match="partly transparent"):
            decode_picture(data)
    other = struct.pack(">I", 6) + b"tRNS" + bytes(6)
    other += struct.pack(">I", zlib.crc32(other[4:]))
    assert not (RGB == 0).all(axis=2).any()
    assert np.array_equal(decode_picture(plain[:33] + other + plain[33:]), RGB)


@pytest.mark.parametrize(
    "data",
    [
        tiff(levels(4), photometric="separated"),
        tiff(GREY, photometric="miniswhite"),
        tiff(levels(1).astype(np.uint32), photometric="minisblack"),
        tiff(levels(1).astype(np.float32), photometric="minisblack"),
        tiff(levels(1).astype(np.int16), photometric="minisblack"),
        tiff(np.stack([GREY, GREY]), photometric="minisblack"),
        netpbm("P6", RGB)[:-1],
        netpbm("P3", RGB, 1000),
        FILES["PNG"][0][:-200],
        FILES["compressed TIFF"][0][: len(FILES["compressed TIFF"][0]) // 2],
    ],
)
def test_what_is_no_picture_of_sixteen_bits_is_refused(data):
    with pytest.raises(Exception):  # noqa: B017
        decode_picture(data)


@pytest.mark.parametrize("missing", [1, 2, 7, WIDTH * HEIGHT * 6])
def test_a_ppm_that_is_cut_short_is_said_to_be(missing):
    # by Pillow, which looks first
    with pytest.raises(ValueError, match=r"not enough image data|damaged"):
        decode_picture(netpbm("P6", RGB)[:-missing])


def test_colours_other_than_srgb_are_refused_in_deep_pictures():
    plain = FILES["PNG"][0]
    block = b"p\0\0" + zlib.compress(icc.rgb_profile("linear", icc.SRGB, 1.0))
    stated = struct.pack(">I", len(block)) + b"iCCP" + block
    stated += struct.pack(">I", zlib.crc32(b"iCCP" + block))
    with pytest.raises(ValueError, match="colours depend on the viewer"):
        decode_picture(plain[:33] + stated + plain[33:])
    gamma = struct.pack(">I", 100000)
    stated = struct.pack(">I", 4) + b"gAMA" + gamma + struct.pack(">I", zlib.crc32(b"gAMA" + gamma))
    with pytest.raises(ValueError, match="a gamma of"):
        decode_picture(plain[:33] + stated + plain[33:])


def test_equal_pictures_of_different_depth_are_known():
    eight = (RGB >> 8).astype(np.uint8)
    assert widened(eight).max() <= 65535 and widened(np.uint8([[[255]]])).item() == 65535
    assert alike(eight, widened(eight)) and alike(widened(eight), eight)
    assert not alike(eight, widened(eight) + np.uint16(1))


@dataclass
class Pictures:
    """Deep pictures in a folder, as extraction and metrics take them."""

    root: Path
    images: pd.DataFrame
    pairs: pd.DataFrame
    facts: dict = field(default_factory=dict)

    def path(self, file):
        return self.root / file


@pytest.fixture
def dataset(tmp_path):
    """One smooth reference and a grating of growing contrast, all far below a step of 8 bits."""
    y, x = np.mgrid[0:64, 0:96]
    smooth = 30000 + 60 * np.sin(x / 9) + 40 * np.cos(y / 7)
    grating = np.sin(2 * np.pi * x / 8)
    contents = {"reference.png": smooth}
    contents |= {f"d{k}.png": smooth + 4 * 2**k * grating for k in range(5)}
    for name, plane in contents.items():
        pixels = np.repeat(np.rint(plane).astype(np.uint16)[:, :, None], 3, axis=2)
        (tmp_path / name).write_bytes(imagecodecs.png_encode(pixels))
    images = pd.DataFrame(
        {
            "file": list(contents),
            "role": ["reference"] + ["distorted"] * 5,
            "sha256": [hashlib.sha256((tmp_path / n).read_bytes()).hexdigest() for n in contents],
            "width": 96,
            "height": 64,
        }
    )
    pairs = pd.DataFrame(
        {
            "pair": range(5), "reference": "r", "reference_file": "reference.png",
            "distorted_file": [f"d{k}.png" for k in range(5)], "distortion": "grating",
            "level": range(5), "quality": -np.arange(5.0),
        }
    )  # fmt: skip
    return Pictures(tmp_path, images, pairs.astype({"level": "Int64"}))


def test_extraction_sees_what_eight_bits_would_not_show(dataset, tmp_path):
    for file in dataset.pairs["distorted_file"][:3]:
        eight = decode_picture(dataset.path(file).read_bytes()) >> 8
        reference = decode_picture(dataset.path("reference.png").read_bytes()) >> 8
        assert np.abs(eight.astype(int) - reference).max() <= 1
    network = resnet()
    extract_features(network, dataset, tmp_path / "f.h5", SPEC, device="cpu", progress=False)
    table = measure_distances(tmp_path / "f.h5", dataset.pairs, ["rmse"], SPEC)
    for _, rows in table.groupby("layer", observed=True):
        assert rows["value"].is_monotonic_increasing and rows["value"].iloc[0] > 0
        # small contrasts: distances are about in proportion to them
        ratios = rows["value"].to_numpy()[1:] / rows["value"].to_numpy()[:-1]
        assert np.all((ratios > 1.6) & (ratios < 2.6)), ratios


@pytest.mark.parametrize("metric", ["psnr", "psnr_y", "ssim", "fsimc", "gmsd", "haarpsi", "mdsi"])
def test_metrics_see_it_too(dataset, metric):
    found = score_baselines(metric, dataset)
    sign = found["sign"].iloc[0]
    assert len(set(found["value"])) == 5
    assert spearmanr(sign * found["value"], -np.arange(5)).statistic == pytest.approx(1)


def test_psnr_of_deep_pictures_is_that_of_its_formula(dataset):
    found = score_baselines("psnr", dataset)["value"]
    reference = decode_picture(dataset.path("reference.png").read_bytes()).astype(float)
    for value, file in zip(found, dataset.pairs["distorted_file"], strict=True):
        picture = decode_picture(dataset.path(file).read_bytes())
        mse = np.mean((picture / 65535 - reference / 65535) ** 2)
        assert value == pytest.approx(min(100, -10 * np.log10(mse)), abs=1e-9)


def test_metrics_of_widened_pictures_are_those_of_eight_bit_ones_but_for_rounded_luma():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (192, 208, 3), dtype=np.uint8)
    y = np.clip(x + rng.normal(0, 8, x.shape), 0, 255).astype(np.uint8)
    deep = [widened(p) / 257 for p in (x, y)]
    for name in ("psnr", "fsimc", "vsi", "mdsi"):
        metric = classic.CLASSIC[name]
        assert metric(*deep) == pytest.approx(metric(x, y), rel=1e-12), name
    for name in ("psnr_y", "ssim", "ms_ssim", "gmsd"):
        metric = classic.CLASSIC[name]
        assert metric(*deep) == pytest.approx(metric(x, y), rel=1e-2), name


@pytest.mark.parametrize(
    "policy",
    [
        InputPolicy(),
        InputPolicy(size=(20, 30)),
        InputPolicy(scale=255.0, channels="bgr"),
        InputPolicy(scale=100.0, channels="lab_l", mean=(50.0,), std=(2.0,)),
    ],
)
def test_a_network_gets_the_same_from_equal_pictures_of_either_depth(policy):
    eight = np.random.default_rng(1).integers(0, 256, (1, 48, 64, 3), dtype=np.uint8)
    found = [picture_input(torch.from_numpy(p), policy) for p in (eight, widened(eight))]
    torch.testing.assert_close(found[1], found[0], rtol=2e-6, atol=2e-6 * policy.scale)


def test_eight_bit_pictures_become_what_they_always_were_to_the_bit():
    eight = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (2, 48, 64, 3), np.uint8))
    policy = InputPolicy()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (policy.mean, policy.std))
    wanted = (eight.permute(0, 3, 1, 2).float() / 255.0 * policy.scale - mean) / std
    assert torch.equal(picture_input(eight, policy), wanted)


def test_a_batch_of_mixed_depth_is_sixteen_bits_deep(dataset):
    eight = (decode_picture(dataset.path("reference.png").read_bytes()) >> 8).astype(np.uint8)
    Image.fromarray(eight).save(dataset.path("d0.png"))
    dataset.images.loc[1, "sha256"] = hashlib.sha256(
        dataset.path("d0.png").read_bytes()
    ).hexdigest()
    with Loader(dataset) as loader:
        mixed, alone = loader.stream([np.array([0, 1]), np.array([1])])
    assert mixed.dtype == np.uint16 and alone.dtype == np.uint8
    assert np.array_equal(mixed[1], widened(alone[0])) and mixed[0].max() > 255


def test_identical_pairs_are_found_whatever_their_depth(dataset):
    reference = decode_picture(dataset.path("reference.png").read_bytes())
    (dataset.root / "d0.png").write_bytes(imagecodecs.png_encode(reference))
    found = inspect_pairs(dataset.pairs, dataset.root, workers=1)
    assert found.identical == [0] and not found.problems
