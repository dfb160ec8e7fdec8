"""Lowering a random graph leaves what it computes, pass by pass, and changes nothing when done twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from drawn_graphs import graphs
from drawn_networks import lowerings
from examples import examples
from kgenn.ir.graph import Graph
from kgenn.ir.text import graph_text
from kgenn.passes import PASSES, LoweringOptions, lower
from networks import samples


@examples(60)
@given(graph=graphs(), options=lowerings)
def test_each_pass_leaves_what_a_random_graph_computes(graph: Graph, options: LoweringOptions) -> None:
    x = samples(graph, 3, -1.0, 1.0)
    expected = graph.predict(x)
    for apply in PASSES:
        graph = apply(graph, options)
        np.testing.assert_allclose(graph.predict(x), expected, rtol=1e-3, atol=1e-5, err_msg=apply.__name__)
        assert graph_text(apply(graph, options)) == graph_text(graph), apply.__name__


@examples(60)
@given(graph=graphs(), options=lowerings)
def test_lowering_a_random_graph_twice_changes_nothing(graph: Graph, options: LoweringOptions) -> None:
    once = lower(graph, options)
    assert graph_text(lower(once, options)) == graph_text(once)
