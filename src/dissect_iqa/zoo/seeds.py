"""Which random start an untrained network has, and which a rehearsal gives to a trained one."""

import zlib

from dissect_iqa.zoo.row import ModelRow


def seed_of(row: ModelRow) -> int:
    """Return the seed of a row's random start; rows that name the same weights share it.

    An untrained network keeps its own: there, the rehearsal's weights are the real ones.
    """
    if row.weights_kind == "seed":
        return int(row.weights_source)
    return zlib.crc32(f"{row.builder} {row.architecture} {row.weights}".encode())
