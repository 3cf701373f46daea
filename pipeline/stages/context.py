"""The context of every stage, and its messages at the end."""

from __future__ import annotations

import functools
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pipeline.atomic_files import sweep
from pipeline.config import Experiment
from pipeline.disk_space import disk_errors_reported
from pipeline.errors import ConfigError
from pipeline.execution.engine import OpenEngine
from pipeline.execution.executor import Job, Machine, run_jobs
from pipeline.execution.loky import Loky
from pipeline.locks import hold
from pipeline.member_id import ALL_IMAGES, MemberId
from pipeline.reporting import Reporter, duration
from pipeline.stage_names import BY_MEMBER, ORDER
from pipeline.stages.parts import timings
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.execution.cluster.cluster import Cluster

Result = TypeVar("Result")


@dataclass
class StageContext:
    """One invocation: the experiment, its workspace, the reporter, and the user's options."""

    experiment: Experiment
    workspace: Workspace
    reporter: Reporter
    asked: str = ""
    """The stage that the user called; stages that it needs report only when they do something."""
    jobs: int | None = None
    devices: tuple[str, ...] = ()
    model: str | None = None
    fold: int | Literal["all"] | None = None
    cluster: str = ""
    """The address of a scheduler or a YAML file (CLUSTER=): jobs run there, and not here."""
    arguments: str = ""
    """The user's arguments after `make <stage>`, for the next command."""
    program: str = "make"
    """The program by which the user calls stages: `make` or `maskmill`."""
    results: dict[str, Any] = field(default_factory=dict)
    """The result of each stage in this invocation, kept by `once`."""
    opened: ExitStack = field(default_factory=ExitStack)
    """What ends with this invocation: the connection to a cluster."""

    def __enter__(self) -> StageContext:
        return self

    def __exit__(self, *error: object) -> None:
        self.opened.close()

    @cached_property
    def machine(self) -> Machine:
        """The devices of this machine, or those of all machines of the cluster."""
        return self.workers.machine() if self.cluster else Machine.detect(self.jobs, self.devices)

    @cached_property
    def hosts(self) -> int:
        """How many machines run jobs."""
        return max(1, len(self.workers.team.hosts)) if self.cluster and self.machine else 1

    @cached_property
    def workers(self) -> Cluster:
        """The cluster of CLUSTER=, started or connected to at the first use."""
        from pipeline.execution.cluster.cluster import open_cluster
        from pipeline.execution.cluster.settings import cluster_settings

        if self.devices not in ((), ("cpu",)):
            raise ConfigError("DEVICES= with CLUSTER= can be cpu alone: each worker names its own")
        return self.opened.enter_context(
            open_cluster(
                cluster_settings(self.cluster),
                self.workspace.root / "runs",
                self.experiment.data.root,
                self.reporter,
                self.jobs,
                self.devices,
            )
        )

    def run_jobs(self, title: str, jobs: list[Job], width: int | None = None) -> dict[str, object]:
        """Run jobs on this machine's devices, under this workspace's locks, or on the cluster.

        width: how many jobs there would be if none were done yet (default: just these).
        """
        engine: OpenEngine = Loky
        if self.cluster:
            from pipeline.execution.cluster.engine import open_dask

            engine = open_dask(self.workers)
        return run_jobs(
            title, jobs, self.machine, self.workspace, self.reporter, width=width, engine=engine
        )

    def models(self) -> list[str]:
        """The models that MODEL= leaves; ConfigError for one that the experiment does not have."""
        names = list(self.experiment.models)
        if self.model is None:
            return names
        chosen = [name.strip() for name in self.model.split(",")]
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ConfigError(f"MODEL={self.model}: no model {unknown[0]!r}; there are {names}")
        return chosen

    def used_folds(self) -> list[int]:
        """The folds that are trained and scored, by the experiment."""
        count, use = self.experiment.folds.count, self.experiment.folds.use
        for fold in use or ():
            self._check_fold(fold, "folds.use")
        return sorted(set(use)) if use else list(range(count))

    def predicting_folds(self) -> list[int]:
        """Those whose members predict test images: the used folds, then ALL_IMAGES if it is asked
        for.
        """
        return [*self.used_folds(), *([ALL_IMAGES] if self.experiment.folds.all else [])]

    def chosen_folds(self) -> list[int]:
        """Those of `predicting_folds` that FOLD= leaves; ConfigError for one that is not there."""
        if self.fold is None:
            return self.predicting_folds()
        if self.fold == "all":
            if not self.experiment.folds.all:
                raise ConfigError(
                    "FOLD=all: no member is trained on all images; set folds.all: true"
                )
            return [ALL_IMAGES]
        self._check_fold(self.fold, "FOLD")
        return [self.fold]

    def folds(self) -> list[int]:
        """The folds of the fold table that FOLD= leaves."""
        return [fold for fold in self.chosen_folds() if fold != ALL_IMAGES]

    def members(self, model: str, folds: Iterable[int]) -> list[MemberId]:
        """A model's members on these folds: the seeds of a fold one after another."""
        seeds = range(self.experiment.models[model].seeds)
        return [MemberId(model, fold, seed) for fold in folds for seed in seeds]

    def _check_fold(self, fold: int, key: str) -> None:
        count = self.experiment.folds.count
        if not isinstance(fold, int) or not 0 <= fold < count:  # from Python it may be anything
            raise ConfigError(f"{key}={fold}: the fold table has the folds 0 … {count - 1}")

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Be the only process that works on `what`; wait for another one."""

        def waiting(owner: str) -> None:
            self.reporter.say(f"{what}: waiting for {owner}, which is working on it")

        with hold(self.workspace.run / ".locks" / f"{what}.lock", waiting=waiting):
            for folder in (self.workspace.run, self.workspace.submissions):
                sweep(folder)
            yield

    def alone_on_cluster(self, what: str) -> AbstractContextManager[None]:
        """`exclusive` where other machines run the jobs: those of two commands could be on two, and
        write to one file. On one machine the locks of its rows do.
        """
        return self.exclusive(what) if self.cluster else nullcontext()

    def up_to_date(self, stage: str, where: Path) -> None:
        """Say that nothing had to be done, if the user called just this stage."""
        if self.asked in (stage, "all"):
            self.reporter.say(f"{stage}: up to date, {where}")

    def done(self, stage: str, made: str, where: Path, started: float) -> None:
        """The one line at the end of a stage: what, where, how long, and what comes next."""
        seconds = time.monotonic() - started
        if stage in ORDER:  # what only reads a finished run leaves it as it is
            timings.record(self.workspace.timings, stage, seconds, made)
        line = f"{stage}: {made} → {where} in {duration(seconds)}"
        following = ORDER[ORDER.index(stage) + 1 :] if stage in ORDER else ()
        if self.asked == stage and following:
            line += f"; next: {self.program} {self._next(following)}"
        self.reporter.say(line)

    def _next(self, following: tuple[str, ...]) -> str:
        skip_alignment = following[0] == "align" and self.experiment.data.reference is None
        stage = following[1] if skip_alignment else following[0]
        return f"{stage}{self._chosen() if stage in BY_MEMBER else ''}{self.arguments}"

    def _chosen(self) -> str:
        """MODEL= and FOLD= again: without them the next stage would first train all the others."""
        given = {"model": self.model, "fold": self.fold}
        texts = {name: str(value) for name, value in given.items() if value is not None}
        return as_typed(self.program, texts)


def as_typed(program: str, given: Mapping[str, str]) -> str:
    """Options as a user of `make` (NAME=value) or of `maskmill` (--name value) types them."""
    texts = {name: shlex.quote(text) for name, text in given.items()}
    if program == "make":
        return "".join(f" {name.upper()}={text}" for name, text in texts.items())
    return "".join(f" --{name} {text}" for name, text in texts.items())


def once(run: Callable[[StageContext], Result]) -> Callable[[StageContext], Result]:
    """A stage runs once an invocation, however many others ask for its result.

    Errors of the disk become ResourceError, for the command line and for Python alike.
    """

    @functools.wraps(run)
    def remembered(context: StageContext) -> Result:
        if run.__module__ not in context.results:
            with disk_errors_reported():
                context.results[run.__module__] = run(context)
        result: Result = context.results[run.__module__]
        return result

    return remembered
