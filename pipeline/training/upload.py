"""Brings batches to the device while it still computes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def uploader(device: torch.device) -> Callable[[Tensor], Tensor]:
    """What copies a tensor to the device.

    A GPU copies from pinned memory on a stream of its own: on the one that computes, the copy of a
    batch would wait for the step before it.
    """
    if device.type != "cuda":
        return lambda tensor: tensor.to(device)
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def upload(tensor: Tensor) -> Tensor:
        computing = torch.cuda.current_stream(device)
        with torch.cuda.stream(copying):
            copied = tensor.to(device, non_blocking=True)
        computing.wait_stream(copying)
        copied.record_stream(computing)  # its memory is not reused before the step has read it
        return copied

    return upload
