"""How GeNN stores connections: matrices that every accepted version computes rightly, and what they take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from genn_python import genn_python
from kgenn.backends import genn_connectivity
from kgenn.backends.genn_connectivity import (
    WEIGHT_BYTES,
    Device,
    distinct_targets,
    index_bytes,
    precision_of,
    storage,
)
from kgenn.backends.genn_names import connection_names, population_names, unique
from kgenn.backends.genn_program import emit_genn
from kgenn.ir.connectivity import Convolution
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network
from looped import looped
from networks import ENCODERS, RECIPES
from recordings import METHODS, converted

NAMES = sorted(RECIPES)
ROWS = Path(__file__).with_name("genn_rows.py")


def matrices(network: Network, device: Device) -> dict[str, list[str]]:
    """Return the matrices of each kind of source: spikes with values, and plain ones."""
    found: dict[str, list[str]] = {"valued": [], "plain": []}
    for c, held in zip(network.connections, storage(network, device), strict=True):
        if not network.is_analog(c):
            found["valued" if network.by_name[c.source].neuron.valued else "plain"].append(held.matrix)
    return found


def as_matrix(connection: Connection) -> Array:
    """Return a connection's weights as a matrix, every weight 1, so that none is 0 by chance."""
    ones = connection.connectivity.with_weights(np.ones_like(connection.connectivity.weights, np.float64))
    return Connection(connection.source, connection.target, ones, connection.pool).apply(
        np.eye(connection.num_sources)
    )


@looped("name", NAMES)
def test_targets_are_counted_once_for_each_source(name: str) -> None:
    for c in converted(name, "poisson").connections:
        assert np.array_equal(distinct_targets(c), (as_matrix(c) != 0).sum(axis=1))


@pytest.mark.parametrize("most", [0, genn_connectivity.MAX_THREADS])
def test_spikes_with_values_never_cross_a_toeplitz_matrix_on_cuda(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", most)
    found = []
    for method in ("burst", "calibrated"):
        converter, (steps, *_) = METHODS[method]
        found += matrices(converted("residual_relu", "direct", converter, num_timesteps=steps), "cuda")["valued"]
    for name in NAMES:
        found += matrices(converted(name, "poisson-signed"), "cuda")["valued"]
    assert found
    assert "TOEPLITZ" not in found


@pytest.mark.parametrize("encoder", ENCODERS)
@looped("name", NAMES)
def test_on_cuda_only_large_populations_are_added_to_by_many_threads(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    for c, held in zip(network.connections, storage(network, "cuda"), strict=True):
        if held.matrix in ("SPARSE", "TOEPLITZ"):
            assert network.by_name[c.target].size > genn_connectivity.MAX_THREADS


def test_over_toeplitz_matrices_on_cuda_no_pair_of_neurons_is_connected_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", 0)
    found = 0
    for name in NAMES:
        network = converted(name, "poisson")
        for c, held in zip(network.connections, storage(network, "cuda"), strict=True):
            if held.matrix == "TOEPLITZ":
                assert np.array_equal(distinct_targets(c), c.fan_out()), (name, c.source)
                found += 1
    assert found > 20


def test_convolutions_store_their_kernel_alone_on_the_cpu_also_behind_a_pool() -> None:
    for name in ("conv_same", "conv_strided", "conv_dilated", "conv_groups", "pool_conv", "pool_dense"):
        network = converted(name, "poisson")
        held = storage(network, "cpu")
        for c, stored in zip(network.connections, held, strict=True):
            if stored.matrix == "TOEPLITZ":
                assert stored.memory == 4 * c.connectivity.weights.size
        assert "TOEPLITZ" in {stored.matrix for stored in held}, name


@pytest.mark.parametrize("name", ["conv_strided", "conv_dilated", "conv_groups", "pool_conv_strided"])
def test_convolutions_with_strides_dilation_or_groups_store_their_kernel_alone_on_cuda(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", 0)
    network = converted(name, "poisson")
    stored = zip(network.connections, storage(network, "cuda"), strict=True)
    found = [(held, c) for c, held in stored if isinstance(c.connectivity, Convolution)]
    assert found
    for held, c in found:
        assert (held.matrix, held.memory) == ("TOEPLITZ", 4 * c.connectivity.weights.size)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("most", [0, genn_connectivity.MAX_THREADS])
def test_no_emitted_matrix_has_two_synapses_of_one_pair_and_the_memory_is_as_listed(
    device: Device, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genn_connectivity, "MAX_THREADS", most)
    networks = {name: converted(name, "poisson") for name in NAMES}
    for name, network in networks.items():
        (tmp_path / name).mkdir()
        for file, content in emit_genn(network, device).files.items():
            (tmp_path / name / file).write_bytes(content)
    subprocess.run([genn_python(), ROWS, tmp_path, *(tmp_path / name for name in NAMES)], check=True)
    sparse = 0
    for name, network in networks.items():
        with np.load(tmp_path / f"{name}.npz") as rows:
            sparse += sum(compare(network, device, rows))
    # so small as these networks are, every matrix on CUDA is dense unless a block is said to have no threads
    assert bool(sparse) == (device == "cpu" or most == 0)


def compare(network: Network, device: Device, rows: dict[str, Array]) -> list[bool]:
    """Compare what GeNN holds with what kgenn lists; return which matrices are sparse."""
    sparse = []
    names = connection_names(network)
    for c, name, held in zip(network.connections, names, storage(network, device), strict=True):
        per_synapse = WEIGHT_BYTES[precision_of(network)]
        if held.matrix == "SPARSE":
            source = np.repeat(np.arange(c.num_sources), rows[f"{name}.length"])
            pairs = np.stack([source, rows[f"{name}.target"]])
            assert len(np.unique(pairs, axis=1).T) == len(source)
            assert np.array_equal(pairs, np.nonzero(as_matrix(c)))
            per_synapse += index_bytes(c.connectivity.num_targets)
        assert held.memory == rows[f"{name}.slots"] * per_synapse
        sparse.append(held.matrix == "SPARSE")
    return sparse


def test_names_in_genn_are_identifiers_and_unique() -> None:
    assert unique(["a", "b", "a", "a_2", "a"]) == ["a", "b", "a_2", "a_2_2", "a_3"]
    network = converted("residual_plain", "poisson")
    names = [*population_names(network).values(), *connection_names(network)]
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert len(set(names)) == len(names)
