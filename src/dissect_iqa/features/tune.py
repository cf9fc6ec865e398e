"""Make a network faster without changing what it computes.

A convolution, the batch norm after it, the addition of a shortcut and the activation are four
passes over the same map, of which only the first has work to do. Here they become one: batch
norms are folded into the weights, and on the CPU oneDNN adds and rectifies while it writes.
Nothing is fused across a layer that is to be read: its output stays what it was, up to the
rounding of float32. Who uses this compares a picture's layers with those of the plain network.
"""

import copy
import logging
import operator
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from dissect_iqa.features.fused import Activation, FusedConv, PairMaxPool, activation_of

log = logging.getLogger(__name__)

_ADDITIONS = (operator.add, operator.iadd, torch.add)


def tune(module: nn.Module, layers: Collection[str]) -> nn.Module:
    """Return a faster network that shares the parameters of the given one.

    Parameters
    ----------
    module : nn.Module
        In eval mode; not changed.
    layers : collection of str
        Paths of the modules that will be read. They keep their paths and outputs.

    Returns
    -------
    nn.Module
        Parts that can't be traced are as they were.
    """
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return _tuned(copy.deepcopy(module, shared), frozenset(layers))


def _tuned(module: nn.Module, layers: frozenset[str]) -> nn.Module:
    """Fuse within a module; if it can't be traced as a whole, within its parts."""
    try:
        graph = _Tracer(layers).trace(module)
    except Exception as error:  # code that depends on data fails in any way it likes
        log.debug("%s can't be traced: %s", type(module).__name__, error)
        for name, child in list(module.named_children()):
            if next(child.children(), None) is not None and not _hooked(child):
                setattr(module, name, _tuned(child, _below(layers, name)))
        return module
    # Layers are single steps of this graph, and may have insides to be fused themselves.
    for node in graph.nodes:
        if node.op == "call_module" and node.target in layers:
            child = module.get_submodule(node.target)
            if next(child.children(), None) is not None and not _hooked(child):
                module.set_submodule(node.target, _tuned(child, _below(layers, node.target)))
    _Fuser(module, graph, layers).run()
    graph.lint()
    return fx.GraphModule(module, graph)


def _below(layers: frozenset[str], path: str) -> frozenset[str]:
    """Return the layers inside a module, with paths as seen from there."""
    return frozenset(
        name.removeprefix(f"{path}.") for name in layers if name.startswith(f"{path}.")
    )


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


class _Tracer(fx.Tracer):
    """Traces down to PyTorch's own modules, convolutions and norms of any make, and layers."""

    def __init__(self, layers: frozenset[str]):
        super().__init__()
        self._layers = layers

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return (
            module_qualified_name in self._layers
            or isinstance(m, (nn.Conv2d, nn.BatchNorm2d))
            or _is_frozen_norm(m)
            or _hooked(m)
            or super().is_leaf_module(m, module_qualified_name)
        )


class _Fuser:
    """Rewrites one traced graph.

    Parameters
    ----------
    root : nn.Module
        What was traced; gets the fused modules.
    graph : fx.Graph
        Its graph.
    layers : collection of str
        Modules whose outputs must stay.
    """

    def __init__(self, root: nn.Module, graph: fx.Graph, layers: frozenset[str]):
        self._root = root
        self._graph = graph
        self._layers = layers
        targets = [node.target for node in graph.nodes if node.op == "call_module"]
        self._single = {target for target in targets if targets.count(target) == 1}
        self._done: set[fx.Node] = set()

    def run(self) -> None:
        """Fuse every convolution with what follows it, and replace pairwise pools."""
        for node in list(self._graph.nodes):
            if node in self._done or node.op != "call_module":
                continue
            module = self._root.get_submodule(node.target)
            if isinstance(module, nn.Conv2d) and self._may_change(node):
                self._fuse(node, module)
            elif PairMaxPool.fits(module) and node.target in self._single and not _hooked(module):
                self._root.set_submodule(node.target, PairMaxPool())

    def _fuse(self, node: fx.Node, conv: nn.Conv2d) -> None:
        """Take in the norm, the sum and the activation that follow, as far as they do."""
        weight, bias, last = conv.weight, conv.bias, node
        other: fx.Node | None = None
        act: Activation | None = None
        norm_node = self._follower(last, self._is_norm)
        if norm_node is not None:
            norm = self._root.get_submodule(norm_node.target)
            weight, bias = _folded(weight, bias, norm)
            last, act = norm_node, _own_activation(norm)
        if act is None:
            sum_node = self._follower(last, self._is_sum)
            if sum_node is not None:
                other = next(arg for arg in sum_node.args if arg is not last)
                last = sum_node
            act_node = self._follower(last, lambda n: self._activation(n) is not None)
            if act_node is not None:
                act, last = self._activation(act_node), act_node
        if last is node and type(conv) is not nn.Conv2d:
            return
        fused = FusedConv(conv, weight, bias, act)
        if other is not None and not fused.adds:
            return
        self._replace(node, last, other, fused)

    def _replace(
        self, first: fx.Node, last: fx.Node, other: fx.Node | None, fused: nn.Module
    ) -> None:
        """Put one module in the place of a chain; under the last one's name if that is read."""
        read = last.op == "call_module" and last.target in self._layers
        name = last.target if read else first.target
        if not read and name in self._layers:
            raise AssertionError("a layer that is read was about to be fused away")
        self._root.set_submodule(name, fused)
        arguments = (first.args[0],) if other is None else (first.args[0], other)
        with self._graph.inserting_before(last):
            new = self._graph.call_module(name, arguments)
        chain, node = [], last
        while node is not first:
            chain.append(node)
            inputs = [n for n in node.all_input_nodes if n is not other]
            node = inputs[0]
        last.replace_all_uses_with(new)
        for node in (*chain, first):
            self._graph.erase_node(node)
            self._done.add(node)

    def _may_change(self, node: fx.Node) -> bool:
        module = self._root.get_submodule(node.target)
        return node.target in self._single and not _hooked(module)

    def _follower(self, node: fx.Node, fits: Callable[[fx.Node], bool]) -> fx.Node | None:
        """Return the only user of a node's value if it fits and nobody reads the value itself."""
        if len(node.users) != 1 or (node.op == "call_module" and node.target in self._layers):
            return None
        user = next(iter(node.users))
        return user if fits(user) else None

    def _is_norm(self, node: fx.Node) -> bool:
        if node.op != "call_module" or not self._may_change(node):
            return False
        module = self._root.get_submodule(node.target)
        return _is_frozen_norm(module) or (
            isinstance(module, nn.BatchNorm2d)
            and module.running_mean is not None
            and (type(module) is nn.BatchNorm2d or _own_activation(module) is not None)
        )

    @staticmethod
    def _is_sum(node: fx.Node) -> bool:
        return (
            node.op == "call_function"
            and node.target in _ADDITIONS
            and not node.kwargs
            and len(node.args) == 2
            and all(isinstance(arg, fx.Node) for arg in node.args)
            and node.args[0] is not node.args[1]
        )

    def _activation(self, node: fx.Node) -> Activation | None:
        if node.op == "call_module":
            module = self._root.get_submodule(node.target)
            return None if _hooked(module) else activation_of(module)
        if node.op in ("call_function", "call_method") and len(node.args) == 1:
            names = {F.relu: nn.ReLU, torch.relu: nn.ReLU, "relu": nn.ReLU, "relu_": nn.ReLU}
            names |= {F.relu_: nn.ReLU, F.relu6: nn.ReLU6, F.silu: nn.SiLU}
            kind = names.get(node.target)
            return activation_of(kind()) if kind and _only_inplace(node.kwargs) else None
        return None


def _is_frozen_norm(module: nn.Module) -> bool:
    """Tell whether a module is torchvision's FrozenBatchNorm2d, without importing torchvision."""
    return type(module).__name__ == "FrozenBatchNorm2d" and hasattr(module, "running_mean")


def _only_inplace(options: dict[str, Any]) -> bool:
    return set(options) <= {"inplace"}


def _folded(
    weight: torch.Tensor, bias: torch.Tensor | None, norm: nn.Module
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a convolution's weights with the norm's scale and shift in them."""
    scale, shift = norm.weight, norm.bias
    mean, var, eps = norm.running_mean, norm.running_var, norm.eps
    parts = [None if t is None else t.double() for t in (weight, bias, mean, var, scale, shift)]
    new_weight, new_bias = fuse_conv_bn_weights(
        parts[0], parts[1], parts[2], parts[3], eps, *parts[4:]
    )
    return new_weight.detach().float(), new_bias.detach().float()


def _own_activation(norm: nn.Module) -> Activation | None:
    """Return the activation inside one of timm's norms; None if it has something else inside."""
    act, drop = getattr(norm, "act", None), getattr(norm, "drop", None)
    if act is None or not isinstance(drop, (nn.Identity, nn.Dropout)):
        return None
    return activation_of(act)
