"""Parts of the encoder that stay as they are in the first steps (`train.freeze`)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from pipeline.config.optimisation import FreezeConfig
from pipeline.training.parts import encoder_of, normalisations


class Freezing:
    """Freezes and thaws modules of a network, as a function of the step alone.

    What is frozen gets no gradient, and is in evaluation mode: its running statistics stay, and
    nothing of it is dropped out. Make it after the optimizer, which is to know all parameters.
    """

    def __init__(self, network: nn.Module, settings: FreezeConfig) -> None:
        self._settings = settings
        self._until: list[tuple[int | bool, list[nn.Module]]] = []
        if settings.encoder:
            self._until.append((settings.encoder, [encoder_of(network)]))
        if settings.norms:
            self._until.append((settings.norms, list(normalisations(encoder_of(network)))))
        self._learning = [
            parameter
            for _, each in self._until
            for parameter in _parameters(each)
            if parameter.requires_grad
        ]

    def before(self, step: int) -> None:
        """Be ready for the step that follows `step` others; the network is in training mode."""
        if not self._until:
            return
        frozen = [modules for until, modules in self._until if until is True or step < until]
        still = {id(parameter) for modules in frozen for parameter in _parameters(modules)}
        for parameter in self._learning:
            parameter.requires_grad_(id(parameter) not in still)
        for _, modules in self._until:
            for module in modules:
                module.train()
        for modules in frozen:
            for module in modules:
                module.eval()


def _parameters(modules: list[nn.Module]) -> Iterator[nn.Parameter]:
    for module in modules:
        yield from module.parameters()
