"""The Python API: an experiment as an object, for notebooks and scripts.

    from pipeline import open_run

    run = open_run("configs/mine.yaml", "train.epochs=2")
    run.train()
    run.scorecard()
    mask = run.predictor()(image)

Like the commands, every method runs the stages that it needs, skips what is up to date, and
continues where a killed run stopped. Mistakes are raised as `pipeline.errors.MaskmillError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import Experiment, load_experiment
from pipeline.console import ConsoleReporter
from pipeline.execution.devices import Machine
from pipeline.known_names import name_checks
from pipeline.maps import MapStore
from pipeline.prediction.finished_run import read_finished_run
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.reporting import Reporter, SilentReporter
from pipeline.stages import check, ensemble, folds, infer, scorecard, submit, train
from pipeline.stages.context import StageContext
from pipeline.workspace import MapPart, Workspace


def open_run(
    config: str | Path,
    *overrides: str,
    data: str | Path | None = None,
    folder: str | Path = ".",
    jobs: int | None = None,
    devices: Sequence[str] = (),
    quiet: bool = False,
) -> Run:
    """The experiment of a YAML file, changed by overrides such as `train.epochs=2`.

    data: replaces `data.root`; folder: where `runs/`, `folds/` and `submissions/` are; jobs,
    devices: as on the command line; quiet: say nothing. Raises ConfigError with every mistake.
    """
    experiment = load_experiment(
        Path(config),
        overrides=overrides,
        data=None if data is None else os.fspath(data),
        checks=name_checks(),
    )
    reporter: Reporter = SilentReporter() if quiet else ConsoleReporter()
    return Run(experiment, Workspace(experiment.name, Path(folder)), reporter, jobs, tuple(devices))


@dataclass(frozen=True, repr=False)
class Run:
    """One experiment and all its results."""

    experiment: Experiment
    workspace: Workspace
    reporter: Reporter
    jobs: int | None = None
    devices: tuple[str, ...] = ()

    def __repr__(self) -> str:
        models = ", ".join(self.experiment.models)
        return f"<run {self.experiment.name!r} in {self.workspace.run}: {models}>"

    def check(self) -> pd.DataFrame:
        """Every image, `part,id,height,width,…`; DataError when something must be fixed first."""
        check.run(self._context("check"))
        return pd.read_csv(self.workspace.index, dtype={"id": str}, keep_default_na=False)

    def folds(self) -> pd.DataFrame:
        """The fold table: `id,group,stratum,fold`."""
        return folds.run(self._context("folds"))

    def train(self, model: str | None = None, fold: int | None = None) -> pd.DataFrame:
        """Train the members of the chosen models (comma-separated) and fold; by default all.

        Returns what each trained member scores on its held-out fold, at 0.5: `model,fold,score`.
        """
        context = self._context("train", model, fold)
        members = train.run(context)
        chosen = [members[name, number] for name in context.models() for number in context.folds()]
        scores = [pd.read_csv(member.paths.history)["score"].iloc[-1] for member in chosen]
        rows = [
            (member.model, member.fold, score) for member, score in zip(chosen, scores, strict=True)
        ]
        return pd.DataFrame(rows, columns=["model", "fold", "score"])

    def infer(self) -> None:
        """Predict the out-of-fold and test maps of all models."""
        infer.run(self._context("infer"))

    def ensemble(self) -> dict[str, Any]:
        """Choose weights, thresholds and post-processing; the content of `ensemble.yaml`."""
        return ensemble.run(self._context("ensemble")).facts

    def submit(self) -> Path:
        """Write the submission; its path."""
        return submit.run(self._context("submit"))

    def scorecard(self) -> pd.DataFrame:
        """The scores of every model and of the blend, one row each."""
        return scorecard.run(self._context("scorecard"))

    def predictor(self, device: str | None = None) -> ImagePredictor:
        """The chosen blend as a function from an image to its mask.

        device: e.g. `cuda:0`; by default the first one of the machine.
        """
        ensemble.run(self._context("predict"))
        chosen = device or Machine.detect(self.jobs, self.devices).devices[0]
        return ImagePredictor(read_finished_run(self.workspace.run), chosen)

    def oof_maps(self, model: str) -> Maps:
        """The model's out-of-fold maps, by id."""
        return self._maps(model, "oof")

    def test_maps(self, model: str) -> Maps:
        """The model's maps of the test images, by id; none with `ensemble.accumulate`."""
        return self._maps(model, "test")

    def _maps(self, model: str, part: MapPart) -> Maps:
        inferred = infer.run(self._context("maps", model))
        stores = inferred.oof if part == "oof" else inferred.test
        return Maps(stores.get(model))

    def _context(
        self, asked: str, model: str | None = None, fold: int | None = None
    ) -> StageContext:
        """A new context for each call, since it caches stage results and files may change."""
        return StageContext(
            self.experiment,
            self.workspace,
            self.reporter,
            asked=asked,
            jobs=self.jobs,
            devices=self.devices,
            model=model,
            fold=fold,
        )


class Maps(Mapping[str, NDArray[np.float32]]):
    """Probability maps by id, float32 CHW 0..1, each read on access."""

    def __init__(self, store: MapStore | None) -> None:
        self._store = store
        self._ids = dict.fromkeys(store.ids if store is not None else ())

    def __getitem__(self, id: str) -> NDArray[np.float32]:
        if self._store is None or id not in self._ids:
            raise KeyError(id)
        return self._store.read(id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)
