"""The loop: references through the network, their pairs after them, rows into the journal."""

import logging
import time

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from dissect_iqa.datasets.decoding.deep import alike
from dissect_iqa.errors import UserError
from dissect_iqa.features.file.journal import Journal
from dissect_iqa.features.forward.device import out_of_memory
from dissect_iqa.features.forward.order import Plan, Unit
from dissect_iqa.features.forward.pictures import Loader
from dissect_iqa.features.forward.results import HostRows, References
from dissect_iqa.features.forward.runner import Runner
from dissect_iqa.features.statistics.names import IMAGE_STATISTICS, STATISTICS

log = logging.getLogger(__name__)

#: Seconds between two lines in the log about how far it is.
_REMARK = 15.0


class NotFinite(UserError):
    """A feature isn't finite, or too large to be squared."""


class Engine:
    """Fills a journal with the statistics of every picture and pair that it doesn't hold yet.

    Parameters
    ----------
    runner : Runner
        The network on its device.
    loader : Loader
        Decodes pictures.
    plan : Plan
        The order of work.
    journal : Journal
        Open; what it holds is not computed again.
    images : DataFrame
        With `file`, for messages.
    batch_size : int
        Most pictures in one pass.

    Attributes
    ----------
    batch_size : int
        The one that fits into memory.
    """

    def __init__(
        self,
        runner: Runner,
        loader: Loader,
        plan: Plan,
        journal: Journal,
        images: pd.DataFrame,
        batch_size: int,
    ):
        self._runner = runner
        self._loader = loader
        self._plan = plan
        self._journal = journal
        self._files = images["file"].tolist()
        self._pending: _Pending | None = None
        self._has_image = np.zeros(len(images), bool)
        self._has_pair = np.zeros(len(plan.reference), bool)
        self._noted: list[str] = []
        self.batch_size = batch_size
        for record in journal.records:
            for name, flags in (("images", self._has_image), ("pairs", self._has_pair)):
                if record.has(name):
                    flags[record.read(journal.descriptor, name)] = True
            self._noted += record.facts.get("left", [])
            # A size that worked before is not tried anew; a smaller one asked for now is kept.
            self.batch_size = min(self.batch_size, record.facts.get("batch_size", batch_size))

        left = runner.statistics.left
        left += [cause for cause in self._noted if cause not in left]

    def run(self, progress: bool = True) -> None:
        """Do everything that is left.

        Raises
        ------
        NotFinite
            If a feature isn't finite.
        UserError
            If the network itself fails, a picture can't be read, or memory or disk do not suffice.
        """
        total, done = len(self._has_pair), int(self._has_pair.sum())
        if done:
            log.info("%s: %d of %d pairs are there already", self._journal.path, done, total)
        todo = [(unit, self._left(unit)) for unit in self._plan.units]
        todo = [(unit, batches) for unit, batches in todo if batches]
        pictures = self._loader.stream(
            rows
            for unit, batches in todo
            for rows in (unit.references, *(self._plan.distorted[batch] for batch in batches))
        )
        name = self._runner.network.id
        with tqdm(
            total=total, initial=done, desc=name, unit="pair", disable=None if progress else True
        ) as bar:
            said, before = time.monotonic(), done
            for unit, batches in todo:
                originals = next(pictures)
                references = self._references(unit, originals)
                for batch in batches:
                    self._batch(unit, batch, originals, next(pictures), references)
                    bar.update(len(batch))
                    done += len(batch)
                    if (now := time.monotonic()) - said >= _REMARK:
                        pace = (done - before) / (now - said)
                        log.info("%s: %d of %d pairs, %.3g a second", name, done, total, pace)
                        said, before = now, done
            self._settle()

    def _left(self, unit: Unit) -> list[np.ndarray]:
        """Return what is left of a unit's batches, in the company in which it would run anyway."""
        left = [batch[~self._has_pair[batch]] for batch in unit.batches]
        return [batch for batch in left if len(batch)]

    def _references(self, unit: Unit, pictures: np.ndarray) -> "_Kept":
        try:
            references, rows = self._runner.references(pictures)
        except Exception as error:
            if out_of_memory(error):
                raise self._runner.no_memory(self._files[unit.references[0]]) from error
            raise
        kept = _Kept(references, rows)
        if not self._has_image[unit.references].all():
            self._settle()
            self._pending = _Pending("references", unit.references, None, rows, references.grids)
            self._has_image[unit.references] = True
        return kept

    def _batch(
        self,
        unit: Unit,
        batch: np.ndarray,
        originals: np.ndarray,
        pictures: np.ndarray,
        kept: "_Kept",
    ) -> None:
        """Run one planned batch; pictures that equal their reference needn't pass."""
        place = {int(image): i for i, image in enumerate(unit.references)}
        index = np.array([place[int(image)] for image in self._plan.reference[batch]])
        same = np.array([_equal(p, originals[i]) for p, i in zip(pictures, index, strict=True)])
        if same.any():
            self._settle()
            zeros = kept.identical(index[same])
            self._write("pairs", self._plan.distorted[batch[same]], batch[same], zeros, kept.grids)
        left = np.flatnonzero(~same)
        most = self._runner.most(*pictures.shape[1:3])
        while len(left):
            now = left[: min(self.batch_size, most)]
            part = pictures if len(now) == len(pictures) else pictures[now]
            rows = self._try(part, kept.references, index[now])
            if rows is None:
                self._halve(len(now), self._plan.distorted[batch[now[0]]])
                continue
            self._settle()
            images = self._plan.distorted[batch[now]]
            self._pending = _Pending("pairs", images, batch[now], rows, kept.grids)
            left = left[len(now) :]

    def _try(
        self, pictures: np.ndarray, references: References, index: np.ndarray
    ) -> HostRows | None:
        """Return None if memory doesn't suffice; the error and all it holds are gone by then."""
        try:
            return self._runner.distorted(pictures, references, index)
        except Exception as error:
            if not out_of_memory(error):
                raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _halve(self, size: int, image: int) -> None:
        self._settle()
        if size == 1:
            raise self._runner.no_memory(self._files[image])
        self.batch_size = size // 2
        log.warning("out of memory with %d pictures; going on with %d", size, self.batch_size)
        self._journal.append("memory", {}, batch_size=self.batch_size)

    def _settle(self) -> None:
        """Write what the device has finished while the next batch was under way."""
        pending, self._pending = self._pending, None
        if pending is not None:
            layers, raw = pending.rows.wait()
            rows = _arrays(layers, raw)
            self._write(pending.kind, pending.images, pending.pairs, rows, pending.grids)

    def _write(
        self,
        kind: str,
        images: np.ndarray,
        pairs: np.ndarray | None,
        rows: dict[str, np.ndarray],
        grids: list[tuple[int, int]],
    ) -> None:
        for name, array in rows.items():
            self._check_finite(name, array, images)
        arrays = {"images": images.astype(np.int64), "grids": np.array(grids, np.int64), **rows}
        left = [cause for cause in self._runner.statistics.left if cause not in self._noted]
        if left:  # a run that goes on after this one is to tell it, too
            self._journal.append("left", {}, left=left)
            self._noted += left
        if pairs is not None:
            arrays["pairs"] = pairs.astype(np.int64)
        self._journal.append(kind, arrays)

    def _check_finite(self, name: str, array: np.ndarray, images: np.ndarray) -> None:
        if np.isfinite(array).all():
            return
        statistic, _, number = name.partition("/")
        bad = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0]
        layer = self._runner.network.layers[int(number)].name
        what = (
            "its raw features don't fit into float16; leave it out of extraction.keep_raw"
            if statistic == "raw"
            else "its features are not finite, or too large to be squared; check the weights and "
            "the model's input, or use precision float32"
        )
        picture = self._files[images[bad]]
        kind = UserError if statistic == "raw" else NotFinite
        raise kind(f"{self._runner.network.id}: layer {layer!r}, picture {picture}: {what}")


class _Pending:
    """Rows that the device may still be working on."""

    def __init__(
        self,
        kind: str,
        images: np.ndarray,
        pairs: np.ndarray | None,
        rows: HostRows,
        grids: list[tuple[int, int]],
    ):
        self.kind, self.images, self.pairs, self.rows, self.grids = kind, images, pairs, rows, grids


class _Kept:
    """A unit's references: features on the device, statistics on the host when asked for."""

    def __init__(self, references: References, rows: HostRows):
        self.references = references
        self.grids = references.grids
        self._rows = rows

    def identical(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Return the rows of pictures that equal their references: no difference at all."""
        layers, raw = self._rows.wait()
        zeros = [np.zeros_like(layer) for layer in layers]
        full = [np.concatenate(both)[:, index] for both in zip(layers, zeros, strict=True)]
        return _arrays(full, {number: array[index] for number, array in raw.items()})


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two pictures are the same; a few of their rows usually tell that they aren't."""
    return alike(a[::64], b[::64]) and alike(a, b)


def _arrays(layers: list[np.ndarray], raw: dict[int, np.ndarray]) -> dict[str, np.ndarray]:
    """Name the arrays of a record: ``<statistic>/<layer>``."""
    names = STATISTICS if len(layers[0]) == len(STATISTICS) else IMAGE_STATISTICS
    arrays = {
        f"{name}/{number}": array
        for number, layer in enumerate(layers)
        for name, array in zip(names, layer, strict=True)
    }
    return arrays | {f"raw/{number}": array for number, array in raw.items()}
