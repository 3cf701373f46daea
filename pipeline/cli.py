"""The command line: one command a stage, errors as one message, exit codes that mean something."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline import finished_commands
from pipeline.command_line import command_parser, separated
from pipeline.config import Experiment, load_experiment
from pipeline.console import ConsoleReporter
from pipeline.disk_space import disk_error
from pipeline.errors import MaskmillError
from pipeline.known_names import name_checks
from pipeline.shipped_configs import DEMO, default_experiment
from pipeline.stages.context import ORDER, StageContext, as_typed
from pipeline.stages.parts.tracked import tracked
from pipeline.workspace import Workspace


def main(arguments: Sequence[str] | None = None, program: str = "make") -> int:
    """Run one command; the exit code is 0, 1 (data, artefacts), 2 (config) or 128 + signal.

    program: how the user calls commands, for messages that name the next command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that an id has
            stream.reconfigure(errors="backslashreplace")
    reporter = ConsoleReporter()
    try:
        _run(command_parser(program).parse_args(arguments), reporter, program)
    except MaskmillError as error:
        reporter.fail(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno is None:
            raise
        reporter.fail(str(disk_error(error)))
        return 1
    except KeyboardInterrupt:
        reporter.fail("interrupted")
        return 130
    return 0


def maskmill() -> int:
    """The console command of that name."""
    return main(program="maskmill")


def _run(options: argparse.Namespace, reporter: ConsoleReporter, program: str) -> None:
    if options.command == "maps":
        from pipeline.stages.maps import show

        reporter.say(str(show(options.store, options.id, options.out)))
        return

    def load(file: Path) -> Experiment:
        overrides = separated(options.overrides)
        return load_experiment(file, overrides=overrides, data=options.data, checks=name_checks())

    def open_context(experiment: Experiment, workspace: Workspace) -> StageContext:
        return _context(options, experiment, workspace, reporter, program)

    if options.command == "init":
        _init(options, reporter, program)
        return
    if options.command in finished_commands.NAMES:
        finished_commands.run_finished(options, load, open_context)
        return
    experiment = load(options.config or default_experiment())
    context = open_context(experiment, Workspace(experiment.name))
    with tracked(context):
        for stage in ORDER if options.command == "all" else [options.command]:
            run: Callable[..., Any] = import_module(f"pipeline.stages.{stage}").run
            run(context, *_own_arguments(stage, options))


def _init(options: argparse.Namespace, reporter: ConsoleReporter, program: str) -> None:
    from pipeline.stages import check, init

    def checked(path: Path) -> None:
        experiment = load_experiment(path, checks=name_checks())
        asked = argparse.Namespace(**{**vars(options), "config": path, "data": None})
        check.run(_context(asked, experiment, Workspace(experiment.name), reporter, program))

    init.run(options.data, options.name, reporter, program, checked)


def _own_arguments(stage: str, options: argparse.Namespace) -> tuple[Any, ...]:
    """The arguments of a stage besides the context."""
    if stage == "leaderboard":
        return options.score, options.label
    return (options.measured,) if stage == "borders" else ()


def _context(
    options: argparse.Namespace,
    experiment: Experiment,
    workspace: Workspace,
    reporter: ConsoleReporter,
    program: str,
) -> StageContext:
    return StageContext(
        experiment=experiment,
        workspace=workspace,
        reporter=reporter,
        asked=options.command,
        jobs=options.jobs,
        devices=tuple(
            name.strip()
            for name in (options.devices or os.environ.get("DEVICES", "")).split(",")
            if name.strip()
        ),
        model=getattr(options, "model", None),
        fold=getattr(options, "fold", None),
        arguments=_typed_options(options, program),
        program=program,
    )


def _typed_options(options: argparse.Namespace, program: str) -> str:
    """The options to append to the next command for the same experiment."""
    given = {
        "config": "" if options.config in (None, DEMO) else str(options.config),
        "data": options.data or "",
        "set": " ".join(options.overrides),
        "jobs": str(options.jobs or ""),
        "devices": options.devices or "",
    }
    return as_typed(program, {name: text for name, text in given.items() if text})
