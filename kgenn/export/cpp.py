"""C++: the sources of the target cpu under names of the user's, for programs that hold several networks."""

from __future__ import annotations

from typing import ClassVar

from kgenn.backends.base import Program
from kgenn.backends.cpp_program import emit_cpp
from kgenn.export.base import Exporter
from kgenn.export.prefix import checked_prefix, renamed
from kgenn.ir.network import Network


class CppSources(Exporter):
    """The generated C++, its header, its CMakeLists.txt and its weights; all names begin with the prefix."""

    folder: ClassVar[bool] = True

    def emit(self, network: Network, name: str) -> Program:
        return Program(renamed(emit_cpp(network).files, checked_prefix(name)))
