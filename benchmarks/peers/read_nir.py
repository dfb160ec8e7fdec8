"""Run a NIR file in one framework as its reader makes it, and compare its output with what is expected.

    python benchmarks/peers/read_nir.py READER FILE.nir DATA.npz

prints a line of JSON. Runs where the framework is installed, without kgenn. DATA.npz holds x (N, C, height,
width), which is presented at every step, the expected currents of the readout (N, T, classes), and labels y.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import nir
import numpy as np
import torch

Array = np.ndarray[Any, np.dtype[Any]]
# Currents are sums of weights in float32, in another order than kgenn's.
TOLERANCE = 1e-3


def sinabs(graph: Any, x: torch.Tensor, steps: int) -> Array:
    """Run all steps at once: Sinabs takes samples and steps in one axis."""
    from sinabs.nir import from_nir

    return _sinabs_runs(from_nir(graph, num_timesteps=steps), x, steps)


def sinabs_adjusted(graph: Any, x: torch.Tensor, steps: int) -> Array:
    """Let the neurons that were read fire once in a step, and have no lower bound."""
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAFSqueeze
    from sinabs.nir import from_nir

    model = from_nir(graph, num_timesteps=steps)
    for module in model.modules():
        if isinstance(module, IAFSqueeze):
            module.min_v_mem, module.spike_fn = None, SingleSpike
    return _sinabs_runs(model, x, steps)


def _sinabs_runs(model: Any, x: torch.Tensor, steps: int) -> Array:
    out = model(x.repeat_interleave(steps, 0))
    out = out[0] if isinstance(out, tuple) else out
    return np.asarray(out.reshape(len(x), steps, -1))


def stepped(model: Any, x: torch.Tensor, steps: int) -> Array:
    """Run a module that takes a step's values and its state, and returns both."""
    state, found = None, []
    for _ in range(steps):
        out, state = model(x, state)
        found.append(np.atleast_2d(np.asarray(out)))
    return np.stack(found, axis=1)


def norse(graph: Any, x: torch.Tensor, steps: int) -> Array:
    """Run each sample by itself: Norse flattens the batch too."""
    from norse.torch.utils.import_nir import from_nir

    model = from_nir(graph)
    return np.stack([stepped(model, sample, steps)[0] for sample in x])


def snntorch(graph: Any, x: torch.Tensor, steps: int) -> Array:
    from snntorch.import_nir import import_from_nir

    return stepped(import_from_nir(graph), x, steps)


def spikingjelly(graph: Any, x: torch.Tensor, steps: int) -> Array:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return stepped(import_from_nir(graph), x, steps)


def rockpool(graph: Any, x: torch.Tensor, steps: int) -> Array:
    from rockpool.nn.modules.torch.nir import from_nir

    return stepped(from_nir(graph), x, steps)


READERS: dict[str, Callable[[Any, torch.Tensor, int], Array]] = {
    f.__name__: f for f in (sinabs, sinabs_adjusted, norse, snntorch, spikingjelly, rockpool)
}


def main() -> None:
    """Print the comparison."""
    name, place, data = sys.argv[1:]
    with np.load(data) as file:
        x, currents, y = (file[key] for key in ("x", "currents", "y"))
    with torch.no_grad():
        found = READERS[name](nir.read(place), torch.tensor(x), currents.shape[1])
    equal = np.isclose(found, currents, rtol=TOLERANCE, atol=TOLERANCE)
    steps = np.flatnonzero(~equal.all(axis=(0, 2)))
    print(
        json.dumps(
            {
                "version": version(name.removesuffix("_adjusted")),
                "equal": float(equal.mean()),
                "first": int(steps[0]) if len(steps) else None,
                "accuracy": float(np.mean(found.sum(axis=1).argmax(axis=1) == y)),
            }
        )
    )


if __name__ == "__main__":
    main()
