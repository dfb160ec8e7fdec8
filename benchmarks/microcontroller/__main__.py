"""Export a compiled network as integer C, build it for a Cortex-M7, and run it in QEMU.

    python -m benchmarks.microcontroller snn --data benchmarks/data/mnist_1000.npz

Needs arm-none-eabi-gcc and qemu-system-arm (Debian: gcc-arm-none-eabi, qemu-system-arm). DATA.npz holds bytes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from kgenn.artifact.directory import read_directory
from kgenn.data.load import load_data
from kgenn.export.c import CSources
from kgenn.ir.graph import Array

HERE = Path(__file__).parent
PREFIX = "net"
FLAGS = ("-mcpu=cortex-m7", "-mthumb", "-std=c99", "-O2", "-ffreestanding", "-fno-tree-loop-distribute-patterns")
MACHINE = ("qemu-system-arm", "-machine", "mps2-an500", "-nographic", "-icount", "shift=0")


def images(x: Array, y: Array) -> str:
    """Return a header with samples of bytes and their labels."""
    rows = ["{" + ", ".join(map(str, row)) + "}" for row in x.reshape(len(x), -1).tolist()]
    return (
        f"#define NUM_IMAGES {len(x)}\n"
        f"static const uint8_t images[NUM_IMAGES][NET_NUM_INPUTS] = {{\n{', '.join(rows)}\n}};\n"
        f"static const int32_t labels[NUM_IMAGES] = {{{', '.join(map(str, y.tolist()))}}};\n"
    )


def run(*command: str) -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(directory: Path) -> Path:
    """Compile the program for the board, and print the sizes of the network's own objects."""
    sources = [directory / f"{PREFIX}_network.c", directory / f"{PREFIX}_weights.c"]
    objects = [str(source.with_suffix(".o")) for source in sources]
    for source, made in zip(sources, objects, strict=True):
        run("arm-none-eabi-gcc", *FLAGS, "-c", "-o", made, str(source))
    click.echo(run("arm-none-eabi-size", *objects))
    program = directory / "program.elf"
    link = ("-nostdlib", "-nostartfiles", "-I", str(directory), "-T", str(HERE / "memory.ld"))
    run("arm-none-eabi-gcc", *FLAGS, *link, "-o", str(program), str(HERE / "main.c"), *objects, "-lgcc")
    return program


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--limit", default=8, show_default=True, help="Images.")
def main(directory: Path, data: Path, limit: int) -> None:
    """Measure a compiled network."""
    network, found = read_directory(directory).network, load_data(data, "test").limited(limit)
    assert isinstance(found.x, np.ndarray), "the network has several inputs"
    assert isinstance(found.y, np.ndarray), "the data have no labels"
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for name, content in CSources().emit(network, PREFIX).files.items():
            (place / name).write_bytes(content)
        header = '#include "net_network.h"\n' + images(found.x.astype(np.uint8), found.y)
        (place / "images.h").write_text(header)
        click.echo(run(*MACHINE, "-semihosting-config", "enable=on,target=native", "-kernel", str(build(place))))


if __name__ == "__main__":
    main()
