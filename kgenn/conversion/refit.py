"""Fit the weights of a layer to the spike trains that come, so that its sums are those of the model.

What trains say differs from the activations, and not by chance: values below half a spike are lost, the largest
are clipped, and what one neuron loses others know of. With x̂ for what the trains say, z for what the layer
computes in the model and W for its weights there, the weights of a few timesteps are those that minimise, in the
mean over samples and positions, each without its mean,

    |x̂·W' − z|² + α·|W' − W|²

α = μ · the mean of x̂². Of some μ that is taken whose weights, fitted to one half of the samples, have the least
error on the other half, and both halves are fitted with it. The weights stay what they are where this helps none.
Means are no part of it: the neurons' own shifts see to them.

Source: least squares on what a layer gives, He et al. 2017, arXiv:1707.06168; layer by layer after a conversion,
Li et al. 2021, arXiv:2106.06984.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from kgenn.conversion.powers_of_two import powers_of_two
from kgenn.conversion.twins import batched, batches
from kgenn.ir.graph import Array, Layer
from kgenn.ir.windows import windows
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense

# Layers whose weights can be fitted.
WITH_WEIGHTS = (Conv, Dense)
# Candidates for μ.
RIDGES = (0.003, 0.01, 0.1, 1.0)
# Fewer samples than this say nothing of two halves.
MIN_SAMPLES = 16
# Inputs of a neuron: a layer of more is left as it is, since a fit takes their cube.
MAX_INPUTS = 4608
# Multiplications for the products of inputs, which decide how many positions are used, and bytes of these at once.
MAX_PRODUCTS, PATCH_BYTES = 1e11, 1 << 23


@dataclass(frozen=True, eq=False)
class RegressionSums:
    """Sums over rows, the positions of some samples.

    Attributes:
        count: of the rows.
        inputs: Σ x̂, shape (groups, inputs), here and below less the same for all rows.
        errors: Σ r for what the layer computes too little, shape (groups, outputs).
        squares: Σ x̂·x̂ᵀ, shape (groups, inputs, inputs).
        products: Σ x̂·rᵀ, shape (groups, inputs, outputs).
    """

    count: int
    inputs: Array
    errors: Array
    squares: Array
    products: Array

    def __add__(self, other: RegressionSums) -> RegressionSums:
        return RegressionSums(
            self.count + other.count,
            self.inputs + other.inputs,
            self.errors + other.errors,
            self.squares + other.squares,
            self.products + other.products,
        )

    def centred(self) -> tuple[Array, Array]:
        """Return the covariances of the inputs with themselves, and with the errors."""
        squares = self.squares - self.inputs[:, :, np.newaxis] * self.inputs[:, np.newaxis] / self.count
        products = self.products - self.inputs[:, :, np.newaxis] * self.errors[:, np.newaxis] / self.count
        return squares / self.count, products / self.count


def refitted(layer: Layer, said: Array, values: Array, size: int) -> Layer:
    """Return a layer with the weights that are best for what its inputs say; itself where it has no better ones.

    Args:
        said: x̂, shape (N, *input shape), float32.
        values: z, shape (N, *output shape).
        size: samples that are computed at once.
    """
    if not isinstance(layer, WITH_WEIGHTS) or len(said) < MIN_SAMPLES or _num_inputs(layer) > MAX_INPUTS:
        return layer
    errors = batched(layer.forward, size, said)
    np.subtract(values, errors, out=errors)
    given, missing = powers_of_two(np.array([np.abs(said).max(), np.abs(errors).max()]))
    said, errors = said / given, np.divide(errors, missing, out=errors)
    half = len(said) // 2
    # in float32 large means would hide what the inputs deviate from them
    middle = said.mean(axis=tuple(range(said.ndim - 1)))
    first, second = (_sums(layer, said[part], errors[part], middle) for part in (slice(half), slice(half, None)))
    gains = [_gain(first, second, ridge) for ridge in RIDGES]
    best = int(np.argmax(gains))
    if not gains[best] > 0:
        return layer
    change = _solved(first + second, RIDGES[best]) * (float(missing) / float(given))
    kernel = np.moveaxis(change, 0, 1).reshape(layer.kernel.shape)  # outputs of one group are adjacent
    return replace(layer, kernel=layer.kernel + kernel.astype(layer.kernel.dtype))


def _num_inputs(layer: Conv | Dense) -> int:
    return prod(layer.kernel.shape[:-1])


def _gain(fitted: RegressionSums, tried: RegressionSums, ridge: float) -> float:
    """Return by how much the squared error falls on some rows, with the weights that were fitted to others."""
    change = _solved(fitted, ridge)
    squares, products = tried.centred()
    return float(2 * np.sum(change * products) - np.sum(change * (squares @ change)))


def _solved(sums: RegressionSums, ridge: float) -> Array:
    """Return what is added to the weights, shape (groups, inputs, outputs)."""
    squares, products = sums.centred()
    inputs = squares.shape[-1]
    alpha = ridge * np.trace(squares, axis1=1, axis2=2) / inputs
    alpha = np.where(alpha > 0, alpha, 1.0)  # of a group that says nothing
    solution: Array = np.linalg.solve(squares + alpha[:, np.newaxis, np.newaxis] * np.eye(inputs), products)
    return solution


def _sums(layer: Conv | Dense, said: Array, errors: Array, means: Array) -> RegressionSums:
    """Return the sums over all positions, of inputs less the means of their channels, shape (channels,)."""
    patches, groups = _patches(layer), layer.groups if isinstance(layer, Conv) else 1
    inputs, outputs = _num_inputs(layer), layer.kernel.shape[-1] // groups
    middle = np.tile(means.reshape(groups, 1, -1), inputs // (len(means) // groups))
    rows = prod(errors.shape[1:-1])  # of a sample
    every = max(1, int(len(said) * rows * groups * inputs * inputs / MAX_PRODUCTS))
    size = max(1, PATCH_BYTES // (4 * rows * groups * inputs))
    total = RegressionSums(
        0, *(np.zeros((groups, *shape)) for shape in ((inputs,), (outputs,), (inputs, inputs), (inputs, outputs)))
    )
    for part in batches(len(said), size):
        x = _by_group(patches(said[part]), groups, every)
        x = x - middle
        r = _by_group(errors[part].reshape(-1, 1, groups, outputs), groups, every)
        sums = x.sum(axis=1, dtype=np.float64), r.sum(axis=1, dtype=np.float64)
        turned = np.swapaxes(x, 1, 2)
        total += RegressionSums(x.shape[1], *sums, turned @ x, turned @ r)
    return total


def _by_group(rows: Array, groups: int, every: int) -> Array:
    """Return some rows group by group: shape (groups, rows, values) from (rows, places, groups, values)."""
    some = rows[::every]
    return np.moveaxis(some, 2, 0).reshape(groups, len(some), -1)


def _patches(layer: Conv | Dense) -> Callable[[Array], Array]:
    """Return what gives the inputs of each output of some samples, shape (rows, places, groups, values)."""
    if isinstance(layer, Dense):
        return lambda x: x.reshape(-1, 1, 1, x.shape[-1])
    rank, groups = len(layer.size), layer.groups

    def of(x: Array) -> Array:
        view = windows(x, layer.size, layer.strides, layer.dilation, layer.pads(x.shape[1:-1]))
        return np.moveaxis(view, rank + 1, -1).reshape(-1, prod(layer.size), groups, x.shape[-1] // groups)

    return of
