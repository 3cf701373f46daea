"""verify: reads every map and every weight of an experiment, and lists damaged ones."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.atomic_files import rename_damaged
from pipeline.disk_space import disk_errors_reported
from pipeline.errors import ArtefactError
from pipeline.manifests import damaged_files
from pipeline.maps import Accumulator, MapStore
from pipeline.stages.context import StageContext


@disk_errors_reported()
def run(context: StageContext) -> None:
    """Read all stores; damaged maps are marked, so that the next infer makes just those again.
    Damaged weights and aligned references are renamed for the same purpose.

    Raises ArtefactError that lists every map that is missing, truncated or altered, and the files.
    """
    started = time.monotonic()
    folders = [
        folder
        for model in context.experiment.models
        for part in ("oof", "test")
        if (folder := context.workspace.maps(model, part)).is_dir()
    ]
    folders += [folder for folder in [context.workspace.summed_maps] if folder.is_dir()]
    if not folders:
        raise ArtefactError(f"{context.workspace.run} contains no maps; run make infer")
    maps = 0
    problems: list[str] = []
    with context.reporter.track("verify", len(folders)) as advance:
        for folder in folders:
            count, found = _verify(context, folder)
            maps, problems = maps + count, problems + found
            advance(1)
    files = _damaged_files(context)
    if files:
        problems += [f"  {path}: damaged, moved to {path.name}.damaged" for path in files]
        raise ArtefactError(
            f"{len(problems)} maps and files are damaged; the next make regenerates only these:\n"
            + "\n".join(problems)
        )
    if problems:
        raise ArtefactError(
            f"{len(problems)} of {maps} maps are damaged; make infer regenerates only these "
            "(sums: make submit):\n" + "\n".join(problems)
        )
    seconds = time.monotonic() - started
    context.reporter.say(f"verify: {maps} maps in {len(folders)} stores intact, {seconds:.1f} s")


def _damaged_files(context: StageContext) -> list[Path]:
    """Damaged weights, aligned references and their manifests."""
    workspace = context.workspace
    members = [
        workspace.member(member).manifest
        for model in context.experiment.models
        for member in context.members(model, context.predicting_folds())
    ]
    manifests = [*members, workspace.alignment_manifest]
    return [file for manifest in manifests if manifest.exists() for file in _altered(manifest)]


def _altered(manifest: Path) -> list[Path]:
    """The files that a manifest names and that have changed, or a manifest that names none."""
    try:
        return damaged_files(manifest)
    except ArtefactError:
        return [rename_damaged(manifest)]


def _verify(context: StageContext, folder: Path) -> tuple[int, list[str]]:
    try:
        is_sum = folder == context.workspace.summed_maps
        store = (Accumulator if is_sum else MapStore).open(folder)
    except ArtefactError as error:
        return 0, [f"  {error}"]
    found = list(store.verify())
    store.reset([problem.id for problem in found])
    return len(store), [f"  {folder}: {problem}" for problem in found]
