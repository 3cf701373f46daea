"""Runs one command that was parsed: its experiment, its context, its stages."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline import finished_commands
from pipeline.command_line import separated
from pipeline.config import Experiment, load_experiment
from pipeline.known_names import name_checks
from pipeline.reporting import Reporter
from pipeline.shipped_configs import DEMO, default_experiment
from pipeline.stage_names import OF_FINISHED_RUNS, ORDER
from pipeline.stages.context import StageContext, as_typed
from pipeline.stages.parts.tracked import tracked
from pipeline.workspace import Workspace


def run_command(options: argparse.Namespace, reporter: Reporter, program: str) -> None:
    """Run it; program: how the user calls commands."""
    if options.command == "maps":
        from pipeline.stages.maps import show

        reporter.say(str(show(options.store, options.id, options.out)))
        return

    def load(file: Path) -> Experiment:
        overrides = separated(options.overrides)
        return load_experiment(file, overrides=overrides, data=options.data, checks=name_checks())

    def open_context(experiment: Experiment, workspace: Workspace) -> StageContext:
        return _context(options, experiment, workspace, reporter, program)

    if options.command == "download":
        from pipeline.stages import download

        download.run(options.competition, options.data, reporter, program)
        return
    if options.command == "init":
        _init(options, reporter, program)
        return
    if options.command in OF_FINISHED_RUNS:
        finished_commands.run_finished(options, load, open_context)
        return
    experiment = load(options.config or default_experiment())
    context = open_context(experiment, Workspace(experiment.name))
    with tracked(context), context:
        for stage in ORDER if options.command == "all" else [options.command]:
            run: Callable[..., Any] = import_module(f"pipeline.stages.{stage}").run
            run(context, *_own_arguments(stage, options))


def _init(options: argparse.Namespace, reporter: Reporter, program: str) -> None:
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
    if stage == "upload":
        return options.competition, options.label
    return (options.measured,) if stage == "borders" else ()


def _context(
    options: argparse.Namespace,
    experiment: Experiment,
    workspace: Workspace,
    reporter: Reporter,
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
        cluster=getattr(options, "cluster", None) or "",
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
        "cluster": getattr(options, "cluster", None) or "",
    }
    return as_typed(program, {name: text for name, text in given.items() if text})
