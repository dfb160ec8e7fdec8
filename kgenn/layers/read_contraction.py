"""Read EinsumDense, and matrix products and Einstein sums that are called as operations."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LayerConfig, Operand, is_sizes, is_whole, only
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
    """Read a matrix product with a constant matrix on either side, or of two tensors sample by sample."""
    first, second = config.argument(0, "x1", "a"), config.argument(1, "x2", "b")
    flips = [config.flag(key, False) for key in ("transpose_a", "transpose_b")]
    if isinstance(first, Operand) and isinstance(second, Operand):
        return _of_tensors(inputs, (first.index, second.index), flips)
    if not isinstance(first, Operand):
        shape, matrix = only(inputs), _matrix(config, first, "x1", flips[0])
        if len(shape) < 2:
            raise config.odd("x1", "a constant", "a tensor, since the batch comes first")
        # the transpose of the product of the transposes
        rows = _LETTERS[: len(shape) - 2]
        labels = f"{rows}yx" if flips[1] else f"{rows}xy"
        return contraction(shape, labels, matrix, "zx", f"{rows}zy")
    shape, matrix = only(inputs), _matrix(config, second, "x2", flips[1])
    labels = _LETTERS[: len(shape)]
    if flips[0]:
        raise config.odd("transpose_a", True, "false, where the other matrix is a constant")
    return contraction(shape, labels, matrix, f"{labels[-1]}z", f"{labels[:-1]}z")


def read_dot(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read the product of a tensor with a constant matrix; of two tensors it would mix the samples of a batch."""
    if not isinstance(config.argument(0, "x1"), Operand) or isinstance(config.argument(1, "x2"), Operand):
        raise config.odd(
            "x1, x2", "a tensor second", "a tensor, then a constant; use matmul or einsum of two tensors"
        )
    return read_matmul(config, weights, inputs)


def read_tensordot(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read a contraction of a tensor with a constant along some axes of each, or along the last of the first."""
    first, second = config.argument(0, "x1", "a"), config.argument(1, "x2", "b")
    if not isinstance(first, Operand) or isinstance(second, Operand):
        raise config.odd("x1, x2", "a tensor second", "a tensor, then a constant; use einsum of two tensors")
    shape, kernel = only(inputs), constant(config, second, "x2")
    axes = config.argument(2, "axes", default=2)
    if is_whole(axes) and 0 < axes <= min(len(shape), kernel.ndim):
        axes = [list(range(-axes, 0)), list(range(axes))]
    pair = [[axis] if is_whole(axis) else axis for axis in axes] if isinstance(axes, list) else []
    if len(pair) != 2 or not all(is_sizes(part, -len(_LETTERS)) for part in pair) or len(pair[0]) != len(pair[1]):
        raise config.odd("axes", axes, "a number of axes, or as many axes of each")
    own = [config.axis(axis, len(shape), "axes") for axis in pair[0]]
    other = [axis % kernel.ndim for axis in pair[1] if -kernel.ndim <= axis < kernel.ndim]
    if len(set(own)) != len(own) or len(set(other)) != len(own):
        raise config.odd("axes", axes, f"different axes of {shape} and of {kernel.shape}")
    labels, new = _LETTERS[: len(shape)], _LETTERS[len(shape) : len(shape) + kernel.ndim].upper()
    summed = {axis: labels[mine] for axis, mine in zip(other, own, strict=True)}
    kernel_labels = "".join(summed.get(axis, letter) for axis, letter in enumerate(new))
    rest = "".join(label for axis, label in enumerate(labels) if axis not in own)
    output = rest + "".join(letter for axis, letter in enumerate(new) if axis not in summed)
    return contraction(shape, labels, kernel, kernel_labels, output)


def _matrix(config: LayerConfig, value: object, key: str, flip: bool) -> Array:
    """Return a constant matrix, transposed if asked for."""
    matrix = constant(config, value, key)
    if matrix.ndim != 2:
        raise config.odd(key, f"an array of shape {matrix.shape}", "a matrix")
    return matrix.T if flip else matrix


def _of_tensors(inputs: tuple[Shape, ...], order: tuple[int, int], flips: list[bool]) -> Chain:
    """Return the matrix product of two tensors of as many axes, in the order of the call."""
    left, right = (inputs[index] for index in order)
    if len(left) != len(right) or len(left) < 2:
        raise ValueError(f"matrices of shapes {left} and {right}, which do not go together sample by sample")
    shared = _LETTERS[: len(left) - 2]
    parts = [f"{shared}{pair[::-1] if flip else pair}" for pair, flip in zip(("xy", "yz"), flips, strict=True)]
    first, second = parts if order[0] < order[1] else parts[::-1]
    return (Einsum(first, second, f"{shared}xz"),)


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
        operands, equation = operands[::-1], f"{second},{first}->{output}"
    kernel: Array = constant(config, operands[1], "operands")
    labels, kernel_labels, output = _batched(equation, only(inputs))
    return contraction(only(inputs), labels, kernel, kernel_labels, output)
