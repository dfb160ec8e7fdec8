"""Convert a model for a number of timesteps, or for the fewest that suffice, and keep how it was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kgenn.agreement import SAMPLES, agreement_of, agreement_warnings, kept_apart, not_compared
from kgenn.baseline import Baseline
from kgenn.config import flag
from kgenn.conversion.base import Memoise, Memory, Simulate, Status, silent
from kgenn.conversion.constraints import features_of
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.outputs import ends_of
from kgenn.conversion.recipe import Recipe
from kgenn.conversion.timed import with_frames
from kgenn.data.load import Data, labels_by_output
from kgenn.data.plausibility import calibration_warnings
from kgenn.diagnostics import Diagnostic
from kgenn.ir.agreement import Agreement
from kgenn.ir.calibration_data import calibration_samples
from kgenn.ir.graph import Graph
from kgenn.ir.input_statistics import InputStatistics, statistics_of
from kgenn.ir.network import Network
from kgenn.ir.samples import Samples
from kgenn.tasks.goal import Choice, Goal
from kgenn.tasks.labelled_goals import LabelledGoals, labelled_goals, or_input, record
from kgenn.timestep_search import SearchResult, TimestepSearch, fewest_timesteps


@dataclass(frozen=True, eq=False)
class Converted:
    """A conversion with how it came about.

    Attributes:
        features: what the model has beyond the strict profile.
        num_samples: of the calibration data.
        calibrated_on: statistics of the calibration data of each input.
        warnings: what leaves the network in doubt.
        found: the outcome of the search for the fewest timesteps, where there was one.
        agreement: how well the network agrees with its model, where that was checked.
        goals: what its outputs are for.
        chosen: what of that the user chose.
    """

    recipe: Recipe
    conversion: Conversion
    features: tuple[str, ...]
    num_samples: int
    calibrated_on: Mapping[str, InputStatistics | None] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    found: SearchResult | None = None
    agreement: Agreement | None = None
    goals: Mapping[str, Goal] = field(default_factory=dict)
    chosen: Mapping[str, Choice] = field(default_factory=dict)

    def network(self, **files: Any) -> Network:
        """Return the network with its origin: every option, what the model has, rounding, notes.

        Args:
            files: what else there is to say of where the model and the calibration data came from, JSON-able.
        """
        lowered, network = self.conversion.lowered, self.conversion.network
        origin = {
            "input_shapes": {given.name: list(given.shape) for given in network.inputs},
            "calibration": {"samples": self.num_samples},
            **self.recipe.record(),
            "features": list(self.features),
            "inserted": sorted({node.purpose for node in lowered.nodes if node.purpose is not None}),
            "timesteps": network.num_timesteps,
            "changing": [given.name for given in network.inputs if given.changing],
            "search": None if self.found is None else self.found.record(),
            "rounding": dict(self.conversion.rounding),
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "notes": list(lowered.notes),
            **record(self.chosen),
            **lowered.naming.record(),
            "warnings": [diagnostic.to_dict() for diagnostic in self.warnings],
            **files,
        }
        inputs = tuple(replace(i, calibrated_on=self.calibrated_on.get(i.name)) for i in network.inputs)
        return replace(network, inputs=inputs, origin=origin)


def convert_model(
    graph: Graph,
    recipe: Recipe,
    calibration: Data,
    timesteps: int | TimestepSearch,
    simulate: Simulate,
    memoise: Memoise | None = None,
    status: Status = silent,
    most_samples: int | None = None,
    check: bool = True,
    chosen: Mapping[str, Choice] | None = None,
) -> Converted:
    """Convert a model, and compare the network with it on calibration samples that set none of its scales.

    Args:
        calibration: samples as the model takes them; labels are for a search.
        timesteps: T, at least 1, or a search for the fewest.
        simulate: runs networks for a search, and for the methods that calibrate by simulation.
        memoise: keeps what conversions of this graph with this calibration share; a search has one of its own.
        status: called with what is being computed: each T that a search tries, and what takes long.
        most_samples: that set scales; those beyond are for the comparison.
        check: compare; else all samples set scales.
        chosen: what the user chose for outputs, by their names; their tasks are guessed if not given.

    Raises:
        KgennError: KG2xx to KG4xx; KG607 for odd labels.
    """
    own, check = Memory(), flag("check", check)
    memoise = memoise or own.memoise
    samples = graph.samples(calibration.x)
    # all of them are checked, so that a message has the number that a sample has in the data
    count = len(calibration_samples(samples, graph.input_shapes, graph.naming))
    labelled = _labelled(graph, calibration, chosen or {}, samples, need_labels=not isinstance(timesteps, int))
    fitting, apart = kept_apart(count, most_samples or count) if check else (np.arange(count), np.arange(0))
    used, frames = samples[fitting] if len(fitting) < count else samples, calibration.frames
    extremes = None if frames is None else frames[fitting].extremes()

    def at(steps: int) -> Conversion:
        made = convert_graph(graph, recipe, used, steps, simulate, memoise, status, extremes)
        return with_frames(made, frames)

    if isinstance(timesteps, int):
        conversion, found = at(timesteps), None
    else:
        against = Baseline(graph, samples, labelled)
        found = fewest_timesteps(at, recipe, against, timesteps, simulate, lambda t: status(f"T = {t}"))
        conversion = found.conversion
    own.forget()
    raw = used if frames is None else frames.samples[fitting]
    seen = {name: statistics_of(array) for name, array in raw.arrays.items()}
    warnings = [*calibration.warnings, *conversion.settings.warnings]
    warnings += calibration_warnings(graph, raw, seen, calibration.scale)
    agreement = None
    if check:
        rows = apart if len(apart) else fitting[:SAMPLES]
        shown = None if frames is None else frames.samples[rows]
        agreement, more = _compared(recipe, conversion, samples[rows], len(apart) > 0, simulate, labelled, shown)
        warnings += more
    made = recipe, conversion, features_of(graph, recipe.converter), len(used), seen, tuple(warnings)
    return Converted(*made, found, agreement, labelled.goals, chosen or {})


def _compared(
    recipe: Recipe,
    conversion: Conversion,
    samples: Samples,
    apart: bool,
    simulate: Simulate,
    labelled: LabelledGoals,
    shown: Samples | None,
) -> tuple[Agreement | None, Sequence[Diagnostic]]:
    """Return how the network agrees with its model, and what to warn of; see `agreement_of`."""
    network = conversion.network
    agreement = agreement_of(network, conversion.exact, samples, apart, simulate, labelled.goals, shown)
    if agreement is None:
        return None, [not_compared(network, samples if shown is None else shown)]
    return agreement, agreement_warnings(agreement, network, labelled.goals, recipe.lowering.weight_bits)


def _labelled(
    graph: Graph, calibration: Data, chosen: Mapping[str, Choice], samples: Samples, *, need_labels: bool
) -> LabelledGoals:
    """Return what each output is for, with the labels of the calibration data."""
    ends = ends_of(graph)
    given = or_input(labels_by_output(calibration.y, tuple(ends), graph.naming), ends, chosen, samples)
    return labelled_goals(ends, chosen, given, len(samples), need_labels)
