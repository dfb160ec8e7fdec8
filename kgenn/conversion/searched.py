"""Search what each source value reaches through a chain of linear layers, for a sparse matrix.

That is right for every linear layer, and only larger than a structure.
"""

from __future__ import annotations

from math import prod

import numpy as np

from kgenn.conversion.paths import Path
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Array, Reach

# Synapses of the largest sparse matrix that is built; 12 bytes each.
MAX_SYNAPSES = 200_000_000
# Contributions of source values that are followed at once, about.
MAX_REACHED = 4_000_000
# Source values that an estimate follows.
TRIED = 4


def too_many_synapses(where: str) -> Diagnostic:
    """Return the refusal of a matrix that is too large to build."""
    what = f"the layers before it need a matrix of over {MAX_SYNAPSES:,} synapses"
    remedy = "put a ReLU between linear layers that follow one another; of an attention, shorten the sequence"
    return Diagnostic("KG301", where, what, remedy)


def searched(path: Path, where: str) -> Sparse:
    """Return the matrix of any linear chain: what each source value reaches, layer by layer.

    Time and memory are linear in the contributions that are met on the way.

    Raises:
        KgennError: KG301 where the synapses are too many.
    """
    size = prod(path.shape)
    counts, indices, weights = [], [], []
    start, step, total, targets = 0, 1, 0, 1
    while start < size:
        found, targets, met = _reached(path, np.arange(start, min(start + step, size)))
        counts.append(np.bincount(found.rows, minlength=min(step, size - start)))
        indices.append(found.targets.astype(np.int32))
        weights.append(found.factors)
        total += len(found.rows)
        if total > MAX_SYNAPSES:
            raise KgennError([too_many_synapses(where)])
        start += step
        step = max(1, min(MAX_REACHED * step // max(met, 1), 8 * step))
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
        Also the size of the end, and the most contributions that there were at once.
    """
    state, shape, largest = Reach(np.arange(len(sources)), sources, np.ones(len(sources))), path.shape, 0
    for layer in path.layers:
        step = layer.reach(shape, state.targets)
        largest = max(largest, len(step.rows))
        shape = layer.output_shape(shape)
        state = _merged(
            Reach(state.rows[step.rows], step.targets, state.factors[step.rows] * step.factors), prod(shape)
        )
    return state, prod(shape), largest


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
