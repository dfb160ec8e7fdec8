"""The README says what is so: its examples run, and its figures are those of the commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| shipped \| `([^`]+)` \| ([\d.]+) \| ([\d.]+)[^|]* \| (\d+) \|$", re.MULTILINE)
ROWS = ROW.findall(README)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def first_command(directory: Path, options: str = "", output: str = "") -> str:
    """Return the first command, with more options of compile and of run, as this interpreter runs it."""
    compiling, running = blocks("sh")[0].strip().split(" && ")
    command = f"{compiling} {options} && {running} {output}".replace("mnist_snn", str(directory / "mnist_snn"))
    return re.sub(r"(^|&& )kgenn", rf"\1{sys.executable} -m kgenn", command)


def printed(command: str) -> str:
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_it_is_a_page_and_not_a_manual() -> None:
    assert len(README.splitlines()) < 150


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link.partition("#")[0]).is_file()] == []


def test_main_command_compiles_the_shipped_model_and_prints_its_accuracy(tmp_path: Path) -> None:
    (shown,) = (line for line in blocks("text")[0].splitlines() if line.startswith("accuracy"))
    assert shown.strip() in printed(first_command(tmp_path))


@pytest.mark.slow
def test_python_example_runs(tmp_path: Path) -> None:
    (example,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True)
    accuracy = float(re.search(r"accuracy +([\d.]+) %", done.stdout)[1])  # type: ignore[index]
    assert accuracy > 98


def test_the_results_have_rows_of_the_shipped_network() -> None:
    assert len(ROWS) == len(re.findall(r"^\| shipped ", README, flags=re.MULTILINE)) > 3


@pytest.mark.slow
@pytest.mark.parametrize(("options", "accuracy", "spikes", "latency"), ROWS)
def test_a_result_is_that_of_its_command(
    options: str, accuracy: str, spikes: str, latency: str, tmp_path: Path
) -> None:
    text = printed(first_command(tmp_path, f"{options} --json > /dev/null", "--json"))
    result = json.loads(text)
    assert result["accuracy"] == pytest.approx(float(accuracy) / 100, abs=0.0015)  # one image, where scales differ
    assert result["spikes_per_neuron"] == pytest.approx(float(spikes), rel=0.01)
    assert f"{result['latency_steps']}" == latency
