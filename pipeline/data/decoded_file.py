"""The file of a decoded sample: a header of JSON, then the pixels as they lie in memory."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipeline.data.image_sources.source import Pixels
from pipeline.manifests import fingerprint
from pipeline.size import Size

HEADER_BYTES = 4096


class Decoded(NamedTuple):
    """A sample as it is augmented: at the network's working size, in its frame."""

    image: Pixels
    """HWC, as the source reads it."""
    planes: NDArray[np.uint8]
    """CHW of 0/1; of 0..CERTAIN where `data.soft`."""
    valid: NDArray[np.bool_] | None
    """HW; None where no pixel is void."""
    objects: NDArray[np.uint8] | None = None
    """CHW, `object_codes`; None where nobody asks for them."""

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self if array is not None)


def decoded_bytes(size: Size, itemsize: int, classes: int, void: bool) -> int:
    """The bytes of a sample of that H, W; itemsize: of all channels of one pixel; classes: planes,
    those of objects too.
    """
    return HEADER_BYTES + size[0] * size[1] * (itemsize + classes + void)


def file_of(name: str, decoded: Decoded) -> list[bytes | memoryview]:
    """The content of the file, in pieces; name: of the sample, for people who look into it."""
    payload = [_bytes_of(array) for array in decoded if array is not None]
    facts = {
        "id": name[:200],
        "image": decoded.image.shape,
        "dtype": decoded.image.dtype.str,
        "planes": decoded.planes.shape,
        "valid": decoded.valid is not None,
        "xxh3": _checksum(payload),
        **({} if decoded.objects is None else {"objects": True}),
    }
    header = json.dumps({**facts, "seal": fingerprint(facts)}).encode("utf-8", "surrogatepass")
    return [header.ljust(HEADER_BYTES), *payload]


def decoded_of(file: NDArray[np.uint8], *, compare: bool) -> Decoded | None:
    """The arrays in a file, as views; None if it is not as it was written.

    compare: the checksum, which reads every byte.
    """
    try:
        facts = json.loads(file[:HEADER_BYTES].tobytes())
        seal = facts.pop("seal")
        if seal != fingerprint(facts):
            return None
        height, width, channels = facts["image"]
        dtype = np.dtype(facts["dtype"])
        image_bytes = height * width * channels * dtype.itemsize
        plane_bytes = int(np.prod(facts["planes"]))
        valid_bytes = height * width if facts["valid"] else 0
        object_bytes = plane_bytes if facts.get("objects") else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    body = file[HEADER_BYTES:]
    if body.size != image_bytes + plane_bytes + valid_bytes + object_bytes:
        return None
    if compare and _checksum([body.data]) != facts["xxh3"]:
        return None
    ends = np.cumsum([image_bytes, plane_bytes, valid_bytes])
    image, planes, valid, objects = np.split(body, ends)
    return Decoded(
        image.view(dtype).reshape(height, width, channels),
        planes.reshape(facts["planes"]),
        valid.view(np.bool_).reshape(height, width) if valid_bytes else None,
        objects.reshape(facts["planes"]) if object_bytes else None,
    )


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(pieces: list[memoryview]) -> str:
    running = xxhash.xxh3_64()
    for piece in pieces:
        running.update(piece)
    return running.hexdigest()
