"""Raw features of chosen layers, for distances that channel statistics can't give.

Extraction keeps them if the config's ``extraction.keep_raw`` names layers. To compute a new
distance without a GPU::

    from dissect_iqa.features.file.raw import open_features

    with open_features("results/shared/features/demo/rn50.1a2b3c4d5e.h5") as features:
        for pair in features.pairs.itertuples():
            x = features.array("layer3.5", pair.reference)    # (height, width, channels)
            y = features.array("layer3.5", pair.distorted)
            print(pair.Index, abs(x - y).mean())
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dissect_iqa.errors import UserError, suggest
from dissect_iqa.features.file.read import FeatureCache


class RawFeatures:
    """The raw features in a cache; use as a context manager.

    Parameters
    ----------
    path : path
        The HDF5 file.

    Attributes
    ----------
    pictures : list of str
        File names; a picture's row is its place in this list.
    pairs : DataFrame
        `reference` and `distorted`: rows of pictures.
    layers : tuple of str
        The layers whose features were kept, by depth.

    Raises
    ------
    UserError
        If the file is damaged or holds no raw features.
    """

    def __init__(self, path: Path | str):
        self._cache = FeatureCache(path)
        self.pictures: list[str] = self._cache.images["name"].tolist()
        self.pairs: pd.DataFrame = self._cache.pairs
        self._numbers = {
            layer.name: number
            for number, layer in enumerate(self._cache.layers)
            if self._cache.has_raw(number)
        }
        self.layers = tuple(self._numbers)
        if not self.layers:
            self._cache.__exit__(None, None, None)
            raise UserError(
                f"{path}: holds no raw features; name layers in the config's extraction.keep_raw"
            )
        self._grids: dict[str, np.ndarray] = {}

    def __enter__(self) -> "RawFeatures":
        return self

    def __exit__(self, *_: object) -> None:
        self._cache.__exit__(None, None, None)

    def array(self, layer: str, picture: str | int) -> np.ndarray:
        """Read one picture's features at one layer.

        Parameters
        ----------
        layer : str
            One of `layers`.
        picture : str or int
            File name or row.

        Returns
        -------
        ndarray of float32
            Shape (height, width, channels) for maps, (tokens, channels) for tokens; rounded to
            float16 when they were kept.

        Raises
        ------
        UserError
            If there is no such layer or picture, or the file is damaged there.
        """
        number, row = self._number(layer), self._row(picture)
        if layer not in self._grids:
            self._grids[layer] = self._cache.grid(number)
        height, width = self._grids[layer][row]
        values = self._cache.raw(number, row, height * width).astype(np.float32)
        flat = self._cache.layers[number].layout in ("NLC", "NCL", "LNC", "NC")
        return values if flat else values.reshape(height, width, -1)

    def dataarray(self, layer: str, picture: str | int) -> Any:
        """Return `array` as an `xarray.DataArray` with named axes and the file name as its name."""
        import xarray

        values = self.array(layer, picture)
        axes = ("y", "x", "channel") if values.ndim == 3 else ("token", "channel")
        name = self.pictures[self._row(picture)]
        return xarray.DataArray(values, dims=axes, name=name, attrs={"layer": layer})

    def _number(self, layer: str) -> int:
        if layer not in self._numbers:
            raise UserError(
                f"{self._cache.path}: no raw features of layer {layer!r}"
                f"{suggest(layer, self.layers)}; kept: {', '.join(self.layers)}"
            )
        return self._numbers[layer]

    def _row(self, picture: str | int) -> int:
        if isinstance(picture, str):
            if picture not in self.pictures:
                raise UserError(
                    f"{self._cache.path}: no picture {picture!r}{suggest(picture, self.pictures)}"
                )
            return self.pictures.index(picture)
        return int(picture)


def open_features(path: Path | str) -> RawFeatures:
    """Open the raw features in a cache; see `RawFeatures`."""
    return RawFeatures(path)
