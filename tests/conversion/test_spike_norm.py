"""Spike-norm: the largest current that a balanced layer ever gets is its threshold."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.spike_norm import SpikeNorm
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from networks import ALLOW, ENCODERS, Build, build, samples
from recordings import EVERYTHING

STEPS = 15
EXACT = SpikeNorm(norm_percentile=100, norm_samples=20, norm_timesteps=0)


def balanced(name: str, encoder: str, converter: SpikeNorm = EXACT) -> tuple[Conversion, Array]:
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


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("residual_relu", "residual_plain", "dense_deep")]


@pytest.mark.parametrize("encoder", ["direct", "poisson", "poisson-signed", "if"])
@pytest.mark.parametrize("name", ["concat_conv", "bias_conv", *SLOW])
def test_the_largest_current_of_every_layer_is_its_threshold(name: str, encoder: str) -> None:
    conversion, x = balanced(name, encoder)
    currents = largest_currents(conversion.network, x)
    for population in conversion.network.populations[1:-1]:
        assert currents[population.name] == pytest.approx(1, abs=2e-3), population.name


def test_a_percentile_of_the_currents_gives_smaller_scales() -> None:
    whole, most = (balanced("residual_relu", "if", SpikeNorm(norm_percentile=p))[0] for p in (100, 90))
    assert all(most.settings.scales[name] < scale for name, scale in whole.settings.scales.items())


def test_a_cap_is_the_largest_scale() -> None:
    b = Build("capped", (7,))
    graph = b.graph(b.dense(b.relu(b.dense("input", 9), cap=0.05), 4))
    x = samples(graph, 8)
    conversion = convert_graph(graph, recipe_of(SpikeNorm(), allow=ALLOW), x, STEPS, simulate)
    assert conversion.settings.scales["relu_2"] == 0.05


def test_a_silent_layer_is_kg403() -> None:
    graph = build("dense")
    with pytest.raises(KgennError, match=r"KG403.*largest current"):
        convert_graph(graph, recipe_of(SpikeNorm(), allow=ALLOW), np.zeros((3, 7)), STEPS, simulate)


@pytest.mark.parametrize("options", [{"norm_percentile": 0}, {"norm_samples": 0}, {"norm_timesteps": -1}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(KgennError, match="KG401"):
        SpikeNorm(**options)  # type: ignore[arg-type]
