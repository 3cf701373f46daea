"""The setup of a training: the same numbers everywhere, on the leased device."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import lightning_fabric
import numpy as np
import torch

from pipeline.config.choices import Precision

_FABRIC_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_fabric(precision: Precision, device: str) -> lightning_fabric.Fabric:
    """Fabric on that device alone, without its messages at each start."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind, _, number = device.partition(":")
    return lightning_fabric.Fabric(
        accelerator=kind,
        devices=[int(number)] if number else 1,
        precision=_FABRIC_PRECISION[precision],  # type: ignore[arg-type]
    )


@contextmanager
def computing_with(threads: int | Literal["auto"]) -> Iterator[None]:
    """Use `train.threads` within the block, since the process later runs other jobs."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if threads == "auto" else threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
