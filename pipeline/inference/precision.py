"""The number format that a device computes in."""

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
    """Mixed precision on `device`; for fp32, that format and no coarser one."""
    if precision == "fp32":
        return plain_float32(precision)
    return torch.autocast(device.type, dtype=_DTYPES[precision])


@contextmanager
def plain_float32(precision: Precision) -> Iterator[None]:
    """Within the block a GPU computes fp32 as a CPU does; other formats are left as they are.

    PyTorch lets cuDNN round the inputs of float32 convolutions to 10 bits of mantissa (TF32), and
    an environment variable or a library may let it do so in matrix products, too. `train` and
    `infer` both come through here, so that one precision means one thing.
    """
    if precision != "fp32":
        yield
        return
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
