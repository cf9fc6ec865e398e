"""Every network of the model table, and many more, through extraction; against plain float64.

    .venv/bin/python benchmarks/zoo.py                  # writes benchmarks/results/zoo.tsv
    .venv/bin/python benchmarks/zoo.py 'rn50_*'         # only those, and only on the terminal

Each network gets its random start, as in a rehearsal: written to a weights file, loaded strictly,
its layers named, and its features extracted for six small pictures of two sizes. All statistics in
the feature file are then held against an independent computation: a float64 copy of the network
with plain forward hooks, and numpy from the definitions. How far the same plain loop in float32 is
away stands beside it: that is rounding, which nobody can avoid. A network that can't be run is in
the table, too, with the reason.
"""

import argparse
import copy
import csv
import gc
import json
import logging
import shutil
import tempfile
import time
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from dissect_iqa.datasets.entry import DatasetEntry
from dissect_iqa.datasets.fetch_dataset import fetch_dataset
from dissect_iqa.datasets.tables import Dataset, read_dataset
from dissect_iqa.features.extract_features import extract_features
from dissect_iqa.features.file.read import open_cache
from dissect_iqa.models.load import load_network
from dissect_iqa.models.network import InputPolicy, Layer, Network
from dissect_iqa.models.weights.fetch_weights import fetch_weights
from dissect_iqa.zoo.row import ModelRow
from dissect_iqa.zoo.steps import least_side
from dissect_iqa.zoo.table import read_models
from dissect_iqa.zoo.timm_rows import timm_rows

TABLE = Path("benchmarks/results/zoo.tsv")
COLUMNS = (
    "row",
    "set",
    "builder",
    "architecture",
    "layers",
    "seconds",
    "statistics",
    "difference",
    "plain_float32",
    "why_not",
)
STATISTICS = ("mean", "var", "mse", "unit_mse")
#: To float32, after a network, values are the same that differ by less than this share of them.
RESOLVED = 1e-6
#: Short side of the pictures, in pixels; some networks need more.
SIDE = 128

#: Architectures that no row has, one of each family; the first of timm's weights is meant.
TIMM = """
beit_base_patch16_224 beitv2_base_patch16_224 botnet26t_256 cait_xxs24_224 coat_lite_tiny
coatnet_nano_rw_224 convit_tiny convnextv2_atto crossvit_9_240 cs3darknet_m cspresnet50 davit_tiny
deit3_small_patch16_224 dla34 dm_nfnet_f0 dpn68 eca_halonext26ts edgenext_xx_small
efficientformer_l1 efficientformerv2_s0 efficientvit_b0 efficientvit_m0 ese_vovnet19b_dw
eva02_tiny_patch14_224 fastvit_t8 focalnet_tiny_srf gcresnet33ts gcvit_xxtiny gernet_s ghostnet_100
hgnetv2_b0 hiera_tiny_224 hrnet_w18_small inception_next_tiny inception_resnet_v2 lcnet_050
levit_128s maxvit_tiny_tf_224 mixer_b16_224 mixnet_s mobilenetv4_conv_small mobileone_s0
mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny_jx nf_regnet_b1 pit_ti_224 poolformer_s12
pvt_v2_b0 regnety_002 repvgg_a0 repvit_m0_9 res2net50_26w_4s resmlp_12_224 resnest14d rexnet_100
selecsls42b semnasnet_075 sequencer2d_s skresnet18 swinv2_tiny_window8_256 tiny_vit_5m_224
tnt_s_patch16_224 tresnet_m twins_pcpvt_small vit_base_patch16_siglip_224
vit_small_patch14_dinov2 vit_small_patch14_reg4_dinov2 vit_small_patch16_dinov3 visformer_tiny
volo_d1_224 wide_resnet50_2 xception41 xcit_nano_12_p16_224
"""
TORCHVISION = """
deeplabv3_mobilenet_v3_large efficientnet_v2_s fcos_resnet50_fpn lraspp_mobilenet_v3_large maxvit_t
mnasnet0_5 mobilenet_v3_small regnet_y_400mf resnext50_32x4d retinanet_resnet50_fpn
shufflenet_v2_x0_5 ssd300_vgg16 ssdlite320_mobilenet_v3_large swin_v2_t
"""


def more_rows() -> list[ModelRow]:
    """Return rows of architectures that the model table lacks."""
    rows = [timm_rows(f"{name}.*")[0] for name in TIMM.split()]
    for name in TORCHVISION.split():
        described = dict.fromkeys(("function", "family", "environment"), "not recorded")
        rows.append(
            ModelRow(
                id=f"tv_{name}",
                builder="torchvision",
                architecture=name,
                weights="seed:0",
                **described,
            )
        )
    return rows


def small_data_set(folder: Path, side: int) -> Dataset:
    """Make a rehearsal's pictures of LIVE, wide and high ones, and keep six of them."""
    spec = '{"stage":"fetch_dataset"}'
    entry = DatasetEntry(kind="live")
    fetch_dataset(entry, folder, folder / "none", spec, offline=True, rehearse=side)
    whole = read_dataset(folder)
    pairs = whole.pairs.groupby("reference_file", sort=False).head(2).head(4).reset_index(drop=True)
    pairs["pair"] = range(len(pairs))
    used = {*pairs["reference_file"], *pairs["distorted_file"]}
    images = whole.images[whole.images["file"].isin(used)].reset_index(drop=True)
    assert len(images) == 6 and images["width"].nunique() == 2
    return Dataset(whole.folder, pairs, images, whole.root, whole.facts)


def examine(row: ModelRow, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Extract one network's features and compare them; return its line of the table."""
    line: dict[str, Any] = {name: getattr(row, name) for name in ("set", "builder", "architecture")}
    line = {"row": row.id, **line}
    weights, features = folder / f"{row.id}.safetensors", folder / f"{row.id}.h5"
    began = time.perf_counter()
    try:
        fetch_weights(row, weights, folder, '{"stage":"fetch_weights"}', rehearse=True)
        network = load_network(row, weights)
        spec = json.dumps({"row": row.id})
        extract_features(network, dataset, features, spec, device="cpu", progress=False)
        line["seconds"] = round(time.perf_counter() - began, 1)
        with open_cache(features) as cache:
            device = json.loads(cache.facts["device"])
            found = [cache.layer(number) for number in range(len(cache.layers))]
            names = cache.images["name"].tolist()
            pairs = cache.pairs
        line |= {"layers": len(found), "statistics": device["statistics"]}
        paths = [dataset.path(name) for name in names]
        rounded = plain(network, paths, pairs, torch.float32)
        try:
            wanted = plain(network, paths, pairs, torch.float64)
            line["plain_float32"] = f"{largest_difference(rounded, wanted):.1e}"
        except RuntimeError:  # some networks make float32 tensors of their own as they run
            wanted, line["plain_float32"] = rounded, "compared with: no float64"
        line["difference"] = f"{largest_difference(found, wanted):.1e}"
    except Exception as error:  # whatever it is, it belongs into the table
        line["why_not"] = " ".join(f"{type(error).__name__}: {error}".split())[:400]
    finally:
        weights.unlink(missing_ok=True)
        features.unlink(missing_ok=True)
    return line


def plain(
    network: Network, paths: list[Path], pairs: Any, kind: torch.dtype
) -> list[dict[str, np.ndarray]]:
    """Return each layer's statistics by a plain loop; the network runs in the given arithmetic."""
    module = copy.deepcopy(network.module).to(kind)
    maps = [one_by_one(module, network, path, kind) for path in paths]
    statistics = []
    for number in range(len(network.layers)):
        layer = [found[number] for found in maps]
        differences, unit = [], []
        for pair in pairs.itertuples():
            x, y = layer[pair.reference], layer[pair.distorted]
            differences.append(((x - y) ** 2).mean(axis=0))
            unit.append(((_unit(x) - _unit(y)) ** 2).mean(axis=0))
        statistics.append(
            {
                "mean": np.stack([x.mean(axis=0) for x in layer]),
                "var": np.stack([x.var(axis=0) for x in layer]),
                "mse": np.stack(differences),
                "unit_mse": np.stack(unit),
                "square": np.stack([(x**2).mean(axis=0) for x in layer]),
            }
        )
    return statistics


def _unit(x: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / (norm + 1e-10)  # as in the code of LPIPS; counts where features are tiny


def one_by_one(
    module: nn.Module, network: Network, path: Path, kind: torch.dtype
) -> list[np.ndarray]:
    """Return each layer's output for one picture as float64 (positions, channels)."""
    found: dict[int, np.ndarray] = {}

    def hook(number: int, layer: Layer) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            x = output if layer.output is None else output[layer.output]
            x = x.detach().to(torch.float64).numpy()
            x = np.moveaxis(x, [layer.layout.index("N"), layer.layout.index("C")], [0, -1])[0]
            x = x.reshape(-1, x.shape[-1])
            found[number] = x[layer.skip_tokens : len(x) - layer.skip_last].copy()

        return keep

    handles = [
        module.get_submodule(layer.name).register_forward_hook(hook(number, layer))
        for number, layer in enumerate(network.layers)
    ]
    try:
        with torch.no_grad():
            module(torch.from_numpy(as_input(path, network.input)).to(kind))
    finally:
        for handle in handles:
            handle.remove()
    return [found[number] for number in range(len(network.layers))]


def as_input(path: Path, policy: InputPolicy) -> np.ndarray:
    """Return a picture as the network's input, float64 (1, C, H, W)."""
    x = np.asarray(Image.open(path).convert("RGB")).astype(np.float64)
    if policy.size is not None:
        planes = torch.from_numpy(x.transpose(2, 0, 1)[None])
        if tuple(planes.shape[2:]) != tuple(policy.size):
            planes = nn.functional.interpolate(
                planes, tuple(policy.size), mode=policy.interpolation, antialias=True
            )
        x = planes.clamp(0, 255)[0].numpy().transpose(1, 2, 0)
    else:
        height, width = (side - side % policy.multiple for side in x.shape[:2])
        top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
        x = x[top : top + height, left : left + width]
    if policy.channels == "lab_l":
        from skimage.color import rgb2lab

        x = rgb2lab(x / 255)[..., :1] / 100
    else:
        x = x[..., ::-1] / 255 if policy.channels == "bgr" else x / 255
    x = (x * policy.scale - np.array(policy.mean)) / np.array(policy.std)
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def largest_difference(
    found: list[dict[str, np.ndarray]], wanted: list[dict[str, np.ndarray]]
) -> float:
    """Return the largest relative difference (L2 over channels) of any row of any statistic.

    What is so small beside the features themselves that float32 can't hold it, or by itself,
    counts as of the least size that it can: a block that starts at 0 gives variances of 1e-33.
    """
    worst = 0.0
    for ours, theirs in zip(found, wanted, strict=True):
        square = float(np.linalg.norm(theirs["square"], axis=1).max())
        least = {"mean": square**0.5 * RESOLVED, "unit_mse": RESOLVED**2}
        for name in STATISTICS:
            right = theirs[name]
            away = np.linalg.norm(ours[name] - right, axis=1)
            size = np.linalg.norm(right, axis=1)
            size = np.maximum(size, least.get(name, square * RESOLVED**2))
            size = np.maximum(size, np.finfo(np.float32).tiny)
            relative = away / size
            worst = max(worst, float(relative.max()) if np.isfinite(relative).all() else np.inf)
    return worst


def main() -> None:
    """Examine all rows, or those that match a pattern."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", nargs="*", help="ids; default: all, into the table")
    patterns = parser.parse_args().patterns
    logging.getLogger("dissect_iqa").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = [*read_models("config/models.tsv").values(), *more_rows()]
    chosen = [
        row
        for row in rows
        if not patterns or any(fnmatchcase(row.id, pattern) for pattern in patterns)
    ]
    folder = Path(tempfile.mkdtemp(prefix="zoo-"))
    lines = []
    try:
        datasets: dict[int, Dataset] = {}
        for row in chosen:
            side = max(SIDE, least_side(row))
            if side not in datasets:
                datasets[side] = small_data_set(folder / f"live{side}", side)
            lines.append(examine(row, datasets[side], folder))
            print(*(f"{value}" for value in lines[-1].values()), flush=True)
            gc.collect()
            if not patterns:
                write(lines)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = [line["row"] for line in lines if line.get("why_not")]
    print(f"{len(lines)} networks, {len(failed)} not run: {', '.join(failed) or 'none'}")


def write(lines: list[dict[str, Any]]) -> None:
    """Write the table, as far as it is known."""
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main()
