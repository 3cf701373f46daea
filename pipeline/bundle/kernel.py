"""The notebook of a bundle, and the descriptions that Kaggle's client reads.

Their keys are those of the client's documentation: kernel-metadata.json, dataset-metadata.json.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pipeline.bundle.layout import FACTS, START

GPU = "NvidiaTeslaT4"
NAME = 50
"""Letters that an address of a dataset or of a notebook may have."""
_CODE = """\
import os, subprocess, sys
from pathlib import Path

INPUTS = Path("/kaggle/input")
level = [INPUTS]
for depth in range(5):  # where a dataset is mounted differs
    found = [each for each in level if (each / "{facts}").is_file()]
    if found:
        break
    level = [below for each in level for below in sorted(each.iterdir()) if below.is_dir()]
assert found, "attach the dataset {dataset} to this notebook"
scratch = Path("/kaggle/tmp") if os.access("/kaggle/tmp", os.W_OK) else Path("/tmp")
command = [sys.executable, str(found[0] / "{start}"), str(scratch / "maskmill")]
command += ["--inputs", str(INPUTS), "--out", "/kaggle/working", "--hours", "{hours:g}"]
# An error leaves the submission that was valid before it.
print("exit code", subprocess.run(command).returncode)
"""


def kaggle_name(text: str, room: int) -> str:
    """`text` as a name that Kaggle can have in an address, with at most `room` letters. One that is
    cut ends in a digest, so that two long names stay two.
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(name) > room or not name:
        digest = hashlib.sha256(text.encode()).hexdigest()[:6]
        name = f"{name[: room - 7]}-{digest}".replace("--", "-").strip("-")
    return name


def dataset_metadata(owner: str, name: str) -> str:
    """`dataset-metadata.json`; the dataset is called `name`."""
    facts = {"title": name, "id": f"{owner}/{name}", "licenses": [{"name": "CC0-1.0"}]}
    return json.dumps(facts, indent=1) + "\n"


def kernel_metadata(owner: str, name: str, dataset: str, competition: str) -> str:
    """`kernel-metadata.json`; the notebook is called `name`. Internet is off, which a code
    competition wants, and which must be said: the client's default is on.
    """
    facts: dict[str, Any] = {
        "id": f"{owner}/{name}",
        "title": name,
        "code_file": "submit.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": "true",
        "enable_gpu": "true",
        "enable_internet": "false",
        "machine_shape": GPU,
        "dataset_sources": [f"{owner}/{dataset}"],
        "competition_sources": [competition],
        "kernel_sources": [],
        "model_sources": [],
    }
    return json.dumps(facts, indent=1) + "\n"


def notebook(dataset: str, hours: float) -> str:
    """A notebook of one cell, which finds the dataset and starts it."""
    code = _CODE.format(facts=FACTS, start=START, dataset=dataset, hours=hours)
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": code.splitlines(keepends=True),
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": [cell],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(content, indent=1) + "\n"
