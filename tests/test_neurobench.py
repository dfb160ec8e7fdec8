"""Figures in the terms of neurobench: against counts by hand, and against the package where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kgenn
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.neurobench import NeuroBenchTally, parameter_count
from recordings import EVERYTHING, METHODS, NUM_SAMPLES, converted, drive_of

Torch = Any


def measured(network: Network, encoder: str, parts: tuple[int, ...]) -> dict[str, Any]:
    drive, tally, start = drive_of(network, encoder, sum(parts)), NeuroBenchTally(network), 0
    for size in parts:
        tally.add(start, drive[start : start + size])
        start += size
    return tally.figures()


@pytest.mark.parametrize("encoder", ["spike", "poisson", "if", "direct"])
@pytest.mark.parametrize("name", ["dense_deep", "conv_same", "residual_shortcut", "pool_conv"])
def test_figures_do_not_depend_on_the_batches(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    assert measured(network, encoder, (5,)) == measured(network, encoder, (2, 3))


@pytest.mark.parametrize("method", METHODS)
def test_operations_and_sparsity_are_those_counted_spike_by_spike(method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted("max_pool_conv", "direct", converter, num_timesteps=steps)
    raster = ReferenceSimulator(network).run(drive_of(network, "direct", 3), 0, EVERYTHING).raster
    assert raster is not None
    found = measured(network, "direct", (3,))
    spikes, slots, met, direct = 0, 0, 0.0, 0.0
    for c in network.connections:
        present = c.connectivity.with_weights((c.connectivity.weights != 0).astype(np.float64))
        if c.source in raster:
            values = raster[c.source].reshape(-1, raster[c.source].shape[-1]) != 0
            met += float(present.apply(values.astype(np.float64)).sum()) / 3
        else:
            direct += float(present.apply((drive_of(network, "direct", 3) != 0).astype(np.float64)).sum()) / 3
    for p in network.hidden:
        spikes, slots = spikes + int(np.count_nonzero(raster[p.name])), slots + raster[p.name].size
    operations = found["synaptic_operations"]
    multiplied = method in ("burst", "calibrated")
    assert operations["Effective_ACs"] == pytest.approx(0 if multiplied else met)
    assert operations["Effective_MACs"] == pytest.approx(direct + (met if multiplied else 0))
    held = sum(c.connectivity.num_synapses for c in network.connections if network.is_analog(c))
    spiking = sum(c.connectivity.num_synapses for c in network.connections) - held
    assert operations["Dense"] == held + steps * spiking
    assert found["activation_sparsity"] == pytest.approx(1 - spikes / slots)


def test_a_membrane_that_nothing_reaches_is_updated_once() -> None:
    network = converted("dense", "spike")
    tally = NeuroBenchTally(network)
    tally.add(0, np.zeros((2, network.num_inputs), np.float32))
    figures = tally.figures()
    # the first step counts whole; the encoder's neurons have no state that changes
    assert figures["membrane_updates"] == sum(p.size for p in network.populations)
    assert figures["activation_sparsity"] == 1
    assert figures["synaptic_operations"]["Effective_ACs"] == 0


def test_a_bias_that_a_channel_shares_is_one_parameter() -> None:
    network = converted("bias_conv")
    weights = sum(c.connectivity.weights.size for c in network.connections)
    biased = [p for p in network.populations if p.bias is not None]
    assert biased
    assert parameter_count(network) == weights + sum(p.shape[-1] for p in biased)


def torch_layer(connectivity: Any, torch: Torch) -> Torch:
    """Return a connection as a layer of torch, with its integer weights."""
    weights = torch.tensor(np.asarray(connectivity.weights, np.float32))
    if isinstance(connectivity, DenseConnectivity):
        layer = torch.nn.Linear(*weights.shape, bias=False)
        layer.weight.data = weights.T.contiguous()
        return layer
    assert isinstance(connectivity, Convolution)
    height, width, channels, out = weights.shape
    assert all(before == after for before, after in connectivity.pads)
    layer = torch.nn.Conv2d(
        channels * connectivity.groups,
        out,
        (height, width),
        connectivity.strides,
        tuple(before for before, _ in connectivity.pads),
        connectivity.dilation,
        connectivity.groups,
        bias=False,
    )
    layer.weight.data = weights.permute(3, 2, 0, 1).contiguous()
    return layer


def torch_twin(network: Network, torch: Torch, snn: Torch) -> Torch:
    """Return a data-norm network as a module: its integer weights, and neurons that the package takes for spiking.

    The neurons of snntorch subtract the threshold twice where a potential reaches it twice. So these are our own.
    """

    class IntegrateFire(snn.SpikingNeuron):  # type: ignore[misc, name-defined]
        def __init__(self, population: Population) -> None:
            super().__init__(init_hidden=True)
            self.fires, self.start = bool(population.neuron.threshold), population.initial.get("v", 0.0)
            self.v_thresh, self.shape = population.params.get("v_thresh", 0.0), channels_first(population.shape)

        def forward(self, x: Torch) -> Torch:
            self.mem = self.mem + x
            spikes = (self.mem >= self.v_thresh).float() * self.fires
            self.mem = self.mem - spikes * self.v_thresh
            return spikes

    class Model(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.ModuleList(torch_layer(c.connectivity, torch) for c in network.connections)
            targets = [network.by_name[c.target] for c in network.connections]
            self.neurons = torch.nn.ModuleList(map(IntegrateFire, targets))

        def reset(self) -> None:
            for neurons in self.neurons:
                neurons.mem = torch.full((NUM_SAMPLES, *neurons.shape), neurons.start)

        def forward(self, x: Torch) -> Torch:
            for c, linear, neurons in zip(network.connections, self.linear, self.neurons, strict=True):
                if isinstance(c.connectivity, DenseConnectivity) and x.ndim == 4:
                    # kgenn numbers neurons channels last
                    x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
                x = neurons(linear(x))
            return x, None

    return Model()


def channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[2], shape[0], shape[1]) if len(shape) == 3 else shape


@pytest.mark.parametrize("name", ["dense_deep", "conv_valid", "conv_same", "conv_strided_valid", "conv_dilated"])
@pytest.mark.filterwarnings("ignore")
def test_the_package_gives_the_same_figures_on_data_norm_networks(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    snn = pytest.importorskip("snntorch", reason="snntorch is not installed")
    pytest.importorskip("neurobench", reason="neurobench is not installed")
    from neurobench.metrics.static import ConnectionSparsity, ParameterCount
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import SNNTorchModel

    network = chain(name)
    drive = drive_of(network, "poisson", NUM_SAMPLES)
    recording = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert recording.raster is not None
    spikes = frames_of(network, recording.raster[network.inputs[0].name])
    model = SNNTorchModel(torch_twin(network, torch, snn))
    model.register_hooks()
    with torch.no_grad():
        out = model(torch.tensor(spikes))
    data = (torch.tensor(spikes), torch.zeros(NUM_SAMPLES))
    found = NeuroBenchTally(network)
    found.add(0, drive)
    own = found.figures()
    operations = SynapticOperations()(model, out, data)
    assert own["synaptic_operations"] == pytest.approx(operations)
    assert own["activation_sparsity"] == pytest.approx(hidden_sparsity(network, recording.raster))
    readout = network.populations[-1].size * network.num_timesteps * NUM_SAMPLES
    hidden = sum(p.size for p in network.hidden) * network.num_timesteps * NUM_SAMPLES
    # the package counts the readout too, which never fires
    silent = own["activation_sparsity"] * hidden + readout
    assert silent / (hidden + readout) == pytest.approx(ActivationSparsity()(model, out, data))
    # the package has no neurons at the input
    inputs = network.populations[0].size
    assert own["membrane_updates"] - inputs == pytest.approx(MembraneUpdates()(model, out, data))
    assert own["parameter_count"] == ParameterCount()(model)
    assert own["connection_sparsity"] == pytest.approx(ConnectionSparsity()(model))


def chain(name: str) -> Network:
    """Return a data-norm network whose neurons a module of snntorch can have: a readout of plain sums."""
    network = converted(name, "poisson", kgenn.DataNorm(), readout="current")
    assert all(c.pool is None for c in network.connections)
    assert all(p.bias is None for p in network.populations)
    return network


def frames_of(network: Network, raster: Array) -> Array:
    """Return the input's spikes as torch takes them, (N, T, channels, height, width) or (N, T, values)."""
    shape = network.populations[0].shape
    x = raster.reshape(*raster.shape[:2], *shape).astype(np.float32)
    return np.moveaxis(x, -1, 2) if len(shape) == 3 else x


def hidden_sparsity(network: Network, raster: dict[str, Array] | Any) -> float:
    spikes = sum(int(np.count_nonzero(raster[p.name])) for p in network.hidden)
    return 1 - spikes / sum(raster[p.name].size for p in network.hidden)
