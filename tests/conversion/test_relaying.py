"""Relays: neurons between linear layers whose weights would multiply."""

from __future__ import annotations

import numpy as np
import pytest

from covering import leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.compose import structured
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.legality import legalise
from kgenn.conversion.paths import paths_into
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.relaying import MAX_CHAINS, relayed
from kgenn.conversion.searched import estimated
from kgenn.ir.graph import Graph, Layer, Node
from kgenn.layers.activation import Activation, ReLU
from kgenn.layers.merge import Add
from kgenn.layers.relay import Relay
from kgenn.passes import LoweringOptions, lower
from kgenn.passes.options import MIN_FITTED
from looped import looped
from networks import RECIPES, Build, build, samples
from recordings import compiled, on_reference

PIECES = MIN_FITTED


def linear_block() -> Graph:
    """Return a residual block without ReLUs between its dense layers and its convolution, as ConvNeXt has."""
    b = Build("linear block", (7, 7, 2))
    x = b.relu(b.conv("input", 96, (1, 1)))
    x = b.add(Add(), x, b.dense(x, 96))
    y = b.dense(b.conv(x, 96, (7, 7), groups=96), 96)
    return b.graph(b.dense(b.global_pool(b.relu(b.add(Add(), x, y))), 3))


def resized_after_conv(side: int) -> Graph:
    b = Build("resized", (side, side, 2))
    x = b.upsample(b.conv(b.relu(b.conv("input", 16)), 16))
    return b.graph(b.dense(b.global_pool(b.relu(b.conv(x, 16))), 3))


def sums_of_sums(count: int) -> Graph:
    """Return a chain in which each sum doubles the ways to it."""
    b = Build("sums", (3, 3, 2))
    x = b.relu(b.conv("input", 3))
    for _ in range(count):
        x = b.add(Add(), x, b.conv(x, 3, (1, 1)))
    return b.graph(b.dense(b.global_pool(b.relu(x)), 3))


def bottleneck(activation: Layer) -> Graph:
    """Return two convolutions of single pixels between activations, as EfficientNet has."""
    b = Build("bottleneck", (6, 6, 2))
    x = b.conv(b.add(activation, b.conv("input", 96)), 16, (1, 1))
    x = b.conv(b.add(activation, b.conv(x, 96, (1, 1))), 4, (1, 1))
    return b.graph(b.dense(b.global_pool(x), 3))


def relays(graph: Graph) -> list[str]:
    return [
        node.name
        for node in relayed(lower(graph, LoweringOptions()), PIECES).nodes
        if isinstance(node.layer, Relay)
    ]


def read_by_relays(graph: Graph) -> set[str]:
    lowered = relayed(lower(graph, LoweringOptions()), PIECES)
    return {type(lowered.by_name[node.inputs[0]].layer).__name__ for node in lowered.nodes if is_relay(node)}


def is_relay(node: Node) -> bool:
    return isinstance(node.layer, Relay)


def test_a_linear_block_gets_neurons_for_its_sum_and_its_convolution() -> None:
    assert read_by_relays(linear_block()) == {"Add", "Conv"}


def test_an_image_that_is_resized_behind_a_convolution_gets_neurons_where_it_is_large() -> None:
    assert relays(resized_after_conv(8)) == []
    assert read_by_relays(resized_after_conv(24)) == {"Conv"}


def test_a_bottleneck_gets_neurons_between_pieces_alone() -> None:
    assert relays(bottleneck(ReLU(6.0))) == []
    assert read_by_relays(bottleneck(Activation("silu"))) == {"Conv"}


@pytest.mark.parametrize("count", leading([10, 40]))
def test_no_value_has_more_chains_than_a_network_can_hold(count: int) -> None:
    legality = legalise(sums_of_sums(count), recipe_of(FewSpike(), allow="all"))
    assert legality.problems == ()
    ends = [node.inputs[0] for node in legality.written.nodes if node.layer.population and node.inputs]
    assert max(len(paths_into(legality.written, end)) for end in ends) <= MAX_CHAINS


def trunk(blocks: int) -> Graph:
    """Return residual blocks whose sums no ReLU follows, as networks for super-resolution have."""
    b = Build("trunk", (8, 8, 2))
    x = b.conv("input", 4)
    for _ in range(blocks):
        x = b.add(Add(), x, b.conv(b.relu(b.conv(x, 4)), 4))
    return b.graph(b.dense(b.global_pool(b.relu(b.conv(x, 4))), 3))


def test_chains_that_end_in_one_sum_share_what_they_may_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    one = 64 * 4 * 4 * 25  # synapses of two convolutions in a row, borders aside
    monkeypatch.setattr("kgenn.conversion.relaying.MAX_SEARCHED", 3 * one)
    assert relays(trunk(2)) == []
    assert len(relays(trunk(8))) == 2
    many = legalise(trunk(8), recipe_of(FewSpike(), allow="all")).written
    ends = [node.inputs[0] for node in many.nodes if node.layer.population and node.inputs]
    for end in ends:
        unstructured = [path for path in paths_into(many, end) if structured(path) is None]
        assert sum(map(estimated, unstructured)) <= 3 * one


@looped("name", RECIPES)
def test_networks_of_small_layers_get_none(name: str) -> None:
    lowered = lower(build(name), LoweringOptions())
    assert relayed(lowered, PIECES) is lowered


def test_relays_are_put_once() -> None:
    once = relayed(lower(linear_block(), LoweringOptions()), PIECES)
    assert relayed(once, PIECES) is once


def converted(graph: Graph) -> Conversion:
    recipe = recipe_of(FewSpike(), allow="all")
    return convert_graph(graph, recipe, samples(graph, 64), 12, on_reference)


@pytest.mark.slow
@pytest.mark.parametrize("graph", leading([linear_block(), sums_of_sums(10)]), ids=["linear block", "sums"])
def test_a_network_with_relays_gives_what_the_model_does_on_every_target(graph: Graph) -> None:
    found = converted(graph)
    assert any("neurons stand for its values" in note for note in found.lowered.notes)
    x = samples(graph, 8, seed=21)
    drive = found.network.drive(x)
    reference, cpp = (s.run(drive, 0) for s in (ReferenceSimulator(found.network), compiled(found.network)))
    np.testing.assert_array_equal(reference.scores, cpp.scores)
    wanted, got = (y - y.mean(axis=0) for y in (graph.predict(x), reference.scores[:, -1]))
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.999


def test_a_large_layer_between_activations_in_pieces_has_neurons_behind_it() -> None:
    def between(channels: int, activation: Layer) -> Graph:
        b = Build("between", (1, 1, 2))
        x = b.add(activation, b.conv("input", channels, (1, 1)))
        x = b.add(activation, b.conv(x, channels, (1, 1)))
        return b.graph(b.dense(b.global_pool(x), 3))

    assert relays(between(256, Activation("silu"))) == ["conv_3/relay"]
    assert relays(between(64, Activation("silu"))) == []
    assert relays(between(256, ReLU())) == []


def test_a_large_layer_behind_pieces_has_neurons_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def behind(activation: Layer) -> Graph:
        b = Build("behind", (2, 2, 2))
        x = b.conv(b.add(activation, b.conv("input", 24, (1, 1))), 20, (1, 1))
        return b.graph(b.dense(b.global_pool(b.relu(x)), 3))

    assert relays(behind(Activation("gelu"))) == []
    monkeypatch.setattr("kgenn.conversion.relaying.MAX_BEHIND", PIECES * 24 * 20 - 1)
    assert read_by_relays(behind(Activation("gelu"))) == {"Activation"}
    assert relays(behind(ReLU())) == []
    found = converted(behind(Activation("gelu")))
    x = samples(behind(ReLU()), 8, seed=21)
    got = ReferenceSimulator(found.network).run(found.network.drive(x), 0).scores[:, -1]
    wanted, got = (y - y.mean(axis=0) for y in (behind(Activation("gelu")).predict(x), got))
    assert np.corrcoef(wanted.ravel(), got.ravel())[0, 1] > 0.999
