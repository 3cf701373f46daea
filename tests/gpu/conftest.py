"""The device that these tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from tests.helpers.competitions import draw_discs

VARIABLE = "MASKMILL_TEST_DEVICE"
"""Names another device: `cpu` rehearses all that does not need a card."""


@pytest.fixture(scope="session")
def device() -> str:
    """The first GPU; without one the calling test is skipped, unless a device is named."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    if not torch.cuda.is_available():
        pytest.skip(f"needs a CUDA device ({VARIABLE}=cpu rehearses it on the CPU)")
    return "cuda:0"


@pytest.fixture(scope="session")
def discs(device: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of odd sizes, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("gpu") / "data of discs"
    draw_discs(folder, size=(45, 61))
    return folder
