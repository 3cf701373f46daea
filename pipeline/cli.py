"""The command line: one command a stage, errors as one message, exit codes that mean something."""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from pipeline.config import Experiment, load_experiment
from pipeline.config.base import shortened
from pipeline.console import ConsoleReporter
from pipeline.disk_space import disk_error
from pipeline.errors import ConfigError, MaskmillError
from pipeline.stages.context import BY_MEMBER, ORDER, StageContext
from pipeline.stages.parts.tracked import tracked
from pipeline.suggestions import did_you_mean
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
MOST_JOBS = 1024
LONGEST_MESSAGE = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (data, artefacts), 2 (config) or 128 + signal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack letters that an id has
            stream.reconfigure(errors="backslashreplace")
    reporter = ConsoleReporter()
    try:
        _run(_parser().parse_args(arguments), reporter)
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


class _Parser(argparse.ArgumentParser):
    """One line for a mistake, as everywhere, instead of the list of all options."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"argument command: invalid choice: '(.*?)' \(choose", message)
        if unknown:
            message = (
                f"there is no command {shortened(unknown[1])}{did_you_mean(unknown[1], COMMANDS)}"
            )
        words = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"
        raise ConfigError(f"{words}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.add_argument("--config", type=Path, default=Path("configs/demo.yaml"))
        command.add_argument("--data", help="folder of the data (data.root)")
        command.add_argument("--set", nargs="*", default=[], metavar="key=value", dest="overrides")
        command.add_argument("--jobs", type=_jobs, help="jobs at a time (default: all devices)")
        command.add_argument("--devices", help="e.g. cuda:0,cuda:1 (default: all there are)")
        if name in BY_MEMBER:
            command.add_argument("--model", help="only these models, comma-separated")
            command.add_argument("--fold", type=_whole, help="only this fold")
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
    settings = [re.split(r"(?<!\s)\s+(?=[A-Za-z_][\w.-]*=)", text.strip()) for text in texts]
    return [each for several in settings for each in several if each]


def _jobs(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{shortened(text)} is not from 1 to {MOST_JOBS}")
    return number


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text.strip()):
        raise argparse.ArgumentTypeError(f"{shortened(text)} is no whole number")
    return int(text)


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
    with tracked(context):
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
    """What to append to `make <stage>` for the same experiment."""
    given = {
        "CONFIG": "" if options.config == Path("configs/demo.yaml") else str(options.config),
        "DATA": options.data or "",
        "SET": " ".join(options.overrides),
        "JOBS": str(options.jobs or ""),
        "DEVICES": options.devices or "",
    }
    return "".join(f" {name}={shlex.quote(text)}" for name, text in given.items() if text)


def _name_checks() -> dict[str, Callable[[Any], object]]:
    """Who knows which names exist; asked while the experiment is read."""
    from pipeline.demo import get_demo
    from pipeline.ensemble.postprocessing.registry import get_step
    from pipeline.inference.tta import parse_tta
    from pipeline.metrics import get_metric
    from pipeline.models.decoders.registry import DECODERS
    from pipeline.models.encoder_names import check_encoder
    from pipeline.models.losses import LOSSES
    from pipeline.suggestions import check_name
    from pipeline.tracking import TRACKERS
    from pipeline.training.optimizers import OPTIMIZERS
    from pipeline.training.schedules import SCHEDULES

    return {
        "demo": get_demo,
        "decoder": lambda name: check_name("decoder", name, DECODERS),
        "encoder": check_encoder,
        "optimizer": lambda name: check_name("optimizer", name, OPTIMIZERS),
        "schedule": lambda name: check_name("schedule", name, SCHEDULES),
        "loss": lambda name: check_name("loss", name, LOSSES),
        "tta": parse_tta,
        "metric": lambda metric: get_metric(**metric),
        "step": get_step,
        "tracker": lambda name: check_name("tracker", name, TRACKERS),
    }
