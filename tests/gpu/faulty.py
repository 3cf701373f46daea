"""A backbone that breaks its device once: what an encoder `tests.gpu.faulty:breaks_once` gives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

MARKER = "MASKMILL_TEST_FAULT"
"""Names the file that says that it has happened."""


class BreaksOnce(nn.Module):
    """Asserts on the GPU, after which the process gets no answer of it; a CPU's process dies."""

    def forward(self, images: Tensor) -> Tensor:
        marker = Path(os.environ[MARKER])
        if not self.training or images.device.type == "meta" or marker.exists():
            return images
        marker.touch()
        if not images.is_cuda:
            os.kill(os.getpid(), signal.SIGKILL)
        outside = torch.full((len(images),), 10**6, device=images.device)
        return images.index_select(0, outside)


def breaks_once() -> nn.Module:
    network = timm.create_model("test_resnet", pretrained=False)
    network.conv1 = nn.Sequential(BreaksOnce(), network.conv1)
    return network
