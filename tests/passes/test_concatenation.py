"""A ReLU over a concatenation of weighted sums becomes one for each part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import kgenn
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph, Node
from kgenn.ir.text import graph_text
from kgenn.layers.activation import ReLU
from kgenn.layers.affine import Affine
from kgenn.layers.conv import Conv
from kgenn.layers.merge import Concatenate
from kgenn.passes import LoweringOptions
from kgenn.passes.concatenation import split_relus_of_concatenations
from networks import Build, build, samples

DEFAULT = LoweringOptions()


def relus(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if isinstance(node.layer, ReLU)]


def joined(factors: tuple[float, float]) -> Graph:
    """Return relu(concat(a, b)) of two convolutions whose weights have these factors and are not negative else."""
    b = Build("joined", (4, 4, 2))
    parts = [b.conv("input", channels) for channels in (2, 3)]
    graph = b.graph(b.classify(b.relu(b.add(Concatenate(-1), *parts))))
    wanted = dict(zip(parts, factors, strict=True))

    def change(node: Node) -> tuple[Node] | None:
        if node.name not in wanted:
            return None
        assert isinstance(node.layer, Conv)
        kernel = np.abs(node.layer.kernel) * np.float32(wanted[node.name])
        return (replace(node, layer=replace(node.layer, kernel=kernel)),)

    return graph.edit(change)


def test_every_part_has_a_relu_after_its_share_of_the_normalisation() -> None:
    graph = build("dense_block")
    after = split_relus_of_concatenations(graph, DEFAULT)
    for relu in relus(after):
        source = after.by_name[relu.inputs[0]]
        while isinstance(source.layer, Affine):
            source = after.by_name[source.inputs[0]]
        assert not isinstance(source.layer, Concatenate)
    assert sum(after.shapes[r.name][-1] for r in relus(after)) == sum(
        graph.shapes[r.name][-1] for r in relus(graph)
    )
    assert {r.origin for r in relus(after)} == {r.origin for r in relus(graph)}
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_allclose(after.predict(x), graph.predict(x), rtol=1e-5, atol=1e-6)
    assert split_relus_of_concatenations(after, DEFAULT) is after


def test_what_is_put_together_of_populations_stays() -> None:
    b = Build("populations", (4, 4, 2))
    parts = [b.pool(b.conv_relu("input", 3)), b.pool(b.conv_relu("input", 3))]
    graph = b.graph(b.classify(b.relu(b.add(Concatenate(-1), *parts))))
    assert graph_text(split_relus_of_concatenations(graph, DEFAULT)) == graph_text(graph)


@pytest.mark.parametrize(("axis", "pooled"), [(-2, False), (-1, True)])
def test_images_side_by_side_and_what_a_max_pooling_reads_stay(axis: int, pooled: bool) -> None:
    b = Build("declined", (4, 4, 2))
    x = b.relu(b.add(Concatenate(axis), b.conv("input", 3), b.conv("input", 3)))
    graph = b.graph(b.classify(b.max_pool(x) if pooled else x))
    assert split_relus_of_concatenations(graph, DEFAULT) is graph


def test_a_part_has_a_name_of_its_own_and_is_one_however_often_it_is_put_in() -> None:
    b = Build("twice", (4, 4, 2))
    part = b.conv("input", 3)
    graph = b.graph(b.classify(b.relu(b.add(Concatenate(-1), part, part), 0.5)))
    (relu,) = relus(graph)
    taken = replace(graph, nodes=(*graph.nodes, Node(f"{relu.name}/0", ReLU(), (part,))))
    after = split_relus_of_concatenations(taken, DEFAULT)
    assert [r.layer for r in relus(after)] == [relu.layer] * 2
    x = samples(graph, 5, -1.0, 1.0)
    np.testing.assert_array_equal(after.predict(x), graph.predict(x))


def test_a_silent_part_has_the_scale_of_its_layer_and_a_silent_layer_is_an_error() -> None:
    graph = joined((1.0, -1.0))
    x = samples(graph, 20)
    network = kgenn.convert(graph, calibration=x, timesteps=8)
    loud, silent = (p for p in network.populations[1:-1])
    assert (loud.shape[-1], silent.shape[-1]) == (2, 3)
    assert np.max(loud.scale) / 2 < np.min(silent.scale) <= np.max(silent.scale) < 2 * np.max(loud.scale)
    with pytest.raises(KgennError, match="KG403") as caught:
        kgenn.convert(joined((-1.0, -1.0)), calibration=x, timesteps=8)
    assert len(caught.value.diagnostics) == 1
