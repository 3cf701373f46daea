"""Everything an interrupted training needs to go on, as one checksummed file."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.atomic_files import write_atomic

_MAGIC = b"MASKMILL-STATE\n"


@dataclass
class Progress:
    """Progress of a training, and its running statistics."""

    step: int = 0
    """Optimizer steps made, over all epochs of the stage."""
    stage: int = 0
    """The stage, from 0."""
    loss_sum: float = 0.0
    """Of the current epoch, so that an interrupted one reports the loss it would have."""
    training_s: float = 0.0
    """Seconds that the current epoch's steps took, with the wait for their batches."""
    waiting_s: float = 0.0
    """Seconds of these during which nothing could be computed for lack of a batch."""
    history: list[dict[str, float]] = field(default_factory=list)
    """A row for each epoch, of earlier stages too."""


def save_state(path: Path, fingerprint: str, content: dict[str, Any]) -> None:
    """Write tensors, numbers and strings with a checksum before them."""
    stream = io.BytesIO()
    torch.save({"fingerprint": fingerprint, **content}, stream)
    payload = stream.getvalue()
    write_atomic(path, _MAGIC + hashlib.sha256(payload).digest() + payload)


def load_state(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The state that `save_state` wrote for these inputs; None if missing, damaged or of others."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    start = len(_MAGIC) + 32
    if data[:start] != _MAGIC + hashlib.sha256(data[start:]).digest():
        return None
    content: dict[str, Any] = torch.load(
        io.BytesIO(data[start:]),
        weights_only=True,
        map_location="cpu",  # the GPU that it was saved on need not be here
    )
    return content if content["fingerprint"] == fingerprint else None


def random_state(device: torch.device) -> dict[str, Any]:
    """Every generator a training step may draw from."""
    version, internal, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],  # type: ignore[union-attr]
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Undo everything drawn since `random_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, _numpy_keys(keys), *rest))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def _numpy_keys(keys: Tensor) -> np.ndarray:
    return keys.numpy().astype(np.uint32)
