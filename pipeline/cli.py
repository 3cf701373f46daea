"""The command line: one command a stage, errors as one message, exit codes that mean something."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from pipeline.command_line import command_parser
from pipeline.errors import MaskmillError


def main(arguments: Sequence[str] | None = None, program: str = "make") -> int:
    """Run one command; the exit code is 0, 1 (data, artefacts), 2 (config) or 128 + signal.

    program: how the user calls commands, for messages that name the next command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that an id has
            stream.reconfigure(errors="backslashreplace")
    try:
        options = command_parser(program).parse_args(arguments)
        # Only now, since this takes a second, and --help and mistakes need none of it.
        from pipeline.commands import run_command
        from pipeline.console import ConsoleReporter

        run_command(options, ConsoleReporter(), program)
    except MaskmillError as error:
        _fail(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno is None:
            raise
        from pipeline.disk_space import disk_error

        _fail(str(disk_error(error)))
        return 1
    except KeyboardInterrupt:
        _fail("interrupted")
        return 130
    return 0


def _fail(text: str) -> None:
    from pipeline.console import ConsoleReporter

    ConsoleReporter().fail(text)


def maskmill() -> int:
    """The console command of that name."""
    return main(program="maskmill")
