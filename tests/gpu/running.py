"""Runs the program as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.helpers.competitions import TINY, raw_experiment

REPOSITORY = Path(__file__).parents[2]


def write_experiment(data: Path, folder: Path, **blocks: Any) -> None:
    """`discs.yaml` over the images at `data`: model a with two loader workers, b with `auto`."""
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "a": {"decoder": "linknet", **TINY, "train": {"workers": 2}},
        "b": {"decoder": "unet", **TINY},
    }
    raw = raw_experiment(data, **{"models": models, **blocks})
    (folder / "discs.yaml").write_text(yaml.safe_dump(raw))


def start(folder: Path, stage: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """`python -m pipeline <stage>` in `folder`, as the first of a process group of its own."""
    command = [sys.executable, "-m", "pipeline", stage, "--config", "discs.yaml", *arguments]
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def said(process: subprocess.Popen[bytes], code: int = 0) -> str:
    """What it printed, when it has ended with `code`; its lines are joined."""
    output = process.communicate(timeout=600)[0].decode()
    assert process.returncode == code, output[-4000:]
    assert "Traceback" not in output, output[-4000:]
    return " ".join(output.split())


def run(folder: Path, stage: str, *arguments: str, **environment: str) -> str:
    """`start` and `said`."""
    return said(start(folder, stage, *arguments, **environment))


def two_at_once(device: str) -> list[str]:
    """Two jobs at a time, on the one card or on two slots of the CPU."""
    return ["--jobs", "2", "--devices", device if device == "cpu" else f"{device},{device}"]


def held_bytes(device: str) -> int:
    """What all processes together hold of the card's memory; 0 on a CPU."""
    if device == "cpu":
        return 0
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(torch.device(device))
    return total - free
