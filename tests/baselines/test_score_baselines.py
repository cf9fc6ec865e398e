"""Baseline metrics: the published values, the libraries they must equal, and bad input."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dissect_iqa.baselines.classic import CLASSIC, luma
from dissect_iqa.baselines.names import BASELINES, check_baseline, trunks
from dissect_iqa.baselines.score_baselines import score_baselines
from dissect_iqa.errors import UserError
from dissect_iqa.files.provenance import sha256_file

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

PAIRS = Path(__file__).parents[2].parent / "shared" / "data" / "tid2013_pairs"
#: Names in the table of official values.
OFFICIAL = {
    "psnr_rgb": "psnr",
    "psnr_luma_rounded": "psnr_y",
    "ssim_luma": "ssim",
    "ssim_luma_downsampled": "ssim_downsampled",
    "ms_ssim_luma": "ms_ssim",
    "fsimc": "fsimc",
    "gmsd": "gmsd",
}


def official_values():
    if not PAIRS.is_dir():
        return []
    with (PAIRS / "values.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["metric"] in OFFICIAL]


def smooth(rng, height, width):
    """A random picture with structure at several scales."""
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def noisy(rng, picture, sigma=12):
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    reference = smooth(rng, 192, 200)
    return reference, noisy(rng, reference)


@dataclass
class Folder:
    """Stands in for dissect_iqa.datasets.tables.Dataset."""

    root: Path
    pairs: pd.DataFrame
    prepared: pd.DataFrame | None = None
    facts: dict = field(default_factory=dict)

    @property
    def images(self):
        """The pictures as prepared, or as they are now."""
        if self.prepared is not None:
            return self.prepared
        files = sorted({*self.pairs["reference_file"], *self.pairs["distorted_file"]})
        sums = [sha256_file(p) if (p := self.root / file).exists() else "" for file in files]
        return pd.DataFrame({"file": files, "sha256": sums})

    def path(self, file):
        return self.root / file


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(5)
    rows = []
    for name in "ab":
        reference = smooth(rng, 40, 48)
        Image.fromarray(reference).save(tmp_path / f"{name}.png")
        for level in (1, 2):
            file = f"{name}_{level}.png"
            Image.fromarray(noisy(rng, reference, 10 * level)).save(tmp_path / file)
            rows.append((name, f"{name}.png", file, "noise", level))
    # The rows of a reference need not lie together.
    columns = ["reference", "reference_file", "distorted_file", "distortion", "level"]
    pairs = pd.DataFrame(rows, columns=columns).iloc[[2, 0, 3, 1]].reset_index(drop=True)
    pairs.insert(0, "pair", np.arange(4))
    return Folder(tmp_path, pairs.astype({"level": "Int64"}))


# --- published values ---------------------------------------------------------------------


@pytest.mark.skipif(not PAIRS.is_dir(), reason="needs the real TID2013 pairs")
@pytest.mark.parametrize(
    "row", official_values(), ids=lambda row: f"{row['metric']}-{row['distorted']}"
)
def test_official_values_on_real_pairs(row):
    from dissect_iqa.baselines.score_baselines import _decode

    value = CLASSIC[OFFICIAL[row["metric"]]](
        _decode(PAIRS / row["reference"]), _decode(PAIRS / row["distorted"])
    )
    # Three digits; the official MS-SSIM is known to be missed by up to 0.005 by all ports.
    tolerance = 0.005 if row["metric"] == "ms_ssim_luma" else 1.5e-4
    assert value == pytest.approx(float(row["value"]), abs=tolerance)


def test_luma_is_that_of_matlab():
    picture = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [7, 7, 7]]])
    assert luma(picture.astype(np.uint8)).tolist() == [[76, 150, 29, 255, 7]]


def test_ssim_equals_its_formula_written_out():
    rng = np.random.default_rng(0)
    reference = smooth(rng, 17, 19)
    distorted = noisy(rng, reference)
    x, y = luma(reference), luma(distorted)
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / np.outer(taps, taps).sum()
    values = []
    for row in range(17 - 10):
        for column in range(19 - 10):
            a, b = (p[row : row + 11, column : column + 11] for p in (x, y))
            m, n = (window * a).sum(), (window * b).sum()
            v, w = (window * (a - m) ** 2).sum(), (window * (b - n) ** 2).sum()
            cov = (window * (a - m) * (b - n)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append((2 * m * n + c1) * (2 * cov + c2) / (m**2 + n**2 + c1) / (v + w + c2))
    assert CLASSIC["ssim"](reference, distorted) == pytest.approx(np.mean(values), rel=1e-9)


def test_ms_ssim_equals_an_independent_pyramid(pair):
    """The same five scales from piq's SSIM, which reports contrast x structure by itself."""
    import piq

    x, y = (torch.from_numpy(luma(picture))[None, None] / 255 for picture in pair)
    value = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        index, contrast = piq.ssim(x, y, data_range=1.0, downsample=False, full=True)
        value *= float(index if scale == 4 else contrast) ** weight
        x, y = (
            torch.nn.functional.avg_pool2d(
                torch.nn.functional.pad(plane, (1, 0, 1, 0), mode="replicate"), 2, 2
            )
            for plane in (x, y)
        )
    assert CLASSIC["ms_ssim"](*pair) == pytest.approx(value, abs=1e-7)


def test_downsampled_ssim_is_ssim_below_384_pixels(pair):
    assert CLASSIC["ssim_downsampled"](*pair) == CLASSIC["ssim"](*pair)


def test_vifp_takes_the_reference_second_in_piq(pair):
    from torchmetrics.functional.image import visual_information_fidelity

    reference, distorted = (torch.from_numpy(luma(picture))[None, None] for picture in pair)
    expected = float(visual_information_fidelity(distorted.float(), reference.float()))
    assert CLASSIC["vifp"](*pair) == pytest.approx(expected, rel=1e-3)
    assert CLASSIC["vifp"](*pair[::-1]) != pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("name", list(CLASSIC))
def test_identical_pair_has_the_best_value(name, pair):
    best = CLASSIC[name](pair[0], pair[0])
    assert best == pytest.approx(BASELINES[name].identical, abs=1e-6)
    sign = BASELINES[name].sign
    rng = np.random.default_rng(1)
    much = CLASSIC[name](pair[0], noisy(rng, pair[0], 40))
    assert sign * best > sign * CLASSIC[name](*pair) > sign * much


def plain_pictures(height, width):
    """Pictures with nothing or next to nothing on them, by what they show."""
    pictures = {
        name: np.full((height, width, 3), colour, np.uint8)
        for name, colour in {"black": 0, "white": 255, "grey": 128, "red": (255, 0, 0)}.items()
    }
    for name in ("black", "grey"):
        pictures[f"{name}, one pixel brighter"] = spot = pictures[name].copy()
        spot[height // 2, width // 2] += 1
        pictures[f"{name}, faint stripes"] = stripes = pictures[name].copy()
        stripes[::2] += 1
    return pictures


@pytest.mark.parametrize("name", list(CLASSIC))
def test_plain_pictures_have_values(name):
    """Equal ones exactly the best value, others none that is better; black ones were inf once."""
    sign, side = BASELINES[name].sign, BASELINES[name].smallest
    best = BASELINES[name].identical
    shown = plain_pictures(side + 1, side + 4)
    for picture in shown.values():
        assert CLASSIC[name](picture, picture.copy()) == best
    for what in ("black", "grey"):
        plain = shown[what]
        for other in (f"{what}, one pixel brighter", f"{what}, faint stripes"):
            if name != "iw_ssim":  # neither picture may be without information
                assert sign * CLASSIC[name](shown[other], plain) <= sign * best
            value = CLASSIC[name](plain, shown[other])
            if BASELINES[name].needs_structure:  # which nothing can be kept of
                assert np.isnan(value)
            else:
                assert sign * value <= sign * best


@pytest.mark.parametrize("name", list(CLASSIC))
def test_smallest_size_is_enough(name):
    side = BASELINES[name].smallest
    rng = np.random.default_rng(2)
    reference = smooth(rng, side, side)
    assert np.isfinite(CLASSIC[name](reference, noisy(rng, reference)))


def test_ssimulacra2_is_what_the_command_of_its_package_says(pair, tmp_path):
    """From files, as the package's own command reads them."""
    from ssimulacra2 import compute_ssimulacra2

    for name, picture in zip("ab", pair, strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    expected = compute_ssimulacra2(tmp_path / "a.png", tmp_path / "b.png")
    assert CLASSIC["ssimulacra2"](*pair) == pytest.approx(expected, abs=1e-12)
    assert 0 < expected < 90
    with pytest.raises(UserError, match="8 bits per channel only"):
        CLASSIC["ssimulacra2"](*(picture.astype(np.float64) for picture in pair))


def test_nlpd_follows_its_formula_at_one_scale(pair):
    """The finest scale by hand: Laplacian of luma, divided by its neighbours' mean size."""
    import plenoptic
    from plenoptic.process import normalized_laplacian_pyramid

    x, y = (torch.from_numpy(luma(picture))[None, None] / 255 for picture in pair)
    bands = [
        float(((a - b) ** 2).mean().sqrt())
        for a, b in zip(*map(normalized_laplacian_pyramid, (x, y)), strict=True)
    ]
    assert len(bands) == 6
    assert CLASSIC["nlpd"](*pair) == pytest.approx(np.mean(bands), rel=1e-9)
    # the value that its package's manual prints for its own pictures, which are grey
    grey = [np.repeat(picture[0, 0, :, :, None].numpy() * 255, 3, axis=2)
            for picture in (plenoptic.data.einstein(), plenoptic.data.curie())]  # fmt: skip
    assert CLASSIC["nlpd"](*map(np.float64, grey)) == pytest.approx(1.3507, abs=5e-5)


def test_colour_counts_where_it_is_said_to(pair):
    """Of two changes alike in luma, only metrics with chroma tell them apart."""
    reference = pair[0].astype(np.int64)
    swapped = np.clip(reference + np.array([40, -20, 0]), 0, 255).astype(np.uint8)
    for plain, chromatic in (("ms_gmsd", "ms_gmsdc"), ("sr_sim", "sr_simc"), ("fsim", "fsimc")):
        away = [abs(CLASSIC[name](pair[0], swapped) - BASELINES[name].identical)
                for name in (plain, chromatic)]  # fmt: skip
        assert away[1] > 3 * away[0]


# --- learned metrics, over one seeded trunk -----------------------------------------------

TRUNKS = {"lpips_alex": "alexnet", "lpips_squeeze": "squeezenet1_1", "lpips_vgg": "vgg16"}


@pytest.fixture(scope="module")
def trunk_file(tmp_path_factory):
    """Write torchvision's convolutional layers with random weights, once each."""
    from torchvision import models

    from dissect_iqa.models.weights.file import write_weights

    folder = tmp_path_factory.mktemp("trunks")

    def make(architecture):
        path = folder / f"{architecture}.safetensors"
        if not path.exists():
            with torch.device("meta"):
                features = getattr(models, architecture)(weights=None).features
            rng = np.random.default_rng(7)
            state = {}
            for name, value in features.state_dict().items():
                fan_in = max(1, int(np.prod(value.shape[1:])))
                numbers = rng.normal(0, np.sqrt(2 / fan_in), value.shape)
                state[f"features.{name}"] = torch.from_numpy(numbers).float().contiguous()
            state["classifier.0.bias"] = torch.zeros(3)  # a whole network's file has more
            write_weights(state, path, {})
        return path

    return make


@pytest.fixture
def no_network(monkeypatch):
    import socket

    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


def tensors(pair, low):
    """Both pictures as (1, 3, H, W) with 0..255 mapped to low..1."""
    return [
        low + (1 - low) * torch.from_numpy(p.transpose(2, 0, 1)[None].copy()).float() / 255
        for p in pair
    ]


@pytest.mark.parametrize("name", list(TRUNKS))
def test_lpips_equals_the_authors_package(name, trunk_file, pair, no_network, monkeypatch):
    lpips = pytest.importorskip("lpips")
    from torchvision import models

    from dissect_iqa.baselines.learned import learned_metric, load_trunk

    path = trunk_file(TRUNKS[name])
    ours = learned_metric(name, path)(*pair)
    # Its constructor asks torchvision for the whole network; give it the seeded one.
    trunk = load_trunk(TRUNKS[name], path)
    monkeypatch.setattr(
        models, TRUNKS[name], lambda pretrained=False: SimpleNamespace(features=trunk)
    )
    net = name.removeprefix("lpips_")
    theirs = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    with torch.no_grad():
        expected = float(theirs(*tensors(pair, -1.0)))
    assert ours > 1e-3
    assert ours == pytest.approx(expected, rel=1e-4)


def restated_dists(x, y, features, alpha, beta):
    """DISTS as its paper has it, in float64: equations 5 to 8 and the Hanning pooling."""
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=x.dtype)[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225], dtype=x.dtype)[:, None, None]
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype)
    window = torch.outer(taps, taps)

    def stages(picture):
        yield picture
        h = (picture - mean) / std
        for layer in features[:30]:
            if isinstance(layer, torch.nn.MaxPool2d):
                yield h
                weight = window.expand(h.shape[1], 1, 3, 3)
                power = torch.nn.functional.conv2d(
                    h**2, weight, stride=2, padding=1, groups=h.shape[1]
                )
                h = (power + 1e-12).sqrt()
            else:
                h = torch.relu(h) if isinstance(layer, torch.nn.ReLU) else layer(h)
        yield h

    similarity, start = 0.0, 0
    for f, g in zip(stages(x), stages(y), strict=True):
        p, q = f[0].flatten(1), g[0].flatten(1)
        m, n = p.mean(1), q.mean(1)
        v, w = p.var(1, correction=0), q.var(1, correction=0)
        cov = ((p - m[:, None]) * (q - n[:, None])).mean(1)
        rows = slice(start, start + len(m))
        similarity += (alpha[rows] * (2 * m * n + 1e-6) / (m**2 + n**2 + 1e-6)).sum()
        similarity += (beta[rows] * (2 * cov + 1e-6) / (v + w + 1e-6)).sum()
        start += len(m)
    assert start == len(alpha) == len(beta)
    return float(1 - similarity / (alpha.sum() + beta.sum()))


@pytest.mark.parametrize("name", ["dists", "dists_256"])
def test_dists_equals_an_independent_statement(name, trunk_file, no_network):
    import torchmetrics.functional.image.dists as library

    from dissect_iqa.baselines.learned import learned_metric, load_trunk

    rng = np.random.default_rng(4)
    height = 64 if name == "dists" else 288
    reference = smooth(rng, height, height + (16 if name == "dists" else 0))
    pair = reference, noisy(rng, reference, 50)
    path = trunk_file("vgg16")
    ours = learned_metric(name, path)(*pair)
    if name == "dists_256":
        bilinear = Image.Resampling.BILINEAR  # Pillow's is antialiased
        pair = [np.asarray(Image.fromarray(p).resize((256, 256), bilinear)) for p in pair]
    weights = torch.load(library._PATH_WEIGHT_DISTS)
    alpha, beta = (weights[key].double().flatten() for key in ("alpha", "beta"))
    features = load_trunk("vgg16", path).double()
    with torch.no_grad():
        x, y = (t.double() for t in tensors(pair, 0.0))
        expected = restated_dists(x, y, features, alpha, beta)
    assert ours > 1e-3
    assert ours == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_squeeze", "lpips_vgg", "dists"])
def test_learned_metric_at_its_smallest_size_and_identical(name, trunk_file):
    from dissect_iqa.baselines.learned import learned_metric

    rng = np.random.default_rng(8)
    side = BASELINES[name].smallest
    reference = smooth(rng, side, side)
    metric = learned_metric(name, trunk_file(BASELINES[name].trunk))
    assert metric(reference, reference) == 0.0
    assert metric(reference, noisy(rng, reference)) > 0
    for picture in plain_pictures(side, side).values():
        assert metric(picture, picture.copy()) == 0.0
        assert 0 <= metric(picture, reference) < np.inf


def test_libraries_are_left_as_they_were(trunk_file):
    import torchmetrics.functional.image.dists as library
    from torchvision.models import vgg16

    from dissect_iqa.baselines.learned import learned_metric

    learned_metric("dists", trunk_file("vgg16"))
    assert library.vgg16 is vgg16


def test_trunk_that_does_not_fit(trunk_file, tmp_path):
    from dissect_iqa.baselines.learned import load_trunk

    with pytest.raises(UserError, match=r"not the weights of torchvision's vgg16.*0\.weight"):
        load_trunk("vgg16", trunk_file("alexnet"))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    for path in (broken, tmp_path / "absent.safetensors"):
        with pytest.raises(UserError, match=f"{path.name}: not a whole weights file"):
            load_trunk("alexnet", path)


# --- a data set ---------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_score_baseline_puts_every_value_in_its_row(folder, processes):
    table = score_baselines("psnr", folder, processes=processes)
    assert table.columns.tolist() == [
        *("pair", "reference", "distorted", "distortion", "level"),
        *("kind", "layer", "depth", "distance", "fitted_on", "value", "sign"),
    ]
    assert table["pair"].tolist() == [0, 1, 2, 3]
    assert table["distorted"].tolist() == folder.pairs["distorted_file"].tolist()
    assert table["reference"].tolist() == ["b", "a", "b", "a"]
    assert set(table["layer"]) == {""} and table["depth"].isna().all()
    assert set(table["distance"]) == {"psnr"} and set(table["sign"]) == {1}
    for _, row in table.iterrows():
        x, y = (
            np.asarray(Image.open(folder.root / file), dtype=float)
            for file in (f"{row['reference']}.png", row["distorted"])
        )
        assert row["value"] == pytest.approx(10 * np.log10(65025 / ((x - y) ** 2).mean()))
    assert set(score_baselines("gmsd", folder)["sign"]) == {-1}


def test_reference_is_decoded_once(folder, monkeypatch):
    from dissect_iqa.baselines import score_baselines as stage

    seen = []
    decode = stage._decode
    monkeypatch.setattr(stage, "_decode", lambda path: seen.append(path.name) or decode(path))
    score_baselines("psnr", folder)
    assert sorted(seen) == ["a.png", "a_1.png", "a_2.png", "b.png", "b_1.png", "b_2.png"]


def test_infinite_psnr_is_capped_in_the_table(folder):
    (folder.root / "a_1.png").write_bytes((folder.root / "a.png").read_bytes())
    table = score_baselines("psnr", folder).set_index("distorted")["value"]
    assert table["a_1.png"] == 100.0
    assert table["a_2.png"] < 50


def test_learned_metric_through_score_baselines(folder, trunk_file, no_network):
    table = score_baselines("lpips_squeeze", folder, trunk=trunk_file("squeezenet1_1"))
    assert (table["value"] > 0).all() and set(table["sign"]) == {-1}


def test_bad_input_ends_in_a_sentence(folder, trunk_file):
    root = folder.root
    with pytest.raises(UserError, match=r"'snr'.*did you mean 'psnr'.*allowed: psnr"):
        score_baselines("snr", folder)
    with pytest.raises(UserError, match="lpips_alex: needs a weights file of torchvision's alex"):
        score_baselines("lpips_alex", folder)
    with pytest.raises(UserError, match=r"48x40 pixels, but ms_ssim needs at least 176"):
        score_baselines("ms_ssim", folder)
    Image.fromarray(np.zeros((30, 48, 3), np.uint8)).save(root / "a_2.png")
    with pytest.raises(UserError, match=r"a_2.png: 48x30 pixels, but its reference .*48x40"):
        score_baselines("ssim", folder)
    (root / "a_2.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"a_2.png: can't be decoded"):
        score_baselines("ssim", folder)
    (root / "b.png").unlink()
    with pytest.raises(UserError, match=r"b.png: can't be read \(No such file"):
        score_baselines("ssim", folder, processes=2)


def test_changed_pictures_are_listed_before_any_is_scored(folder, monkeypatch):
    """A new baseline beside old features would be one of other pixels than they are."""
    from dissect_iqa.baselines import score_baselines as stage

    frozen = Folder(folder.root, folder.pairs, folder.images)
    for name in ("a_1.png", "b_2.png"):
        path = folder.root / name
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    monkeypatch.setattr(stage, "_metric", lambda *_: pytest.fail("scored"))
    with pytest.raises(UserError, match=r"2 picture\(s\)(.|\n)*a_1\.png: isn't(.|\n)*b_2\.png"):
        score_baselines("psnr", frozen)


def test_value_that_is_not_a_number_is_refused(folder, monkeypatch):
    from dissect_iqa.baselines import score_baselines as stage

    monkeypatch.setattr(stage, "_metric", lambda *_: lambda x, y: float("nan"))
    with pytest.raises(UserError, match=r"b_1.png: fsim against .*b.png is nan; leave this pair"):
        score_baselines("fsim", folder)


def test_names_know_their_trunks():
    assert trunks(["psnr", "dists", "lpips_vgg", "lpips_alex"]) == ["alexnet", "vgg16"]
    assert check_baseline("ms_ssim").smallest == 11 * 16
    assert {name for name, entry in BASELINES.items() if not entry.on_device} == set(CLASSIC)
    assert [name for name, entry in BASELINES.items() if entry.sees] == ["cvvdp"]


# --- ColorVideoVDP, from its authors' package ---------------------------------------------

DISPLAY = {"peak": 200.0, "black": 0.1, "primaries": "sRGB", "pixels_per_degree": 32.0,
           "pixels": 64}  # fmt: skip


def test_vdp_is_what_the_authors_package_says(pair, no_network):
    from dissect_iqa.baselines.vdp import _hushed, vdp_metric

    with _hushed():
        import pycvvdp

        theirs = pycvvdp.cvvdp(
            display_name="standard_fhd", heatmap=None, device=torch.device("cpu")
        )
        reference, distorted = pair
        jod, _ = theirs.predict(distorted, reference, dim_order="HWC")
    ours = vdp_metric("cpu")(reference, distorted)
    assert ours == pytest.approx(10 - float(jod), abs=1e-4) and ours > 0.1


def test_vdp_grows_with_what_can_be_seen(pair):
    from dissect_iqa.baselines.vdp import vdp_metric

    rng, metric = np.random.default_rng(0), vdp_metric("cpu", DISPLAY)
    values = [metric(pair[0], noisy(rng, pair[0], amount)) for amount in (0, 2, 10, 40)]
    assert values[0] == 0 and (np.diff(values) > 0).all()
    # 16 bits per channel say the same
    one, other = pair[0], noisy(rng, pair[0], 10)
    deep = [picture * np.uint16(257) / 257 for picture in (one, other)]
    assert metric(*deep) == pytest.approx(metric(one, other), abs=1e-5)
    # from further away less of the noise is seen, and on a darker display
    far = vdp_metric("cpu", {**DISPLAY, "pixels_per_degree": 128.0})
    dark = vdp_metric("cpu", {**DISPLAY, "peak": 5.0, "black": 0.0})
    assert far(one, other) < metric(one, other) > dark(one, other)


@pytest.mark.parametrize("primaries", ["sRGB", "Display P3", "ITU-R BT.2020"])
def test_vdp_takes_the_display_of_the_data_set(primaries):
    """A patch of one light is the same light, whatever primaries make it."""
    from dissect_iqa.baselines.vdp import vdp_metric
    from dissect_iqa.datasets.thresholds.display import Display

    display = Display(200.0, 0.1, primaries, 32.0)
    plain = np.full((64, 64, 3), [30.0, 15.0, 0.5])
    patch = plain.copy()
    patch[24:40, 24:40] *= [1.02, 0.98, 1.0]
    shown = [display.encode(cones) / 257 for cones in (plain, patch)]
    found = vdp_metric("cpu", {**DISPLAY, "primaries": primaries})(*shown)
    same = Display(200.0, 0.1, "sRGB", 32.0)
    wanted = vdp_metric("cpu", DISPLAY)(*(same.encode(cones) / 257 for cones in (plain, patch)))
    assert found == pytest.approx(wanted, rel=0.1) and found > 0.01


def test_vdp_of_plain_and_small_pictures_is_finite():
    from dissect_iqa.baselines.vdp import vdp_metric

    metric, side = vdp_metric("cpu"), BASELINES["cvvdp"].smallest
    for what, picture in plain_pictures(side, side + 3).items():
        assert metric(picture, picture) == 0, what
        assert np.isfinite(metric(plain_pictures(side, side + 3)["grey"], picture)), what


def test_the_display_reaches_the_metric(pair, tmp_path):
    from dissect_iqa.baselines.vdp import vdp_metric

    for name, picture in zip(("a", "b"), pair, strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pairs = pd.DataFrame(
        {"pair": [0], "reference": ["a"], "reference_file": ["a.png"], "distorted_file": ["b.png"],
         "distortion": ["x"], "level": pd.array([1], "Int64")}
    )  # fmt: skip
    for facts, display in (({}, None), ({"display": DISPLAY}, DISPLAY)):
        table = score_baselines("cvvdp", Folder(tmp_path, pairs, facts=facts))
        assert table["value"].item() == pytest.approx(vdp_metric("cpu", display)(*pair), abs=1e-6)
        assert table["sign"].item() == -1
