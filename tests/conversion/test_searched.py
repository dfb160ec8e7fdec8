"""The matrices of chains without structure: both ways of finding them."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from kgenn.conversion import searched as module
from kgenn.conversion.paths import Path, paths_into
from kgenn.conversion.searched import searched
from kgenn.ir.connectivity import Sparse
from kgenn.ir.graph import Graph
from kgenn.layers.shape import Permute, Reshape
from kgenn.passes import LoweringOptions, lower
from looped import looped
from networks import RECIPES, Build, build


def shuffled() -> Graph:
    """Return convolutions with biases around a shuffle of pixels, without a ReLU between them."""
    b = Build("shuffled", (6, 5, 3))
    x = b.conv(b.conv("input", 4, bias=True), 8, bias=True)
    x = b.add(Reshape((6, 5, 2, 2, 2)), x)
    x = b.add(Reshape((12, 10, 2)), b.add(Permute((0, 2, 1, 3, 4)), x))
    return b.graph(b.relu(b.conv(x, 3, bias=True)))


def in_both_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Sparse, Sparse]:
    """Return a chain's matrix as `_reached` finds it and as `_computed` does behind the first source."""
    monkeypatch.setattr(module, "COMPUTED_PER_MET", 0)
    followed = searched(path, "x")
    monkeypatch.setattr(module, "COMPUTED_PER_MET", 1 << 40)
    return followed, searched(path, "x")


def assert_same(followed: Sparse, computed: Sparse) -> None:
    assert followed.num_targets == computed.num_targets
    np.testing.assert_array_equal(followed.indptr, computed.indptr)
    np.testing.assert_array_equal(followed.indices, computed.indices)
    np.testing.assert_allclose(computed.weights, followed.weights, rtol=1e-9, atol=1e-12)


@looped("name", RECIPES)
def test_following_values_and_computing_unit_vectors_give_one_matrix(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = lower(build(name), LoweringOptions())
    for node in graph.nodes:
        for path in (
            (p for source in node.inputs for p in paths_into(graph, source)) if node.layer.population else ()
        ):
            assert_same(*in_both_ways(path, monkeypatch))


def test_a_chain_that_spreads_values_widely_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = lower(shuffled(), LoweringOptions())
    (path,) = paths_into(graph, next(n for n in graph.nodes if n.layer.population and n.inputs).inputs[0])
    assert_same(*in_both_ways(path, monkeypatch))
    monkeypatch.undo()
    calls = count()
    plain = module._computed
    monkeypatch.setattr(module, "_computed", lambda *given: (next(calls), plain(*given))[1])
    searched(path, "x")
    assert next(calls) > 0


def test_unit_vectors_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = lower(shuffled(), LoweringOptions())
    (path,) = paths_into(graph, next(n for n in graph.nodes if n.layer.population and n.inputs).inputs[0])
    whole = searched(path, "x")
    monkeypatch.setattr(module, "MAX_COMPUTED", 12 * 10 * 3 * 7)
    assert_same(whole, searched(path, "x"))
