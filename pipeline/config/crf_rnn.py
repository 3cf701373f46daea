"""The `crf_rnn` block of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.base import Block


class CrfRnn(Block):
    """A mean field as the last layers of the network, learned with it (Zheng et al. 2015)."""

    exclusive: bool = False
    """Whether the classes exclude each other: as `data.multiclass`."""
    train_iterations: int = Field(5, ge=1, le=20)
    """Iterations in training."""
    iterations: int = Field(10, ge=1, le=20)
    """Iterations in use."""
    radius: int = Field(5, ge=1, le=10)
    """Cells that a pixel looks at to every side."""
    stride: Literal[1, 2, 4] = 2
    """Pixels a cell is wide: logits are refined at that part of their size."""
    colour: float = Field(0.2, ge=0.01, le=10)
    """Standard deviation of the kernel of place and colour, in those of the normalised colours."""
    near: float = Field(1.5, ge=0.1, le=10)
    """Standard deviation of the kernel of place, in cells."""
