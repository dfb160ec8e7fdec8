"""Packages that only sweeps need, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kgenn.diagnostics import fail


def extra(module: str, group: str) -> Any:
    """Return a module of an optional dependency.

    Args:
        module: its name.
        group: the extra of kgenn that installs it.

    Raises:
        KgennError: KG508 where it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        what = f"needs the package {error.name}, which is not installed"
        raise fail("KG508", "kgenn bench", what, f"pip install 'kgenn[{group}]'") from None
