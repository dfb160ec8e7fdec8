"""Read which tensors a layer was called on, in the notations of Keras 2 and Keras 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kgenn.layers.config import Operand, plain

# arguments of a call that name its input tensors
_TENSOR_ARGUMENTS = ("inputs", "input", "x")
# classes whose call has several, in their order
_SEVERAL = dict.fromkeys(
    ("GroupQueryAttention", "GroupedQueryAttention", "MultiHeadAttention"), ("query", "value", "key")
)
_ATTENTIONS = ("AdditiveAttention", "Attention", *_SEVERAL)
# truth values in the call of an attention that change nothing where they are false
_FLAGS = ("return_attention_scores", "use_causal_mask")
# those of them that its reader follows
_FOLLOWED = ("use_causal_mask",)
# what Keras 2 writes in place of a layer's name where an operation's first argument is no tensor
_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True)
class TensorReference:
    """One output of one call of a layer: Keras' (layer, node index, tensor index)."""

    layer: str
    call: int = 0
    tensor: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer or of an operation.

    Attributes:
        inputs: the tensors that it reads.
        odd: what else a layer was given that changes what it computes, as text; empty in the usual case.
        keras_3: whether it is in the notation of Keras 3.
        training: whether it asks for what the layer does in training.
        arguments: what an operation is called on: operands, constants, and lists of these.
        keywords: the same by name; of an attention truth values that it is called with.
    """

    inputs: tuple[TensorReference, ...] = ()
    odd: tuple[str, ...] = ()
    keras_3: bool = False
    training: bool = False
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


def is_reference(value: Any) -> bool:
    """Tell whether a value is [layer, node index, tensor index], with or without keyword arguments."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not isinstance(value[0], str):
        return False
    return all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value[1:3])


def references(value: Any) -> tuple[TensorReference, ...]:
    """Return the tensors in a structure such as `input_layers`; dicts in the order of their sorted keys."""
    return tuple(item for item in _flatten(value) if isinstance(item, TensorReference))


def has_sorted_keys(value: Any) -> bool:
    """Tell whether every dictionary in a structure of tensors was written in the order of its keys."""
    if isinstance(value, Mapping):
        return list(value) == sorted(value) and all(map(has_sorted_keys, value.values()))
    return not isinstance(value, list) or all(map(has_sorted_keys, value))


def read_calls(inbound: Any, class_name: str, operation: bool = False) -> tuple[Call, ...]:
    """Return the calls in the `inbound_nodes` of a layer or an operation; raise ValueError where malformed.

    Args:
        class_name: of a layer of Keras' own, which decides what its arguments by name are; else empty.
    """
    if inbound is None:
        return ()
    if not isinstance(inbound, list):
        raise ValueError(f"its inbound_nodes are {type(inbound).__name__}, not a list")
    calls = []
    for node in inbound:
        keras_3 = isinstance(node, Mapping) and "args" in node
        arguments, keywords = (node["args"], [node.get("kwargs")]) if keras_3 else (node, list(_keywords(node)))
        given = [entries for entries in keywords if isinstance(entries, Mapping)]
        if operation:
            calls.append(_operation(arguments, given, keras_3))
        else:
            calls.append(_layer(arguments, given, keras_3, class_name))
    return tuple(calls)


def _layer(arguments: Any, keywords: list[Mapping[str, Any]], keras_3: bool, class_name: str) -> Call:
    inputs: list[TensorReference] = []
    odd: list[str] = []
    training = False
    flags: dict[str, Any] = {}
    by_name: dict[str, TensorReference] = {}
    for item in _flatten(arguments):
        if isinstance(item, TensorReference):
            inputs.append(item)
        elif item is not None:
            odd.append(repr(item))
    names = _SEVERAL.get(class_name, ())
    for key, value in ((key, value) for entries in keywords for key, value in entries.items()):
        found = references(value) if key in (*_TENSOR_ARGUMENTS, *names) else ()
        if key in names and len(found) == 1:
            by_name[key] = found[0]
        else:
            inputs.extend(found)
        if key == "training" and isinstance(value, bool | int):
            training |= bool(value)
        elif class_name in _ATTENTIONS and key in _FLAGS and (value is False or key in _FOLLOWED):
            flags[key] = value
        elif not found and any(item is not None for item in _flatten(value)):
            odd.append(f"{key}={value!r}")
    inputs += [by_name[name] for name in names[len(inputs) :] if name in by_name]
    return Call(tuple(inputs), tuple(odd), keras_3, training, keywords=flags)


def _operation(arguments: Any, keywords: list[Mapping[str, Any]], keras_3: bool) -> Call:
    """Return the call of an operation.

    Keras 3 stores its arguments as they were given. Keras 2 stores the first one, which may be a constant or a
    list, as its node, and all others by name beside each tensor of it.
    """
    inputs: list[TensorReference] = []
    given = arguments if keras_3 and isinstance(arguments, list) else [arguments]
    bound = tuple(_bound(item, inputs) for item in given)
    named = {key: _bound(value, inputs) for key, value in (keywords[0] if keywords else {}).items()}
    return Call(tuple(inputs), (), keras_3, False, bound, named)


def _bound(value: Any, inputs: list[TensorReference]) -> Any:
    """Return an argument with operands for its tensors, which are appended to `inputs`."""
    if is_reference(value) or (isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"):
        inputs.append(_only_tensor(value))
        return Operand(len(inputs) - 1)
    if isinstance(value, list):
        constant = len(value) in (3, 4) and value[0] == _CONSTANT and value[1] == -1
        return value[2] if constant else [_bound(item, inputs) for item in value]
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config", value)
        if kind == "__ellipsis__":
            return ...
        if isinstance(config, Mapping) and config.keys() == {"start", "stop", "step"}:
            return slice(config["start"], config["stop"], config["step"])
        return plain(value)
    return value


def _only_tensor(value: Any) -> TensorReference:
    found = references(value)
    if len(found) != 1:
        raise ValueError("it is called on a tensor without a keras_history")
    return found[0]


def _flatten(value: Any) -> Iterator[Any]:
    """Yield the references and the other leaves of a structure."""
    if is_reference(value):
        yield TensorReference(*value[:3])
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
    if is_reference(node) or (isinstance(node, list) and len(node) == 4 and node[0] == _CONSTANT):
        yield from node[3:]
    elif isinstance(node, (list, Mapping)):
        for item in node.values() if isinstance(node, Mapping) else node:
            yield from _keywords(item)
