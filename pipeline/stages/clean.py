"""clean: removes the run folder of one experiment."""

from __future__ import annotations

from pipeline.atomic_files import empty_folder
from pipeline.stages.context import StageContext


def run(context: StageContext) -> None:
    """Remove the experiment's run; its data, fold table and submissions stay."""
    folder = context.workspace.run
    if not folder.is_dir():
        context.reporter.say(f"clean: there is no {folder}")
        return
    empty_folder(folder)
    if not folder.is_symlink():
        folder.rmdir()
    context.reporter.say(f"clean: removed {folder}; data, folds and submissions stay")
