"""Measure kgenn as its peers are measured.

    python -m benchmarks.peers.ours data-norm MODEL.h5 data.npz result.json -T 32 --batch 32

`data.npz` is that of `benchmarks.peers.inside`. The converter has its default options, but in rate codes one scale
for each layer, as the peers have; the network has its default profile with every feature allowed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import kgenn
from benchmarks.peers.inside.measure import Array, measured, write
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES
from kgenn.conversion.data_norm import PercentileScaled


def main() -> None:
    """Convert, build, measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("converter")
    for name in ("model", "data", "result"):
        parser.add_argument(name, type=Path)
    parser.add_argument("-T", "--timesteps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--target", default="cpu")
    options = parser.parse_args()
    with np.load(options.data) as data:
        calibration, x, y = data["calibration"], data["x"], data["y"]
    method = CONVERTERS.get(options.converter)
    network = kgenn.convert(
        options.model,
        calibration=calibration,
        timesteps=options.timesteps,
        converter=method(channelwise=False) if issubclass(method, PercentileScaled) else method(),
        allow=tuple(FEATURES),
    )
    snn = kgenn.compile(network, options.target, threads=1)

    def scores(images: Array) -> Array:
        return snn.evaluate(images, batch_size=options.batch).scores

    write({**measured(scores, x, y, options.batch), "kgenn": kgenn.__version__}, options.result)


if __name__ == "__main__":
    main()
