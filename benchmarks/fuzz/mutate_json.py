"""Edit JSON: values, keys, lists and nesting, keeping it JSON most of the time."""

from __future__ import annotations

import json
from random import Random
from typing import Any

# What a value is replaced by: edges of numbers and types, and texts that mean something elsewhere.
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    3,
    7,
    0.5,
    1e308,
    -0.0,
    float("nan"),
    float("inf"),
    10**9,
    2**31,
    2**63,
    10**30,
    10**400,
    10**4200,
    [],
    {},
    [[]],
    [None],
    [0],
    [1, 1],
    [2, 2, 2],
    [10**9, 10**9],
    [None, 10**6, 10**6, 3],
    "",
    "x",
    "relu",
    "same",
    "../../x",
    "a/b",
    "\x1b]0;x\x07",
    "\ud800",
    "\u202e",
    "*/ int x; /*",
    "__class__",
    {"class_name": "__numpy__", "config": {"value": [1.0, 2.0]}},
    {"class_name": "__tuple__", "items": [2, 2]},
    {"class_name": "Lambda", "config": {"name": "l"}},
)


def edited(rng: Random, text: str) -> str:
    """Return a JSON text with some edits."""
    data = json.loads(text)
    for _ in range(rng.choice((1, 1, 2, 5))):
        data = _edit(rng, data)
    written = json.dumps(data)
    kind = rng.randrange(40)
    if kind == 0:  # nesting
        depth = rng.choice((50, 300, 900, 5000))
        written = written.replace("[", "[" * depth, 1).replace("]", "]" * depth, 1)
    elif kind == 1:  # a key twice
        written = written.replace('"name":', '"name": "twice", "name":', 1)
    elif kind == 2:
        written = json.dumps(_nested(rng.choice((20, 100, 400)), data))
    return written


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, item in items for p in _places(item, (*path, key)))]


def _edit(rng: Random, data: Any) -> Any:
    """Edit one value in place; return the whole."""
    places = _places(data)
    *path, last = rng.choice(places[1:] or [(None,)])
    if last is None:
        return rng.choice(VALUES)
    parent = data
    for key in path:
        parent = parent[key]
    kind = rng.randrange(10)
    if kind < 5:
        parent[last] = rng.choice(VALUES)
    elif kind == 5:
        del parent[last]
    elif kind == 6:
        parent[last] = _near(rng, parent[last])
    elif kind == 7:  # another value of the same file
        parent[last] = _at(data, rng.choice(places))
        parent[last] = json.loads(json.dumps(parent[last])) if len(places) < 2000 else None
    elif isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), json.loads(json.dumps(parent[last])))
    else:
        keys = list(parent)
        parent[rng.choice(keys)] = parent[last]
    return json.loads(json.dumps(data))


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def _near(rng: Random, value: Any) -> Any:
    """Return a value like the one given."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice((value + 1, value - 1, -value, value * 1000, float(value) if abs(value) < 1e300 else 0))
    if isinstance(value, str):
        return rng.choice((value + value, value.upper(), value[:-1], f"{value}\n", f"{value}/", "Custom>" + value))
    return [value] if rng.random() < 0.5 else {"items": value}


def _nested(depth: int, data: Any) -> Any:
    """Return a model inside a model inside a model."""
    for level in range(depth):
        data = {"class_name": "Sequential", "config": {"name": f"n{level}", "layers": [data]}}
    return data
