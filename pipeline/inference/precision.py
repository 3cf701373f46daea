"""Which number format a device computes in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from pipeline.config.choices import Precision, PrecisionWish
from pipeline.errors import ResourceError

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve(wish: PrecisionWish, device: str) -> Precision:
    """The format for `device`; `auto` is bf16 where a GPU has it, else fp16, and fp32 on a CPU.

    ResourceError for bf16 on a GPU that cannot compute in it at all.
    """
    if not device.startswith("cuda"):
        return "fp32" if wish == "auto" else wish
    with torch.cuda.device(device):  # cards of one machine may differ
        if wish == "auto":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        if wish == "bf16" and not torch.cuda.is_bf16_supported():
            name = torch.cuda.get_device_name()
            raise ResourceError(f"{device} ({name}) has no bf16; set precision: auto, or fp16")
    return wish


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Mixed precision on `device`; for fp32, convolutions in that format and no coarser one."""
    if precision == "fp32":
        return _without_tf32()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


@contextmanager
def _without_tf32() -> Iterator[None]:
    """PyTorch lets cuDNN round the inputs of float32 convolutions to 10 bits of mantissa."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
