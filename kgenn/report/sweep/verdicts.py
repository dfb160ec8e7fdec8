"""Hold what was measured against what was published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kgenn.bench.rows import ExperimentRecord, Published, ResultRecord, Row
from kgenn.report.sweep.axes import SEED, Point, grouped, mean, names_of, varying, words
from kgenn.report.sweep.results import Results
from kgenn.report.sweep.text import amount

# Shares of whole numbers of samples are compared after division: less than any sample, more than rounding.
SLACK = 1e-9

SHARE, ACCURACY = "share of ANN accuracy", "accuracy"
SPIKES, OPERATIONS = "spikes per neuron", "synaptic operations"


@dataclass(frozen=True)
class Verdict:
    """One published figure beside ours.

    Attributes:
        experiment: its name.
        point: the axes of the cells that are compared; those of the figure, and what else varies among them.
        label: what the publication calls it.
        figure: `SHARE`, `ACCURACY`, `SPIKES` or `OPERATIONS`. The first two, shares from 0 to 1, are to be at
            least the published, the others at most.
        published: the figure of the literature.
        ours: the mean over seeds; None where there is none.
        reason: why there is none.
    """

    experiment: str
    point: Point
    label: str
    figure: str
    published: float
    ours: float | None
    reason: str = ""

    @property
    def met(self) -> bool:
        """Tell whether ours is at least as good."""
        if self.ours is None:
            return False
        better = 1 if self.figure in (SHARE, ACCURACY) else -1
        return better * (self.ours - self.published) >= -SLACK * max(1.0, self.published)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "experiment": self.experiment,
            "axes": dict(self.point),
            "label": self.label,
            "figure": self.figure,
            "published": self.published,
            "ours": self.ours,
            "met": self.met,
            "reason": self.reason,
        }


def verdicts(results: Results) -> tuple[Verdict, ...]:
    """Return a verdict for each published figure and each kind of cell that it compares with."""
    return tuple(v for e in results.experiments for p in e.published for v in judge(results.finished(e), e, p))


def judge(finished: Sequence[Row], experiment: ExperimentRecord, published: Published) -> Iterator[Verdict]:
    """Yield the verdicts of one published entry; of cells that differ only in their seed the mean counts."""
    rows = [row for row in finished if published.matches(row.axes)]
    figures = list(_figures(published))
    label = published.label or experiment.source or "published"
    if not rows:
        pending = len(finished) < len(experiment.cells)
        reason = "not finished" if pending else "no such cell"
        for figure, value in figures:
            yield Verdict(experiment.name, tuple(published.where.items()), label, figure, value, None, reason)
        return
    own = [name for name in names_of(rows) if name in published.where or (name in varying(rows) and name != SEED)]
    for group in grouped(rows, own):
        for figure, value in figures:
            ours, reason = _ours(group.rows, figure)
            yield Verdict(experiment.name, group.point, label, figure, value, ours, reason)


def _figures(published: Published) -> Iterator[tuple[str, float]]:
    """Yield what a publication gives: accuracy as a share of its ANN's where that is known."""
    if published.share is not None:
        yield SHARE, published.share
    elif published.accuracy is not None:
        yield ACCURACY, published.accuracy / 100
    if published.spikes_per_neuron is not None:
        yield SPIKES, published.spikes_per_neuron
    if published.synaptic_operations is not None:
        yield OPERATIONS, published.synaptic_operations


def _ours(rows: Sequence[Row], figure: str) -> tuple[float | None, str]:
    """Return the mean over rows, or why there is none: one that failed leaves no mean."""
    failed = [row for row in rows if row.result is None]
    if failed:
        return None, "failed" if len(failed) == len(rows) else f"{len(failed)} of {len(rows)} failed"
    values = [figure_of(row.result, figure) for row in rows if row.result is not None]
    if None in values:
        return None, "no labels" if any(
            r.result and r.result.accuracy is None for r in rows
        ) else "no ANN accuracy"
    return mean(values), ""


def figure_of(outcome: ResultRecord, figure: str) -> float | None:
    """Return one figure of an outcome."""
    return {
        SHARE: outcome.share if outcome.metric == "accuracy" else None,
        ACCURACY: outcome.accuracy,
        SPIKES: outcome.spikes_per_neuron,
        OPERATIONS: outcome.synaptic_operations,
    }[figure]


def published_words(published: Published) -> Iterator[tuple[str, str]]:
    """Yield each published figure and how it stands in a table."""
    for figure, value in _figures(published):
        if figure == SHARE:
            yield figure, f"{published.accuracy:g} % ({100 * value:.1f} %)"
        elif figure == ACCURACY:
            yield figure, f"{published.accuracy:g} %"
        elif figure == SPIKES:
            yield figure, f"{value:g} spikes"
        else:
            yield figure, f"{amount(value)} ops"


def written(figure: str, value: float | None) -> str:
    """Return a figure with its unit."""
    if value is None:
        return "–"
    if figure in (SHARE, ACCURACY):
        return f"{100 * value:.2f} %"
    return f"{value:.3f}" if figure == SPIKES else f"{value:,.0f}"


def title(verdict: Verdict) -> str:
    """Return which cells a verdict is about."""
    return words(verdict.point) or "all cells"
