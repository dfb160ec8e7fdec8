"""The wheel and the sdist: what they hold, and that kgenn works from them where there is no repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import BytesParser
from importlib.util import find_spec
from pathlib import Path

import pytest

import kgenn

ROOT = Path(__file__).parents[2]
NAME = f"kgenn-{kgenn.__version__}"
# which the README shows
PICTURE = "docs/mnist_cnn.svg"
INFO = f"{NAME}.dist-info"
SOURCES = ("kgenn", "templates", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore", PICTURE)
# Without these the processes that are started know nothing of this checkout.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KGENN"))}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (find_spec("build") and find_spec("hatchling")), reason="needs build and hatchling"),
]


def call(*arguments: object, where: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory; show what it said where it fails."""
    command = [str(argument) for argument in arguments]
    done = subprocess.run(command, cwd=where, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def ignored(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("__pycache__", "_templates")}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the distributions are made from, beside folders of which they take nothing."""
    place = tmp_path_factory.mktemp("checkout") / "kgenn"
    place.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=ignored)
        else:
            (place / name).parent.mkdir(exist_ok=True)
            shutil.copy(source, place / name)
    for name in ("tests", "benchmarks", "configs", "docs", ".ci"):
        (place / name).mkdir(exist_ok=True)
        (place / name / "__init__.py").touch()
    return place


@pytest.fixture(scope="session")
def dist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the sdist, and the wheel that is built from it."""
    place = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", place, checkout, where=place)
    return place


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(directory: str) -> set[str]:
    """Return the files below a directory of the checkout, as it is."""
    found = (p for p in (ROOT / directory).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(ROOT).as_posix() for path in found}


def metadata(wheel: dict[str, bytes]) -> Message:
    return BytesParser().parsebytes(wheel[f"{INFO}/METADATA"])


def the_wheel(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_package_the_templates_and_nothing_else(dist: Path) -> None:
    templates = {f"kgenn/_{name}" for name in files("templates")}
    information = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert set(members(the_wheel(dist))) == files("kgenn") | templates | {f"{INFO}/{name}" for name in information}
    assert len(templates) > 20
    assert "kgenn/py.typed" in files("kgenn")


def test_the_sdist_holds_what_a_wheel_is_built_from_and_nothing_else(dist: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    texts = {name for name in SOURCES if (ROOT / name).is_file()}
    assert names == files("kgenn") | files("templates") | texts | {"PKG-INFO"}


def test_the_sdist_and_the_checkout_build_the_same_wheel(dist: Path, checkout: Path, tmp_path: Path) -> None:
    call(
        sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, checkout, where=tmp_path
    )
    assert members(the_wheel(tmp_path)) == members(the_wheel(dist))


def test_the_metadata_tell_version_license_and_pythons(dist: Path) -> None:
    found = metadata(members(the_wheel(dist)))
    assert found["Version"] == kgenn.__version__
    assert (found["License-Expression"], found["License-File"]) == ("MIT", "LICENSE")
    assert found["Requires-Python"] == ">=3.11"
    assert {f"Programming Language :: Python :: 3.{n}" for n in (11, 12, 13)} <= set(
        found.get_all("Classifier", [])
    )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh virtual environment."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    reached = call(place / "bin/pip", "download", "--no-deps", "-q", "click", where=place, check=False)
    if reached.returncode != 0:
        pytest.skip(f"no package index: {reached.stderr.strip().splitlines()[-1]}")
    return place


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """Return a directory that holds a model and data, far from the repository."""
    for name in ("models/mnist_cnn.h5", "data/mnist_calibration.npz", "data/mnist_1000.npz"):
        shutil.copy(ROOT / "benchmarks" / name, tmp_path)
    return tmp_path


def works(kgenn: Path, user: Path) -> None:
    """Compile, run, verify, inspect and export by an installed command."""
    target = "cpu" if shutil.which("c++") else "reference"
    options = ("--scale", "1/255", "--calibration-samples", 32, "--timesteps", 16)
    data = ("--calibration", "mnist_calibration.npz")
    assert call(kgenn, "--version", where=user).stdout.endswith(f"{NAME.removeprefix('kgenn-')}\n")
    call(kgenn, "check", "mnist_cnn.h5", where=user)
    call(kgenn, "compile", "mnist_cnn.h5", *data, *options, "--target", target, "-o", "out", where=user)
    ran = call(kgenn, "run", "out", "--data", "mnist_1000.npz", "--limit", 50, "--json", where=user)
    assert '"accuracy": ' in ran.stdout
    call(kgenn, "verify", "out", where=user)
    call(kgenn, "inspect", "out", "--picture", "out.svg", where=user)
    call(kgenn, "compile", "mnist_cnn.h5", *data, *options, "--target", "genn-cpu", "-o", "genn", where=user)
    spikes = ("--encoder", "if", "--target", "reference")
    call(kgenn, "compile", "mnist_cnn.h5", *data, *options, *spikes, "-o", "spikes", where=user)
    call(kgenn, "export", "spikes", "--to", "ml-genn", "-o", "ml_genn.py", where=user)
    refused = call(kgenn, "check", "none.h5", where=user, check=False)
    assert (refused.returncode, refused.stderr[:12]) == (1, "error[KG101]")


def test_installed_from_the_wheel_the_command_line_works_without_the_repository(
    dist: Path, environment: Path, user: Path
) -> None:
    call(environment / "bin/pip", "install", "-q", the_wheel(dist), where=user)
    where = call(environment / "bin/python", "-c", "import kgenn; print(kgenn.__file__)", where=user).stdout
    assert where.startswith(str(environment))
    works(environment / "bin/kgenn", user)


def test_an_editable_install_works_from_anywhere(checkout: Path, environment: Path, user: Path) -> None:
    call(environment / "bin/pip", "install", "-q", "-e", checkout, where=user)
    where = call(environment / "bin/python", "-c", "import kgenn; print(kgenn.__file__)", where=user).stdout
    assert where.startswith(str(checkout))
    works(environment / "bin/kgenn", user)
