"""Passes in which a convolution waits for what follows it, so that several steps become one.

A convolution, the batch norm after it, the addition of a shortcut and the activation are four
passes over the same map, of which only the first has work to do. Inside `Fusing` a convolution
gives out a tensor whose numbers are not there yet. A batch norm of it is folded into the weights,
a sum and an activation are noted, and when anybody asks for the numbers (a hook, the next
convolution, an ``if``) all of it is done in one step by oneDNN, PyTorch's library for the CPU.

No module is touched, replaced or traced: the network runs its own code, and whatever it does with
such a tensor gives what it would have given, up to the rounding of float32. What the numbers are
made from must not change before they are asked for; that is checked, and `FusingFault` raised.
"""

import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

#: Sum of a map's squares from which on a convolution may overflow, which oneDNN's ReLU would hide.
_LARGE = 1e30


class FusingFault(RuntimeError):
    """A fused pass can't vouch for its numbers; the plain network must be asked."""


@dataclass(frozen=True)
class Activation:
    """An activation as oneDNN and PyTorch know it.

    Attributes
    ----------
    name : str
        oneDNN's name.
    scalars : tuple of float
        Its parameters.
    inplace : callable
        Does the same to a tensor, in place.
    hides : bool
        oneDNN's makes 0 of NaN.
    """

    name: str
    scalars: tuple[float, ...]
    inplace: Callable[[torch.Tensor], torch.Tensor]
    hides: bool = False


_RELU = Activation("relu", (), torch.relu_, hides=True)
_SILU = Activation("swish", (), lambda x: F.silu(x, inplace=True))
_HARDSWISH = Activation("hardswish", (), lambda x: F.hardswish(x, inplace=True))


def _limits(low: float, high: float) -> Activation:
    return Activation("hardtanh", (low, high), lambda x: F.hardtanh_(x, low, high), hides=True)


@dataclass(eq=False)
class Step:
    """What a waiting tensor will be: act(conv(x) + other).

    Attributes
    ----------
    fusing : Fusing
        Keeps folded and packed weights.
    x, weight, bias : Tensor
        Of the convolution; weight and bias with all norms so far folded in.
    geometry : tuple
        Padding, stride, dilation (two numbers each) and groups.
    own : Tensor
        The network's weight, by which convolutions are told apart.
    shape : torch.Size
        Of the result.
    made_from : tuple of (Tensor, int)
        Tensors whose values are still needed, with their versions when they were handed in.
    other : Tensor or None
        To be added; of the output's shape.
    activation : Activation or None
        Comes last.
    """

    fusing: "Fusing"
    x: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None
    geometry: tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]
    own: torch.Tensor
    shape: torch.Size
    made_from: tuple[tuple[torch.Tensor, int], ...]
    other: torch.Tensor | None = None
    activation: Activation | None = None

    def compute(self) -> torch.Tensor:
        """Do it all, in as few passes as oneDNN can."""
        if any(tensor._version != version for tensor, version in self.made_from):
            raise FusingFault("a tensor was overwritten while a convolution still needed it")
        cast = torch.is_autocast_enabled("cpu")
        plainly = torch.autocast("cpu", enabled=False) if cast else nullcontext()
        with torch._C.DisableTorchFunction(), plainly:
            return self._onednn()

    def _onednn(self) -> torch.Tensor:
        operators = torch.ops.mkldnn
        weight, act = self.fusing.packed(self), self.activation
        if act is not None and act.hides:
            self.fusing.remember(self.x)
        if self.other is None:
            name, scalars = ("none", ()) if act is None else (act.name, act.scalars)
            y = operators._convolution_pointwise(
                self.x, weight, self.bias, *self.geometry, name, scalars, ""
            )
            if act is not None and act.hides and act.scalars:
                self.fusing.bounded(y)
            return y
        relu = "relu" if act is _RELU else None  # the only one that goes with a sum
        y = operators._convolution_pointwise.binary(
            self.x, self.other, weight, self.bias, *self.geometry, "add", None, relu, [], ""
        )
        return y if act is None or act is _RELU else act.inplace(y)


class Waiting(torch.Tensor):
    """The output of a convolution that is computed when its numbers are asked for.

    A tensor in every respect; what can be fused makes another one of it.
    """

    step: Step | None
    result: torch.Tensor
    followed: bool

    @staticmethod
    def __new__(cls, step: Step) -> "Waiting":
        """Wrap a step."""
        self = torch.Tensor._make_wrapper_subclass(
            cls, step.shape, dtype=step.x.dtype, device=step.x.device
        )
        self.step, self.followed = step, False
        return self

    def numbers(self) -> torch.Tensor:
        """Return the ordinary tensor, computed once."""
        if self.step is not None:
            if self.followed:  # computed twice: not worth it
                self.step.fusing.leave(self.step.own)
            self.result, self.step = self.step.compute(), None
        return self.result

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Fuse what can be fused; everything else gets the numbers."""
        return _answer(func, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Give the numbers to code that gets past `__torch_function__`."""
        return func(*tree_map(_settled, args), **tree_map(_settled, kwargs or {}))

    def then(self, inplace: bool, **changes: Any) -> "Waiting":
        """Return what follows: a tensor of its own, or this one, changed."""
        step = Step(**(vars(self.step) | changes))
        step.fusing.count += 1
        if inplace:
            self.step = step
            return self
        if self.followed:
            step.fusing.leave(step.own)
        self.followed = True
        return Waiting(step)


class Fusing(TorchFunctionMode):
    """A context for passes of one network, which can be entered again and again.

    Parameters
    ----------
    module : nn.Module
        In eval mode, on its device, float32. Not changed.

    Attributes
    ----------
    count : int
        Norms, sums, activations and pools that were fused so far.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.count = 0
        # Holding them keeps their ids from being given to other tensors.
        self._own = {id(t): t for t in (*module.parameters(), *module.buffers())}
        self._left: set[int] = set()
        self._shapes: dict[Any, tuple[Any, torch.Size | None]] = {}
        self._folded: dict[Any, tuple[torch.Tensor, torch.Tensor]] = {}
        self._packed: dict[Any, torch.Tensor] = {}
        self._squares: list[torch.Tensor] = []
        self._bounded: tuple[Callable[[], torch.Tensor | None], int] = (lambda: None, 0)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Let convolutions wait, and pool pairs in a simpler way."""
        begin = _BEGINNINGS.get(func)
        if begin is not None:
            args, kwargs = _all_settled(args, kwargs or {})
            result = begin(self, *args, **kwargs)
            return func(*args, **kwargs) if result is None else result
        if Waiting in types or func in _FOLLOWERS:
            return _answer(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def check(self) -> None:
        """Raise if a number of the passes since the last check may hide one that isn't finite.

        Raises
        ------
        FusingFault
            If what went into a fused ReLU was not finite, or so large that it may overflow.
        """
        squares, self._squares = self._squares, []
        if squares and not bool((torch.stack(squares) < _LARGE).all()):
            raise FusingFault("values that are not finite, or too large")

    def knows(self, *tensors: torch.Tensor | None) -> bool:
        """Tell whether tensors are the network's own parameters and buffers (or None)."""
        return all(tensor is None or id(tensor) in self._own for tensor in tensors)

    def remember(self, x: torch.Tensor) -> None:
        """Look later at whether all of a map is finite, unless it can't but be."""
        bounded, version = self._bounded
        if bounded() is not x or version != x._version:
            flat = x.permute(0, 2, 3, 1).reshape(-1)
            self._squares.append(torch.dot(flat, flat))

    def bounded(self, x: torch.Tensor) -> None:
        """Note that a map has been limited to a range."""
        self._bounded = weakref.ref(x), x._version

    def leave(self, weight: torch.Tensor) -> None:
        """Never let the convolution with that weight wait again."""
        self._left.add(id(weight))

    def packed(self, step: Step) -> torch.Tensor:
        """Return a step's weight in oneDNN's layout, which differs for one picture and many."""
        key = (id(step.weight), step.weight._version, step.geometry, len(step.x) > 1)
        if key not in self._packed:
            self._packed[key] = torch.ops.mkldnn._reorder_convolution_weight(
                step.weight, *step.geometry, list(step.x.shape)
            )
        return self._packed[key]

    def folded(
        self, step: Step, norm: tuple[torch.Tensor | None, ...], eps: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight and bias with a norm (mean, var, scale, shift) in them."""
        tensors = (step.weight, step.bias, *norm)
        key = (eps, *(None if t is None else (id(t), t._version) for t in tensors))
        if key not in self._folded:
            parts: list[Any] = [None if t is None else t.detach().double() for t in tensors]
            weight, bias, mean, var, scale, shift = parts
            one, other = fuse_conv_bn_weights(weight, bias, mean, var, eps, scale, shift)
            self._folded[key] = one.detach().float(), other.detach().float()
        return self._folded[key]

    def _conv2d(
        self,
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Waiting | None:
        x = input
        if not self.knows(weight, bias) or id(weight) in self._left or not _ordinary(x):
            return None
        key = (id(weight), weight._version, x.shape, _key(stride, padding, dilation), groups)
        if key not in self._shapes:
            self._shapes[key] = _geometry(x, weight, bias, stride, padding, dilation, groups)
        geometry, shape = self._shapes[key]
        if shape is None:
            return None
        made_from = ((x, x._version), (weight, weight._version))
        return Waiting(Step(self, x, weight, bias, geometry, weight, shape, made_from))

    def _max_pool2d(
        self,
        input: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> torch.Tensor | None:
        """Return the largest of each 2 x 2 window, without the indices that PyTorch computes."""
        pairs = [_pair(n) for n in (kernel_size, stride or kernel_size, padding, dilation)]
        if ceil_mode or return_indices or pairs != [(2, 2), (2, 2), (0, 0), (1, 1)]:
            return None
        x = input
        if not _ordinary(x) or x.dim() != 4 or min(x.shape[2:]) < 2:
            return None
        self.count += 1
        height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
        x = x[:, :, :height, :width]
        y = torch.maximum(x[:, :, ::2, ::2], x[:, :, ::2, 1::2])
        torch.maximum(y, x[:, :, 1::2, ::2], out=y)
        return torch.maximum(y, x[:, :, 1::2, 1::2], out=y)


# Those that follow have the names and defaults of PyTorch's functions, and return None if the step
# can't be taken in.


def _norm(
    input: Any,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Waiting | None:
    norm = (running_mean, running_var, weight, bias)
    if training or running_mean is None or running_var is None or not _open(input):
        return None
    step = input.step
    # A norm of a norm would fold weights that are not the network's own.
    if step.weight is not step.own or not step.fusing.knows(*norm):
        return None
    new_weight, new_bias = step.fusing.folded(step, norm, eps)
    return input.then(False, weight=new_weight, bias=new_bias)


def _sum(inplace: bool) -> Callable[..., Waiting | None]:
    def add(input: Any, other: Any, **options: Any) -> Waiting | None:
        if options:  # alpha, out
            return None
        x, y = (input, other) if inplace or _open(input) else (other, input)
        if not _open(x) or x is y or not isinstance(y, torch.Tensor):
            return None
        y = _settled(y)
        if x.step is None or y.shape != x.step.shape or not _ordinary(y) or not _fits(x.step.x, y):
            return None
        return x.then(inplace, other=y, made_from=(*x.step.made_from, (y, y._version)))

    return add


def _activated(x: Any, activation: Activation, inplace: bool) -> Waiting | None:
    return x.then(inplace, activation=activation) if _open(x, sums=True) else None


def _relu(input: Any, inplace: bool = False) -> Waiting | None:
    return _activated(input, _RELU, inplace)


def _relu_in_place(input: Any) -> Waiting | None:
    return _activated(input, _RELU, True)


def _relu6(input: Any, inplace: bool = False) -> Waiting | None:
    return _activated(input, _limits(0.0, 6.0), inplace)


def _hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Waiting | None:
    return _activated(input, _limits(float(min_val), float(max_val)), inplace)


def _silu(input: Any, inplace: bool = False) -> Waiting | None:
    return _activated(input, _SILU, inplace)


def _hardswish(input: Any, inplace: bool = False) -> Waiting | None:
    return _activated(input, _HARDSWISH, inplace)


_BEGINNINGS = {torch.conv2d: Fusing._conv2d, F.max_pool2d: Fusing._max_pool2d}
_FOLLOWERS: dict[Any, Callable[..., Any]] = {
    F.batch_norm: _norm,
    torch.add: _sum(inplace=False),
    torch.Tensor.add: _sum(inplace=False),
    torch.Tensor.add_: _sum(inplace=True),
    F.relu: _relu,
    torch.relu: _relu,
    torch.Tensor.relu: _relu,
    torch.relu_: _relu_in_place,
    torch.Tensor.relu_: _relu_in_place,
    F.relu6: _relu6,
    F.hardtanh: _hardtanh,
    F.silu: _silu,
    F.hardswish: _hardswish,
}
_ATTRIBUTES: Any = torch.Tensor
#: Asked of a waiting tensor, these need no numbers.
_ABOUT_SHAPE = {
    _ATTRIBUTES.shape.__get__,
    _ATTRIBUTES.ndim.__get__,
    _ATTRIBUTES.dtype.__get__,
    _ATTRIBUTES.device.__get__,
    torch.Tensor.size,
    torch.Tensor.dim,
    torch.Tensor.__len__,
}


def _open(x: Any, sums: bool = False) -> bool:
    """Tell whether a value is a waiting tensor that can take in one step more, also after a sum."""
    if type(x) is not Waiting or x.step is None or x.step.activation is not None:
        return False
    return sums or x.step.other is None


def _answer(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function of PyTorch with arguments among which tensors may be waiting."""
    if func in _ABOUT_SHAPE:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)
    follow = _FOLLOWERS.get(func)
    if follow is not None:
        result = follow(*args, **kwargs)
        if result is not None:
            return result
    settled, named = _all_settled(args, kwargs)
    result = func(*settled, **named)
    first = args[0] if args else None
    return first if type(first) is Waiting and result is first.result else result


def _all_settled(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return tuple([_settled(x) for x in args]), {name: _settled(x) for name, x in kwargs.items()}


def _settled(value: Any) -> Any:
    if type(value) is Waiting:
        return value.numbers()
    if type(value) in (list, tuple):
        return type(value)([_settled(part) for part in value])
    return tree_map(_settled, value) if isinstance(value, (list, tuple, dict)) else value


def _ordinary(x: Any) -> bool:
    """Tell whether a value is a plain float32 tensor of a pass without gradients and autocast."""
    return (
        type(x) in (torch.Tensor, nn.Parameter)
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and not x.is_inference()
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled(x.device.type)
    )


def _fits(x: torch.Tensor, other: torch.Tensor) -> bool:
    return other.dtype == x.dtype and other.device == x.device


def _geometry(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[Any, torch.Size | None]:
    """Return padding, stride, dilation and groups, and the output's shape; None: let it be."""
    if isinstance(padding, str) or x.dim() != 4 or x.shape[1] != weight.shape[1] * groups:
        return (), None
    if len(x) == 0 or not all(_fits(x, t) for t in (weight, bias) if t is not None):
        return (), None
    pairs = (_pair(padding), _pair(stride), _pair(dilation))
    sides = [
        (x.shape[2 + i] + 2 * pad - dilate * (weight.shape[2 + i] - 1) - 1) // step + 1
        for i, (pad, step, dilate) in enumerate(zip(*pairs, strict=True))
    ]
    if min(sides) < 1:
        return (), None  # an error, to be raised where it arises
    return (*pairs, groups), torch.Size((len(x), len(weight), *sides))


def _key(*values: Any) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    first, *rest = value
    return first, (rest[0] if rest else first)


def can_fuse(device: torch.device) -> bool:
    """Tell whether passes on a device can be fused.

    On a GPU it would gain nothing: cuDNN adds a bias in a pass of its own, as a norm would be.
    """
    onednn = torch.backends.mkldnn
    return device.type == "cpu" and onednn.is_available() and bool(onednn.enabled)
