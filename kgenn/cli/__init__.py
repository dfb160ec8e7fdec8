"""The command line: each command is a module of this package, imported when it is used."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from kgenn import __version__
from kgenn.diagnostics import EXIT_USAGE, KgennError, KgennWarning, fail, known_names
from kgenn.files.scratch import remove_scratch

# Command to its "module:attribute" and its line in `kgenn --help`, which then needs no import. An imported module
# becomes a name of this one, so none may be called as a built-in function that is used here.
COMMANDS = {
    "check": ("kgenn.cli.check:check", "Show what each layer of a model becomes, or what is wrong with it."),
    "compile": ("kgenn.cli.compile:compile", "Convert a trained model to a spiking network and build it."),
    "frames": ("kgenn.cli.frames:frames", "Bin events to a frame for each timestep."),
    "run": ("kgenn.cli.run:run", "Run a compiled network on a data set."),
    "verify": (
        "kgenn.cli.verify:verify",
        "Check that a compiled network is complete and runs as it should.",
    ),
    "inspect": ("kgenn.cli.inspect:inspect", "Show the contents of a compiled network or a model."),
    "compare": ("kgenn.cli.compare:compare", "Show layer by layer where a network differs from its model."),
    "bench": ("kgenn.cli.bench:bench", "Run the sweeps of benchmark configurations."),
    "report": ("kgenn.cli.report:report", "Report a sweep: tables with published figures, plots, CSV."),
    "export": ("kgenn.cli.export:export", "Write a compiled network in the format of another tool."),
    "cite": ("kgenn.cli.cite:cite", "Print the BibTeX of what a compiled network used."),
    "list": (
        "kgenn.cli.listing:list_names",
        "List methods, encoders, targets, tasks, layers, operations, features, codes and plug-ins.",
    ),
}
# As a shell reports a process that SIGINT or SIGPIPE ended: 128 and the signal's number.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
# Where a shell asks for completions, as click has it.
COMPLETE = "_KGENN_COMPLETE"


class Commands(click.Group):
    """A group whose commands are imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}: {known_names(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, with their lines, without importing them; else options."""
        found = [
            CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found if not incomplete.startswith("-") else click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kgenn")
def group() -> None:
    """Compile trained Keras models to spiking neural networks, and run them."""


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 ok, 1 the user's input, 2 usage, 3 toolchain or run.

    With --json among the arguments, an error is an object on standard output too.
    """
    as_json = "--json" in arguments
    try:
        with warnings.catch_warnings():
            # each command prints the warnings of its result
            warnings.simplefilter("ignore", KgennWarning)
            # not group.main(), which ends on a broken pipe with the exit code of a user's mistake
            with group.make_context("kgenn", list(arguments)) as context:
                group.invoke(context)
        flush()
        return 0
    except click.exceptions.Exit as end:  # --help and --version
        return end.exit_code
    except KgennError as error:
        return _report(error, as_json)
    except MemoryError:
        return _report(fail("KG608", "kgenn", "ran out of memory", "use a smaller --batch-size"), as_json)
    except click.ClickException as error:
        error.show()
        if as_json:
            _print_error(EXIT_USAGE, usage=error.format_message())
        return EXIT_USAGE
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except OSError as error:
        what = error.strerror or str(error)
        denied = isinstance(error, PermissionError)
        advice = "check who may read and write it" if denied else "make room, or try again"
        return _report(fail("KG609", str(error.filename or "kgenn"), what, advice), as_json)


def main() -> NoReturn:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows a question mark
            stream.reconfigure(errors="replace")
    instruction = os.environ.get(COMPLETE)
    if instruction:
        sys.exit(shell_complete(group, {}, "kgenn", COMPLETE, instruction))
    code = invoke(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done but for the interpreter's own end
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            # what is still buffered goes nowhere, so that the interpreter's last flush changes no exit code
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code == EXIT_INTERRUPTED:
        # a simulation may be under way still, in a thread that waits for nothing; and CPython would end the
        # process by the signal if the interrupt came while a dataclass was made
        remove_scratch()
        os._exit(code)
    sys.exit(code)


def flush() -> None:
    """Write what was printed, which may be more than fits where it goes.

    Raises:
        KgennError: KG606 where it cannot be written.
    """
    from kgenn.cli.console import printing

    with printing():
        if sys.stdout is not None:  # it was closed when this process was started
            sys.stdout.flush()


def _report(error: KgennError, as_json: bool) -> int:
    from kgenn.cli.console import print_diagnostics

    print_diagnostics(error.diagnostics)
    if as_json:
        _print_error(error.exit_code, diagnostics=[diagnostic.to_dict() for diagnostic in error.diagnostics])
    return error.exit_code


def _print_error(code: int, diagnostics: Sequence[dict[str, str]] = (), usage: str | None = None) -> None:
    """Print the object of an error; what else goes wrong on the way is told by the exit code."""
    from kgenn.cli.console import print_json

    extra = {} if usage is None else {"usage": usage}
    with suppress(KgennError, BrokenPipeError):
        print_json({"ok": False, "exit_code": code, "diagnostics": list(diagnostics), **extra})
