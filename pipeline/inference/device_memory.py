"""Device memory: recovery from too little of it, and copies that do not wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.data.image_sources.source import Pixels
from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DoesNotFitError(ResourceError):
    """Even the smallest batch does not fit into memory."""


def fitting(
    call: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result | None:
    """The result of `call`; None where memory did not suffice, after freeing what it had taken."""
    try:
        return call(*arguments, **named)
    except Exception as error:
        if not (isinstance(error, DoesNotFitError) or is_out_of_memory(error)):
            raise
    # only here: as long as the error is handled, its traceback holds the tensors of its frames
    torch.cuda.empty_cache()
    return None


def host_tensor(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An empty tensor on the host; pinned where `device` then copies without anybody waiting."""
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == "cuda")


def uploaded(images: Sequence[Pixels], scale: float, device: torch.device) -> Tensor:
    """N images HWC of one shape and type → N×C×H×W float32 on `device`, divided by `scale`."""
    dtype = torch.from_numpy(np.empty(0, images[0].dtype)).dtype
    stacked = host_tensor((len(images), *images[0].shape), dtype, device)
    np.stack(images, out=stacked.numpy())
    on_device = stacked.to(device, non_blocking=True)
    return on_device.permute(0, 3, 1, 2).float().div_(scale)


def fetched_later(maps: Tensor) -> Callable[[], NDArray[np.float32]]:
    """Begin to copy float32 maps to the host; what comes back waits for them and returns them."""
    if maps.device.type != "cuda":
        array: NDArray[np.float32] = maps.cpu().numpy()
        return lambda: array
    host = host_tensor(tuple(maps.shape), maps.dtype, maps.device)
    host.copy_(maps, non_blocking=True)
    copied = torch.cuda.current_stream(maps.device).record_event()

    def wait() -> NDArray[np.float32]:
        copied.synchronize()
        there: NDArray[np.float32] = host.numpy()
        return there

    return wait
