"""What a comparison of a spiking network with its model gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kgenn.metrics.layer_error import LayerError
from kgenn.metrics.output_result import finite
from kgenn.metrics.result import Result


@dataclass(frozen=True, eq=False)
class Comparison:
    """A network against its model, on the same samples.

    Attributes:
        layers: the error of each hidden population, in order.
        ann_values: of each output that has labels, by its name, the metric of the model with its weights on the
            network's integer grid.
        result: of the network.
    """

    layers: tuple[LayerError, ...]
    ann_values: Mapping[str, float]
    result: Result

    @property
    def worst(self) -> int | None:
        """Return the index of the layer with the largest error of its own; None without layers."""
        indices = range(len(self.layers))
        return max(indices, key=lambda i: self.layers[i].own, default=None)

    @property
    def ann_value(self) -> float | None:
        """Return the metric of the model's first output; None without labels."""
        return self.ann_values.get(next(iter(self.result.outputs)))

    def _figures(self, name: str) -> dict[str, Any]:
        """Return the figures of an output as JSON-able data."""
        own, ann = self.result.outputs[name], finite(self.ann_values.get(name))
        of_classes = {"ann_accuracy": ann if own.metric == "accuracy" else None, "accuracy": own.accuracy}
        return {"task": own.task, "metric": own.metric, "ann_value": ann, "value": finite(own.value), **of_classes}

    def _outputs(self) -> dict[str, Any]:
        """Return the figures of each output, where there are several."""
        names = tuple(self.result.outputs)
        return {} if len(names) == 1 else {"outputs": {name: self._figures(name) for name in names}}

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "worst_layer": None if self.worst is None else self.layers[self.worst].population,
            **self._figures(next(iter(self.result.outputs))),
            **self._outputs(),
            "num_samples": self.result.num_samples,
            "num_timesteps": self.result.num_timesteps,
            "warnings": [diagnostic.to_dict() for diagnostic in self.result.warnings],
        }
