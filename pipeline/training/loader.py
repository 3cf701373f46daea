"""Batches by epoch, from loader processes that live as long as the training they serve.

They come from a fork server: forks of a process that has imported what a loader needs and nothing
else. A fork of the training process would copy its locks and its CUDA context without the threads
that hold them, and fresh processes would import torch once each. They ignore signals, and end
with their training however that ends. Where one dies (the system was short of memory), others take
over with the batch that is due, whose content depends on nothing but its keys.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.context import BaseContext
from multiprocessing.resource_tracker import ensure_running
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import default_collate

from pipeline.config import TrainConfig
from pipeline.errors import MaskmillError, ResourceError
from pipeline.interruption import ignore_signals, started_without_signals
from pipeline.training.dataset import Batch, TrainingSet
from pipeline.training.sampling import Key, epoch_batches

MOST_DEATHS = 3
"""Loader processes that may die in one epoch: one more shows that it will not get better."""


class EpochLoader:
    """The batches of a training; what is in them depends on the settings alone, not on workers."""

    def __init__(
        self,
        data: TrainingSet,
        settings: TrainConfig,
        workers: int,
        pin: bool,
        warn: Callable[[str], None],
    ) -> None:
        """pin: to memory from which a GPU copies; needs workers. warn: told of deaths."""
        self._data, self._settings, self._workers = data, settings, workers
        self._pin, self._warn = pin, warn
        self._keys = _Keys()
        # of its own: drawing from torch's would shift dropout by the number of resumptions
        self._generator = torch.Generator()
        self._processes: set[Any] = set()
        self._loader: DataLoader[Any] | None = None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of `epoch` (from 0) from step `start` on, in order.

        Raises what reading a sample raises, and ResourceError when processes die again and again.
        """
        left = list(epoch_batches(self._data.facts, self._settings, epoch, start))
        deaths = 0
        while left:
            try:
                for batch in self._batches(epoch, left):
                    del left[0]
                    yield batch
            except _DiedError as died:
                deaths += 1
                self.close()
                if deaths > MOST_DEATHS:
                    raise ResourceError(
                        f"loader processes die again and again ({died}); memory or /dev/shm may be "
                        "too small: lower train.cache, train.batch or train.workers"
                    ) from None
                self._warn(f"a loader process has died and is replaced ({died})")

    def _batches(self, epoch: int, keys: list[list[Key]]) -> Iterator[Batch]:
        self._keys.batches = list(keys)
        self._generator.manual_seed(self._settings.seed * 2**31 + epoch)
        for batch in self._guarded(self._started()):
            if isinstance(batch, MaskmillError):
                raise batch
            yield batch

    def close(self) -> None:
        """End the loader processes, also one that is stuck."""
        self._loader = None  # asks them to end
        for process in self._processes:
            if process.is_alive():
                process.kill()
        self._processes.clear()

    def _started(self) -> Iterator[Any]:
        if self._loader is None:
            self._loader = self._make()
        loader, before = self._loader, set(multiprocessing.active_children())
        ensure_running()  # or it would, below, let signals through again
        with started_without_signals():
            batches = iter(loader)
        self._processes |= set(multiprocessing.active_children()) - before
        return batches

    def _make(self) -> DataLoader[Any]:
        workers = self._workers
        return DataLoader(
            _Telling(self._data),
            batch_sampler=self._keys,
            num_workers=workers,
            multiprocessing_context=_fork_server() if workers else None,
            worker_init_fn=functools.partial(_start, os.getpid()) if workers else None,
            persistent_workers=workers > 0,
            collate_fn=_collate,
            generator=self._generator,
            pin_memory=self._pin and workers > 0,
        )

    def _guarded(self, batches: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from batches
        except RuntimeError as error:
            if not str(error).startswith("DataLoader worker"):
                raise
            raise _DiedError(str(error).partition("\n")[0]) from None
        except (EOFError, OSError) as error:
            if not self._processes:
                raise
            # errors of the data are values here: only a tensor of a process that is gone is missing
            raise _DiedError(f"its batch cannot be fetched: {type(error).__name__}") from None


class _DiedError(Exception):
    """A loader process is gone."""


class _Keys(Sampler[list[Key]]):
    """The keys of the epoch that is next; workers that stay need one sampler for all epochs."""

    def __init__(self) -> None:
        self.batches: list[list[Key]] = []

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Telling(Dataset[Any]):
    """A training set whose errors are values: as exceptions they would come as tracebacks."""

    def __init__(self, data: TrainingSet) -> None:
        self._data = data

    def __getitems__(self, keys: list[Key]) -> list[Batch] | MaskmillError:
        try:
            return [self._data[key] for key in keys]
        except MaskmillError as error:
            return error


def _collate(samples: list[Batch] | MaskmillError) -> Any:
    return samples if isinstance(samples, MaskmillError) else default_collate(samples)


def _fork_server() -> BaseContext:
    context = multiprocessing.get_context("forkserver")
    # each process is told the start method of its parent, which in a job's process is loky's
    loky = "joblib.externals.loky.backend.context"
    context.set_forkserver_preload([loky, "pipeline.training.dataset"])
    return context


def _start(parent: int, _worker: int) -> None:
    ignore_signals(parent)
    cv2.setNumThreads(0)  # each worker is one of several, and takes one core
