"""Time a timestep of one sample in a peer.

    python -m benchmarks.peers.inside.step PEER network.npz data.npz result.json -T 32

The network is converted as in `benchmarks.peers.inside`; then it is called for one timestep after the other, as a
loop around a sensor does, and keeps its state in between. `data.npz` is that of `benchmarks.peers.inside`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers.inside.__main__ import channels_first
from benchmarks.peers.inside.conversions import NO_PADDING_LAYERS, Calibration
from benchmarks.peers.inside.measure import write
from benchmarks.peers.inside.torch_network import load


def spikingjelly(network: nn.Module, images: Tensor) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """Return SpikingJelly's network and its reset."""
    from spikingjelly.activation_based import ann2snn, functional

    recipe = ann2snn.RateCodingRecipe(dataloader=Calibration(images), mode="99.9%")
    return ann2snn.Converter(recipe=recipe).convert(network), functional.reset_net


def sinabs(network: nn.Module, images: Tensor) -> tuple[nn.Module, Callable[[nn.Module], None]]:
    """Return Sinabs' network, which takes one timestep at a time, and its reset."""
    from sinabs.from_torch import from_model
    from sinabs.utils import reset_states

    return from_model(network, batch_size=1).spiking_model, reset_states


PEERS: dict[str, Callable[[nn.Module, Tensor], tuple[nn.Module, Callable[[nn.Module], None]]]] = {
    "spikingjelly": spikingjelly,
    "sinabs": sinabs,
}


def main() -> None:
    """Convert, step and write the result: the median time of a step, in µs, over all steps of all samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    for name in ("network", "data", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("-T", "--timesteps", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(options.data) as data:
        calibration, x, y = data["calibration"], data["x"], data["y"]
    with torch.inference_mode():
        network = load(options.network, widen=options.peer in NO_PADDING_LAYERS)
        snn, reset = PEERS[options.peer](network, channels_first(calibration))
        times, right = [], 0
        for image, label in zip(x, y, strict=True):
            reset(snn)
            frame, total = channels_first(image[None]), torch.zeros(1)
            for _ in range(options.timesteps):
                before = time.perf_counter()
                total = total + snn(frame)
                times.append(time.perf_counter() - before)
            right += int(total.argmax() == label)
    found: dict[str, Any] = {"step_us": 1e6 * float(np.median(times)), "accuracy": right / len(y)}
    write({**found, "torch": torch.__version__}, options.result)


if __name__ == "__main__":
    main()
