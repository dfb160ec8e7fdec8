"""Find the fewest timesteps with which a network loses little against its model on the calibration set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kgenn.baseline import Baseline
from kgenn.config import check_types, whole
from kgenn.conversion.base import Converter, Simulate, checked_timesteps
from kgenn.conversion.convert import Conversion
from kgenn.conversion.recipe import Recipe
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.spike_code import MAX_BINARY_STEPS, MAX_STEPS, CodeName

# The most timesteps where the user gives none.
MAX_TIMESTEPS: Mapping[CodeName, int] = {
    "rate": 256,
    "binary": MAX_BINARY_STEPS,
    "latency": 128,
    "differential": 256,
}


def _most_in_words() -> str:
    """Return `MAX_TIMESTEPS` as "256 (rate, differential), 12 (binary), …"."""
    codes: dict[int, list[CodeName]] = {}
    for code, max_timesteps in MAX_TIMESTEPS.items():
        codes.setdefault(max_timesteps, []).append(code)
    return ", ".join(f"{max_timesteps} ({', '.join(names)})" for max_timesteps, names in codes.items())


# Called before each simulation with its number of timesteps.
Report = Callable[[int], None]
# What a conversion may fail with at few timesteps alone: a layer that no spike has reached yet.
SILENT = "KG403"


@dataclass(frozen=True)
class TimestepSearch:
    """What the network may lose, and how long it may take.

    Attributes:
        loss: in points of the metric of each output, 0 to 100; see `kgenn.tasks.loss`.
        most_timesteps: T at most; by the method's code if not given, see `MAX_TIMESTEPS`.
    """

    loss: float = field(default=0.5, metadata={"help": "largest loss, in points of accuracy or of another metric"})
    most_timesteps: int | None = field(
        default=None, metadata={"help": f"largest T; default by spike code: {_most_in_words()}"}
    )

    def __post_init__(self) -> None:
        check_types(self)
        if not 0 <= self.loss <= 100:
            raise fail("KG401", "loss", f"is {self.loss:g}; it lies in 0 to 100 points")
        if self.most_timesteps is not None:
            whole("most_timesteps", self.most_timesteps, 1, MAX_STEPS)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The network of the fewest timesteps.

    Attributes:
        conversion: with that network.
        loss: what it loses, in points; below zero where it does better than the model.
        limit: what it may lose, in points.
        measured: what the loss is of, such as "accuracy"; without labels "agreement" with the model.
        num_samples: that it was measured on.
        most_timesteps: up to which T was searched.
    """

    conversion: Conversion
    loss: float
    limit: float
    measured: str
    num_samples: int
    most_timesteps: int

    @property
    def timesteps(self) -> int:
        """Return T."""
        return self.conversion.network.num_timesteps

    def record(self) -> dict[str, Any]:
        """Return what the manifest of a compiled network keeps of the search."""
        return {
            "limit": self.limit,
            "loss": round(self.loss, 6),
            "measured": self.measured,
            "most_timesteps": self.most_timesteps,
        }


def fewest_timesteps(
    convert: Callable[[int], Conversion],
    recipe: Recipe,
    against: Baseline,
    search: TimestepSearch,
    simulate: Simulate,
    report: Report = lambda timesteps: None,
) -> SearchResult:
    """Return the network of the fewest timesteps that loses at most what it may.

    A network that does not depend on T is run once for the most timesteps; T is the first step after which the
    loss is surely within the limit. Any other is converted for T = 1, 2, 4, …, and then for T halfway between the
    last that lost too much and the first that did not.

    Args:
        convert: returns the network for T.

    Raises:
        KgennError: KG405 where no T reaches the limit, or a loss has no unit; KG401 for a T that the method lacks.
    """
    converter = recipe.converter
    max_timesteps = search.most_timesteps or MAX_TIMESTEPS[converter.code]
    checked_timesteps(converter, max_timesteps, "most_timesteps")
    for name in against.constant_outputs:
        kind = "labels" if name in against.labelled.labels else "values of the model"
        what = f"the {kind} of output {name} are the same for all {len(against.samples):,} samples, so a loss in "
        what += "points is undefined"
        raise fail("KG405", "timesteps", what, "give samples whose labels differ, or set a number of timesteps")
    trials = Trials(convert, converter, against, simulate, report, max_timesteps)
    found = trials.bisected(search.loss) if recipe.depends_on_timesteps else trials.cut(search.loss)
    if found is None:
        raise _missed(trials, search.loss)
    lost = trials.losses[found.network.num_timesteps]
    return SearchResult(found, lost, search.loss, against.measured, len(against.samples), max_timesteps)


@dataclass(frozen=True, eq=False)
class Trials:
    """The conversions of one search; the loss of each T that was tried is kept."""

    convert: Callable[[int], Conversion]
    converter: Converter
    against: Baseline
    simulate: Simulate
    report: Report
    max_timesteps: int
    losses: dict[int, float] = field(default_factory=dict)

    def cut(self, limit: float) -> Conversion | None:
        """Return the longest network, cut where the loss comes within the limit."""
        self.report(self.max_timesteps)
        whole = self.convert(self.max_timesteps)
        found = self.against.losses(whole.network, self.simulate, curve=True)
        self.losses.update(enumerate(found.lost.tolist(), start=1))
        within = np.flatnonzero(found.within(limit))
        if not len(within):
            return None
        timesteps = int(within[0]) + 1
        levels = self.converter.levels(timesteps)
        return replace(whole, network=replace(whole.network, num_timesteps=timesteps, levels=levels))

    def bisected(self, limit: float) -> Conversion | None:
        """Return the shortest network within the limit that doubling and halving finds."""
        short, best = 0, None
        for timesteps in doubling(self.max_timesteps):
            best = self.within(timesteps, limit)
            if best is not None:
                break
            short = timesteps
        while best is not None and best.network.num_timesteps - short > 1:
            middle = (short + best.network.num_timesteps) // 2
            shorter = self.within(middle, limit)
            short, best = (middle, best) if shorter is None else (short, shorter)
        return best

    def within(self, timesteps: int, limit: float) -> Conversion | None:
        """Return the network for T if it loses no more than the limit."""
        self.report(timesteps)
        try:
            conversion = self.convert(timesteps)
        except KgennError as error:
            if timesteps < self.max_timesteps and {d.code for d in error.diagnostics} == {SILENT}:
                return None
            raise
        found = self.against.losses(conversion.network, self.simulate, curve=False)
        self.losses[timesteps] = float(found.lost[0])
        return conversion if found.within(limit)[0] else None


def doubling(max_timesteps: int) -> list[int]:
    """Return 1, 2, 4, … and the most itself."""
    return [*(1 << k for k in range(max_timesteps.bit_length()) if 1 << k < max_timesteps), max_timesteps]


def _missed(trials: Trials, limit: float) -> KgennError:
    steps, least = min(trials.losses.items(), key=lambda trial: trial[1])
    count = len(trials.against.samples)
    best = f"loses {least:.2f} points" if least >= 0 else f"is {-least:.2f} points better than the model"
    own = trials.against.in_words()
    what = (
        f"no T up to {trials.max_timesteps} loses at most {limit:g} points with certainty; "
        f"on {count:,} samples T = {steps} does best: it {best}" + (f"; the model itself has {own}" if own else "")
    )
    # what is within the limit on these samples needs only more of them to be certain
    others = "a larger --loss or --most-timesteps"
    others = f"more samples, {others}" if least <= limit else f"{others}, more samples"
    help = f"pass --timesteps {steps}, {others}, or another converter"
    return fail("KG405", "timesteps", what, help)
