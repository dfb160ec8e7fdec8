"""Read EinsumDense, and matrix products and Einstein sums that are called as operations."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LayerConfig, Operand, only
from kgenn.layers.constants import constant
from kgenn.layers.contraction import contraction, parted
from kgenn.layers.einsum import Einsum
from kgenn.layers.read_activation import activation_of
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
_LETTERS = "abcdefghijklmnop"


def read_einsum_dense(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read EinsumDense: a kernel along the axes of its equation, and a bias along `bias_axes`."""
    shape = only(inputs)
    first, second, output = _batched(str(config.get("equation")), shape)
    target = _output_shape(config, shape, first, output)
    sizes = {**dict(zip(output, target, strict=True)), **dict(zip(first, shape, strict=True))}
    if not set(second) <= sizes.keys():
        raise config.bad("equation", "one whose kernel has axes of the input and the output")
    kernel = weights.take("kernel", tuple(sizes[label] for label in second))
    axes = config.get("bias_axes", "")
    bias: Chain = ()
    if axes:
        if not isinstance(axes, str) or not set(axes) <= set(output):
            raise config.bad("bias_axes", f"axes of the output, {output!r}")
        around = tuple(n if label in axes else 1 for label, n in zip(output, target, strict=True))
        stored = around[min(map(output.index, axes)) :]
        bias = (Rescaling(np.asarray(1.0), weights.take("bias", stored).reshape(around)),)
    return (*contraction(shape, first, kernel, second, output), *bias, *activation_of(config))


def _output_shape(config: LayerConfig, shape: Shape, first: str, output: str) -> Shape:
    """Return the shape that EinsumDense is built with; None stands for an axis of the input."""
    value = config.get("output_shape")
    given = value if isinstance(value, list) else [value]
    known = dict(zip(first, shape, strict=True))
    # what stands for an ellipsis is not among them
    filled = [*(known.get(label) for label in output[: len(output) - len(given)]), *given]
    sizes = [known.get(label) if n is None else n for label, n in zip(output, filled, strict=False)]
    if len(sizes) != len(output) or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise config.bad("output_shape", f"a positive integer for each axis of {output!r}")
    return tuple(n for n in sizes if n is not None)


def _batched(equation: str, shape: Shape) -> tuple[str, str, str]:
    """Return the labels of an equation without that of the batch, which must come first on both sides."""
    first, second, output = parted(equation, shape)
    if len(first) != len(shape) + 1 or first[:1] != output[:1] or first[:1] in second:
        raise ValueError(f"the equation {equation!r} on {shape}: the batch must come first on both sides")
    return first[1:], second, output[1:]


def read_matmul(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a matrix product with a constant matrix, or of two tensors."""
    first, second = config.argument(0, "x1", "a"), config.argument(1, "x2", "b")
    flips = [config.flag(key, False) for key in ("transpose_a", "transpose_b")]
    if not isinstance(first, Operand):
        raise config.odd("x1", "a constant", "a tensor, since the batch comes first")
    if not isinstance(second, Operand):
        matrix = constant(config, second, "x2")
        if matrix.ndim != 2 or flips[0]:
            raise config.odd("x2", f"an array of shape {matrix.shape}", "a matrix")
        labels = _LETTERS[: len(only(inputs))]
        matrix = matrix.T if flips[1] else matrix
        return contraction(only(inputs), labels, matrix, f"{labels[-1]}z", f"{labels[:-1]}z")
    (left, right) = inputs
    if len(left) != len(right) or len(left) < 2 or second.index < first.index:
        raise ValueError(f"matrices of shapes {left} and {right}, which do not go together sample by sample")
    shared = _LETTERS[: len(left) - 2]
    a, b = (f"{shared}{pair[::-1] if flip else pair}" for pair, flip in zip(("xy", "yz"), flips, strict=True))
    return (Einsum(a, b, f"{shared}xz"),)


def read_einsum(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an Einstein sum of a tensor with a constant, or of two tensors."""
    operands = config.arguments
    if len(operands) != 2:
        raise config.odd("operands", len(operands), "two")
    equation = str(config.get("subscripts"))
    first, second, output = parted(equation, inputs[0])
    if all(isinstance(operand, Operand) for operand in operands):
        if len({first[:1], second[:1], output[:1]}) != 1:
            raise config.bad("subscripts", "an equation in which the batch is the first axis of every tensor")
        return (Einsum(first[1:], second[1:], output[1:]),)
    if not isinstance(operands[0], Operand):
        raise config.odd("operands", "a constant", "a tensor first, since the batch comes first")
    kernel: Array = constant(config, operands[1], "operands")
    labels, kernel_labels, output = _batched(equation, only(inputs))
    return contraction(only(inputs), labels, kernel, kernel_labels, output)
