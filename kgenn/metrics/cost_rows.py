"""Write what an inference costs as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kgenn.metrics.energy import BREAK_EVEN_SPIKES

if TYPE_CHECKING:
    from kgenn.metrics.result import Result

Rows = list[tuple[str, str]]


def cost_rows(result: Result) -> Rows:
    """Return spikes, operations and energy as (name, value with its unit)."""
    return [
        ("spikes", _spikes(result)),
        ("spikes per neuron", _spikes_per_neuron(result)),
        ("synaptic operations", _synaptic_operations(result)),
        ("membrane updates", f"{result.operations.membrane_updates:,.0f} per sample"),
        ("direct-input MACs", f"{result.direct_macs:,} per sample"),
        ("ANN MACs", f"{result.ann_macs:,} per sample"),
        *_twin(result),
        *_energy(result),
    ]


def _spikes(result: Result) -> str:
    """Return what spikes carry; the spikes of a burst are counted one by one."""
    values, given = result.spike_values, result.input_spike_values
    of_input = "" if given is None or not given.signed else f"; those of the input are {given}"
    if values.graded and not result.operations.graded:
        return f"bursts of up to {values.high} ({values.bits} bits){of_input}"
    return f"{values}{of_input}"


def _spikes_per_neuron(result: Result) -> str:
    """Return the spikes of a neuron; the break-even is one of unit spikes, and of a neuron of the ANN."""
    figure, of_value = f"{result.spikes_per_neuron:.3f}", result.spikes_per_value
    if result.spike_values.graded:
        return figure
    side = "below" if of_value < BREAK_EVEN_SPIKES else "above"
    several = f"{of_value:.3f} for each value of the ANN, " * (of_value > result.spikes_per_neuron)
    return f"{figure} ({several}{side} break-even, {BREAK_EVEN_SPIKES})"


def _synaptic_operations(result: Result) -> str:
    kind = "multiply-accumulates" if result.operations.graded else "additions"
    ratio = result.synaptic_operations / result.ann_macs if result.ann_macs else float("nan")
    return f"{result.synaptic_operations:,.0f} {kind} per sample ({ratio:.2f} × ANN MACs)"


def _twin(result: Result) -> Rows:
    """Return what the quantised ANN gives, in the words of the outputs, and its operations."""
    twin = result.twin
    if twin is None:
        return []
    of_first = "" if twin.num_samples == result.num_samples else f", of the first {twin.num_samples:,}"
    words = [result.outputs[name].in_words(value) for name, value in twin.values.items()]
    metrics = f"{', '.join(words)}, " if words else ""
    return [("quantised twin", f"{twin.bits}-bit ANN: {metrics}{twin.macs:,.0f} MACs per sample{of_first}")]


def _energy(result: Result) -> Rows:
    """Return the energy under each set of assumptions, the twin's or the ANN's beside it."""
    found = result.energy
    rows = [("energy, 32-bit floats", f"{_micro(found.snn.float32)}; ANN {_micro(found.ann)} (45 nm)")]
    for name, title in (("integer", "energy, integers"), ("memory", "energy, with memory")):
        beside = "" if found.twin is None else f"; twin {_micro(getattr(found.twin, name))}"
        rows.append((title, f"{_micro(getattr(found.snn, name))}{beside}"))
    return rows


def _micro(joules: float) -> str:
    return f"{joules * 1e6:.3g} µJ"
