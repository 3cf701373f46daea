"""TensorBoard event files, by tensorboardX: `tensorboard --logdir runs/<name>/tracking`."""

from __future__ import annotations

from collections.abc import Mapping

from tensorboardX import SummaryWriter

from pipeline.tracking.tracker import TrackedRun


class TensorBoard:
    """One folder of event files a run."""

    def start(self, run: TrackedRun) -> None:
        # points from this step on, which a killed follower may have left, count no more
        self._writer = SummaryWriter(
            str(run.folder / run.name),
            purge_step=run.step,
            filename_suffix=f".{run.step}",  # two files of one second would be one
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()
