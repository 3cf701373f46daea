"""How a training starts: the same numbers everywhere, on the device that was leased."""

from __future__ import annotations

import random

import lightning_fabric
import numpy as np
import torch

from pipeline.config.choices import Precision

_FABRIC_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_fabric(precision: Precision, device: str) -> lightning_fabric.Fabric:
    kind, _, number = device.partition(":")
    return lightning_fabric.Fabric(
        accelerator=kind,
        devices=[int(number)] if number else 1,
        precision=_FABRIC_PRECISION[precision],  # type: ignore[arg-type]
    )


def seed_everything(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
