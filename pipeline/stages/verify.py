"""verify: reads every map of an experiment and names the ones that are not what was written."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.errors import ArtefactError
from pipeline.maps import Accumulator, MapStore
from pipeline.stages.context import StageContext


def run(context: StageContext) -> None:
    """Read all stores; damaged maps are marked, so that the next infer makes just those again.

    Raises ArtefactError that lists every map that is missing, truncated or altered.
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
        raise ArtefactError(f"{context.workspace.run} holds no maps; run make infer")
    maps = 0
    problems: list[str] = []
    with context.reporter.track("verify", len(folders)) as advance:
        for folder in folders:
            count, found = _verify(context, folder)
            maps, problems = maps + count, problems + found
            advance(1)
    if problems:
        raise ArtefactError(
            f"{len(problems)} of {maps} maps are not whole; make infer makes just these again "
            "(sums: make submit):\n" + "\n".join(problems)
        )
    seconds = time.monotonic() - started
    context.reporter.say(f"verify: {maps} maps in {len(folders)} stores whole, {seconds:.1f} s")


def _verify(context: StageContext, folder: Path) -> tuple[int, list[str]]:
    try:
        is_sum = folder == context.workspace.summed_maps
        store = (Accumulator if is_sum else MapStore).open(folder)
    except ArtefactError as error:
        return 0, [f"  {error}"]
    found = list(store.verify())
    store.reset([problem.id for problem in found])
    return len(store), [f"  {folder}: {problem}" for problem in found]
