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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.by_id import ById
from pipeline.config import Experiment, build_experiment, load_experiment
from pipeline.console import ConsoleReporter
from pipeline.data.catalog import Part
from pipeline.data.ground_truth import Truth
from pipeline.data.samples import SampleReader
from pipeline.ensemble.members import reader_of
from pipeline.execution.devices import Machine
from pipeline.known_names import name_checks
from pipeline.prediction.finished_run import read_finished_run
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.reporting import Reporter, SilentReporter
from pipeline.stages import check, ensemble, folds, infer, scorecard, submit, train
from pipeline.stages.context import StageContext
from pipeline.stages.parts.tracked import tracked
from pipeline.suggestions import check_name
from pipeline.workspace import MapPart, MemberPaths, Workspace


def open_run(
    config: str | Path | Mapping[str, Any],
    *overrides: str,
    data: str | Path | None = None,
    folder: str | Path = ".",
    jobs: int | None = None,
    devices: Sequence[str] = (),
    cluster: str = "",
    quiet: bool = False,
) -> Run:
    """The experiment of a YAML file, changed by overrides such as `train.epochs=2`.

    config: the file, or what it would hold, as a dictionary; data: replaces `data.root`; folder:
    where `runs/`, `folds/` and `submissions/` are; jobs, devices, cluster: as on the command
    line (the cluster is there for the methods that make something); quiet: say nothing. Raises
    ConfigError with every mistake.
    """
    root, checks = None if data is None else os.fspath(data), name_checks()
    if isinstance(config, Mapping):
        experiment = build_experiment(
            config, source="the experiment", overrides=overrides, data=root, checks=checks
        )
    else:
        experiment = load_experiment(Path(config), overrides=overrides, data=root, checks=checks)
    reporter: Reporter = SilentReporter() if quiet else ConsoleReporter()
    workspace = Workspace(experiment.name, Path(folder))
    return Run(experiment, workspace, reporter, jobs, tuple(devices), cluster)


@dataclass(frozen=True, repr=False)
class Run:
    """One experiment and all its results."""

    experiment: Experiment
    workspace: Workspace
    reporter: Reporter
    jobs: int | None = None
    devices: tuple[str, ...] = ()
    cluster: str = ""

    def __repr__(self) -> str:
        models = ", ".join(self.experiment.models)
        return f"<run {self.experiment.name!r} in {self.workspace.run}: {models}>"

    def check(self) -> pd.DataFrame:
        """Every image, `part,id,height,width,…`; DataError when something must be fixed first."""
        check.run(self.context("check"))
        return pd.read_csv(self.workspace.index, dtype={"id": str}, keep_default_na=False)

    def folds(self) -> pd.DataFrame:
        """The fold table: `id,group,stratum,fold`."""
        return folds.run(self.context("folds"))

    def train(
        self, model: str | None = None, fold: int | Literal["all"] | None = None
    ) -> pd.DataFrame:
        """Train the members of the chosen models (comma-separated) and fold; by default all.

        Returns what each trained member scores on its held-out fold, at 0.5:
        `model,fold,score,seed`, the seeds of a fold counted from 0.
        """
        with self._followed("train", model, fold) as context:
            members = train.run(context)
        rows = [
            (each.model, each.fold, self._last_score(members[each].paths), each.seed)
            for model in context.models()
            for each in context.members(model, context.folds())
        ]
        return pd.DataFrame(rows, columns=["model", "fold", "score", "seed"])

    def infer(self) -> None:
        """Predict the out-of-fold and test maps of all models."""
        with self._followed("infer") as context:
            infer.run(context)

    def ensemble(self) -> dict[str, Any]:
        """Choose weights, thresholds and post-processing; the content of `ensemble.yaml`."""
        with self._followed("ensemble") as context:
            return ensemble.run(context).facts

    def submit(self) -> Path:
        """Write the submission; its path."""
        with self._followed("submit") as context:
            return submit.run(context)

    def scorecard(self) -> pd.DataFrame:
        """The scores of every model and of the blend, one row each."""
        with self._followed("scorecard") as context:
            return scorecard.run(context)

    def predictor(self, device: str | None = None) -> ImagePredictor:
        """The chosen blend as a function from an image to its mask.

        device: e.g. `cuda:0`; by default the first one of the machine.
        """
        ensemble.run(self.context("predict"))
        chosen = device or Machine.detect(self.jobs, self.devices).devices[0]
        return ImagePredictor(read_finished_run(self.workspace.run), chosen)

    def images(self, part: Part = "train") -> ById[NDArray[np.uint8]]:
        """The images as people see them, by id: HWC uint8 RGB."""
        by_part = check.run(self.context("images")).catalog.by_id
        check_name("part", part, by_part)
        samples = by_part[part]
        reader = SampleReader(self.experiment.data)
        return ById(samples, lambda id: reader.picture(samples[id]))

    def truths(self) -> ById[Truth]:
        """What is true of the training images, by id: planes uint8 CHW, valid, instances."""
        survey = check.run(self.context("truths"))
        samples, reader = survey.catalog.by_id["train"], SampleReader(self.experiment.data)
        return ById(samples, lambda id: reader.truth(samples[id], survey.sizes["train", id]))

    def oof_maps(self, model: str) -> ById[NDArray[np.float32]]:
        """The model's out-of-fold probability maps, by id: float32 CHW 0..1."""
        return self._maps(model, "oof")

    def test_maps(self, model: str) -> ById[NDArray[np.float32]]:
        """The model's maps of the test images, by id; none with `ensemble.accumulate`."""
        return self._maps(model, "test")

    def oof_masks(self) -> ById[NDArray[np.bool_]]:
        """What the chosen blend decides from the out-of-fold maps, by id: bool CHW."""
        context = self.context("masks")
        stores, recipe = infer.run(context).oof, ensemble.run(context).recipe
        members = {name: stores[name] for name in recipe.names}
        read, pictures = reader_of(members), self.images()

        def decide(id: str) -> NDArray[np.bool_]:
            return recipe.decide(read(id), lambda: pictures[id])

        return ById(next(iter(members.values())).ids, decide)

    def _last_score(self, member: MemberPaths) -> float:
        return float(pd.read_csv(member.history)["score"].iloc[-1])

    def _maps(self, model: str, part: MapPart) -> ById[NDArray[np.float32]]:
        inferred = infer.run(self.context("maps", model))
        store = (inferred.oof if part == "oof" else inferred.test).get(model)
        no_maps: dict[str, NDArray[np.float32]] = {}
        return ById(store.ids, store.read) if store else ById(no_maps, no_maps.__getitem__)

    def context(
        self, asked: str = "", model: str | None = None, fold: int | Literal["all"] | None = None
    ) -> StageContext:
        """The argument of a stage's `run`, for what this class does not offer.

        A new context for each call, since it caches stage results and files may change.
        """
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

    @contextmanager
    def _followed(
        self, asked: str, model: str | None = None, fold: int | Literal["all"] | None = None
    ) -> Iterator[StageContext]:
        """The context of a stage, with the trackers of `track:` beside it."""
        context = self.context(asked, model, fold)
        context.cluster = self.cluster
        with tracked(context), context:
            yield context
