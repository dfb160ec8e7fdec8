"""Read a Keras layer's configuration entry by entry; whatever is odd is a diagnostic that names the layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kgenn.diagnostics import KgennError, fail, known_names
from kgenn.ir.graph import Layer, Shape
from kgenn.layers.weights import Weights

# Sizes and counts, whose products must not leave what NumPy can index.
LARGEST_INTEGER = (1 << 31) - 1
# Of float32, about 3.4e38.
LARGEST_NUMBER = (2 - 2**-23) * 2.0**127
# Axes of a tensor beside the batch; NumPy has 32 in all.
MAX_AXES = 8
REQUIRED: Any = object()  # the default of an entry that must be there


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor in the call of an operation: the operation's input of this index."""

    index: int


@dataclass(frozen=True, eq=False)
class LayerConfig:
    """The configuration of one Keras layer, or of one call of an operation.

    Attributes:
        name: the layer's name; inside a nested model, the path to it.
        class_name: its Keras class.
        options: the config as Keras wrote it; of an operation also the arguments that are called by name.
        source: the file it came from, for messages.
        arguments: what an operation is called on: operands, constants, and lists of these.
        notes: what a reader has to say of how it read the layer.
        keras_2: whether Keras 2 wrote it.
    """

    name: str
    class_name: str
    options: Mapping[str, Any]
    source: str
    arguments: tuple[Any, ...] = ()
    notes: list[str] = field(default_factory=list)
    keras_2: bool = False

    @property
    def where(self) -> str:
        """Return "name (Class)"."""
        return f"{self.name} ({self.class_name})"

    @property
    def place(self) -> str:
        """Return "file: name (Class)"."""
        return f"{self.source}: {self.where}"

    def error(self, code: str, what: str, help: str = "") -> KgennError:
        """Return an error at this layer, for `raise config.error(...)`."""
        return fail(code, self.place, what, help)

    def bad(self, key: str, allowed: str) -> KgennError:
        """Return the error that an entry has a value kgenn does not know."""
        return self._odd(f"{key}={self.options[key]!r}" if key in self.options else f"no entry {key!r}", allowed)

    def odd(self, key: str, value: Any, allowed: str) -> KgennError:
        """Return the error that an entry or an argument has this value, which kgenn does not know."""
        return self._odd(f"{key}={value!r}", allowed)

    def _odd(self, found: str, allowed: str) -> KgennError:
        remedy = "change the layer, then save the model again"
        return self.error("KG107", f"has {shortened(found)}; allowed: {allowed}", remedy)

    def get(self, key: str, default: Any = REQUIRED) -> Any:
        """Return an entry as plain data; None and a missing entry give the default."""
        value = plain(self.options.get(key))
        if value is None and default is REQUIRED:
            raise self.bad(key, "a value")
        return default if value is None else value

    def argument(self, position: int, *names: str, default: Any = REQUIRED) -> Any:
        """Return an argument of an operation's call, given by position or by one of its names.

        Returns:
            An `Operand`, a constant, a slice or a list of these.
        """
        if position < len(self.arguments) and self.arguments[position] is not None:
            return self.arguments[position]
        name = next((name for name in names if self.options.get(name) is not None), names[0])
        return self.get(name, default)

    def number(self, key: str, default: Any = REQUIRED) -> float:
        """Return a finite number."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST_NUMBER:
            raise self.bad(key, "a finite number of float32")
        return float(value)

    def integer(self, key: str, default: Any = REQUIRED, minimum: int = 1) -> int:
        """Return an integer of at least `minimum`."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= LARGEST_INTEGER:
            raise self.bad(key, f"an integer from {minimum} to {LARGEST_INTEGER}")
        return value

    def ints(self, key: str, count: int, default: Any = REQUIRED) -> Shape:
        """Return `count` positive integers; a single one stands for all."""
        value = self.get(key, default)
        values = [value] * count if isinstance(value, int) else value
        if not is_sizes(values) or len(values) != count:
            raise self.bad(key, f"{count} positive integers")
        return tuple(values)

    def pairs(self, key: str, count: int, single: str) -> tuple[tuple[int, int], ...]:
        """Return (before, after) for each of `count` axes; a single number stands for both, or for all.

        Args:
            single: what such a number is, for messages.
        """
        value = self.get(key)
        axes = [value] * count if isinstance(value, int) or count == 1 else value
        pairs = (
            [[item, item] if isinstance(item, int) else item for item in axes] if isinstance(axes, list) else []
        )
        if len(pairs) != count or not all(is_sizes(pair, minimum=0) and len(pair) == 2 for pair in pairs):
            raise self.bad(key, f"{single}, or (before, after) for each spatial axis")
        return tuple((before, after) for before, after in pairs)

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        """Return a truth value."""
        value = self.get(key, default)
        if value not in (True, False):
            raise self.bad(key, "true or false")
        return bool(value)

    def choice(self, key: str, allowed: Sequence[str], default: Any = REQUIRED) -> str:
        """Return one of the allowed words."""
        value = self.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            raise self.bad(key, known_names(str(value), allowed))
        return value

    def axis(self, value: Any, rank: int, key: str = "axis") -> int:
        """Return an axis, which Keras counts with the batch axis, as an index into a sample's axes."""
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if isinstance(value, bool) or not isinstance(value, int) or not -rank <= value <= rank or value == 0:
            raise self.odd(key, value, f"one axis from 1 to {rank} or from {-rank} to -1")
        return value - 1 if value > 0 else value + rank


@dataclass(frozen=True, eq=False)
class OutputChains:
    """A chain of layers for each output of an operation that has several."""

    chains: tuple[tuple[Layer, ...], ...]


class LayerReader(Protocol):
    """Turn a Keras layer into a chain of layers, each reading the one before; the first reads the inputs.

    Raises KgennError, or ValueError where the inputs' shapes do not fit.
    """

    def __call__(self, config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]: ...


class OperationReader(Protocol):
    """Turn the call of an operation into such a chain, or into one for each of its outputs."""

    def __call__(
        self, config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]
    ) -> tuple[Layer, ...] | OutputChains: ...


def plain(value: Any) -> Any:
    """Return a config value without Keras' wrappers of arrays, tensors and tuples."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config")
        if kind in ("__numpy__", "__tensor__") and isinstance(config, Mapping):
            return config.get("value")
        if kind == "__tuple__":
            return plain(value.get("items"))
    return value


def is_sizes(values: Any, minimum: int = 1) -> bool:
    """Tell whether a value is a list of integers from `minimum` up that an index can hold."""
    whole = isinstance(values, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    return whole and all(minimum <= v <= LARGEST_INTEGER for v in values)


def is_whole(value: Any) -> bool:
    """Tell whether a value is an integer, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def shortened(text: str, longest: int = 200) -> str:
    """Return a text, cut where it is longer than a message should be."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def only(inputs: tuple[Shape, ...], rank: int | None = None) -> Shape:
    """Return the shape of a layer's single input; raise ValueError where there are more, or other axes."""
    if len(inputs) != 1:
        raise ValueError(f"takes one input, but is called on {len(inputs)}")
    if rank is not None and len(inputs[0]) != rank:
        raise ValueError(f"takes inputs with {rank} axes beside the batch, but is called on {inputs[0]}")
    return inputs[0]
