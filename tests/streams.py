"""Step a generated C++ program through ctypes."""

from __future__ import annotations

import ctypes

import numpy as np

from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from recordings import compiled

POINTER = ctypes.c_void_p


class Stream:
    """A stream of a compiled network.

    Attributes:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.simulator = compiled(network)
        self.library = library = self.simulator.library  # type: ignore[attr-defined]
        signatures = {
            "kgenn_stream_open": (POINTER, [POINTER]),
            "kgenn_stream_close": (None, [POINTER]),
            "kgenn_reset": (None, [POINTER, ctypes.c_int64]),
            "kgenn_step": (ctypes.c_int, [POINTER, POINTER, POINTER]),
            "kgenn_stream_scores": (POINTER, [POINTER]),
            "kgenn_stream_spikes": (POINTER, [POINTER]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.handle = library.kgenn_stream_open(self.simulator.handle)  # type: ignore[attr-defined]
        assert self.handle
        self.outputs = np.zeros(sum(network.by_name[o.population].size for o in network.outputs), np.float32)

    def __del__(self) -> None:
        self.library.kgenn_stream_close(self.handle)

    def reset(self, sample: int) -> None:
        """Begin a sample."""
        self.library.kgenn_reset(self.handle, sample)

    def step(self, x: Array | None = None) -> int:
        """Run a step; return its status."""
        given = None if x is None else np.ascontiguousarray(x, np.float32)
        pointer = None if given is None else given.ctypes.data
        return int(self.library.kgenn_step(self.handle, pointer, self.outputs.ctypes.data))

    @property
    def scores(self) -> Array:
        """Return what the readouts integrated so far."""
        address = self.library.kgenn_stream_scores(self.handle)
        return np.ctypeslib.as_array(
            ctypes.cast(address, ctypes.POINTER(ctypes.c_float)), (self.network.num_scores,)
        ).copy()

    @property
    def spikes(self) -> Array:
        """Return the values of the last step's spikes."""
        size = sum(p.size for p in self.network.spiking)
        address = self.library.kgenn_stream_spikes(self.handle)
        return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(ctypes.c_int8)), (size,)).copy()
