"""Rebuild a network that `benchmarks.peers.portable` wrote as a PyTorch module."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

Arrays = dict[str, np.ndarray[Any, Any]]


class Add(nn.Module):
    """Add two inputs or more."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Network(nn.Module):
    """A directed acyclic graph of modules, one after the other; torch.fx can trace it.

    Attributes:
        plan: (name, names of its inputs) of each module, in order.
    """

    def __init__(
        self, modules: dict[str, nn.Module], plan: list[tuple[str, tuple[str, ...]]], source: str
    ) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.plan, self.source = plan, source

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {self.source: x}
        for name, inputs in self.plan:
            x = values[name] = getattr(self, name)(*(values[source] for source in inputs))
        return x


def load(path: Path, softmax: bool = False, widen: bool = False) -> nn.Module:
    """Return the network, an nn.Sequential where it is a chain; inputs have shape (N, C, height, width) or (N, C).

    Args:
        softmax: keep a softmax at the end.
        widen: where the padding of a convolution differs at the two ends, give its kernel rows and columns of
            zeros that even it out, instead of putting an nn.ZeroPad2d before it.
    """
    with np.load(path) as file:
        layers = json.loads(str(file["layers"]))
        arrays = {name: file[name] for name in file.files if name != "layers"}
    if layers[-1]["kind"] == "softmax" and not softmax:
        layers.pop()
    first, *rest = layers
    assert first["kind"] == "input", "the first layer is the input"
    names = {layer["name"]: f"n{i}_{_identifier(layer['name'])}" for i, layer in enumerate(layers)}
    modules = {names[layer["name"]]: _module(layer, _of(arrays, layer["name"]), widen) for layer in rest}
    plan = [(names[layer["name"]], tuple(names[source] for source in layer["inputs"])) for layer in rest]
    sources = [names[first["name"]], *(name for name, _ in plan)]
    if all(inputs == (source,) for (_, inputs), source in zip(plan, sources[:-1], strict=True)):
        chain = nn.Sequential()
        for name, module in modules.items():
            chain.add_module(name, module)
        return chain.eval()
    return Network(modules, plan, names[first["name"]]).eval()


def _of(arrays: Arrays, name: str) -> Arrays:
    """Return the arrays of one layer by their own names."""
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.rpartition(".")[0] == name}


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def _module(layer: dict[str, Any], arrays: Arrays, widen: bool) -> nn.Module:
    return _MODULES[layer["kind"]](*_widened(layer, arrays) if widen and "kernel" in arrays else (layer, arrays))


def _widened(layer: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Even out the padding of a convolution: a zero more at the start of an axis, and zero weights on it."""
    pads = layer.get("pads", [])
    if all(low == high for low, high in pads) or layer["dilation"] != [1, 1]:
        return layer, arrays
    more = [(high - low, 0) for low, high in pads]
    kernel = np.pad(arrays["kernel"], ((0, 0), (0, 0), *more))
    return {**layer, "pads": [(high, high) for _, high in pads]}, {**arrays, "kernel": kernel}


def _conv(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    (top, bottom), (left, right) = layer["pads"]
    kernel, even = arrays["kernel"], top == bottom and left == right
    conv = nn.Conv2d(
        kernel.shape[1] * layer["groups"],
        kernel.shape[0],
        kernel.shape[2:],
        stride=tuple(layer["strides"]),
        padding=(top, left) if even else 0,
        dilation=tuple(layer["dilation"]),
        groups=layer["groups"],
        bias="bias" in arrays,
    )
    _fill(conv, arrays)
    return conv if even else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), conv)


def _dense(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    dense = nn.Linear(arrays["kernel"].shape[1], arrays["kernel"].shape[0], bias="bias" in arrays)
    _fill(dense, arrays)
    return dense


def _fill(module: nn.Conv2d | nn.Linear, arrays: Arrays) -> None:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(arrays["kernel"]))
        if module.bias is not None:
            module.bias.copy_(torch.from_numpy(arrays["bias"]))


def _average_pool(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    (top, _), (left, _) = layer["pads"]
    return nn.AvgPool2d(
        tuple(layer["size"]), tuple(layer["strides"]), padding=(top, left), count_include_pad=False
    )


def _max_pool(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    (top, _), (left, _) = layer["pads"]
    return nn.MaxPool2d(tuple(layer["size"]), tuple(layer["strides"]), padding=(top, left))


def _batch_norm(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    kind = nn.BatchNorm2d if layer["rank"] == 3 else nn.BatchNorm1d
    module = kind(len(arrays["mean"]), eps=layer["epsilon"])
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(arrays["gamma"]))
        module.bias.copy_(torch.from_numpy(arrays["beta"]))
        module.running_mean.copy_(torch.from_numpy(arrays["mean"]))  # type: ignore[union-attr]
        module.running_var.copy_(torch.from_numpy(arrays["variance"]))  # type: ignore[union-attr]
    return module


def _relu(layer: dict[str, Any], arrays: Arrays) -> nn.Module:
    return nn.ReLU() if layer["max_value"] is None else nn.Hardtanh(0.0, layer["max_value"])


_MODULES: dict[str, Callable[[dict[str, Any], Arrays], nn.Module]] = {
    "conv": _conv,
    "dense": _dense,
    "average-pool": _average_pool,
    "max-pool": _max_pool,
    "batch-norm": _batch_norm,
    "relu": _relu,
    "flatten": lambda layer, arrays: nn.Flatten(),
    "add": lambda layer, arrays: Add(),
    "softmax": lambda layer, arrays: nn.Softmax(dim=-1),
}
