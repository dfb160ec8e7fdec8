"""Graphs and networks as data: order, depth, text, and storage as plain data."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Graph, Input, Node, Output
from kgenn.ir.network import Network
from kgenn.ir.network_input import InputCoding
from kgenn.ir.serialise import from_plain, to_plain
from kgenn.ir.text import graph_text, network_text
from kgenn.layers.dense import Dense
from looped import looped
from networks import ENCODERS, RECIPES, build, samples
from recordings import converted

each_network = looped("name", RECIPES)


@each_network
def test_text_is_the_same_for_the_same_graph_and_network(name: str) -> None:
    graph = build(name)
    copy = Graph(graph.name, tuple(replace(node) for node in graph.nodes), graph.outputs)
    assert graph_text(copy) == graph_text(graph)
    assert network_text(replace(converted(name))) == network_text(converted(name))


def test_text_shows_every_change_of_a_weight() -> None:
    graph = build("dense")
    node = graph.by_name["dense_1"]
    assert isinstance(node.layer, Dense)
    kernel = node.layer.kernel.copy()
    kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))
    changed = graph.edit(lambda n: (replace(n, layer=Dense(kernel, None)),) if n.name == "dense_1" else None)
    assert graph_text(changed) != graph_text(graph)
    assert len(graph_text(changed).splitlines()) == len(graph.nodes) + 2


@pytest.mark.parametrize("encoder", ENCODERS)
@each_network
def test_a_network_survives_storage_as_plain_data(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    plain, arrays = to_plain(network)
    again = from_plain(json.loads(json.dumps(plain)), arrays)
    assert isinstance(again, Network)
    assert network_text(again) == network_text(network)


def test_nothing_but_networks_can_be_named_in_stored_data() -> None:
    for name in ("Path", "Popen", "KgennError"):
        with pytest.raises(KeyError):
            from_plain({"class": name}, {})


@each_network
def test_every_population_is_one_step_behind_its_last_source(name: str) -> None:
    for encoder in ("direct", "if"):
        network = converted(name, encoder)
        for c in network.connections:
            behind = network.depths[c.target] - network.depths[c.source]
            assert behind >= (0 if network.is_analog(c) else 1)
        assert network.depths[network.populations[0].name] == 0
        for p in network.populations[1:]:
            spiking = [network.depths[c.source] for c in network.incoming[p.name] if not network.is_analog(c)]
            assert network.depths[p.name] == max((d + 1 for d in spiking), default=0)


def test_connections_cannot_run_backwards() -> None:
    network = converted("dense")
    with pytest.raises(AssertionError, match="backwards"):
        replace(network, populations=network.populations[::-1])


def test_two_nodes_of_one_name_and_odd_orders_are_refused() -> None:
    source = Node("a", Input((3,)))
    with pytest.raises(AssertionError, match="two nodes"):
        Graph("g", (source, source), (Output("a", "a"),))
    with pytest.raises(AssertionError, match="before they are computed"):
        Graph("g", (Node("b", Dense(np.ones((3, 2)), None), ("a",)), source), (Output("b", "b"),))


@each_network
def test_predictions_do_not_depend_on_the_batch_size(name: str) -> None:
    graph = build(name)
    x = samples(graph, 5)
    whole, parts = graph.predict(x), graph.predict(x, batch_size=2)
    np.testing.assert_allclose(np.asarray(parts), np.asarray(whole), rtol=1e-5, atol=1e-6)


def test_macs_count_every_multiplication_of_a_forward_pass() -> None:
    assert build("dense").macs == 7 * 9 + 9 * 4
    # 4 x 5 positions of a 3 x 3 kernel over 2 channels, 3 outputs; then dense
    assert build("conv_valid").macs == 4 * 5 * 3 * 3 * 2 * 3 + 4 * 5 * 3 * 4
    assert build("depthwise").macs == 25 * 9 * 3 + 25 * 9 * 6 + 150 * 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.01, 1.01])
def test_a_drive_outside_the_range_is_refused(bad: float) -> None:
    network = converted("dense", "poisson")
    x = np.full((2, 7), 0.5, np.float32)
    x[1, 3] = bad
    with pytest.raises(KgennError, match="KG603"):
        network.drive(x)


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(KgennError, match="KG602"):
        converted("dense").drive(np.zeros((2, 8), np.float32))


def test_a_drive_is_the_input_times_the_levels_rounded() -> None:
    coding = InputCoding("any", 256, 0.0, 1.0)
    x = np.array([[0.0, 1.0, 0.5, 1 / 255, 0.00195, 0.00196]], np.float32)
    assert coding.drive(x).tolist() == [[0, 256, 128, 1, 0, 1]]
