"""What the spikes of methods with enough levels stand for is the ANN's activation, within the rounding they state.

The bound is computed with the network. In units of λ, with L levels, u the population's unit and e the bounds of
its sources, the error of a population is at most

    1/(2L) + Σ |w| e / u + Σ 1/(2u) + (n + 1) / (2uL)

which are its own rounding to a level, what its sources got wrong, the rounding of each weight (whose source is at
most 1), and that of the bias and of n direct currents, which flow once for all L levels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drawn_graphs import graphs
from drawn_networks import NUM_CALIBRATION, Setup, convert, lowerings
from examples import examples
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.incoming import population_name
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Connection, Network, Population
from kgenn.passes import LoweringOptions
from networks import samples
from recordings import EVERYTHING

# λ is the largest activation that the samples give, and nothing is corrected: no clipping, only rounding
EXACT: tuple[tuple[Converter, int], ...] = (
    (FewSpike(scale_rule="maximum", correction=False, channelwise=False), 11),
    (FewSpike(scale_rule="maximum", correction=False), 10),
    (TimeToFirstSpike(scale_rule="maximum", correction=False, channelwise=False), 512),
)
# float32 of the forward pass, relative to the largest activation
FLOAT = 1e-5


def ones(c: Connection) -> Connection:
    """Return a connection whose weights are all 1."""
    return replace(c, connectivity=c.connectivity.with_weights(np.ones_like(c.connectivity.weights)))


def bound(network: Network, p: Population, errors: dict[str, float]) -> float:
    """Return the largest error of a population in units of λ, given those of its sources."""
    if p.maximum:
        (connection,) = network.incoming[p.name]
        return errors[connection.source]
    total = np.zeros(p.size)
    for c in network.incoming[p.name]:
        # direct currents flow once, as much as a whole stage
        per_level = network.levels if network.is_analog(c) else 1
        total += (c.magnitude() * errors[c.source] + ones(c).magnitude() / 2) / per_level
        total += 0.5 / network.levels if network.is_analog(c) else 0.0
    total += 0.5 / network.levels
    own = 0.5 / network.levels if p.neuron.threshold else 0.0
    return own + float(total.max()) / p.unit


def decoded(network: Network, x: Array) -> dict[str, Array]:
    """Return what each population's spikes stand for, and the scores of the readout; shape (N, size)."""
    recording = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert recording.train_values is not None
    found = {name: train_values / network.levels for name, train_values in recording.train_values.items()}
    readout = network.populations[-1]
    return {**found, readout.name: recording.scores[:, -1] / (network.levels * readout.unit)}


@examples(40)
@given(graph=graphs(), exact=st.sampled_from(EXACT), options=lowerings)
def test_spikes_stand_for_the_anns_activations_within_their_rounding(
    graph: Graph, exact: tuple[Converter, int], options: LoweringOptions
) -> None:
    converter, steps = exact
    x = samples(graph, NUM_CALIBRATION)
    conversion = convert(graph, Setup(converter, "direct", steps, options, "current", 0), x)
    network, lowered = conversion.network, conversion.lowered
    activations = dict(lowered.forward(x))
    of_node = {population_name(lowered, name): value for name, value in activations.items()}
    (output,) = lowered.ends
    found = decoded(network, x)
    first, *rest = network.populations
    errors = {first.name: 0.5 / network.inputs[0].coding.levels}
    for p in rest:
        errors[p.name] = bound(network, p, errors)
        value = of_node.get(p.name, activations[output]).reshape(len(x), *p.shape) / p.scale
        difference = np.abs(found[p.name] - value.reshape(len(x), -1)).max()
        assert difference <= errors[p.name] + FLOAT * max(1.0, np.abs(value).max()), p.name
