"""Check that a generated program and its words are of the network that kgenn is about to run them for.

The program writes into memory that Python allocates from the manifest; a directory whose files come from two
networks would let it write beyond.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from kgenn.backends.interface_schema import header_byte
from kgenn.diagnostics import fail
from kgenn.ir.network import Network

HEADER = "kgenn_network.h"
SIZE = re.compile(rb"#define KGENN_NUM_(INPUTS|CLASSES|NEURONS) (\d+)\b")
CHANGES = b"#define KGENN_INPUT_CHANGES 1"
TIMESTEPS = header_byte("num_timesteps")
ORDER: Literal["little"] = "little"


def check_sizes(network: Network, files: Mapping[str, bytes], words: str) -> None:
    """Raise KG504 where the program's sizes or the timesteps of its words are not the network's.

    Args:
        files: of the program, by name.
        words: the name of the file of its words.
    """
    stated = {name.decode(): int(size) for name, size in SIZE.findall(files[HEADER])}
    expected = {
        "INPUTS": network.num_inputs,
        "CLASSES": network.num_scores,
        "NEURONS": sum(p.size for p in network.spiking),
    }
    steps = int.from_bytes(files[words][TIMESTEPS : TIMESTEPS + 4], ORDER)
    same = stated == expected and (CHANGES in files[HEADER]) == network.changing
    where, what = (words, "timesteps") if same else (HEADER, "sizes")
    if not same or steps != network.num_timesteps:
        advice = "compile the model again into a new directory"
        raise fail("KG504", where, f"has the {what} of another network than manifest.json", advice)
