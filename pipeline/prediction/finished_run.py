"""The files that prediction needs, written into the run's folder when the blend is chosen.

A sealed manifest names the experiment, the blend and every member's weights with their checksums,
so that members which were trained again after the blend was chosen are never mixed with it. The
folder may be moved or copied, without its maps.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.atomic_files import write_atomic
from pipeline.config import Experiment, build_experiment
from pipeline.config.reading import read_yaml
from pipeline.ensemble.blending.means import Mean, make_mean, mean_kind
from pipeline.ensemble.recipe import Recipe, steps_from_yaml
from pipeline.errors import ArtefactError, ConfigError, DataError
from pipeline.inference.job import MemberWeights
from pipeline.manifests import (
    NamedFile,
    fingerprint,
    is_fresh,
    named_files,
    read_manifest,
    verified,
    write_manifest,
)
from pipeline.suggestions import did_you_mean
from pipeline.workspace import FinishedPaths

VERSION = "predictor/1"
_HEADER = "# What this run was made from. A copy: change your own file, not this one.\n"


@dataclass(frozen=True)
class FinishedRun:
    """A chosen blend and the members that it consists of."""

    experiment: Experiment
    recipe: Recipe
    facts: dict[str, Any]
    """The content of `ensemble.yaml`."""
    members: dict[str, tuple[MemberWeights, ...]]
    """By model, its folds in order."""
    paths: FinishedPaths


def keep_finished_run(
    paths: FinishedPaths,
    experiment: Experiment,
    mean: Mean,
    members: Mapping[str, Sequence[MemberWeights]],
) -> None:
    """Write what `read_finished_run` reads, beside the blend; nothing where it is there already."""
    text = _HEADER + yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)
    contents = {paths.experiment: text.encode()}
    contents |= _tables(paths, mean)
    every = [weights for of_model in members.values() for weights in of_model]
    known = {
        paths.blend: NamedFile.of(paths.blend),
        **{path: _named(content) for path, content in contents.items()},
        **{each.path: NamedFile(each.size, each.checksum) for each in every},
    }
    made_from = fingerprint(VERSION, [[path.name, file.sha256] for path, file in known.items()])
    if is_fresh(paths.manifest, made_from):
        return
    for path, content in contents.items():
        write_atomic(path, content)
    relative = {
        model: [each.path.relative_to(paths.folder).as_posix() for each in of_model]
        for model, of_model in members.items()
    }
    write_manifest(paths.manifest, made_from, known=known, members=relative)


def read_finished_run(folder: Path) -> FinishedRun:
    """The finished run in `folder`. Raises ArtefactError where it is none, or was altered since.

    The weights themselves are not read here: see `verify_weights`.
    """
    paths = FinishedPaths(folder)
    members = _members(paths)
    named = named_files(paths.manifest)
    remedy = "run make ensemble CONFIG=… with its experiment again"
    for path in (paths.experiment, paths.blend):
        verified(path, named[path].sha256 if path in named else "", remedy)
    experiment = _experiment(paths)
    facts = yaml.safe_load(paths.blend.read_text())
    return FinishedRun(
        experiment=experiment,
        recipe=Recipe(
            weights=facts["weights"],
            thresholds=tuple(facts["thresholds"].values()),
            multiclass=experiment.data.multiclass,
            mean=_mean(paths, experiment, named),
            steps=steps_from_yaml(facts["postprocess"]),
            outputs=experiment.ensemble.used_outputs,
        ),
        facts=facts,
        members={
            model: tuple(
                MemberWeights(
                    Path(name).parent.as_posix(), folder / name, named[folder / name].sha256
                )
                for name in names
            )
            for model, names in members.items()
        },
        paths=paths,
    )


def verify_weights(run: FinishedRun, models: Sequence[str]) -> None:
    """Read the weights of these models; ArtefactError for those that the blend was not made of."""
    remedy = (
        "it was trained again after the blend was chosen, or is damaged: run make ensemble "
        "CONFIG=… with its experiment again"
    )
    for model in models:
        for weights in run.members[model]:
            verified(weights.path, weights.checksum, remedy)


def refuse_references(experiment: Experiment) -> None:
    """DataError for an experiment whose networks need a reference beside every image."""
    if experiment.data.reference is not None:
        raise DataError(
            f"{experiment.name} was trained with reference images (data.reference), but there are "
            "none to align; put the images and their references where data.test and "
            "data.test_reference say, and run make submit"
        )


def _members(paths: FinishedPaths) -> dict[str, list[str]]:
    folder = paths.folder
    if not folder.is_dir():
        parent = folder.parent
        known = [str(each.parent) for each in sorted(parent.glob(f"*/{paths.manifest.name}"))]
        raise ArtefactError(f"there is no run {folder}{did_you_mean(str(folder), known)}")
    manifest = read_manifest(paths.manifest)
    if manifest is None:
        state = "is damaged" if paths.manifest.exists() else "is missing"
        raise ArtefactError(
            f"{folder} is not a finished run: {paths.manifest.name} {state}; run make ensemble "
            "CONFIG=… with its experiment"
        )
    try:
        members = TypeAdapter(dict[str, list[str]]).validate_python(manifest["members"])
        unnamed = {folder / each for of in members.values() for each in of} - set(
            named_files(paths.manifest)
        )
    except (KeyError, ValidationError):
        unnamed = {folder}
    if unnamed:
        raise ArtefactError(
            f"{paths.manifest} does not name the members' weights; run make ensemble CONFIG=… with "
            "its experiment again"
        )
    return members


def _experiment(paths: FinishedPaths) -> Experiment:
    try:
        return build_experiment(read_yaml(paths.experiment), source=str(paths.experiment))
    except ConfigError as error:
        raise ArtefactError(
            f"{error}\nthe run was made by another version of this program; run make "
            "ensemble CONFIG=… with its experiment again"
        ) from None


def _mean(paths: FinishedPaths, experiment: Experiment, named: Mapping[Path, NamedFile]) -> Mean:
    name = mean_kind(experiment.ensemble.mean, multiclass=experiment.data.multiclass)
    if name == "rank":
        path = paths.mean_tables
        verified(
            path, named[path].sha256 if path in named else "", "run make ensemble CONFIG=… again"
        )
        return read_tables(path)
    return make_mean(name, stored_type(experiment))


def save_tables(paths: FinishedPaths, mean: Mean) -> list[Path]:
    """Write what else a mean consists of, and name the files."""
    contents = _tables(paths, mean)
    for path, content in contents.items():
        write_atomic(path, content)
    return list(contents)


def read_tables(path: Path) -> Mean:
    """The rank mean of tables that `save_tables` wrote."""
    return Mean("rank", np.load(path, allow_pickle=False))


def _tables(paths: FinishedPaths, mean: Mean) -> dict[Path, bytes]:
    if mean.name != "rank":  # the only mean that its name and the stored type do not fix
        return {}
    assert mean.tables is not None
    return {paths.mean_tables: _npy(mean.tables)}


def stored_type(experiment: Experiment) -> np.dtype[Any]:
    """How maps are stored before they are blended: one type for all models."""
    return np.dtype(next(iter(experiment.models.values())).infer.dtype)


def _named(content: bytes) -> NamedFile:
    return NamedFile(len(content), hashlib.sha256(content).hexdigest())


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
