"""Members that start from those of another model (`init`): fold k from its fold k, and from the
first of its seeds.

Models of an experiment share their folds; of those of another run, it is looked up what they have
seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.channels import Channels
from pipeline.config import ModelConfig
from pipeline.errors import ArtefactError, ConfigError
from pipeline.manifests import is_fresh, named_files, read_manifest, verified
from pipeline.member_id import MemberId, fold_name
from pipeline.models.factory import build_model
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext, as_typed
from pipeline.stages.parts.seen_images import refuse_seen
from pipeline.training.member import TrainJob
from pipeline.workspace import MemberPaths, Workspace


@dataclass(frozen=True)
class Source:
    """The model that another one starts from; own: its name, where it is of the same experiment."""

    folder: Path
    own: str | None

    def member(self, fold: int) -> MemberPaths:
        """The first member of a fold."""
        return MemberPaths(self.folder / MemberId(self.folder.name, fold).folder)

    @property
    def workspace(self) -> Workspace:
        """That of its run."""
        return Workspace(self.folder.parent.name, self.folder.parent.parent.parent)


def source_of(context: StageContext, model: str) -> Source | None:
    """None where a model starts from nothing, or from a file; ConfigError for what is not there."""
    models, run = context.experiment.models, context.workspace.run
    init = models[model].init
    if init is None:
        return None
    if init in models:
        return Source(run / init, init)
    path = Path(init)
    if path.is_file():
        if MemberPaths(path.parent).manifest.is_file():
            raise ConfigError(
                f"models.{model}.init: {init} is of one fold; give the folder of its model, "
                f"{path.parent.parent}, so that each fold starts from its own"
            )
        return None
    absolute = Path(os.path.realpath(path))
    if absolute.parent == Path(os.path.realpath(run)) and absolute.name in models:
        return Source(run / absolute.name, absolute.name)
    if path.is_dir() and absolute.parent.parent.name == "runs":
        return Source(path if path.parts[-3:-2] == ("runs",) else absolute, None)
    raise ConfigError(
        f"models.{model}.init: {init} is neither another model of this experiment "
        f"({', '.join(each for each in models if each != model) or 'there is none'}), nor the "
        "folder of a model of a run (runs/<run>/<model>), nor a file of weights"
    )


def in_order(context: StageContext, chosen: Iterable[str]) -> list[str]:
    """The chosen models and those that they start from, each after its own source.

    ConfigError where models start from each other.
    """
    ordered: list[str] = []
    for model in chosen:
        chain = [model]
        while (source := source_of(context, chain[-1])) is not None and source.own is not None:
            if source.own in chain:
                raise ConfigError(
                    f"models.{chain[-1]}.init: {' → '.join([*chain, source.own])} is a circle; one "
                    "of them must start from something else"
                )
            chain.append(source.own)
        ordered += [each for each in reversed(chain) if each not in ordered]
    return ordered


def started(
    context: StageContext, model: str, fold: int, jobs: Mapping[MemberId, TrainJob]
) -> tuple[ModelConfig, str | None]:
    """The model with the file that its member starts from as its `weights`, which are read alike;
    and the member that must be trained before, where that is missing or stale.

    jobs: those of models of this experiment that it may start from.
    """
    config, source = context.experiment.models[model], source_of(context, model)
    if config.init is None:
        return config, None
    if source is None:
        return config.model_copy(update={"weights": config.init}), None
    paths = source.member(fold)
    waits_for = None
    if source.own is not None:
        job = jobs[MemberId(source.own, fold)]
        waits_for = None if is_fresh(job.paths.manifest, job.fingerprint) else job.name
    elif read_manifest(paths.manifest) is None:
        waits_for = str(paths.folder)
    # the folder of one that is not trained yet has no checksum: another fingerprint than any file
    weights = paths.folder if waits_for else _predicting(paths)
    return config.model_copy(update={"weights": str(weights)}), waits_for


def _predicting(paths: MemberPaths) -> Path:
    """The weights that predict."""
    return paths.weights((read_manifest(paths.manifest) or {}).get("weights", "plain"))


def check(context: StageContext, jobs: Iterable[TrainJob], survey: Survey) -> None:
    """Raise ConfigError or ArtefactError where a job cannot start from what `init` says.

    Of models that wait for a member that is itself among the jobs, nothing can be said yet.
    """
    waiting, built = list(jobs), set[str]()
    names = {job.name for job in waiting}
    for job in waiting:
        model, fold, _ = MemberId.named(job.name)
        if job.model.init is None or job.waits_for in names:
            continue
        key, source = f"models.{model}.init", source_of(context, model)
        if job.waits_for is not None:
            raise ConfigError(_untrained(context, key, job.waits_for, source, fold))
        if source is not None:
            paths = source.member(fold)
            _verify(paths, key)
            if source.own is None and job.held_out:  # else nothing is scored
                refuse_seen(job, survey, paths, source.workspace, key)
        if model not in built:
            _fit(job, key)
            built.add(model)


def _untrained(
    context: StageContext, key: str, member: str, source: Source | None, fold: int
) -> str:
    assert source is not None
    chosen = {"model": source.folder.name, "fold": fold_name(fold).removeprefix("fold")}
    if source.own is None:
        chosen = {"config": f"configs/{source.workspace.name}.yaml", **chosen}
    command = f"{context.program} train{as_typed(context.program, chosen)}"
    whose = f" (with the experiment {source.workspace.name})" if source.own is None else ""
    return f"{key}: {member} is not trained, or not up to date; first: {command}{whose}"


def _verify(paths: MemberPaths, key: str) -> None:
    weights, named = _predicting(paths), named_files(paths.manifest)
    if weights not in named:
        raise ArtefactError(f"{key}: {paths.manifest} names no {weights.name}; train it again")
    verified(weights, named[weights].sha256, f"{key} needs it: train its member again")


def _fit(job: TrainJob, key: str) -> None:
    """Load the weights once before hours depend on them."""
    channels: Channels = job.reader.channels_for(job.model.input)
    try:
        build_model(job.model.architecture, classes=len(job.classes), channels=channels)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
