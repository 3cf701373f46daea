"""The paths of all artefacts; no other module builds such a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.host import host_name
from pipeline.member_id import MemberId

MapPart = Literal["oof", "test"]
"""oof: maps of training images, each by networks that did not see it; test: of test images."""

WeightsKind = Literal["plain", "ema", "mean"]
"""The weights after the last step: as they are, their moving average, or the mean of what was after
each of the last epochs."""


@dataclass(frozen=True)
class MemberPaths:
    """The files of one member."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def state(self) -> Path:
        """Everything an interrupted training needs to go on."""
        return self.folder / "state.bin"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    def weights(self, kind: WeightsKind) -> Path:
        return self.folder / f"last_{kind}.safetensors"


@dataclass(frozen=True)
class FinishedPaths:
    """The files of a run's folder that prediction needs, wherever the folder has been moved."""

    folder: Path

    @property
    def experiment(self) -> Path:
        """A copy of the experiment, complete: no other file is needed to read it."""
        return self.folder / "experiment.yaml"

    @property
    def blend(self) -> Path:
        return self.folder / "ensemble.yaml"

    @property
    def mean_tables(self) -> Path:
        """What a rank mean makes of stored numbers; there for `ensemble.mean: rank` alone."""
        return self.folder / "mean_tables.npy"

    @property
    def manifest(self) -> Path:
        """Names all these files and the weights of every member, with their checksums."""
        return self.folder / "predictor.json"

    @property
    def exports(self) -> Path:
        """Models in formats that other programs read."""
        return self.folder / "export"


@dataclass(frozen=True)
class Workspace:
    """Every path of one experiment, below `root` (the working directory)."""

    name: str
    root: Path = Path()
    progress_of: str = ""
    """Whose jobs report into `progress`: those of one invocation have a folder there."""

    @classmethod
    def folders_of_a_run(cls) -> set[str]:
        """Reserved names in a run's folder, which no model may have."""
        example = cls("name")
        names = [name for name, value in vars(cls).items() if isinstance(value, property)]
        paths: list[Path] = [getattr(example, name) for name in names]
        below = [
            path.relative_to(example.run).parts for path in paths if example.run in path.parents
        ]
        return {parts[0] for parts in below}

    @property
    def fold_table(self) -> Path:
        return self.root / "folds" / f"{self.name}.csv"

    @property
    def fold_manifest(self) -> Path:
        return self.fold_table.with_suffix(".json")

    @property
    def run(self) -> Path:
        return self.root / "runs" / self.name

    @property
    def index(self) -> Path:
        """Facts that `check` read from every image and mask."""
        return self.run / "index.csv"

    @property
    def index_manifest(self) -> Path:
        return self.run / "index.json"

    @property
    def sample_manifest(self) -> Path:
        """Which sample submission `check` has found to ask for the test images."""
        return self.run / "sample.json"

    @property
    def weights_manifest(self) -> Path:
        """Which files of starting weights `check` has put into their networks."""
        return self.run / "weights.json"

    @property
    def alignment(self) -> Path:
        return self.run / "alignment.csv"

    @property
    def alignment_manifest(self) -> Path:
        return self.run / "alignment.json"

    @property
    def aligned_references(self) -> Path:
        return self.run / "aligned"

    @property
    def augmentation(self) -> Path:
        """A picture of augmented training samples."""
        return self.run / "augmentation.png"

    def member(self, member: MemberId) -> MemberPaths:
        return MemberPaths(self.run / member.model / member.folder)

    def maps(self, model: str, part: MapPart) -> Path:
        return self.run / model / "maps" / part

    @property
    def summed_maps(self) -> Path:
        """The test maps of all models, summed (`ensemble.accumulate`)."""
        return self.run / "blend" / "test"

    def finished(self) -> FinishedPaths:
        return FinishedPaths(self.run)

    @property
    def blend(self) -> Path:
        return self.finished().blend

    @property
    def oof_scores(self) -> Path:
        """The blend's score of every out-of-fold image."""
        return self.run / "oof_scores.csv"

    @property
    def borders(self) -> Path:
        return self.run / "borders.csv"

    @property
    def blend_manifest(self) -> Path:
        return self.run / "ensemble.json"

    def scorecard(self, suffix: Literal["csv", "md"]) -> Path:
        return self.run / f"scorecard.{suffix}"

    @property
    def report(self) -> Path:
        return self.run / "report.html"

    @property
    def report_manifest(self) -> Path:
        return self.run / "report.json"

    @property
    def exports(self) -> Path:
        return self.finished().exports

    @property
    def class_scores(self) -> Path:
        """Counts of correct and wrong pixels of the blend by class."""
        return self.run / "class_scores.json"

    @property
    def timings(self) -> Path:
        return self.run / "timings.csv"

    @property
    def tracking(self) -> Path:
        """Files of trackers, and the rows that they have logged."""
        return self.run / "tracking"

    @property
    def submissions(self) -> Path:
        return self.root / "submissions" / self.name

    def submission(self, label: str, suffix: str = ".csv") -> Path:
        """suffix: that of its format; "" for a folder."""
        return self.submissions / f"{label}{suffix}"

    @property
    def decoded(self) -> Path:
        """Decoded training samples (`train.cache`)."""
        return self.run / "decoded"

    @property
    def progress(self) -> Path:
        """Progress files of running jobs."""
        return self.run / ".progress" / self.progress_of

    @property
    def locks(self) -> Path:
        """Leases of this machine's devices; other machines may share the disk."""
        return self.root / "runs" / ".locks" / host_name()
