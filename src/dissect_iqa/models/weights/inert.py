"""Unpickling that executes nothing: unknown objects become empty shells.

Training checkpoints often hold more than tensors: a parser's options, an optimizer's state,
whole objects of the trainer's classes. ``torch.load(weights_only=True)`` refuses the file for
one such object. Here every class or function outside a short list of harmless ones is replaced
by a shell that accepts whatever the pickle does to it and does nothing, so that the tensors
beside it can be read and no code of the file, or named by the file, runs.
"""

import pickle
from typing import Any

#: What rebuilding tensors, arrays and plain containers takes; none of it has side effects.
_HARMLESS = frozenset(
    {
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
        ("builtins", "dict"),
        ("builtins", "list"),
        ("builtins", "set"),
        ("__builtin__", "dict"),
        ("__builtin__", "list"),
        ("__builtin__", "set"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch.nn.parameter", "Parameter"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch._utils", "_rebuild_parameter_with_state"),
    }
)

_DTYPES = frozenset(
    f"{kind}{bits}"
    for kind, sizes in (("float", (16, 32, 64)), ("int", (8, 16, 32, 64)))
    for bits in sizes
) | {"bfloat16", "bool", "uint8"}


class Shell:
    """Stands for an object that was not rebuilt; takes anything and keeps nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Shell":
        """Accept any arguments."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> "Shell":
        """Stand for the result, too."""
        return self

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """Drop an item."""

    def extend(self, _: Any) -> None:
        """Drop items."""

    def add(self, _: Any) -> None:
        """Drop an item."""


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Encode as old pickles of bytes ask for; other codecs can multiply what they are given."""
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise pickle.UnpicklingError(f"encoding {encoding[:40]!r}")
    return text.encode(encoding)


class Unpickler(pickle.Unpickler):
    """An unpickler that rebuilds tensors, arrays and plain containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a harmless class or function by name, and a shell for all others."""
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if (module, name) in _HARMLESS:
            if module.startswith("numpy.core"):
                module = module.replace("numpy.core", "numpy._core")
            return super().find_class(module, name)
        # isidentifier: a dotted name would be followed into whatever torch has imported
        storage = name.isidentifier() and name.endswith("Storage")
        if module == "torch" and (name in _DTYPES or storage):
            return super().find_class(module, name)
        return type(name if name.isidentifier() else "Shell", (Shell,), {"__module__": module})


def load(file: Any, **options: Any) -> Any:
    """Read one pickle from an open file; for torch.load, which calls it on old formats."""
    return Unpickler(file, **options).load()


def loads(data: bytes, **options: Any) -> Any:
    """Read one pickle from bytes."""
    import io

    return load(io.BytesIO(data), **options)
