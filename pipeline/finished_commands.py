"""The commands that use a finished run, named by its folder or by its experiment."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.config import Experiment
from pipeline.errors import ConfigError
from pipeline.prediction.image_list import list_images
from pipeline.prediction.named_images import matches
from pipeline.stages.context import StageContext
from pipeline.workspace import Workspace

Open = Callable[[Experiment, Workspace], StageContext]


def run_finished(
    options: argparse.Namespace, load: Callable[[Path], Experiment], open_context: Open
) -> None:
    """Run a command about a finished run. With --config the blend is first brought up to date; a
    run that is named by its folder is used as it is, and needs neither data nor maps.
    """
    named = list(options.named)
    if options.config is None:
        if not named:
            raise ConfigError(f"{options.command}: name a run (runs/<name>), or give --config")
        if options.overrides or options.data:
            raise ConfigError("--set and --data need --config: a finished run cannot be changed")
        request = _request(options, named[1:])
        folder, context = open_folder(named[0], open_context)
    else:
        from pipeline.stages import ensemble

        request = _request(options, named)
        experiment = load(options.config)
        if options.command == "predict":
            list_images(request.images, experiment.data)  # before anything is trained
        context = open_context(experiment, Workspace(experiment.name))
        folder = context.workspace.run
        ensemble.run(context)
    _stage(options.command)(context, folder, request)


def open_folder(named: str, open_context: Open) -> tuple[Path, StageContext]:
    """A run's folder, which may be anywhere, and a context that writes nothing into it."""
    from pipeline.prediction.finished_run import read_finished_run

    below = Workspace(named).run
    folder = below if not Path(named).is_dir() and below.is_dir() else Path(named)
    experiment = read_finished_run(folder).experiment
    return folder, open_context(experiment, workspace_of(folder))


def workspace_of(folder: Path) -> Workspace:
    """The workspace where jobs report progress and lease devices: shared with other commands,
    unless the run is outside `runs/`.
    """
    absolute = folder.absolute()
    if absolute.parent.name == "runs":
        return Workspace(folder.name, folder.parent.parent)
    return Workspace(absolute.name, Path(tempfile.gettempdir()) / "maskmill")


def _stage(command: str) -> Callable[..., Any]:
    stage: Callable[..., Any] = import_module(f"pipeline.stages.{command}").run
    return stage


def _request(options: argparse.Namespace, named: Sequence[str]) -> Any:
    if options.command == "export":
        from pipeline.stages import export

        if named:
            raise ConfigError(f"export takes one run and no {named[0]!r}; see --model, --format")
        return export.ExportRequest(
            options.exported, options.exported_fold, options.format, options.out, options.seed
        )
    if options.command == "bundle":
        from pipeline.stages import bundle

        if named:
            raise ConfigError(f"bundle takes one run and no {named[0]!r}")
        out = options.out or Path("bundle")
        owner = options.owner or os.environ.get("KAGGLE_USERNAME", "")
        return bundle.BundleRequest(
            options.competition, owner, out, options.hours, options.expected, options.half
        )
    from pipeline.stages import predict

    images = (*named, *pieces(options.images or ""))
    out = options.out or Path("masks")
    return predict.PredictRequest(images, out, options.probabilities, options.overlay)


def pieces(text: str) -> list[str]:
    """The images that one text names: one pattern, or several with blanks between them."""
    whole = text.strip()
    if not whole or Path(whole).exists() or matches(whole):
        return [whole] if whole else []
    try:
        return shlex.split(whole)
    except ValueError:  # a quote without its other half
        return [whole]
