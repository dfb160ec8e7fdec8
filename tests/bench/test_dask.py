"""`kgenn bench --dask`: the same results from a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps import ROOT, cells, run

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'kgenn[dask]'")

Kgenn = Callable[..., tuple[int, str, str]]
CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster("127.0.0.1:0", n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def test_a_cluster_of_two_workers_gives_the_same_bytes(
    kgenn: Kgenn, tiny: tuple[Path, Path], tmp_path: Path
) -> None:
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(protocol="tcp://", **options) as cluster:
        code, _, err = kgenn("bench", tiny[0], "-o", tmp_path / "results", "--dask", cluster.scheduler_address)
    assert code == 0, err
    assert (tmp_path / "results/results.jsonl").read_bytes() == (tiny[1] / "results.jsonl").read_bytes()


@pytest.mark.slow
def test_a_cluster_of_two_processes_gives_the_same_bytes(small: tuple[Path, bytes], tmp_path: Path) -> None:
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    config, expected = small
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, script], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        done = run(config, "-o", tmp_path / "results", "--dask", cluster.stdout.readline().strip())
        cluster.stdin.close()
    assert done.returncode == 0, done.stderr
    assert len(cells(tmp_path / "results")) == 12
    assert (tmp_path / "results/results.jsonl").read_bytes() == expected


def test_a_scheduler_that_does_not_answer_is_kg624(
    kgenn: Kgenn, tiny: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kgenn.artifact.cluster.PATIENCE", 0.2)
    code, _, err = kgenn("bench", tiny[0], "-o", tmp_path / "results", "--dask", "tcp://127.0.0.1:1")
    assert code == 3
    assert "error[KG624] tcp://127.0.0.1:1: the scheduler does not answer" in err
