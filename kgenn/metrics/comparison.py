"""What a comparison of a spiking network with its model gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kgenn.metrics.layer_error import LayerError
from kgenn.metrics.result import Result


@dataclass(frozen=True, eq=False)
class Comparison:
    """A network against its model, on the same samples.

    Attributes:
        layers: the error of each hidden population, in order.
        ann_accuracy: of the model with its weights on the network's integer grid; None without labels. Of several
            outputs, that of the first.
        result: of the network.
        ann_accuracies: the same of each output that has labels, by its name.
    """

    layers: tuple[LayerError, ...]
    ann_accuracy: float | None
    result: Result
    ann_accuracies: Mapping[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> int | None:
        """Return the index of the layer with the largest error of its own; None without layers."""
        indices = range(len(self.layers))
        return max(indices, key=lambda i: self.layers[i].own, default=None)

    def _outputs(self) -> dict[str, Any]:
        """Return the accuracies of each output, where there are several."""
        found = self.result.outputs
        if len(found) == 1:
            return {}
        ann = self.ann_accuracies
        pairs = {name: {"ann_accuracy": ann.get(name), "accuracy": o.accuracy} for name, o in found.items()}
        return {"outputs": pairs}

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "worst_layer": None if self.worst is None else self.layers[self.worst].population,
            "ann_accuracy": self.ann_accuracy,
            "accuracy": self.result.accuracy,
            **self._outputs(),
            "num_samples": self.result.num_samples,
            "num_timesteps": self.result.num_timesteps,
            "warnings": [diagnostic.to_dict() for diagnostic in self.result.warnings],
        }
