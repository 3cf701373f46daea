"""Lists the slices of volumes, and of their masks, as images of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pipeline.config import DataConfig
from pipeline.data.volumes import count_slices, slice_path
from pipeline.errors import DataError

Files = dict[str, tuple[Path, ...]]
_SHOWN = 5


def slices_of(
    images: Mapping[str, tuple[Path, ...]],
    masks: Mapping[str, tuple[Path, ...]],
    test: Mapping[str, tuple[Path, ...]],
    data: DataConfig,
) -> tuple[Files, Files, Files]:
    """Files by the id of a volume → those of its slices, by the ids of these.

    A slice has a mask in each volume of masks of its volume. DataError lists all volumes that
    cannot be read.
    """
    problems: list[str] = []
    train = _sliced(images, data, problems)
    tested = _sliced(test, data, problems)
    if problems:
        more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError(
            f"{len(problems)} volume(s) cannot be read; get them again, or name those of "
            "data.images in data.drop:\n  " + "\n  ".join(problems[:_SHOWN]) + more
        )
    of_masks: Files = {}
    for (volume, number), sample_id in train.names.items():
        if volume in masks:
            of_masks[sample_id] = tuple(slice_path(mask, number) for mask in masks[volume])
    return train.files, of_masks, tested.files


class _Sliced:
    def __init__(self) -> None:
        self.files: Files = {}
        self.names: dict[tuple[str, int], str] = {}
        """By volume and number."""


def _sliced(
    volumes: Mapping[str, tuple[Path, ...]], data: DataConfig, problems: list[str]
) -> _Sliced:
    assert data.volume is not None
    found, files = _Sliced(), defaultdict[str, list[Path]](list)
    for volume, paths in volumes.items():
        if len(paths) > 1:
            problems.append(
                f"{volume}: {len(paths)} files ({paths[0]}, …); where a file is a slice, name the "
                "folder of a volume, such as train/{id}"
            )
            continue
        for path in paths:
            try:
                count = count_slices(path, data)
            except DataError as error:
                problems.append(str(error))
                continue
            for number in range(count):
                sample_id = data.volume.slice_id(volume, number)
                files[sample_id].append(slice_path(path, number))
                found.names[volume, number] = sample_id
    found.files = {each: tuple(paths) for each, paths in sorted(files.items())}
    return found
