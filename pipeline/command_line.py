"""The command line: its commands and their options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pipeline import __version__
from pipeline.errors import ConfigError
from pipeline.shipped_configs import DEMO
from pipeline.stage_names import BY_MEMBER, OF_FINISHED_RUNS, ORDER
from pipeline.suggestions import did_you_mean, shortened

COMMANDS = {
    "all": "every stage, in order",
    "init": "look at a folder of data and write an experiment for it",
    "download": "fetch the data of a Kaggle competition",
    "demo": "draw the built-in demo competition",
    "check": "inspect the data and list its problems",
    "align": "align references with their images",
    "folds": "split the training images into folds",
    "train": "train every (model, fold, seed)",
    "infer": "predict out-of-fold and test maps",
    "ensemble": "choose weights and thresholds",
    "submit": "write the submission",
    "scorecard": "show all scores, as a table and a report page",
    "cluster": "start the workers of --cluster, or describe those that run",
    "plan": "forecast disk space, files and time of every stage",
    "borders": "measure the offset of predicted boundaries from mask boundaries",
    "verify": "read every map and list the damaged ones",
    "predict": "predict masks of new images with the chosen blend",
    "export": "export a model to a format that other programs read",
    "bundle": "pack a finished run for a code competition without network",
    "clean": "remove the run folder; data, folds and submissions stay",
    "upload": "send a submission to Kaggle and record its score",
    "leaderboard": "record a leaderboard score beside a submission",
}
ON_CLUSTER = ("all", "cluster", *ORDER)
"""The commands whose jobs may run on other machines."""
MOST_JOBS = 1024
MOST_HOURS = 100
LONGEST_MESSAGE = 500


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


def command_parser(program: str) -> argparse.ArgumentParser:
    """The commands and their options; program: how the user calls them."""
    name = "python -m pipeline" if program == "make" else program
    parser = _Parser(prog=name, description=__doc__)
    parser.add_argument("--version", action="version", version=f"maskmill {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name == "init":
            _add_init(command)
            continue
        if name == "download":
            _add_download(command)
            continue
        command.add_argument("--config", type=Path, help=f"the experiment file (default: {DEMO})")
        command.add_argument("--data", help="folder of the data (replaces data.root)")
        command.add_argument("--set", nargs="*", default=[], metavar="key=value", dest="overrides")
        command.add_argument("--jobs", type=_jobs, help="jobs at a time (default: one per device)")
        command.add_argument("--devices", help="e.g. cuda:0,cuda:1 (default: all devices)")
        if name in ON_CLUSTER:
            command.add_argument(
                "--cluster", help="tcp://host:8786, or a YAML file (default: none)"
            )
        if name in BY_MEMBER:
            command.add_argument("--model", help="only these models, comma-separated")
            command.add_argument("--fold", type=_fold, help="only this fold, or all")
        if name == "borders":
            command.add_argument("--model", dest="measured", help="only these models, or blend")
        if name in OF_FINISHED_RUNS:
            _add_finished_run(command, name)
        if name == "upload":
            command.add_argument("--competition", default="", help="its name in Kaggle's addresses")
            command.add_argument("--label", help="which submission (default: the newest)")
        if name == "leaderboard":
            command.add_argument("--score", default="", help="e.g. 0.9961")
            command.add_argument("--label", help="which submission (default: the newest)")
    maps = commands.add_parser("maps", help="show stored maps")
    show = maps.add_subparsers(dest="action", required=True).add_parser("show")
    show.add_argument("store", type=Path, help="e.g. runs/demo/unet/maps/oof")
    show.add_argument("id")
    show.add_argument("--out", type=Path, help="the PNG to write (default: <id>.png)")
    return parser


def _add_init(command: argparse.ArgumentParser) -> None:
    """The options of the command that makes an experiment, and those of its check."""
    command.add_argument("--data", help="folder of the data")
    command.add_argument("--name", help="names configs/<name>.yaml (default: the folder's name)")
    command.set_defaults(config=None, overrides=[], jobs=None, devices=None)


def _add_download(command: argparse.ArgumentParser) -> None:
    """The options of the command that comes before there is any experiment."""
    command.add_argument("--competition", default="", help="its name in Kaggle's addresses")
    command.add_argument("--data", help="the new folder (default: data/<competition>)")


def _add_finished_run(command: argparse.ArgumentParser, name: str) -> None:
    """The options of commands that use a finished run: by its folder, or by --config."""
    command.add_argument(
        "named",
        nargs="*",
        metavar="run image …" if name == "predict" else "run",
        help="the folder of a run (runs/demo) unless --config is given; predict also takes images: "
        "files, folders, patterns",
    )
    command.add_argument("--out", type=Path, help="the folder to write to")
    if name == "predict":
        command.add_argument("--images", help="the images as one string, e.g. 'new/*.jpg'")
        command.add_argument("--probabilities", action="store_true", help="also write float32 .npy")
        command.add_argument("--overlay", action="store_true", help="also draw masks on images")
    elif name == "bundle":
        command.add_argument("--competition", default="", help="its name in Kaggle's addresses")
        command.add_argument("--owner", default="", help="your name in Kaggle's addresses")
        command.add_argument("--hours", type=_hours, default=8.5, help="that the notebook may run")
        command.add_argument("--expected", type=_integer, help="hidden images, for the forecast")
        command.add_argument("--half", action="store_true", help="weights in 16 bits")
    else:
        command.add_argument("--model", dest="exported", help="a model of the run")
        command.add_argument(
            "--fold", dest="exported_fold", type=_fold, help="one fold of it, or all"
        )
        command.add_argument("--seed", type=_integer, help="one of its seeds, from 0")
        command.add_argument("--format", default="onnx", help="onnx, torchscript or state_dict")


def separated(texts: Sequence[str]) -> list[str]:
    """One `key=value` each, of texts that may hold several: a new one begins at ` key=`."""
    settings = [re.split(r"(?<!\s)\s+(?=[A-Za-z_][\w.-]*=)", text.strip()) for text in texts]
    return [each for several in settings for each in several if each]


def _jobs(text: str) -> int:
    number = _integer(text)
    if not 1 <= number <= MOST_JOBS:
        raise argparse.ArgumentTypeError(
            f"{shortened(text)} is not an integer from 1 to {MOST_JOBS}"
        )
    return number


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{shortened(text)} is not a number up to {MOST_HOURS}")
    return hours


def _fold(text: str) -> int | str:
    """A fold's number, or the member of all images."""
    return "all" if text.strip() == "all" else _integer(text)


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text.strip()):
        raise argparse.ArgumentTypeError(f"{shortened(text)} is not an integer")
    return int(text)
