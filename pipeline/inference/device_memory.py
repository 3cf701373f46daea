"""Device memory: recovery from too little of it, and copies that do not wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.config.choices import MapDtype
from pipeline.data.image_sources.source import Pixels
from pipeline.errors import ResourceError
from pipeline.execution.device_faults import is_out_of_memory
from pipeline.inference.device_quantise import in_range, quantised

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


def fetched_later(maps: Tensor, stored: MapDtype | None = None) -> Callable[[], NDArray[Any]]:
    """Begin to copy float32 maps to the host; what comes back waits for them and returns them.

    stored: what they will be stored as; from a GPU they come so, unless some are no probabilities:
    then as they are, for who stores them to say so.
    """
    if maps.device.type != "cuda":
        array: NDArray[np.float32] = maps.cpu().numpy()
        return lambda: array
    as_is = torch.ones((), dtype=torch.bool, device=maps.device)
    right, sent = (as_is, maps) if stored is None else (in_range(maps), quantised(maps, stored))
    parts = [
        (each, host_tensor(tuple(each.shape), each.dtype, each.device)) for each in (right, sent)
    ]
    for on_device, host in parts:
        host.copy_(on_device, non_blocking=True)
    copied = torch.cuda.current_stream(maps.device).record_event()

    def wait() -> NDArray[Any]:
        copied.synchronize()
        (_, is_right), (_, there) = parts
        fetched: NDArray[Any] = (there if is_right else maps.cpu()).numpy()
        return fetched

    return wait
