"""Read what `kgenn run --trace` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.archive import arrays
from kgenn.ir.graph import Array


@dataclass(frozen=True, eq=False)
class PopulationSpikes:
    """Spikes of a population: a row for each, ordered by sample and timestep.

    Attributes:
        size: of the population.
        sample, timestep, neuron, value: shape (spikes,).
    """

    size: int
    sample: Array
    timestep: Array
    neuron: Array
    value: Array

    def chosen(self, which: Array) -> PopulationSpikes:
        """Return some of them, by a mask."""
        return PopulationSpikes(
            self.size, *(a[which] for a in (self.sample, self.timestep, self.neuron, self.value))
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """All spikes of a run, by population.

    Attributes:
        populations: by name, in the order of the network.
    """

    num_samples: int
    num_timesteps: int
    populations: Mapping[str, PopulationSpikes]

    def of_sample(self, sample: int) -> dict[str, PopulationSpikes]:
        """Return the spikes of one sample."""
        return {name: spikes.chosen(spikes.sample == sample) for name, spikes in self.populations.items()}


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        KgennError: KG601 where the file is none.
    """
    advice = "give a file that kgenn run --trace wrote"
    try:
        with arrays(path) as archive:
            names = [name.removesuffix("/shape") for name in archive if name.endswith("/shape")]
            found = {}
            for name in names:
                columns = [archive[f"{name}/{column}"] for column in ("sample", "timestep", "neuron", "value")]
                found[name] = PopulationSpikes(prod(archive[f"{name}/shape"].tolist()), *columns)
            trace = Trace(int(archive["num_samples"]), int(archive["num_timesteps"]), found)
    except OSError as error:
        raise fail("KG601", str(path), f"cannot be read: {error.strerror or error}", advice) from error
    except (KeyError, ValueError, TypeError) as error:
        raise fail("KG601", str(path), f"is not a trace: {error}", advice) from error
    if not all(_is_sound(trace, spikes) for spikes in found.values()):
        raise fail("KG601", str(path), "has spikes of neurons or timesteps that do not exist", advice)
    return trace


def _is_sound(trace: Trace, spikes: PopulationSpikes) -> bool:
    """Tell whether the columns belong together and lie in their ranges."""
    columns = (spikes.sample, spikes.timestep, spikes.neuron)
    limits = (trace.num_samples, trace.num_timesteps, spikes.size)
    if len({a.shape for a in (*columns, spikes.value)}) > 1:
        return False
    whole = all(a.ndim == 1 and a.dtype.kind in "iu" for a in columns)
    return whole and all(np.all((a >= 0) & (a < most)) for a, most in zip(columns, limits, strict=True))
