"""What every exporter is: a way to write a network as files of another tool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib import import_module
from typing import Any, ClassVar

from kgenn.backends.base import Program
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.ir.network import Connection, Network


class Exporter(ABC):
    """A format of `kgenn export`.

    Attributes:
        folder: it is sources in a folder of their own, whose names begin with a prefix.
        suffix: of the file, which the user may leave out; "" for a folder.
        readers: the programs that `--for` names, for which the files differ.
        reader: the one that the files are for, or "" for any.
    """

    folder: ClassVar[bool] = False
    suffix: ClassVar[str] = ""
    readers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, reader: str = "") -> None:
        assert reader in ("", *self.readers), reader
        self.reader = reader

    @abstractmethod
    def emit(self, network: Network, name: str) -> Program:
        """Return the files; the first has the name the user gave, any other one derived from it.

        Args:
            name: of the file, or the prefix of all names where the format is a folder.

        Raises:
            KgennError: KG41x with everything that the format cannot hold.
        """


def optional(module: str, advice: str) -> Any:
    """Import a package that kgenn does not require.

    Raises:
        KgennError: KG508 where it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise fail("KG508", module, f"cannot be imported: no module {error.name}", advice) from error


def refuse(code: str, advice: str, obstacles: Iterable[tuple[str, str]]) -> None:
    """Raise one error with every (where, what) that keeps a network out of a format, if there is any."""
    found = tuple(Diagnostic(code, where, what, advice) for where, what in obstacles)
    if found:
        raise KgennError(found)


def route(connection: Connection) -> str:
    """Return the name of a connection in messages."""
    return f"{connection.source} to {connection.target}"
