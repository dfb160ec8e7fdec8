"""A network built for a target: run it, compare it with its model, save it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kgenn.artifact import Artifact, write_artifact
from kgenn.backends import TARGETS
from kgenn.backends.base import Simulator, Work
from kgenn.config import whole
from kgenn.credits import credits_of
from kgenn.data import LabelsLike, labels_of, refuse_integers
from kgenn.diagnostics import announce
from kgenn.ir.graph import Array
from kgenn.ir.input_statistics import statistics_of
from kgenn.ir.network import Network
from kgenn.ir.recording import SCORES, Recording, Wanted, batch_size_for
from kgenn.ir.samples import Samples, SamplesLike
from kgenn.ir.scores import heads_of
from kgenn.metrics.comparison import Comparison
from kgenn.metrics.early_exit import ExitTally
from kgenn.metrics.layer_error import ErrorTally, ann_classes, ideal_rates
from kgenn.metrics.result import AnnAccuracy, Result, Tally
from kgenn.plausibility import doubts_of_run
from kgenn.self_test import self_test

# How to pass integers.
AS_FLOATS = (
    "scale them as in training, kgenn.samples(x, shape, '1/255'), or pass x.astype('float32') where the model "
    "takes them as they are or scales them itself"
)
# Samples simulated at once: enough for any number of threads, few enough for the scores of long runs.
BATCH_SIZE = 64
# Samples are counted in 32 bits.
MOST_SAMPLES = 2**31 - 1
# Multiply-accumulates of an ANN in NumPy that take a few seconds.
ANN_MACS = 1e10
Progress = Callable[[int], None]
# Called after each batch with the index of its first sample, its drive and its recording.
Observer = Callable[[int, Array, Recording], None]


class CompiledNetwork:
    """A network built for a target.

    Attributes:
        artifact: the network, the target, and where they came from.
    """

    def __init__(self, artifact: Artifact, simulator: Simulator) -> None:
        self.artifact = artifact
        self._simulator = simulator

    @property
    def network(self) -> Network:
        """Return the spiking network."""
        return self.artifact.network

    def evaluate(
        self,
        x: SamplesLike,
        y: LabelsLike | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
        observe: Observer | None = None,
        wanted: Wanted = SCORES,
        early_exit: float | None = None,
    ) -> Result:
        """Run samples and count what happens.

        Args:
            x: shape (N, *input shape), as the model takes them; of several inputs a list of arrays in their order,
                or a mapping from their names; no integers, see `kgenn.samples`.
            y: class indices of shape (N,), or one-hot; of several outputs a list in their order, None for one
                without labels, or a mapping from the names of some.
            batch_size: samples simulated at once, fewer to trace them; the result does not depend on it.
            progress: called with the number of samples finished after each batch.
            observe: called with the recording of each batch.
            wanted: what else those recordings shall hold.
            early_exit: also report the result of stopping each sample at the first step where one class reaches
                this softmax probability, in (0, 1]; see `kgenn.metrics.early_exit`. The run records every spike.

        Raises:
            KgennError: KG401 where the network knows no early exit, KG602 to KG604 for inputs that it does not
                take, KG607 for odd labels.

        Warns:
            KgennWarning: what leaves the figures in doubt; `Result.warnings` keeps it.
        """
        samples, batch_size = self.network.samples(x), whole("batch_size", batch_size, 1, MOST_SAMPLES)
        labels = self._labels(y, len(samples))
        tally = Tally(self.network)
        exits = None if early_exit is None else ExitTally(self.network, early_exit)
        if exits is not None:
            wanted = replace(wanted, trace=True, curve=True)
        elif observe is None:
            wanted = replace(wanted, per_sample=False)
        if wanted.trace:
            batch_size = batch_size_for(self.network, batch_size)
        self.prepare(len(samples), batch_size, wanted.trace)
        wall, cpu = 0.0, 0.0
        for start, drive in self._batches(samples, batch_size, progress):
            wall_before, cpu_before = time.perf_counter(), self._cpu_seconds()
            recording = self._simulator.run(drive, start, wanted)
            wall += time.perf_counter() - wall_before
            cpu += self._cpu_seconds() - cpu_before
            right = _part(labels, start, len(drive))
            tally.add(recording, right)
            if exits is not None:
                exits.add(recording, next(iter(right.values()), None))
            if observe is not None:
                observe(start, drive, recording)
        exited = None if exits is None else exits.result(bool(labels))
        result = tally.result(labels.keys(), wall, cpu, self._simulator.kernel_seconds, exited)
        seen = {name: statistics_of(array) for name, array in samples.arrays.items()}
        result = replace(result, warnings=doubts_of_run(self.network, seen))
        announce(result.warnings)
        return result

    def prepare(self, count: int, batch_size: int = BATCH_SIZE, trace: bool = False) -> None:
        """Do ahead of a run what the target can do once for all batches; `evaluate` does it too.

        Args:
            count: of the samples that will run.
            batch_size: samples simulated at once, at most.
            trace: every spike will be recorded.
        """
        self._simulator.prepare(trace, min(batch_size, max(count, 1)))

    @property
    def work(self) -> tuple[Work, ...]:
        """Return how each connection was computed so far, where the target can choose; see `run --explain`."""
        return self._simulator.work

    def bibtex(self) -> str:
        """Return the BibTeX of every work that the network used, as `kgenn cite` prints it."""
        return "\n\n".join(credit.bibtex for credit in credits_of(self.artifact)) + "\n"

    def trace(self, x: SamplesLike, batch_size: int = BATCH_SIZE) -> Iterator[Recording]:
        """Yield the recording of each batch with every spike in it."""
        size = whole("batch_size", batch_size, 1, MOST_SAMPLES)
        for start, drive in self._batches(self.network.samples(x), size, None):
            yield self._simulator.run(drive, start, Wanted(trace=True))

    def compare(
        self,
        x: SamplesLike,
        y: LabelsLike | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
    ) -> Comparison:
        """Compare each layer's firing rates with the ANN's activations, and the accuracies.

        The ANN here is the network's own, with weights on its integer grid. Arguments as for `evaluate`.
        """
        samples = self.network.samples(x)
        labels = self._labels(y, len(samples))
        tally = ErrorTally(self.network)

        def observe(start: int, drive: Array, recording: Recording) -> None:
            assert recording.worths is not None
            tally.add(drive, recording.worths, _part(labels, start, len(drive)))

        result = self.evaluate(samples, labels, batch_size, progress, observe, Wanted(worths=True))
        accuracies = {name: tally.ann_correct[name] / max(len(samples), 1) for name in labels}
        return Comparison(tally.errors(), accuracies.get(self.network.outputs[0].name), result, accuracies)

    def ann_accuracy(
        self, x: SamplesLike, y: LabelsLike, result: Result, most_macs: float = ANN_MACS
    ) -> AnnAccuracy | None:
        """Return the accuracy of the network's weights as an ANN, of the first output and the first samples.

        Args:
            x, y: as for `evaluate`.
            result: of `evaluate` on these.
            most_macs: multiply-accumulates that it may take; so many samples are computed as they allow.

        Returns:
            None where they allow no sample, or the output has no labels.
        """
        network, (head, *_) = self.network, heads_of(self.network)
        samples = network.samples(x)
        labels = self._labels(y, len(samples)).get(head.name)
        count = min(
            len(samples), int(most_macs / max(1, sum(c.connectivity.num_synapses for c in network.connections)))
        )
        if labels is None or count == 0:
            return None
        right = 0
        for start, drive in self._batches(samples[:count], BATCH_SIZE, None):
            found = ann_classes(head, ideal_rates(network, drive))
            right += int((found == labels[start : start + len(drive)]).sum())
        own = float((result.predictions[:count] == labels[:count]).mean())
        return AnnAccuracy(count, right / count, own)

    def save(self, directory: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the output directory: manifest, network, sources; see `kgenn run`.

        Args:
            overwrite: replace an older output even where that removes files that kgenn did not write.

        Raises:
            KgennError: KG606 where it cannot be written, or holds something else.
        """
        program = TARGETS.get(self.artifact.target)().emit(self.network)
        write_artifact(Path(directory), self.artifact.files(program, self_test(self.network)), overwrite)

    def _cpu_seconds(self) -> float:
        """Return the CPU time so far of this process and of the simulator's own."""
        return time.process_time() + self._simulator.child_cpu_seconds

    def _labels(self, y: LabelsLike | None, count: int) -> dict[str, Array]:
        """Return the class indices of each output that has labels."""
        return labels_of(y, count, {head.name: head.num_classes for head in heads_of(self.network)})

    def _batches(self, x: Samples, size: int, progress: Progress | None) -> Iterator[tuple[int, Array]]:
        for name, array in x.arrays.items():
            refuse_integers(array, "data" if len(x.arrays) == 1 else f"data, {name}", AS_FLOATS)
        for start in range(0, len(x), size):
            drive = self.network.drive(x[start : start + size])
            yield start, drive
            if progress is not None:
                progress(len(drive))


def _part(labels: Mapping[str, Array], start: int, count: int) -> dict[str, Array]:
    """Return the labels of some samples."""
    return {name: own[start : start + count] for name, own in labels.items()}
