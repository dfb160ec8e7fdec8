"""A network that the workers of a Dask cluster simulate fires the spikes of one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kgenn
from kgenn.cli import invoke
from kgenn.diagnostics import KgennError
from kgenn.ir.recording import RecordingOptions
from networks import build, samples

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'kgenn[dask]'")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a scheduler with two workers in this process."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(protocol="tcp://", **options) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a compiled directory of a network with random input spikes."""
    graph, place = build("conv_valid"), tmp_path_factory.mktemp("cluster") / "snn"
    network = kgenn.convert(graph, calibration=samples(graph, 32), timesteps=6, encoder="poisson", check=False)
    kgenn.compile(network, "reference").save(place)
    return place


def images(count: int) -> np.ndarray:
    return samples(build("conv_valid"), count, seed=3)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_every_spike_is_that_of_one_machine(address: str, directory: Path, batch_size: int) -> None:
    x = images(23)
    alone, shared = kgenn.open_directory(directory), kgenn.open_directory(directory, dask=address)
    record = RecordingOptions(trace=True, train_values=True)
    found, wanted = [], []
    for network, kept in ((alone, wanted), (shared, found)):
        network.evaluate(x, batch_size=batch_size, observe=lambda s, d, r, k=kept: k.append(r), record=record)
    for name in (p.name for p in alone.network.spiking):
        for rasters in ("raster", "train_values", "spike_counts"):
            one, other = (np.concatenate([getattr(r, rasters)[name] for r in kept]) for kept in (wanted, found))
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(*(np.concatenate([r.scores for r in kept]) for kept in (wanted, found)))


def test_the_result_is_that_of_one_machine(address: str, directory: Path) -> None:
    x, y = images(23), np.arange(23) % 3
    alone, shared = kgenn.open_directory(directory), kgenn.open_directory(directory, dask=address)
    one, other = (network.evaluate(x, y, batch_size=4) for network in (alone, shared))
    assert one.accuracy == other.accuracy
    assert one.spikes == other.spikes
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.curve, other.curve)
    assert other.cpu_seconds > 0


def test_run_takes_the_address(
    address: str, directory: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "d.npz", x=images(9), y=np.arange(9) % 3)
    found = []
    for extra in ((), ("--dask", address)):
        assert invoke(["run", str(directory), "--data", str(tmp_path / "d.npz"), "--json", *extra]) == 0
        shown = json.loads(capfd.readouterr().out)
        found.append({k: v for k, v in shown.items() if k not in ("wall_seconds", "cpu_seconds")})
    assert found[0] == found[1]


def test_a_directory_that_was_replaced_is_opened_again(address: str, tmp_path: Path) -> None:
    graph, x = build("conv_valid"), images(8)
    scores = []
    for steps in (3, 5):
        network = kgenn.convert(graph, calibration=x, timesteps=steps, check=False)
        kgenn.compile(network, "reference").save(tmp_path / "snn", overwrite=True)
        scores.append(kgenn.open_directory(tmp_path / "snn", dask=address).evaluate(x).scores)
        np.testing.assert_array_equal(scores[-1], kgenn.open_directory(tmp_path / "snn").evaluate(x).scores)
    assert not np.array_equal(*scores)


def test_what_a_worker_cannot_open_is_its_diagnostic(address: str, directory: Path, tmp_path: Path) -> None:
    network = kgenn.convert(build("conv_valid"), calibration=images(8), timesteps=3, check=False)
    kgenn.compile(network, "reference").save(tmp_path / "snn")
    shared = kgenn.open_directory(tmp_path / "snn", dask=address)
    (tmp_path / "snn").rename(tmp_path / "moved")
    with pytest.raises(KgennError, match=r"KG6(05|40|41)"):
        shared.evaluate(images(8))


def test_a_scheduler_that_does_not_answer_is_kg624(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgenn.artifact.cluster.PATIENCE", 0.2)
    with pytest.raises(KgennError, match=r"KG624.*tcp://127.0.0.1:1.*does not answer"):
        kgenn.open_directory(directory, dask="tcp://127.0.0.1:1")
