"""Order the calls of a model's layers, so that each comes after those it reads."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from kgenn.diagnostics import fail
from kgenn.frontend.model_config import LayerEntry, ModelEntry
from kgenn.frontend.references import Call

# a layer, the index of one of its calls, and that call
IndexedCall = tuple[LayerEntry, int, Call]


def ordered_calls(model: ModelEntry, where: str) -> list[IndexedCall]:
    """Return every call after those it reads, otherwise in the order of the file; the model's inputs come first.

    Raises:
        KgennError: KG108 where a layer is never called, reads a call that does not exist, or reads itself.
    """
    idle = [entry.name for entry in model.layers if not entry.calls and entry.class_name != "InputLayer"]
    if idle:
        raise fail("KG108", where, f"has layers that are never called: {', '.join(idle)}", "save the model again")
    inputs = {ref.layer: i for i, ref in enumerate(model.inputs)}
    calls = [(entry, index, call) for entry in model.layers for index, call in enumerate(entry.calls or (Call(),))]
    calls.sort(key=lambda item: inputs.get(item[0].name, len(inputs)))
    sorter = _dependencies(calls, where)
    try:
        sorter.prepare()
    except CycleError as error:
        names = ", ".join(sorted({calls[i][0].name for i in error.args[1]}))
        what = f"has layers that read each other in a circle: {names}"
        raise fail("KG108", where, what, "save the model again") from None
    order: list[IndexedCall] = []
    ready: list[int] = []
    while sorter.is_active():
        for i in sorter.get_ready():
            heapq.heappush(ready, i)
        first = heapq.heappop(ready)
        order.append(calls[first])
        sorter.done(first)
    return order


def _dependencies(calls: Sequence[IndexedCall], where: str) -> TopologicalSorter[int]:
    """Return the calls, by position, with those that each reads."""
    position = {(entry.name, index): i for i, (entry, index, _) in enumerate(calls)}
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(calls)), ()))
    for i, (entry, _, call) in enumerate(calls):
        for ref in call.inputs:
            if (ref.layer, ref.call) not in position:
                what = f"reads call {ref.call} of {ref.layer!r}, which does not exist"
                raise fail("KG108", f"{where}/{entry.name} ({entry.class_name})", what, "save the model again")
            sorter.add(i, position[ref.layer, ref.call])
    return sorter
