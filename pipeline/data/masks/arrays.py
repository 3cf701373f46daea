"""Masks in files that hold an array: npy and npz."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import DataConfig, LabelMapFiles
from pipeline.data.decoding_memory import memory_for_bytes
from pipeline.data.images import opened
from pipeline.data.listing import listed
from pipeline.data.pages import RefusedError
from pipeline.data.volume_masks import open_mask_slice
from pipeline.data.volumes import is_slice
from pipeline.errors import DataError

SUFFIXES = (".npy", ".npz")


def read_array(path: Path, name: str | None = None) -> NDArray[Any]:
    """The array of a file, of numbers; one of a single channel loses that axis.

    name: of an array in an npz; None: the only one. DataError for all else; nothing is unpickled.
    """
    try:
        with opened(path) as stream, memory_for_bytes(_unpacked_bytes(path)):
            found = np.load(stream, allow_pickle=False)
            array = found if isinstance(found, np.ndarray) else found[_chosen(found, name, path)]
    except RefusedError as error:
        raise DataError(f"{path} {error}") from None
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"{path} holds {array.dtype}, not numbers")
    return np.asarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _unpacked_bytes(path: Path) -> int:
    """The bytes of the largest array in a file, which packs a thousand of them into one."""
    if path.suffix.lower() != ".npz":
        return path.stat().st_size
    with zipfile.ZipFile(path) as file:
        return max((each.file_size for each in file.infolist()), default=0)


def mask_array(data: DataConfig) -> str | None:
    """The name of the array in files of masks that hold several."""
    return data.masks.array if isinstance(data.masks, LabelMapFiles) else None


def array_of(path: Path, data: DataConfig) -> NDArray[Any] | None:
    """The numbers of a mask that is no picture: an npy or npz, or a slice of a volume, HW."""
    if is_slice(path):
        return open_mask_slice(path, data, key=mask_array(data))
    if path.suffix.lower() in SUFFIXES:
        return flat(read_array(path, mask_array(data)), path)
    return None


def whole_numbers(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """The array as integers from 0; DataError where it holds others."""
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.rint(array))).all():
        raise DataError(f"{path} holds {array.dtype} that are no whole numbers")
    if array.dtype.kind in "if" and (array < 0).any():
        raise DataError(f"{path} holds numbers below 0, down to {array.min():g}")
    return array if array.dtype.kind in "ui" else array.astype(np.int64)


def flat(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """An array HW; DataError for one of other axes."""
    if array.ndim != 2:
        raise DataError(f"{path} holds an array {'×'.join(map(str, array.shape))}; a mask is H×W")
    return array


def _chosen(found: Any, name: str | None, path: Path) -> str:
    if name is None and len(found.files) != 1:
        raise DataError(
            f"{path} holds {len(found.files)} arrays ({listed(found.files)}); name one: "
            "masks: {label_map: …, array: …}"
        )
    if name is not None and name not in found.files:
        raise DataError(f"{path} has no array {name!r}; it holds {listed(found.files)}")
    return name or str(found.files[0])
