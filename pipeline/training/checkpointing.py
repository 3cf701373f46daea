"""Gradient checkpointing of an encoder: its blocks compute twice, and keep nothing in between.

Chen et al. 2016. It is done here, not by timm's `set_grad_checkpointing`: that calls the layers of
a stage without the stage, so the features that are tapped there would be missing, and it lets batch
normalisations count each batch twice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pipeline.errors import ConfigError
from pipeline.training.parts import FEWEST_BLOCKS, batch_norms, blocks, encoder_of


def checkpoint_encoder(model: str, network: nn.Module, key: str = "train") -> None:
    """Have each block of the encoder keep its input alone; ConfigError where it has no blocks.

    key: where the settings are written.
    """
    rows = list(blocks(encoder_of(network)))
    if len(rows) < FEWEST_BLOCKS:
        raise ConfigError(
            f"models.{model}: {key}.checkpointing: true needs an encoder of repeated blocks, and "
            f"this one has none; leave it out, and take a smaller {key}.batch with {key}.accumulate"
        )
    for block in rows:
        block.forward = _Checkpointed(block)


class _Checkpointed:
    """The forward pass of a block; an object, so that the copy of a network has copies of it."""

    def __init__(self, block: nn.Module) -> None:
        self.block = block

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        forward = functools.partial(type(self.block).forward, self.block)
        if not (torch.is_grad_enabled() and self.block.training):
            return forward(*inputs, **named)
        # DenseNet appends to the list of features that its layers were given
        own = [list(each) if isinstance(each, list) else each for each in inputs]
        return checkpoint(
            _unchanged(forward),
            *own,
            use_reentrant=False,
            context_fn=functools.partial(_contexts, self.block),
            **named,
        )


def _unchanged(forward: Any) -> Any:
    """`forward`, which raises ConfigError where it is given other values the second time."""
    versions: list[list[int]] = []

    def twice(*inputs: Any, **named: Any) -> Any:
        flat = [part for each in inputs for part in (each if isinstance(each, list) else [each])]
        versions.append([each._version for each in flat if isinstance(each, Tensor)])
        if versions[0] != versions[-1]:
            raise ConfigError(
                "train.checkpointing: this encoder changes the input of a block in place, so it "
                "cannot be computed again; leave train.checkpointing out"
            )
        return forward(*inputs, **named)

    return twice


def _contexts(
    block: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _without_statistics(block)


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Batch normalisations see the batch for the second time, and count it in copies.

    Without running statistics they would keep fewer tensors than they did the first time.
    """
    norms = [norm for _, norm in batch_norms(block)]
    before = [dict(norm._buffers) for norm in norms]
    for norm in norms:
        norm._buffers.update({name: _copied(each) for name, each in norm._buffers.items()})
    try:
        yield
    finally:
        for norm, buffers in zip(norms, before, strict=True):
            norm._buffers.update(buffers)


def _copied(buffer: Tensor | None) -> Tensor | None:
    return None if buffer is None else buffer.clone()
