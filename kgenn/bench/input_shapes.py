"""The shapes of samples that a configuration gives, where a model leaves a size open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kgenn.ir.graph import Shape


@dataclass(frozen=True)
class InputShapes:
    """The shape of one sample, or those of some inputs; of none where the model has all sizes itself.

    Attributes:
        named: pairs of an input's name and its shape; "" stands for the only input.
    """

    named: tuple[tuple[str, Shape], ...] = ()

    @property
    def given(self) -> Shape | dict[str, Shape] | None:
        """Return them as `kgenn.api.as_graph` takes them."""
        own = dict(self.named)
        return own.get("", own) if own else None

    def record(self) -> dict[str, Any]:
        """Return the entry of a result, JSON-able; none where no shape is given."""
        own: dict[str, Any] = {name: list(shape) for name, shape in self.named}
        return {"input_shape": own.get("", own)} if own else {}

    def flags(self) -> list[str]:
        """Return the flags of `kgenn compile` that give them."""
        texts = (f"{name}=" * bool(name) + ",".join(map(str, shape)) for name, shape in self.named)
        return [word for text in texts for word in ("--input-shape", text)]


# The model has all sizes itself.
NO_SHAPES = InputShapes()
