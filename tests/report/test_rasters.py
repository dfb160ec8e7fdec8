"""Pictures of spikes from a trace: a stroke for every spike where few are; a file that is no trace is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgenn.diagnostics import KgennError
from kgenn.report.run_pictures import kept_neurons, raster_picture
from kgenn.trace import PopulationSpikes, Trace, read_trace

PNG = b"\x89PNG\r\n"


def spikes_of(size: int, count: int, steps: int = 10, samples: int = 3) -> PopulationSpikes:
    rng = np.random.default_rng(size)
    sample = np.sort(rng.integers(0, samples, count))
    signs = rng.choice([1, -1], count)
    return PopulationSpikes(size, sample, rng.integers(0, steps, count), rng.integers(0, size, count), signs)


def columns(trace: Trace) -> dict[str, Any]:
    found: dict[str, Any] = {"num_samples": np.array(3), "num_timesteps": np.array(10)}
    for name, spikes in trace.populations.items():
        own = {n: getattr(spikes, n) for n in ("sample", "timestep", "neuron", "value")}
        found |= {f"{name}/{column}": array for column, array in own.items()}
        found[f"{name}/shape"] = np.array([spikes.size])
    return found


TRACE = Trace(3, 10, {"first <b>": spikes_of(8, 60), "second": spikes_of(5, 30), "silent": spikes_of(4, 0)})


def test_a_stroke_stands_for_each_spike_of_the_sample_alone() -> None:
    text = raster_picture(TRACE, 1, "svg", "a $title$").decode()
    assert raster_picture(TRACE, 1, "svg", "a $title$").decode() == text
    found = TRACE.of_sample(1)
    paths = re.findall(r'<path d="((?:M [-\d.]+ [-\d.]+ \s*L [-\d.]+ [-\d.]+ \s*)+)" clip-path', text)
    strokes = sum(path.count("M ") for path in paths)
    assert strokes == sum(len(spikes.neuron) for spikes in found.values()) > 20
    assert "first &lt;b&gt;: 8 neurons" in text
    assert f"second: 5 neurons, {len(found['second'].neuron)} spikes" in text
    assert "silent: 4 neurons, 0 spikes" in text
    assert raster_picture(TRACE, 1, "png", "t").startswith(PNG)


def test_of_many_spikes_those_of_some_neurons_are_drawn() -> None:
    spikes = spikes_of(1000, 30_000)
    kept = kept_neurons(spikes, 8000)
    assert 100 < len(kept) < 400
    assert np.isin(spikes.neuron, kept).sum() <= 8000
    assert np.diff(kept).max() - np.diff(kept).min() <= 1
    assert len(kept_neurons(spikes, 30_000)) == 1000
    assert len(kept_neurons(spikes_of(1, 100), 1)) == 1


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", **columns(TRACE))
    found = read_trace(tmp_path / "t.npz")
    assert (found.num_samples, found.num_timesteps, list(found.populations)) == (3, 10, list(TRACE.populations))
    assert np.array_equal(found.populations["second"].neuron, TRACE.populations["second"].neuron)


@pytest.mark.parametrize(
    "changed",
    [
        {"second/neuron": np.full(30, 5)},
        {"second/timestep": np.full(30, -1)},
        {"second/sample": np.full(30, 3)},
        {"second/value": np.zeros(29)},
        {"second/neuron": np.zeros(30)},
        {"num_samples": None},
        {"second/neuron": None},
    ],
)
def test_a_file_that_is_no_trace_is_kg601(tmp_path: Path, changed: dict[str, Any]) -> None:
    arrays = {name: array for name, array in (columns(TRACE) | changed).items() if array is not None}
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(KgennError, match="KG601"):
        read_trace(tmp_path / "t.npz")


def test_a_missing_file_and_one_of_another_kind_are_kg601(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("no archive")
    for name in ("t.txt", "missing.npz"):
        with pytest.raises(KgennError, match="KG601"):
            read_trace(tmp_path / name)
