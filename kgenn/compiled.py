"""A network built for a target: run it, compare it with its model, save it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kgenn.artifact.credits import credits_of
from kgenn.artifact.directory import Artifact, write_artifact
from kgenn.artifact.self_test import self_test
from kgenn.backends import TARGETS
from kgenn.backends.base import Simulator, Work
from kgenn.config import whole
from kgenn.data.load import AS_FLOATS, LabelsLike, labels_by_output, refuse_integers
from kgenn.data.plausibility import run_warnings
from kgenn.diagnostics import announce, fail
from kgenn.display import Displayed
from kgenn.ir.given import given_path
from kgenn.ir.graph import Array
from kgenn.ir.input_statistics import statistics_of
from kgenn.ir.network import Network
from kgenn.ir.recording import SCORES, Recording, RecordingOptions, batch_size_for
from kgenn.ir.samples import Samples, SamplesLike, place_of
from kgenn.ir.scores import heads_of
from kgenn.metrics.ann_tally import AnnTally
from kgenn.metrics.compared_output import ComparedOutput
from kgenn.metrics.comparison import Comparison
from kgenn.metrics.early_exit import ExitTally
from kgenn.metrics.layer_error import ErrorTally, ann_predictions, ideal_rates
from kgenn.metrics.result import Result, ResultTally
from kgenn.neurobench import NeuroBenchTally
from kgenn.stream import Stream
from kgenn.tasks.goal import Choice, Names, Numbers, choices
from kgenn.tasks.labelled_goals import LabelledGoals, labelled_goals, or_input, over, stored

# Samples simulated at once: enough for any number of threads, few enough for the scores of long runs.
BATCH_SIZE = 64
# Samples are counted in 32 bits.
MAX_SAMPLES = 2**31 - 1
# Multiply-accumulates of an ANN in NumPy that take a few seconds.
ANN_MACS = 1e10
Progress = Callable[[int], None]
# Called after each batch with the index of its first sample, its drive and its recording.
Observer = Callable[[int, Array, Recording], None]


class CompiledNetwork(Displayed):
    """A network built for a target.

    Attributes:
        artifact: the network, the target, and where they came from.
    """

    display = "compiled"

    def __init__(self, artifact: Artifact, simulator: Simulator) -> None:
        self.artifact = artifact
        self._simulator = simulator

    def __repr__(self) -> str:
        return f"<CompiledNetwork for {self.artifact.target}: {self.network!r}>"

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
        record: RecordingOptions = SCORES,
        early_exit: float | None = None,
        *,
        task: Names = None,
        metric: Names = None,
        threshold: Numbers = None,
    ) -> Result:
        """Run samples and return accuracy, spikes and operations.

        Args:
            x: shape (N, *input shape), as the model takes them. For several inputs, a list of arrays in their
                order, or a mapping from their names. Integers are refused, see `kgenn.samples`.
            y: labels that fit the task of the output, such as class indices of shape (N,), or one-hot rows. For
                several outputs, a list in their order with None for an output without labels, or a mapping from
                the names of some.
            batch_size: samples simulated at once, fewer if spikes are traced; the result does not depend on it.
            progress: called with the number of finished samples after each batch.
            observe: called with the recording of each batch.
            record: what else these recordings contain.
            early_exit: also report the result of stopping each sample at the first step where each class that
                the outputs predict has this probability, in (0, 1]; see `kgenn.metrics.early_exit`. The run then
                records every spike.
            task, metric, threshold: one value for all outputs, or a mapping from the names of some. The defaults
                are those of the conversion; otherwise they are guessed from the model's last activation and the
                labels, see `kgenn.tasks`.

        Raises:
            KgennError: KG401 for a task that an output cannot have, or an early exit that the network does not
                support; KG602 to KG604 for inputs that it does not take; KG607 for labels that do not fit.

        Warns:
            KgennWarning: for a reason to doubt the figures; `Result.warnings` has it too.
        """
        samples, size = self._samples(x), whole("batch_size", batch_size, 1, MAX_SAMPLES)
        labelled = self._labelled(samples, y, choices(self._outputs, task, metric, threshold))
        return self._judged(self._run(samples, labelled, size, progress, observe, record, early_exit), samples)

    def predict(
        self, x: SamplesLike, batch_size: int = BATCH_SIZE
    ) -> Array | tuple[Array, ...] | dict[str, Array]:
        """Run samples and return the network's outputs in the units of the model's, as `Graph.predict` does.

        For the classes, see `evaluate(x).predictions`.

        Args:
            x, batch_size: as for `evaluate`.

        Returns:
            The output of shape (N, *output shape), float32; a tuple of them for several outputs; a dictionary
            where the model gives one.

        Raises:
            KgennError: KG602 to KG604 for inputs that the network does not take.
        """
        samples, size = self._samples(x), whole("batch_size", batch_size, 1, MAX_SAMPLES)
        result = self._judged(
            self._run(samples, self._labelled(samples, None, {}), size, None, None, SCORES, None), samples
        )
        heads = heads_of(self.network)
        values = {head.name: result.outputs[head.name].scores.reshape(-1, *head.end.shape) for head in heads}
        return self.network.naming.as_predicted(values)

    def score(
        self,
        x: SamplesLike,
        y: LabelsLike,
        batch_size: int = BATCH_SIZE,
        *,
        task: Names = None,
        metric: Names = None,
        threshold: Numbers = None,
    ) -> float:
        """Run labelled samples and return one figure of which more is better, as scikit-learn's `score` does.

        That is the metric of the first output. An error is negated; a regression without `metric` gives R².

        Args:
            x, y, batch_size, task, metric, threshold: as for `evaluate`.

        Raises:
            KgennError: as `evaluate`; KG607 where the first output has no labels.
        """
        samples, size = self._samples(x), whole("batch_size", batch_size, 1, MAX_SAMPLES)
        labelled = self._labelled(samples, y, choices(self._outputs, task, metric, threshold))
        result = self._judged(self._run(samples, labelled, size, None, None, SCORES, None), samples)
        found = next(iter(result.outputs.values())).score(chosen=metric is not None)
        if found is None:
            raise fail("KG607", "labels", "of the first output are missing", "give y, a label for each sample")
        return found

    def _judged(self, result: Result, samples: Samples) -> Result:
        """Return a result with what leaves it in doubt."""
        seen = {name: statistics_of(array) for name, array in samples.arrays.items()}
        result = replace(result, warnings=run_warnings(self.network, seen))
        announce(result.warnings, stacklevel=4)
        return result

    def _run(
        self,
        samples: Samples,
        labelled: LabelledGoals,
        batch_size: int,
        progress: Progress | None,
        observe: Observer | None,
        record: RecordingOptions,
        early_exit: float | None,
    ) -> Result:
        tally = ResultTally(self.network, labelled.goals)
        exits = None if early_exit is None else ExitTally(self.network, early_exit, labelled.goals)
        if exits is not None:
            record = replace(record, trace=True, curve=True)
        elif observe is None:
            record = replace(record, per_sample=False)
        batch_size = batch_size_for(self.network, batch_size * self._simulator.slots, record.trace)
        self.prepare(len(samples), batch_size, record.trace)
        wall, cpu = 0.0, 0.0
        for start, drive in self._batches(samples, batch_size, progress):
            wall_before, cpu_before = time.perf_counter(), self._cpu_seconds()
            recording = self._simulator.run(drive, start, record)
            wall += time.perf_counter() - wall_before
            cpu += self._cpu_seconds() - cpu_before
            labels = labelled.part(start, len(drive))
            tally.add(recording, labels)
            if exits is not None:
                exits.add(recording, labels)
            if observe is not None:
                observe(start, drive, recording)
        exited = None if exits is None else exits.result(labelled.labels)
        return tally.result(labelled.labels, wall, cpu, self._simulator.kernel_seconds, exited)

    def prepare(self, count: int, batch_size: int = BATCH_SIZE, trace: bool = False) -> None:
        """Do before a run what the target can do once for all batches; `evaluate` does it too.

        Args:
            count: number of samples that will run.
            batch_size: samples simulated at once, at most.
            trace: whether every spike will be recorded.
        """
        self._simulator.prepare(trace, min(batch_size, max(count, 1)))

    @property
    def work(self) -> tuple[Work, ...]:
        """Return how each connection was computed so far, if the target has a choice; see `run --explain`."""
        return self._simulator.work

    def bibtex(self) -> str:
        """Return the BibTeX of every work that the network used, as `kgenn cite` prints it."""
        return "\n\n".join(credit.bibtex for credit in credits_of(self.artifact)) + "\n"

    def trace(self, x: SamplesLike, batch_size: int = BATCH_SIZE) -> Iterator[Recording]:
        """Yield the recording of each batch with every spike in it."""
        size = whole("batch_size", batch_size, 1, MAX_SAMPLES)
        for start, drive in self._batches(self._samples(x), size, None):
            yield self._simulator.run(drive, start, RecordingOptions(trace=True))

    def stream(self) -> Stream:
        """Return a stream, which runs the network timestep by timestep and keeps the state of its neurons.

        Raises:
            KgennError: KG401 for a network that works in stages, and for a target without streams.
        """
        if self.network.code.staged:
            what = "the network works in stages: no output exists before its last step"
            raise fail("KG401", "stream", what, "call evaluate, or convert with a rate-coded method")
        stepper = self._simulator.stepper()
        if stepper is None:
            what = f"the target {self.artifact.target} runs whole samples only"
            raise fail("KG401", "stream", what, "use the target cpu, or reference; they give the same spikes")
        return Stream(self.network, stepper)

    def compare(
        self,
        x: SamplesLike,
        y: LabelsLike | None = None,
        batch_size: int = BATCH_SIZE,
        progress: Progress | None = None,
        *,
        task: Names = None,
        metric: Names = None,
        threshold: Numbers = None,
    ) -> Comparison:
        """Compare each layer's firing rates with the ANN's activations, and the metrics.

        The ANN here is the network's own, with weights on its integer grid. Arguments as for `evaluate`.
        """
        samples = self._samples(x)
        labelled = self._labelled(samples, y, choices(self._outputs, task, metric, threshold))
        tally = ErrorTally(self.network, labelled.goals)

        def observe(start: int, drive: Array, recording: Recording) -> None:
            assert recording.train_values is not None
            tally.add(drive, recording.train_values, labelled.part(start, len(drive)))

        size = whole("batch_size", batch_size, 1, MAX_SAMPLES)
        result = self._run(samples, labelled, size, progress, observe, RecordingOptions(train_values=True), None)
        return Comparison(tally.errors(), tally.ann_values(labelled.labels), self._judged(result, samples))

    def with_ann(
        self,
        x: SamplesLike,
        y: LabelsLike | None,
        result: Result,
        max_samples: int | None = None,
        *,
        task: Names = None,
        metric: Names = None,
        threshold: Numbers = None,
    ) -> Result:
        """Return a result with the metrics of its weights as an ANN and as a quantised twin, on the first samples.

        Args:
            x, y, task, metric, threshold: as for `evaluate`.
            result: of `evaluate` on these.
            max_samples: that are computed; None: as many as take a few seconds, which may be none.
        """
        network, samples = self.network, self._samples(x)
        labelled = self._labelled(samples, y, choices(self._outputs, task, metric, threshold))
        macs = max(1, sum(c.connectivity.num_synapses for c in network.connections))
        count = min(len(samples), int(ANN_MACS / macs) if max_samples is None else max_samples)
        if count == 0:
            return result
        tally = AnnTally(network, labelled.goals)
        for start, drive in self._batches(samples[:count], BATCH_SIZE, None):
            tally.add(drive, labelled.part(start, len(drive)))
        return tally.added_to(result, labelled.part(0, count))

    def neurobench(
        self, x: SamplesLike, batch_size: int = BATCH_SIZE, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Return the costs of samples as the package neurobench defines them; see `kgenn.neurobench`.

        The samples run on the NumPy reference, which fires the same spikes as every target, and is slow.

        Args:
            x, batch_size, progress: as for `evaluate`.

        Raises:
            KgennError: KG602 to KG604 for inputs that the network does not take.
        """
        samples, size = self._samples(x), whole("batch_size", batch_size, 1, MAX_SAMPLES)
        tally = NeuroBenchTally(self.network)
        for start, drive in self._batches(samples, batch_size_for(self.network, size), progress):
            tally.add(start, drive)
        return tally.figures()

    def compared_outputs(
        self,
        x: SamplesLike,
        y: LabelsLike | None,
        result: Result,
        count: int,
        *,
        task: Names = None,
        metric: Names = None,
        threshold: Numbers = None,
    ) -> dict[str, ComparedOutput]:
        """Return what each output says of the first samples beside what its weights say as an ANN, by its name.

        Args:
            x, y, task, metric, threshold: as for `evaluate`.
            result: of `evaluate` on these.
            count: of the samples.
        """
        samples = self._samples(x)
        labelled = self._labelled(samples, y, choices(self._outputs, task, metric, threshold))
        drives = [drive for _, drive in self._batches(samples[:count], BATCH_SIZE, None)]
        ideals = [ideal_rates(self.network, drive) for drive in drives]
        found = {}
        for head in heads_of(self.network):
            own, labels = labelled.goals[head.name].task, labelled.labels.get(head.name)
            model = np.concatenate([ann_predictions(head, own, ideal) for ideal in ideals])
            says = result.outputs[head.name].predictions[:count]
            found[head.name] = ComparedOutput(own, model, says, None if labels is None else labels[:count])
        return found

    def save(self, directory: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the output directory: manifest, network, sources; see `kgenn run`.

        Args:
            overwrite: replace an older output even where that removes files that kgenn did not write.

        Raises:
            KgennError: KG606 where it cannot be written, or holds something else.
        """
        place = given_path(directory, "directory", "KG606")
        program = TARGETS.get(self.artifact.target)().emit(self.network)
        write_artifact(place, self.artifact.files(program, self_test(self.network)), overwrite)

    def _cpu_seconds(self) -> float:
        """Return the CPU time so far of this process and of the simulator's own."""
        return time.process_time() + self._simulator.child_cpu_seconds

    @property
    def _outputs(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.network.outputs)

    def _samples(self, x: SamplesLike) -> Samples:
        """Return samples of the network's inputs; raise KG602 where there are none."""
        samples = self.network.samples(x)
        if not len(samples):
            raise fail("KG602", "data", "hold no samples", "give at least one")
        return samples

    def _labelled(self, samples: Samples, y: LabelsLike | None, chosen: Mapping[str, Choice]) -> LabelledGoals:
        """Return the goal of each output, and the labels of those that have any."""
        ends = {head.name: head.end for head in heads_of(self.network)}
        chosen = over(chosen, stored(self.network.origin))
        given = labels_by_output(y, self._outputs, self.network.naming)
        return labelled_goals(ends, chosen, or_input(given, ends, chosen, samples), len(samples))

    def _batches(self, x: Samples, size: int, progress: Progress | None) -> Iterator[tuple[int, Array]]:
        for name, array in x.arrays.items():
            refuse_integers(array, place_of("data", name, x.arrays), AS_FLOATS)
        for start in range(0, len(x), size):
            drive = self.network.drive(x[start : start + size], start)
            yield start, drive
            if progress is not None:
                progress(len(drive))
