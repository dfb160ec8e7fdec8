"""What outputs are for, each a value of its own: predictions, labels, metrics."""

from __future__ import annotations

from collections.abc import Mapping

from kgenn.tasks.base import Task
from kgenn.tasks.binary import Binary
from kgenn.tasks.classes import Classes
from kgenn.tasks.multi_label import MultiLabel
from kgenn.tasks.reconstruction import Reconstruction
from kgenn.tasks.regression import Regression
from kgenn.tasks.segmentation import Segmentation

TASKS: Mapping[str, type[Task]] = {
    task.name: task for task in (Classes, Binary, MultiLabel, Segmentation, Regression, Reconstruction)
}
