"""Spike-norm: the largest current that a balanced layer ever gets is its threshold."""

from __future__ import annotations

import numpy as np
import pytest

from covering import covering
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion import spike_norm
from kgenn.conversion.base import Simulate, Status, silent
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.spike_norm import BUDGET, MAX_SAMPLES, MIN_SAMPLES, SpikeNorm, affordable
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.layers.activation import ReLU
from networks import ALLOW, ENCODERS, Build, build, samples
from recordings import EVERYTHING, on_reference

STEPS = 15
EXACT = SpikeNorm(norm_percentile=100, norm_samples=20, norm_timesteps=0)


def balanced(
    name: str, encoder: str, converter: SpikeNorm = EXACT, simulate: Simulate = on_reference
) -> tuple[Conversion, Array]:
    graph = build(name)
    coder, low, high = ENCODERS[encoder]
    x = samples(graph, 20, low, high)
    return convert_graph(graph, recipe_of(converter, coder, ALLOW, seed=3), x, STEPS, simulate), x


def largest_currents(network: Network, x: Array) -> dict[str, float]:
    """Return the largest current of each population in thresholds, from the reference's spikes."""
    drive = network.drive(x)
    raster = ReferenceSimulator(network).run(drive, 0, EVERYTHING).raster
    assert raster is not None
    found = {}
    for p in network.populations[1:]:
        constant = np.zeros((len(x), p.size)) if p.bias is None else np.tile(p.bias, (len(x), 1)).astype(float)
        spiking = [c for c in network.incoming[p.name] if not network.is_analog(c)]
        for c in network.incoming[p.name]:
            if network.is_analog(c):
                constant += network.direct_current(c, drive)
        steps = [
            constant + sum(c.apply(raster[c.source][:, t].astype(float)) for c in spiking) for t in range(STEPS)
        ]
        found[p.name] = float(np.max(steps)) / p.unit
    return found


NAMES = ("concat_conv", "bias_conv", "residual_relu", "residual_plain", "dense_deep")
SPIKING = ("direct", "poisson", "poisson-signed", "if")


@pytest.mark.parametrize(("name", "encoder"), covering(NAMES, SPIKING))
def test_the_largest_current_of_every_layer_is_its_threshold(name: str, encoder: str) -> None:
    conversion, x = balanced(name, encoder)
    currents = largest_currents(conversion.network, x)
    for population in conversion.network.populations[1:-1]:
        assert currents[population.name] == pytest.approx(1, abs=2e-3), population.name


@pytest.mark.slow
@pytest.mark.parametrize("encoder", SPIKING)
@pytest.mark.parametrize("name", NAMES)
def test_generated_programs_give_the_scales_of_the_reference(name: str, encoder: str) -> None:
    found, expected = (balanced(name, encoder, simulate=s)[0].settings.scales for s in (simulate, on_reference))
    assert found == expected


def test_a_percentile_of_the_currents_gives_smaller_scales() -> None:
    whole, most = (balanced("residual_relu", "if", SpikeNorm(norm_percentile=p))[0] for p in (100, 90))
    assert all(most.settings.scales[name] < scale for name, scale in whole.settings.scales.items())


def conversion_of(graph: Graph, x: Array, converter: SpikeNorm, status: Status = silent) -> Conversion:
    return convert_graph(graph, recipe_of(converter, allow=ALLOW), x, STEPS, on_reference, status=status)


def test_fewer_samples_are_simulated_where_a_network_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = build("dense_deep")
    x = samples(graph, 20)
    whole, few, every = (SpikeNorm(norm_samples=n) for n in (0, MIN_SAMPLES, 20))
    expected = {c: conversion_of(graph, x, c).settings.scales for c in (few, every)}
    assert expected[few] != expected[every]
    found = conversion_of(graph, x, whole)
    assert found.settings.scales == expected[every]
    assert not any("spike-norm" in note for note in found.lowered.notes)
    monkeypatch.setattr(spike_norm, "BUDGET", 1.0)
    found = conversion_of(graph, x, whole)
    assert found.settings.scales == expected[few]
    assert any(f"simulated {MIN_SAMPLES} of 20 samples" in note for note in found.lowered.notes)
    assert conversion_of(graph, x, every).settings.scales == expected[every]


def test_the_budget_pays_for_all_simulations_together() -> None:
    graph = build("dense_deep")
    relus = [node.name for node in graph.nodes if isinstance(node.layer, ReLU)]
    products = sum(graph.ending_at(name).macs for name in relus)
    steps = round(BUDGET / products / 50)
    assert affordable(graph, relus, steps) == pytest.approx(50, abs=1)
    assert (affordable(graph, relus, 1), affordable(graph, relus, 10**12)) == (MAX_SAMPLES, MIN_SAMPLES)


def test_each_layer_is_told_before_it_is_simulated() -> None:
    graph, told = build("dense_deep"), []
    conversion = conversion_of(graph, samples(graph, 8), SpikeNorm(), told.append)
    count = len(conversion.settings.scales)
    assert count > 1
    lines = enumerate(conversion.settings.scales, 1)
    assert told == [f"simulating layer {number} of {count}, {name}" for number, name in lines]


def test_a_cap_is_the_largest_scale() -> None:
    b = Build("capped", (7,))
    graph = b.graph(b.dense(b.relu(b.dense("input", 9), cap=0.05), 4))
    x = samples(graph, 8)
    conversion = conversion_of(graph, x, SpikeNorm())
    assert conversion.settings.scales["relu_2"] == 0.05


def test_a_silent_layer_is_kg403() -> None:
    graph = build("dense")
    with pytest.raises(KgennError, match=r"KG403.*largest current"):
        convert_graph(graph, recipe_of(SpikeNorm(), allow=ALLOW), np.zeros((3, 7)), STEPS, on_reference)


@pytest.mark.parametrize("options", [{"norm_percentile": 0}, {"norm_samples": -1}, {"norm_timesteps": -1}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        SpikeNorm(**options)  # type: ignore[arg-type]
