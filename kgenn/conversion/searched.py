"""Search what each source value reaches through a chain of linear layers, for a sparse matrix.

That is right for every linear layer, and only larger than a structure. There are two ways, which differ in time
alone: following the contributions of each source value from layer to layer, which takes time for each of them, and
computing the layers on unit vectors, which takes time for each multiply-accumulate, far less. The first is faster
where a value reaches a small part of a large image, the second behind layers that spread values widely.
"""

from __future__ import annotations

from math import prod

import numpy as np

from kgenn.conversion.paths import Path
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Array
from kgenn.ir.reach import Reach, unit_vectors

# Synapses of the largest sparse matrix that is built; 12 bytes each.
MAX_SYNAPSES = 200_000_000
# Contributions of source values that are followed at once, about.
MAX_REACHED = 4_000_000
# Source values that an estimate follows.
TRIED = 4
# Values that layers are computed for at once, of all unit vectors.
MAX_COMPUTED = 1 << 24
# Multiply-accumulates, and values of a layer, that take as long as following one contribution.
COMPUTED_PER_MET = 500


def too_many_synapses(where: str) -> Diagnostic:
    """Return the refusal of a matrix that is too large to build."""
    what = f"the layers before it need a matrix of over {MAX_SYNAPSES:,} synapses"
    remedy = "put a ReLU between linear layers that follow one another; of an attention, shorten the sequence"
    return Diagnostic("KG301", where, what, remedy)


def searched(path: Path, where: str) -> Sparse:
    """Return the matrix of any linear chain: what each source value reaches, layer by layer.

    Time and memory are linear in the contributions that are met on the way, or in the multiply-accumulates of the
    layers for each source value where that is less.

    Raises:
        KgennError: KG301 where the synapses are too many.
    """
    size, (work, largest) = prod(path.shape), _work(path)
    counts, indices, weights = [], [], []
    start, step, total, targets, computed = 0, 1, 0, 1, False
    while start < size:
        sources = np.arange(start, min(start + step, size))
        found, targets, met = (_computed if computed else _reached)(path, sources)
        counts.append(np.bincount(found.rows, minlength=min(step, size - start)))
        indices.append(found.targets.astype(np.int32))
        weights.append(found.factors)
        total += len(found.rows)
        if total > MAX_SYNAPSES:
            raise KgennError([too_many_synapses(where)])
        start += step
        computed = computed or work * len(sources) < COMPUTED_PER_MET * met
        step = max(1, MAX_COMPUTED // largest if computed else min(MAX_REACHED * step // max(met, 1), 8 * step))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    return Sparse(np.concatenate(weights), indptr, np.concatenate(indices), targets)


def estimated(path: Path) -> int:
    """Return about how many synapses a search would find, from what a few source values reach."""
    size = prod(path.shape)
    tried = np.unique(np.linspace(0, size - 1, TRIED + 2).astype(np.int64)[1:-1])
    found = sum(len(_reached(path, source[None])[0].rows) for source in tried)
    return int(found * size / len(tried))


def _reached(path: Path, sources: Array) -> tuple[Reach, int, int]:
    """Return what some source values reach at the end of a chain, sorted.

    Returns:
        Also the size of the end, and the contributions that were followed.
    """
    state, shape, met = Reach(np.arange(len(sources)), sources, np.ones(len(sources))), path.shape, 0
    for layer in path.layers:
        step = layer.reach(shape, state.targets)
        met += len(step.rows)
        shape = layer.output_shape(shape)
        state = _merged(
            Reach(state.rows[step.rows], step.targets, state.factors[step.rows] * step.factors), prod(shape)
        )
    return state, prod(shape), met


def _computed(path: Path, sources: Array) -> tuple[Reach, int, int]:
    """Return the same as `_reached`, from the layers' values for unit vectors."""
    values = unit_vectors(sources, path.shape)
    for layer in path.layers:
        values = layer.forward(values) - layer.of_zeros(values.shape[1:])
    found = Reach.of_responses(values.reshape(len(sources), -1))
    return found, prod(values.shape[1:]), len(found.rows)


def _work(path: Path) -> tuple[int, int]:
    """Return the multiply-accumulates and values of the layers for one sample, and the values of the largest."""
    shape, work, largest = path.shape, 0, prod(path.shape)
    for layer in path.layers:
        work += layer.macs(shape)
        shape = layer.output_shape(shape)
        work, largest = work + prod(shape), max(largest, prod(shape))
    return work, largest


def _merged(reach: Reach, size: int) -> Reach:
    """Add up the contributions of one value to one target, and sort them by both."""
    key = reach.rows * size + reach.targets
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    factors = np.add.reduceat(reach.factors[order], first) if len(first) else reach.factors
    some = factors != 0
    rows, targets = np.divmod(key[first][some], size)
    return Reach(rows, targets, factors[some])
