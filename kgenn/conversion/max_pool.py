"""Max pooling by neurons: a population whose spikes stand for the largest of what each window stands for.

Each source of a window has its own digit in the synaptic current: its weight is a power of the radix, the number
of values that a spike can have. The pool neuron reads the digits and keeps, for each source, what its spikes
have sent so far; no other synapse or state is needed, and every simulator runs it as any other neuron.

Rate code, lateral inhibition pooling: in each step the neuron sends the increase of the maximum over the window
of the sources' summed spikes, so that its own sum is exactly that maximum. Binary code: it hears the whole stage,
then sends the largest number's binary expansion. Latency code: the earliest spike of the window is the largest
value, whatever the others do.

Source: Li & Zeng 2022, arXiv:2204.13271 (lateral inhibition pooling); Stöckl & Maass 2021,
doi:10.1038/s42256-021-00311-4; López-Randulfe, Reeb & Knoll 2022.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import log2

import numpy as np

from kgenn.conversion.base import Dynamics
from kgenn.ir.graph import Array
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName

# Digits that a current exact in float32 can hold, in bits.
MAX_BITS = 24


def most_sources(spike_range: tuple[int, int]) -> int:
    """Return the size of the largest window whose sources' digits fit into an exact current."""
    return int(MAX_BITS / log2(radix(spike_range)))


def radix(spike_range: tuple[int, int]) -> int:
    """Return the number of values that a spike can have."""
    low, high = spike_range
    return high - low + 1


def pool_kernel(size: tuple[int, int], channels: int, code: CodeName, spike_range: tuple[int, int]) -> Array:
    """Return the weights of a depthwise convolution that gives each source of a window its digit.

    Returns:
        Shape (*size, 1, channels), float64; all ones in the latency code, where any spike of the window tells.
    """
    count = size[0] * size[1]
    base = 1 if code == "latency" else radix(spike_range)
    digits = float(base) ** np.arange(count)
    return np.broadcast_to(digits.reshape(*size, 1, 1), (*size, 1, channels)).copy()


def pool_dynamics(
    sources: int, code: CodeName, spike_range: tuple[int, int], num_timesteps: int, graded: bool = False
) -> Dynamics:
    """Return the neurons of a pool over windows of so many sources, whose spikes count once if `graded`."""
    if code == "latency":
        return Dynamics(EARLIEST, {"v_thresh": float(num_timesteps)})
    if code == "binary":
        model = _largest_expansion(sources, spike_range)
        return Dynamics(model, {"v_thresh": float(2 ** (num_timesteps - 1))})
    return Dynamics(replace(_lateral_inhibition(sources, spike_range), graded=graded))


EARLIEST = NeuronModel(
    name="earliest-spike",
    params={"v_thresh": 1.0},  # t_max
    state={"v": 0.0, "seen": 0.0},
    integrate="seen = max(seen, min(i_syn, 1))\nv += seen",
    update="v += 0 if t == 0 else 1",
    threshold="v >= v_thresh",
    reset="v = -v_thresh",
)


def _lateral_inhibition(sources: int, spike_range: tuple[int, int]) -> NeuronModel:
    largest, unit_spikes = _largest(sources), spike_range == (0, 1)
    return NeuronModel(
        name=_name("lateral-inhibition", sources, spike_range),
        state={**_counters(sources), "largest": 0.0},
        update="\n".join(f"n{k} += {_digit(k, sources, spike_range)}" for k in range(sources)),
        threshold=f"{largest} > largest" if spike_range[0] == 0 else f"{largest} != largest",
        reset=f"largest = {largest}",
        emit="1" if unit_spikes else f"{largest} - largest",
    )


def _largest_expansion(sources: int, spike_range: tuple[int, int]) -> NeuronModel:
    digits = (f"n{k} = n{k} + n{k} + {_digit(k, sources, spike_range)}" for k in range(sources))
    largest, signed = _largest(sources), spike_range[0] < 0
    return NeuronModel(
        name=_name("largest-expansion", sources, spike_range),
        params={"v_thresh": 1.0},  # 2^(K − 1)
        state={**_counters(sources), "v": 0.0},
        integrate="\n".join(digits),
        update=f"v = {f'abs({largest})' if signed else largest} if t == 0 else v + v",
        threshold="v >= v_thresh",
        reset="v -= v_thresh",
        emit=f"sign({largest})" if signed else "1",
    )


def _name(kind: str, sources: int, spike_range: tuple[int, int]) -> str:
    low, high = spike_range
    return f"{kind}-{sources}-{'m' if low < 0 else ''}{abs(low)}-{high}"


def _counters(sources: int) -> dict[str, float]:
    return {f"n{k}": 0.0 for k in range(sources)}


def _largest(sources: int) -> str:
    return reduce(lambda a, b: f"max({a}, {b})", (f"n{k}" for k in range(sources)))


def _digit(k: int, sources: int, spike_range: tuple[int, int]) -> str:
    """Return the code of digit k of the current: the value of source k's spike."""
    base, low = radix(spike_range), spike_range[0]
    # every digit moved up by −low, so that none is negative
    raised = "i_syn" if low == 0 else f"(i_syn + {-low * sum(base**j for j in range(sources))})"
    upper = f"{base} * floor({raised} / {base ** (k + 1)})"
    own = raised if k == 0 else f"floor({raised} / {base**k})"
    digit = own if k == sources - 1 else f"({own} - {upper})"
    return digit if low == 0 else f"{digit} - {-low}"
