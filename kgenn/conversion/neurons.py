"""The neuron models of rate-coded networks."""

from __future__ import annotations

from kgenn.ir.neuron_code import NeuronModel

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

ACCUMULATE = NeuronModel(name="accumulate", state={"v": 0.0}, update="v += i_syn")

# The first steps of a deep network carry its transient: only the neurons with the largest activations have
# fired yet. Weights that grow with the square of time let the settled rates decide.
ACCUMULATE_LATE = NeuronModel(name="accumulate-late", state={"v": 0.0}, update="v += (t + 1) * (t + 1) * i_syn")
