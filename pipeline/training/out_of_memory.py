"""The error of a training that does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import TrainConfig
from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory


@contextmanager
def naming_the_batch(member: str, settings: TrainConfig, device: str) -> Iterator[None]:
    """Memory that is refused within the block becomes a ResourceError that names `train.batch`."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(f"{member}: out of memory{_remedy(settings, device)}") from None


def _remedy(settings: TrainConfig, device: str) -> str:
    batch, size = settings.batch, list(settings.size)
    fewer = ", or run fewer jobs at a time (JOBS=1)" if device == "cpu" else ""
    if batch == 1:
        return f" with train.batch: 1 of train.size: {size}; take a smaller train.size{fewer}"
    same = f" and train.accumulate: {2 * settings.accumulate}" if batch % 2 == 0 else ""
    return (
        f" with train.batch: {batch} of train.size: {size}; set train.batch: {batch // 2}{same}, "
        f"or train.checkpointing: true, or a smaller train.size{fewer}"
    )
