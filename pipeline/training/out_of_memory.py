"""The error of a training that does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory
from pipeline.training.member import TrainJob


@contextmanager
def naming_the_batch(job: TrainJob, device: str) -> Iterator[None]:
    """Memory that is refused within the block becomes a ResourceError that names `train.batch`."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(f"{job.name}: out of memory{_remedy(job, device)}") from None


def _remedy(job: TrainJob, device: str) -> str:
    settings, key = job.model.train, job.place.key
    batch, size = settings.batch, list(settings.size)
    fewer = ", or run fewer jobs at a time (JOBS=1)" if device == "cpu" else ""
    if batch == 1:
        return f" with {key}.batch: 1 of {key}.size: {size}; take a smaller {key}.size{fewer}"
    same = f" and {key}.accumulate: {2 * settings.accumulate}" if batch % 2 == 0 else ""
    return (
        f" with {key}.batch: {batch} of {key}.size: {size}; set {key}.batch: {batch // 2}{same}, "
        f"or {key}.checkpointing: true, or a smaller {key}.size{fewer}"
    )
