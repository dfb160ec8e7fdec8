"""The neuron models of all methods: one for each way to fire, and one for each readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kgenn.ir.network import ReadoutKind
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName

INTEGRATE_FIRE = NeuronModel(
    name="integrate-fire",
    params={"v_thresh": 1.0},  # one unit of normalised activation
    state={"v": 0.0},
    update="v += i_syn",
    threshold="v >= v_thresh",
    reset="v -= v_thresh",  # by subtraction: the residue carries the rounding error on
)

INTEGRATE_FIRE_TO_ZERO = NeuronModel(
    name="integrate-fire-to-zero",
    params={"v_thresh": 1.0},
    state={"v": 0.0},
    update="v += i_syn",
    threshold="v >= v_thresh",
    reset="v = 0",  # what exceeds the threshold is lost, as in Diehl et al. 2015
)

# Li & Zeng 2022, arXiv:2204.13271
BURST = NeuronModel(
    name="burst",
    params={"v_thresh": 1.0, "gamma": 1.0},  # γ: the most spikes in a step
    state={"v": 0.0},
    update="v += i_syn",
    threshold="v >= v_thresh",
    reset="v -= v_thresh * min(gamma, floor(v / v_thresh))",
    emit="min(gamma, floor(v / v_thresh))",
)

# Stöckl & Maass 2021, doi:10.1038/s42256-021-00311-4: a spike at step t stands for 2^(K − 1 − t) units. Both
# stages double v at every step, so that one weight and one threshold serve all K steps.
FEW_SPIKE = NeuronModel(
    name="few-spike",
    params={
        "v_thresh": 1.0,  # 2^(K − 1) units
        "v_round": 0.0,  # half a unit: the expansion rounds instead of truncating
    },
    state={"v": 0.0},
    integrate="v = v + v + i_syn",
    update="v = v + i_syn + v_round if t == 0 else v + v",
    threshold="v >= v_thresh",
    reset="v -= v_thresh",
    precision="double",
)

# López-Randulfe, Reeb & Knoll 2022: each spike starts a current that lasts to the end of the silent stage; in the
# spiking stage v rises by one unit in each step, and the neuron fires once, the earlier the larger v was.
TIME_TO_FIRST_SPIKE = NeuronModel(
    name="time-to-first-spike",
    params={
        "v_thresh": 1.0,  # t_max units
        "v_unit": 1.0,
        "v_round": 0.0,
    },
    state={"v": 0.0, "slope": 0.0},
    integrate="slope += i_syn\nv += slope",
    update="v = v + i_syn + v_round if t == 0 else v + v_unit",
    threshold="v >= v_thresh",
    reset="v = -v_thresh",  # out of reach for the rest of the stage
    precision="double",
)


def in_double(model: NeuronModel) -> NeuronModel:
    """Return the same model in double precision, for currents that float32 does not hold."""
    return (
        model if model.precision == "double" else replace(model, name=f"{model.name}-double", precision="double")
    )


def differential(members: int) -> NeuronModel:
    """Return a group of neurons that sends signed corrections of 1, 2, 4 … 2^(members − 1) units.

    Half a unit and more is corrected, by the size nearest in ratio: 1 below 1.5 units, 2 below 3, 4 below 6 … What
    was sent too much is taken back by at most as much, 1 below 2 units, 2 below 4 …, so that the sum of what was
    sent is never negative.
    """
    # a sum of choices and not a chain of them: compilers turn it into vectors
    size = " + ".join(
        ["1", *(f"({2**k} if excess >= {1.5 * 2**k} * v_thresh else 0)" for k in range(members - 1))]
    )
    return NeuronModel(
        name=f"differential-{members}",
        params={
            "v_thresh": 1.0,  # one unit
            "v_most": 1.0,  # what the sum is clipped to
        },
        state={"v": 0.0, "sent": 0.0},
        update="v += i_syn\n"
        "owed = max(min(v, v_most), 0) - sent\n"
        "excess = max(owed, -0.75 * owed)\n"
        f"correction = sign(owed) * ({size})",
        threshold="abs(owed) + abs(owed) >= v_thresh",
        reset="sent += v_thresh * correction",
        emit="correction",
        graded=True,
    )


ACCUMULATE = NeuronModel(name="accumulate", state={"v": 0.0}, update="v += i_syn")

# The first steps of a deep network carry its transient: only the neurons with the largest activations have
# fired yet. Weights that grow with the square of time let the settled rates decide.
ACCUMULATE_LATE = NeuronModel(name="accumulate-late", state={"v": 0.0}, update="v += (t + 1) * (t + 1) * i_syn")

# The largest current that ever came: what spike-norm asks of a layer.
PEAK = NeuronModel(name="peak", state={"v": 0.0}, update="v = max(v, i_syn)")

# Readouts of staged networks listen as the neurons of their code do, and send nothing.
ACCUMULATE_BINARY = NeuronModel(
    name="accumulate-binary",
    state={"v": 0.0},
    integrate=FEW_SPIKE.integrate,
    update="v += i_syn",
    precision="double",
)
ACCUMULATE_LATENCY = replace(
    ACCUMULATE_BINARY,
    name="accumulate-latency",
    state=TIME_TO_FIRST_SPIKE.state,
    integrate=TIME_TO_FIRST_SPIKE.integrate,
)

READOUTS: Mapping[tuple[CodeName, ReadoutKind], NeuronModel] = {
    ("rate", "current"): ACCUMULATE,
    ("rate", "late-current"): ACCUMULATE_LATE,
    ("binary", "current"): ACCUMULATE_BINARY,
    ("latency", "current"): ACCUMULATE_LATENCY,
    ("differential", "current"): ACCUMULATE,
}
