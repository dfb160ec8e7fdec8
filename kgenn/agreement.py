"""Run a network on samples that set none of its scales, and compare it with its model.

A conversion can go wrong in ways that no rule foresees, but not agree with its model on new samples and be wrong.
So every conversion ends with a run on calibration samples kept apart: how often the network gives the model's
class or labels, how far its outputs are from the model's, and in which layer most of that arises.

The error of an output is ‖s − z‖/‖z − mean(z)‖ over the samples, with z what the model's last weights give and s
what the readout says. 0 is equality, 1 is as far off as the mean output of the calibration set. Where the samples
have one output all, of a single sample for one, ‖z‖ takes the place of the spread. The values of several outputs
of a model count together, and a sample agrees as far as the output does that agrees least; outputs that are values
have no class to agree on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.activations import check_finite
from kgenn.conversion.base import Simulate
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.agreement import MAX_OUTPUTS, Agreement
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import Network
from kgenn.ir.output_activation import FORMULAS
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.ir.samples import Samples
from kgenn.ir.scores import Head, heads_of
from kgenn.ir.words import counted
from kgenn.metrics.layer_error import ErrorTally
from kgenn.tasks.base import Task
from kgenn.tasks.goal import Goal, goal
from kgenn.tasks.predict import of_linear

# Samples that are kept apart, at most: an eighth of a small calibration set, or none where that is below
# `MIN_SAMPLES`.
SAMPLES = 64
MIN_SAMPLES = 8
# Products of all synapses and timesteps that NumPy computes in a few seconds, and generated C++ in some ten.
REFERENCE_BUDGET = 2e9
PROGRAM_BUDGET = 2e11
# One sample is run even where it takes so many, some minutes.
MAX_OF_ONE = 4e12
# An error of the outputs beyond MARGIN + 1/√L is out of line for a code of L levels: at L = 255 it leaves a
# correlation of .98 with the model. So is an agreement below `MIN_AGREEMENT` by more than chance.
MARGIN = 0.14
MIN_AGREEMENT = 0.9
# Weights of fewer bits can be why; those of so many seldom are.
BITS = 8
# How much more a single output may be off, where each stands for a quantity of its own.
OF_ONE = 1.5


def agreement_warnings(
    found: Agreement,
    network: Network,
    goals: Mapping[str, Goal] | None = None,
    weight_bits: int | Literal["auto"] | None = None,
) -> tuple[Diagnostic, ...]:
    """Return the warning that the loss is out of line for the network's code and length, or nothing; see KG453.

    Args:
        weight_bits: that were asked for.
    """
    levels = network.num_timesteps if network.code.steady else network.levels
    share = 1.0 if found.agreement is None else found.agreement
    chance = 2 * np.sqrt(share * (1 - share) / found.num_samples)
    margin = MARGIN + 1 / np.sqrt(levels)
    own = _own_quantities(network) if len(found.errors) > 1 else ()
    worst = max(own, key=lambda i: found.errors[i], default=0)
    lost = bool(own) and found.errors[worst] > OF_ONE * margin
    if found.error <= margin and share + chance >= MIN_AGREEMENT and not lost:
        return ()
    samples = counted(found.num_samples, "calibration sample")
    what = f"gives outputs off by {found.error:.2g} of their spread on {samples}"
    if found.agreement is not None:
        said = agreed_in_words(_goals(network, goals))
        what = f"gives {said} for {found.agreement:.0%} of {samples}, "
        what += f"with outputs off by {found.error:.2g} of their spread"
    if lost:
        what += f", {_value_in_words(network, worst)} by {found.errors[worst]:.2g} of its own"
    if found.layer:
        what += f"; most of it arises in {found.layer}"
    others = "other methods and more timesteps"
    if isinstance(weight_bits, int) and weight_bits < BITS:
        others = f"--weight-bits {BITS}, {others}"
    advice = f"compare {others} on your data; `kgenn compare` shows the error of each layer"
    return (Diagnostic("KG453", network.name, what, advice),)


def _own_quantities(network: Network) -> tuple[int, ...]:
    """Return the values of the outputs, by number, that no softmax compares.

    Of those that one compares, a value that hardly changes hardly matters.
    """
    alone = (
        all(activation.name in FORMULAS for activation in head.output.activations) for head in heads_of(network)
    )
    return tuple(i for own, values in zip(alone, _values_of_outputs(network), strict=True) if own for i in values)


def _values_of_outputs(network: Network) -> tuple[range, ...]:
    """Return the numbers of each output's values among those of all outputs, two of which may have one readout."""
    ends = [0, *accumulate(head.readout.size for head in heads_of(network))]
    return tuple(range(*pair) for pair in pairwise(ends))


def _value_in_words(network: Network, number: int) -> str:
    """Return which value of which output it is that has a number among those of all outputs."""
    heads = heads_of(network)
    of_outputs = zip(heads, _values_of_outputs(network), strict=True)
    head, values = next((head, values) for head, values in of_outputs if number in values)
    place = tuple(map(int, np.unravel_index(values.index(number), head.shape)))
    output = f"output {head.name}" if len(heads) > 1 else "the output"
    return output if head.readout.size == 1 else f"value {place[0] if len(place) == 1 else place} of {output}"


def agreed_in_words(goals: Mapping[str, Goal]) -> str:
    """Return in words what a network that agrees with its model gives, of outputs that have classes or labels."""
    agreed = list(dict.fromkeys(goal.task.agreed for goal in goals.values() if goal.task.agreed))
    if len(goals) == 1:
        return agreed[0]
    return "the model's classes of all outputs" if len(agreed) == 1 else "the model's classes and labels"


def _goals(network: Network, goals: Mapping[str, Goal] | None) -> dict[str, Goal]:
    """Return the goals of the outputs, guessed where nobody says them."""
    return {head.name: (goals or {}).get(head.name) or goal(head.end) for head in heads_of(network)}


def not_compared(network: Network, shown: Samples) -> Diagnostic:
    """Return the warning that a network was not compared with its model, and why; see KG454.

    Args:
        shown: the samples that were to be compared.
    """
    what = "was not compared with its model: "
    if _legal(network, shown).any():
        advice = "run it on labelled data: `kgenn run --limit 1 --data FILE`"
        return Diagnostic("KG454", network.name, f"{what}one sample takes too long", advice)
    try:
        network.drive(shown)
    except KgennError as error:
        (refused,) = error.diagnostics
        what += f"no sample is in the range of an encoder: {refused.where} {refused.what}"
        return Diagnostic("KG454", network.name, what, refused.help)
    raise AssertionError("samples that encoders refuse one by one, and take together")


def kept_apart(count: int, limit: int) -> tuple[Array, Array]:
    """Return which of `count` calibration samples set scales, and which are kept apart to check them.

    Args:
        limit: that may set scales; where there are more, the next ones are kept apart.
    """
    if count > limit:
        return np.arange(limit), np.arange(limit, min(count, limit + SAMPLES))
    kept = min(SAMPLES, count // 8)
    apart = (2 * np.arange(kept) + 1) * count // (2 * kept) if kept >= MIN_SAMPLES else np.arange(0)
    return np.setdiff1d(np.arange(count), apart), apart


def agreement_of(
    network: Network,
    exact: Graph,
    samples: Samples,
    apart: bool,
    simulate: Simulate,
    goals: Mapping[str, Goal] | None = None,
    shown: Samples | None = None,
) -> Agreement | None:
    """Run a network on samples and compare it with its model.

    Args:
        exact: the lowered model.
        samples: fewer are run where they would take long.
        shown: the same as the network takes them, where its inputs change with time.
        apart: they set no scale.
        simulate: runs networks fast; where it cannot, for want of a compiler, the NumPy reference runs fewer.
        goals: of the outputs by their names; guessed if not given.

    Returns:
        None where no sample can be run: none is in the encoder's range, or one takes too long.

    Raises:
        KgennError: KG402 where an output of the model is not finite.
    """
    shown = samples if shown is None else shown
    legal = _legal(network, shown)
    samples, shown = samples[legal], shown[legal]
    if not len(samples):
        return None
    cost = sum(int(synapses.sum()) for synapses in network.fan_out.values()) * network.num_timesteps
    shown = shown[: max(int(PROGRAM_BUDGET / max(cost, 1)), int(cost <= MAX_OF_ONE))]
    if not len(shown):
        return None
    scores: list[Array] = []
    tally = ErrorTally(network)
    start = 0
    for recording in _recordings(network, shown, cost, simulate):
        count = len(recording.scores)
        assert recording.train_values is not None
        tally.add(network.drive(shown[start : start + count]), recording.train_values, {})
        scores.append(recording.scores[:, -1])
        start += count
    if not scores:
        return None
    said = np.concatenate(scores)
    plain = replace(exact, outputs=tuple(replace(output, postprocessing=()) for output in exact.outputs))
    values = plain.output_values(plain.samples(samples[:start]))
    for name, value in values.items():
        check_finite(name, value)
    model = [np.asarray(value, np.float64).reshape(start, -1) for value in values.values()]
    tasks = [found.task for found in _goals(network, goals).values()]
    return _compared(heads_of(network), tasks, said, model, tally, apart)


def _compared(
    heads: Sequence[Head],
    tasks: Sequence[Task],
    scores: Array,
    models: Sequence[Array],
    tally: ErrorTally,
    apart: bool,
) -> Agreement:
    """Return the agreement of all outputs, before the model's last activations.

    Args:
        scores: after the last step, shape (N, num_scores).
        models: what the model's last weights give, for each output, shape (N, size).
    """
    values = [head.in_model_units(scores, head.network.num_timesteps) for head in heads]
    said, model = np.concatenate(values, axis=1), np.concatenate(models, axis=1)
    off, norms = np.linalg.norm(said - model, axis=0), np.linalg.norm(model - model.mean(axis=0), axis=0)
    norms = np.where(norms > 0, norms, np.linalg.norm(model, axis=0))
    errors = np.divide(off, norms, out=np.zeros_like(off), where=norms > 0)
    total = float(np.linalg.norm(norms))
    layers = tally.errors()
    worst = max(layers, key=lambda layer: layer.own, default=None)
    parts = zip(tasks, heads, values, models, strict=True)
    same = [
        task.same(of_linear(task, head, one), of_linear(task, head, other)) for task, head, one, other in parts
    ]
    shares = [share for share in same if share is not None]
    return Agreement(
        num_samples=len(model),
        apart=apart,
        agreement=float(np.min(shares, axis=0).mean()) if shares else None,
        error=float(np.linalg.norm(off)) / total if total else 0.0,
        errors=tuple(np.round(errors, 6).tolist()) if errors.size <= MAX_OUTPUTS else (),
        layer="" if worst is None else worst.population,
        layer_error=0.0 if worst is None else float(worst.own),
    )


def _recordings(network: Network, samples: Samples, cost: int, simulate: Simulate) -> Iterator[Recording]:
    """Yield recordings with the value of every spike train, on the fastest simulator within the budget."""
    record = RecordingOptions(curve=False, train_values=True, per_sample=False)
    if cost * len(samples) > REFERENCE_BUDGET:
        recordings = iter(simulate(network, samples, record))
        try:
            yield next(recordings)
        except KgennError:
            if cost > PROGRAM_BUDGET:
                return
            samples = samples[: max(1, int(REFERENCE_BUDGET / cost))]
        else:
            yield from recordings
            return
    yield ReferenceSimulator(network).run(network.drive(samples), 0, record)


def _legal(network: Network, samples: Samples) -> Array:
    """Return which samples the encoders take: those kept apart may lie outside the range of the others."""
    legal = np.zeros(len(samples), bool)
    for i in range(len(samples)):
        try:
            network.drive(samples[i : i + 1])
            legal[i] = True
        except KgennError:
            continue
    return legal
