"""The command line: one command a stage, errors as one message, exit codes that mean something."""

from __future__ import annotations

import argparse
import errno
import os
import re
import shlex
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config import Experiment, load_experiment
from pipeline.console import ConsoleReporter
from pipeline.errors import MaskmillError
from pipeline.stages.context import ORDER, StageContext
from pipeline.workspace import Workspace

COMMANDS = {
    "all": "every stage, in order",
    "demo": "draw the embedded competition",
    "check": "what the data is, and what is wrong with it",
    "align": "bring references onto their images",
    "folds": "split the training images",
    "train": "train every (model, fold)",
    "infer": "predict out-of-fold and test maps",
    "ensemble": "choose weights and thresholds",
    "submit": "write the submission",
    "scorecard": "what it is worth: table and report",
    "plan": "bytes, files and hours of every stage, before it is run",
    "borders": "measure how predicted borders lie to those of the masks",
    "verify": "read every map and name the damaged ones",
    "clean": "remove what the stages made of the experiment",
    "leaderboard": "record a leaderboard score beside a submission",
}
OUT_OF_DISK = {errno.ENOSPC, errno.EDQUOT}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (data, artefacts), 2 (config) or 128 + signal."""
    options = _parser().parse_args(arguments)
    reporter = ConsoleReporter()
    try:
        _run(options, reporter)
    except MaskmillError as error:
        reporter.fail(str(error))
        return error.exit_code
    except OSError as error:
        if error.errno not in OUT_OF_DISK:
            raise
        reporter.fail(
            f"no space left on the disk ({error.filename or 'runs/'}); free some, then "
            "run the same command again: it goes on from here"
        )
        return 1
    except KeyboardInterrupt:
        reporter.fail("interrupted")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, default=Path("configs/demo.yaml"))
        command.add_argument("--data", help="folder of the data (data.root)")
        command.add_argument("--set", nargs="*", default=[], metavar="key=value", dest="overrides")
        command.add_argument("--jobs", type=_positive, help="jobs at a time (default: all devices)")
        command.add_argument("--devices", help="e.g. cuda:0,cuda:1 (default: all there are)")
        if name in ("train", "infer"):
            command.add_argument("--model", help="only these models, comma-separated")
            command.add_argument("--fold", type=int, help="only this fold")
        if name == "borders":
            command.add_argument("--model", dest="measured", help="only these, or blend")
        if name == "leaderboard":
            command.add_argument("--score", default="", help="e.g. 0.9961")
            command.add_argument("--label", help="which submission (default: the newest)")
    maps = commands.add_parser("maps", help="look at stored maps")
    show = maps.add_subparsers(dest="action", required=True).add_parser("show")
    show.add_argument("store", type=Path, help="e.g. runs/demo/unet/maps/oof")
    show.add_argument("id")
    show.add_argument("--out", type=Path, help="the PNG to write (default: <id>.png)")
    return parser


def separated(texts: Sequence[str]) -> list[str]:
    """One `key=value` each, of texts that may hold several: a new one begins at ` key=`."""
    return [each for text in texts for each in re.split(r"\s+(?=[A-Za-z_][\w.-]*=)", text.strip())]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _run(options: argparse.Namespace, reporter: ConsoleReporter) -> None:
    if options.command == "maps":
        from pipeline.stages.maps import show

        reporter.say(str(show(options.store, options.id, options.out)))
        return
    experiment = load_experiment(
        options.config,
        overrides=separated(options.overrides),
        data=options.data,
        checks=_name_checks(),
    )
    context = _context(options, experiment, reporter)
    for stage in ORDER if options.command == "all" else [options.command]:
        run: Callable[..., Any] = import_module(f"pipeline.stages.{stage}").run
        run(context, *_own_arguments(stage, options))


def _own_arguments(stage: str, options: argparse.Namespace) -> tuple[Any, ...]:
    """What a stage is told besides the context."""
    if stage == "leaderboard":
        return options.score, options.label
    return (options.measured,) if stage == "borders" else ()


def _context(
    options: argparse.Namespace, experiment: Experiment, reporter: ConsoleReporter
) -> StageContext:
    return StageContext(
        experiment=experiment,
        workspace=Workspace(experiment.name),
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
        arguments=_as_make_arguments(options),
    )


def _as_make_arguments(options: argparse.Namespace) -> str:
    """What to append to `make <stage>` for the same experiment, as a shell takes it."""
    default = options.config == Path("configs/demo.yaml")
    said = {
        "CONFIG": None if default else str(options.config),
        "DATA": options.data,
        "SET": " ".join(options.overrides),
        "JOBS": options.jobs and str(options.jobs),
        "DEVICES": options.devices,
    }
    return "".join(f" {name}={shlex.quote(value)}" for name, value in said.items() if value)


def _name_checks() -> dict[str, Callable[[Any], object]]:
    """Who knows which names exist; asked while the experiment is read."""
    from pipeline.competition.metrics import get_metric
    from pipeline.ensemble.postprocess import get_step
    from pipeline.inference.tta import parse_tta
    from pipeline.models.decoders.registry import DECODERS
    from pipeline.models.known import check_encoder
    from pipeline.models.losses import LOSSES
    from pipeline.models.names import check_name

    return {
        "decoder": lambda name: check_name("decoder", name, DECODERS),
        "encoder": check_encoder,
        "loss": lambda name: check_name("loss", name, LOSSES),
        "tta": parse_tta,
        "metric": lambda metric: get_metric(**metric),
        "step": get_step,
    }
