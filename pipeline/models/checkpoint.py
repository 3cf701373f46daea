"""A network's weights on disk: safetensors, which run no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from pipeline.atomic_files import write_atomic
from pipeline.errors import ArtefactError
from pipeline.models.auxiliary.heads import OUTPUTS, AuxiliaryHeads


def save_weights(path: Path, network: nn.Module, **facts: Any) -> None:
    """Write a network's tensors as safetensors, with `facts` in its header.

    Of auxiliary outputs it says which there are, and what their numbers mean.
    """
    outputs = getattr(network, "outputs", None)
    if isinstance(outputs, AuxiliaryHeads):
        facts["auxiliary"] = outputs.facts
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    # one entry, because safetensors writes several in an order of its own
    metadata = {"maskmill": json.dumps(facts, sort_keys=True)}
    write_atomic(path, save(tensors, metadata=metadata))


def load_weights(path: Path, network: nn.Module) -> None:
    """Put saved tensors into a network of the same shape; ArtefactError when they do not fit.

    Those of auxiliary outputs that the network does not have are left in the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"{path} cannot be read: {error}; train its member again") from None
    own = network.state_dict()
    tensors = {name: each for name, each in tensors.items()
               if name in own or not name.startswith(OUTPUTS)}  # fmt: skip
    strange = sorted(set(tensors) ^ set(own))
    if strange:
        raise ArtefactError(
            f"{path} holds the weights of another network (e.g. {strange[0]}); delete its folder "
            "and train its member again"
        )
    network.load_state_dict(tensors)
