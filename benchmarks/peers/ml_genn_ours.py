"""Convert and run a network as `ml_genn_tf_accuracy` does, and write what that program reads.

    python -m benchmarks.peers.ml_genn_ours MODEL.h5 DATA.npz few-spike -T 8 --limit 40 --folder FOLDER

FOLDER gets network.npz and data.npz. Converters have their default options, rate codes the encoder of
integrate-and-fire neurons. `$KGENN_GENN_PYTHON` names the interpreter that has pygenn.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import kgenn
from benchmarks.peers import portable
from benchmarks.peers.__main__ import data_of
from benchmarks.peers.ml_genn_options import cpu_seconds, parser_of
from kgenn.conversion import CONVERTERS

NUM_CALIBRATION = 128


def main() -> None:
    """Write the network and the data, convert, run and print a JSON object."""
    parser = parser_of(__doc__, "model")
    parser.add_argument("--limit", type=int, required=True, help="only the first test images")
    parser.add_argument("--target", default="genn-cpu")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    graph = kgenn.load(options.model)
    portable.save(graph, options.folder / "network.npz")
    data = data_of(options.data, graph.input_shape, "1/255", options.limit, None)
    data["calibration"] = data["calibration"][:NUM_CALIBRATION]
    np.savez(options.folder / "data.npz", **data)
    start = cpu_seconds()
    network = kgenn.convert(
        options.model,
        calibration=data["calibration"],
        timesteps=options.timesteps,
        converter=CONVERTERS.get(options.converter)(),
        encoder=None if options.converter == "few-spike" else kgenn.IntegrateFire(),
    )
    snn = kgenn.compile(network, options.target)
    result = snn.evaluate(data["x"], data["y"])
    del snn  # ends the process that runs GeNN, so that its time and the compiler's are known
    times = {"cpu_s": cpu_seconds() - start, "simulate_cpu_s": result.cpu_seconds}
    print(json.dumps({"accuracy": result.accuracy, "images": len(data["y"]), **times}))


if __name__ == "__main__":
    main()
