"""Step a generated C++ program, compiled to a library, through ctypes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from kgenn.backends.stepping import Stepper
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array
from kgenn.ir.network import Network

POINTER, LONG = ctypes.c_void_p, ctypes.c_int64
# The functions of the generated header: what they return, and what they take.
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "kgenn_stream_open": (POINTER, [POINTER]),
    "kgenn_stream_close": (None, [POINTER]),
    "kgenn_reset": (None, [POINTER, LONG]),
    "kgenn_step": (ctypes.c_int, [POINTER, POINTER, POINTER]),
    "kgenn_stream_scores": (POINTER, [POINTER]),
    "kgenn_stream_spikes": (POINTER, [POINTER]),
}
OK, OUTSIDE = 0, 2


class CppStepper(Stepper):
    """A stream of a compiled program.

    Args:
        owner: what keeps the library and the network in it alive.
        handle: of the network in the library.
    """

    def __init__(self, network: Network, owner: object, library: ctypes.CDLL, handle: int) -> None:
        self.network, self.owner, self.library = network, owner, library
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.handle = library.kgenn_stream_open(handle)
        if not self.handle:
            raise fail("KG608", network.name, "a stream needs more memory than there is", "close other streams")
        self._scores = _view(library.kgenn_stream_scores(self.handle), ctypes.c_float, network.num_scores)
        num_neurons = sum(p.size for p in network.spiking)
        self._spikes = _view(library.kgenn_stream_spikes(self.handle), ctypes.c_int8, num_neurons)

    def reset(self, sample: int) -> None:
        self.library.kgenn_reset(self.handle, sample)

    def step(self, x: Array | None) -> None:
        given = None if x is None else np.ascontiguousarray(x, np.float32)
        status = self.library.kgenn_step(self.handle, None if given is None else given.ctypes.data, None)
        if status == OUTSIDE:
            self._refuse(x)
        assert status == OK, f"status {status}"

    def _refuse(self, x: Array | None) -> None:
        """Raise the KG603 of the input that does not take its values."""
        assert x is not None
        columns = self.network.drive_columns
        for own in self.network.inputs:
            own.drive(x[columns[own.name]].reshape(1, *own.shape), several=len(columns) > 1)

    @property
    def scores(self) -> Array:
        return self._scores.copy()

    @property
    def spikes(self) -> Array:
        return self._spikes.copy()

    def close(self) -> None:
        if self.handle:
            self.library.kgenn_stream_close(self.handle)
            self.handle = None

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.close()


def _view(address: int | None, kind: Any, count: int) -> Array:
    if address is None or not count:
        return np.zeros(0, kind)
    found: Array = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(kind)), (count,))
    return found
