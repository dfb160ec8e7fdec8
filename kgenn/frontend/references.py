"""Read which tensors a layer was called on, in the notations of Keras 2 and Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# arguments of a call that name its input tensors
_TENSOR_ARGUMENTS = ("inputs", "input", "x")


@dataclass(frozen=True, slots=True)
class Reference:
    """One output of one call of a layer: Keras' (layer, node index, tensor index)."""

    layer: str
    call: int = 0
    tensor: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer.

    Attributes:
        inputs: the tensors that it reads.
        odd: what else it was given that changes what it computes, as text; empty in the usual case.
        keras_3: whether it is in the notation of Keras 3.
    """

    inputs: tuple[Reference, ...] = ()
    odd: tuple[str, ...] = ()
    keras_3: bool = False


def is_reference(value: Any) -> bool:
    """Tell whether a value is [layer, node index, tensor index], with or without keyword arguments."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value[1:3])


def references(value: Any) -> tuple[Reference, ...]:
    """Return the tensors in a structure such as `input_layers`; dicts in the order of their sorted keys."""
    return tuple(item for item in _flatten(value) if isinstance(item, Reference))


def read_calls(inbound: Any) -> tuple[Call, ...]:
    """Return the calls in a layer's `inbound_nodes`; raise ValueError where they are malformed."""
    if inbound is None:
        return ()
    if not isinstance(inbound, list):
        raise ValueError(f"its inbound_nodes are {type(inbound).__name__}, not a list")
    calls = []
    for node in inbound:
        keras_3 = isinstance(node, Mapping) and "args" in node
        arguments, keywords = (node["args"], [node.get("kwargs")]) if keras_3 else (node, list(_keywords(node)))
        calls.append(_call(arguments, keywords, keras_3))
    return tuple(calls)


def _call(arguments: Any, keywords: list[Any], keras_3: bool) -> Call:
    inputs: list[Reference] = []
    odd: list[str] = []
    for item in _flatten(arguments):
        if isinstance(item, Reference):
            inputs.append(item)
        elif item is not None:
            odd.append(repr(item))
    for entries in keywords:
        for key, value in entries.items() if isinstance(entries, Mapping) else ():
            found = references(value) if key in _TENSOR_ARGUMENTS else ()
            inputs.extend(found)
            absent = all(item is None for item in _flatten(value))
            # training=True would keep dropout and batch statistics at work in predictions
            if not found and not absent and not (key == "training" and value is False):
                odd.append(f"{key}={value!r}")
    return Call(tuple(inputs), tuple(odd), keras_3)


def _flatten(value: Any) -> Iterator[Any]:
    """Yield the references and the other leaves of a structure."""
    if is_reference(value):
        yield Reference(*value[:3])
    elif isinstance(value, list):
        for item in value:
            yield from _flatten(item)
    elif isinstance(value, Mapping):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(config, Mapping):
            yield from _flatten(config.get("keras_history"))
        else:
            for key in sorted(value):
                yield from _flatten(value[key])
    else:
        yield value


def _keywords(node: Any) -> Iterator[Any]:
    """Yield the keyword arguments in a Keras 2 node, [[layer, node index, tensor index, {…}], …]."""
    if is_reference(node):
        yield from node[3:]
    elif isinstance(node, (list, Mapping)):
        for item in node.values() if isinstance(node, Mapping) else node:
            yield from _keywords(item)
