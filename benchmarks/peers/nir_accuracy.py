"""Run a NIR file that kgenn wrote in Sinabs, and print the accuracy.

    kgenn compile benchmarks/models/mnist_cnn.h5 --calibration benchmarks/data/mnist_calibration.npz \
        --scale 1/255 --timesteps 64 -o mnist
    kgenn export mnist --to nir -o mnist.nir
    python benchmarks/peers/nir_accuracy.py mnist.nir --data benchmarks/data/mnist_1000.npz --limit 200

Runs in an environment of its own: `pip install sinabs`, then `pip install --no-deps nir==1.0.8 nirtorch==2.6`,
since Sinabs 3.1.3 asks for versions that cannot read today's files. The network is to have direct input: each
image is presented at every step. The metadata of the file give the number of steps, the readout's weighting of
them, and each population's initial potential, for which NIR has no field. Sinabs reads an IF node as neurons
that start at 0, may fire several times in a step, and are bounded from below by minus the threshold; unless
--as-read is given, they are set to what the file says.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import nir
import numpy as np
import sinabs.layers as sl
import torch
from sinabs.activation import SingleSpike
from sinabs.nir import from_nir


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="an .npz file with x (N, H, W[, C]) and y")
    parser.add_argument("--scale", type=float, default=1 / 255)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--as-read", action="store_true", help="leave the neurons as Sinabs reads them")
    return parser.parse_args()


def start(model: torch.nn.Module, graph: Any, num_samples: int, as_read: bool) -> None:
    """Set every population to its state at the start of a sample."""
    for name, module in model.named_modules():
        if not isinstance(module, sl.IAFSqueeze):
            continue
        node = graph.nodes[name.rpartition(".")[2]]
        module.init_state_with_shape((num_samples, *node.r.shape))
        if not as_read:
            # an integrate-and-fire neuron has no lower bound and fires once in a step
            module.min_v_mem, module.spike_fn = None, SingleSpike
            module.v_mem += float(node.metadata["v_initial"])


def predictions(graph: Any, x: np.ndarray[Any, Any], batch_size: int, as_read: bool) -> np.ndarray[Any, Any]:
    """Return the class of each image, shape (N,)."""
    steps = int(graph.metadata["num_timesteps"])
    late = graph.metadata["readout"] == "late-current"
    weights = torch.arange(1, steps + 1, dtype=torch.float32) ** 2 if late else torch.ones(steps)
    model = from_nir(graph, num_timesteps=steps)
    found = []
    for first in range(0, len(x), batch_size):
        batch = torch.tensor(np.moveaxis(x[first : first + batch_size], -1, 1))
        start(model, graph, len(batch), as_read)
        with torch.no_grad():
            out = model(batch.repeat_interleave(steps, 0))
        current = (out[0] if isinstance(out, tuple) else out).reshape(len(batch), steps, -1)
        found.append((current * weights[None, :, None]).sum(1).argmax(1).numpy())
    return np.concatenate(found)


def main() -> None:
    """Print the accuracy."""
    options = arguments()
    graph = nir.read(options.graph)
    with np.load(options.data) as data:
        x, y = (
            data["x"][: options.limit].astype(np.float32) * np.float32(options.scale),
            data["y"][: options.limit],
        )
    x = x if x.ndim == 4 else x[..., None]
    begin = time.perf_counter()
    correct = predictions(graph, x, options.batch_size, options.as_read) == y.ravel()
    seconds = time.perf_counter() - begin
    print(f"{options.graph.name} in Sinabs: {100 * correct.mean():.2f} % of {len(y)} images, {seconds:.1f} s")


if __name__ == "__main__":
    main()
