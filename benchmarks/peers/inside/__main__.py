"""Measure one peer: python -m benchmarks.peers.inside PEER network.npz data.npz result.json -T 32 --batch 32.

`data.npz` has calibration and x of shape (N, height, width, C), float32 as the network takes them, and y.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.inside.conversions import CONVERSIONS, NO_PADDING_LAYERS
from benchmarks.peers.inside.measure import Array, measured, write
from benchmarks.peers.inside.torch_network import load


def channels_first(x: Array) -> torch.Tensor:
    """Return images as PyTorch takes them; vectors stay."""
    # copied by PyTorch: NumPy leaves an axis of one channel with a stride that PyTorch takes for channels last
    return torch.from_numpy(np.moveaxis(x, -1, 1)).clone(memory_format=torch.contiguous_format)


def main() -> None:
    """Convert, measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=CONVERSIONS)
    for name in ("network", "data", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("-T", "--timesteps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--device", default="cpu", help="as PyTorch names it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(options.data) as data:
        calibration, x, y = data["calibration"], data["x"], data["y"]
    with torch.no_grad():
        network = load(options.network, widen=options.peer in NO_PADDING_LAYERS).to(options.device)
        images = channels_first(calibration).to(options.device)
        scores = CONVERSIONS[options.peer](network, images, options.timesteps)

        def classify(batch: Array) -> Array:
            return scores(channels_first(batch).to(options.device)).cpu().numpy()

        result = measured(classify, x, y, options.batch)
    write({**result, "torch": torch.__version__}, options.result)


if __name__ == "__main__":
    main()
