"""Packs a finished run and the code that predicts with it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import torch
from safetensors import safe_open
from safetensors.torch import save_file

import pipeline
from pipeline.atomic_files import file_checksum
from pipeline.errors import ResourceError
from pipeline.inference.job import MemberWeights
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.finished_run import FinishedRun, keep_finished_run
from pipeline.workspace import FinishedPaths

LACKING = ("segmentation-models-pytorch",)
"""What prediction needs and Kaggle's image does not have; pure Python all of it."""


def pack_code(path: Path) -> None:
    """A zip of the packages: this one, and those of `LACKING` as they are installed here.

    ResourceError where one is not installed, or holds compiled code, which fits one Python only.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in (*_own_files(), *(each for of in LACKING for each in _files_of(of))):
            archive.write(file, name)


def _own_files() -> Iterator[tuple[str, Path]]:
    folder = Path(pipeline.__file__).parent
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield f"{folder.name}/{file.relative_to(folder).as_posix()}", file


def _files_of(name: str) -> Iterator[tuple[str, Path]]:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise ResourceError(f"{name} is not installed here; install requirements.txt") from None
    for each in found.files or ():
        inside = PurePosixPath(each)
        if ".." in inside.parts or "__pycache__" in inside.parts:
            continue
        if inside.suffix in (".so", ".pyd"):
            raise ResourceError(f"{name} holds compiled code ({each}), which cannot be bundled")
        yield inside.as_posix(), Path(str(each.locate()))


def pack_run(path: Path, run: FinishedRun, staging: Path, *, half: bool) -> int:
    """A zip of the run with the models that count in its blend; returns how many members.

    half: weights in 16 bits. staging: an empty folder, where they are written.
    """
    models = MemoryBlend.of(run).models
    paths = FinishedPaths(staging)
    shutil.copyfile(run.paths.blend, paths.blend)
    members = {}
    for model in run.members:
        chosen = run.members[model] if model in models else ()
        members[model] = [_copied(each, staging, half=half) for each in chosen]
    keep_finished_run(paths, run.experiment, run.recipe.mean, members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(each for each in staging.rglob("*") if each.is_file()):
            archive.write(file, file.relative_to(staging).as_posix())
    return sum(map(len, members.values()))


def _copied(weights: MemberWeights, staging: Path, *, half: bool) -> MemberWeights:
    target = staging / weights.member / weights.path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if half:
        _halve(weights.path, target)
    else:
        shutil.copyfile(weights.path, target)
    return MemberWeights(weights.member, target, file_checksum(target))


def _halve(source: Path, target: Path) -> None:
    with safe_open(source, framework="pt") as file:
        facts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file({name: halved(each) for name, each in tensors.items()}, target, metadata=facts)


def halved(tensor: torch.Tensor) -> torch.Tensor:
    """In 16 bits, if it has 32 and all its numbers fit: variances of raw bands may not."""
    half = tensor.half() if tensor.dtype == torch.float32 else tensor
    return half if torch.equal(half.isfinite(), tensor.isfinite()) else tensor
