"""Draw when each population works, from `kgenn.ir.timing` itself."""

from __future__ import annotations

from html import escape

import numpy as np

from kgenn.ir.connectivity import OneToOne
from kgenn.ir.network import Connection, Network, NetworkOutput, Population
from kgenn.ir.network_input import InputCoding, InputTransform, NetworkInput
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.spike_code import CodeName
from kgenn.ir.timing import Timing

SPIKING = NeuronModel("spiking", state={"v": 0.0}, update="v += i_syn", threshold="v >= 1")
READOUT = NeuronModel("readout", state={"v": 0.0}, update="v += i_syn")
# A chain of three connections, and one that skips a population.
NAMES = ("input", "conv1", "conv2", "readout")
EDGES = (("input", "conv1"), ("conv1", "conv2"), ("conv2", "readout"), ("conv1", "readout"))
LEFT, CELL, ROW = 70, 22, 28


def network(code: CodeName, steps: int) -> Network:
    """Return a network of `NAMES` and `EDGES`."""
    transform = InputTransform((0,), np.ones(()), np.zeros(()))
    synapse = OneToOne(np.ones(1, np.float32))
    return Network(
        name="example",
        populations=tuple(Population(n, (1,), READOUT if n == "readout" else SPIKING) for n in NAMES),
        connections=tuple(Connection(a, b, synapse) for a, b in EDGES),
        inputs=(NetworkInput(NAMES[0], (1,), transform, InputCoding("spike", 1, 0.0, 1.0)),),
        outputs=(NetworkOutput("output", "readout"),),
        readout="current",
        num_timesteps=steps,
        code_name=code,
    )


def timetable(argument: str) -> str:
    """Return the picture of a network of a code for T steps, as `CODE T`."""
    code, steps = argument.split()
    drawn = network(code, int(steps))  # type: ignore[arg-type]
    timing = Timing(drawn)
    width, height = LEFT + CELL * timing.num_steps + 4, ROW * (len(NAMES) + 1) + 4
    label = f"Steps in which each population works, code {code}, T = {steps}"
    parts = [f'<svg class="timetable" viewBox="0 0 {width} {height}" width="{width}" role="img">']
    parts.append(f"<title>{escape(label)}</title>")
    for row, name in enumerate(NAMES):
        top = row * ROW
        parts.append(f'<text x="0" y="{top + 18}">{name}</text>')
        first = timing.start(name)
        for n in range(timing.num_steps):
            kind = "sends" if first <= n < first + drawn.num_timesteps else ""
            if name != NAMES[0] and first - timing.listening <= n < first:
                kind = "listens"
            left = LEFT + n * CELL
            if kind:
                parts.append(f'<rect class="{kind}" x="{left + 1}" y="{top + 5}" width="{CELL - 2}" height="18"/>')
            parts.append(f'<line class="grid" x1="{left}" y1="{top + 2}" x2="{left}" y2="{top + 26}"/>')
    base = len(NAMES) * ROW + 16
    for n in range(0, timing.num_steps, 1 if timing.num_steps < 16 else 2):
        parts.append(f'<text x="{LEFT + n * CELL + 6}" y="{base}">{n}</text>')
    parts.append(f'<text x="0" y="{base}">step</text></svg>')
    travels = "; ".join(f"{c.source} to {c.target} {timing.travel(c)}" for c in drawn.connections)
    text = f"Steps that a spike travels: {travels}. The sample is done after {timing.num_steps} steps.\n"
    return "```{raw} html\n" + "".join(parts) + "\n```\n\n" + text
