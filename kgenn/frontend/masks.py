"""Leave out the masks that Masking layers make: of data in which nothing is masked, they are true everywhere.

Keras 3 stores how a mask is computed, as operations beside the layers, where a later layer is given it by name:
whether any value of a step differs from the mask value, and what other layers make of several masks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kgenn.frontend.references import references
from kgenn.layers.config import plain

# arguments of a call that are masks
_MASKS = ("mask", "query_mask", "value_mask", "key_mask", "attention_mask")
# operations that give true everywhere of masks that are
_KEEP = ("Any", "All", "LogicalAnd", "LogicalOr", "ExpandDims", "Squeeze", "Reshape", "Concatenate", "BroadcastTo")


def without_masks(layers: list[Any]) -> list[Any]:
    """Return the entries of a model's layers without these masks, where nothing else is made of them."""
    named = {_name(item): item for item in layers if isinstance(item, Mapping)}
    makers = _makers(named)
    if not makers:
        return layers
    kept = [_unmasked(item, makers) if isinstance(item, Mapping) else item for item in layers]
    left = [item for item in kept if not isinstance(item, Mapping) or _name(item) not in makers]
    read = {
        ref.layer for item in left if isinstance(item, Mapping) for ref in references(item.get("inbound_nodes"))
    }
    return layers if read & makers else left


def _makers(named: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the names of the operations that compute a mask."""
    masked = [
        (references(node.get("args")), _number(item, "mask_value"))
        for item in named.values()
        if item.get("class_name") == "Masking"
        for node in _nodes(item)
    ]
    found: set[str] = set()
    while True:
        new = {name for name, item in named.items() if name not in found and _makes(item, found, masked)}
        if not new:
            return found
        found |= new


def _makes(item: Mapping[str, Any], known: Collection[str], masked: Collection[Any]) -> bool:
    nodes = list(_nodes(item))
    if item.get("class_name") == "NotEqual":
        return bool(nodes) and all((references(n.get("args")), _compared(n)) in masked for n in nodes)
    if item.get("class_name") not in _KEEP:
        return False
    sources = [ref.layer for node in nodes for ref in references([node.get("args"), node.get("kwargs")])]
    return bool(sources) and all(source in known for source in sources)


def _unmasked(item: Mapping[str, Any], makers: Collection[str]) -> Mapping[str, Any]:
    """Return an entry whose calls are given no such mask."""

    def is_made(key: str, value: Any) -> bool:
        found = references(value) if key in _MASKS else ()
        return bool(found) and all(ref.layer in makers for ref in found)

    nodes = item.get("inbound_nodes")
    if not isinstance(nodes, list) or not any(isinstance(n, Mapping) and n.get("kwargs") for n in nodes):
        return item
    left = [
        {**n, "kwargs": {k: v for k, v in n["kwargs"].items() if not is_made(k, v)}}
        if isinstance(n, Mapping) and isinstance(n.get("kwargs"), Mapping)
        else n
        for n in nodes
    ]
    return {**item, "inbound_nodes": left}


def _nodes(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the calls of an entry in the notation of Keras 3."""
    nodes = item.get("inbound_nodes")
    yield from (node for node in (nodes if isinstance(nodes, list) else []) if isinstance(node, Mapping))


def _name(item: Mapping[str, Any]) -> str:
    config = item.get("config")
    return str(item.get("name") or (config.get("name") if isinstance(config, Mapping) else ""))


def _number(item: Mapping[str, Any], key: str) -> Any:
    config = item.get("config")
    return plain(config.get(key)) if isinstance(config, Mapping) else None


def _compared(node: Mapping[str, Any]) -> Any:
    """Return the constant that an operation compares its tensor with."""
    args = node.get("args")
    return plain(args[1]) if isinstance(args, list) and len(args) == 2 else None
