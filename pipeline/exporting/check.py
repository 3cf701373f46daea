"""Checks that an exported file computes the same probabilities as the predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config import InferConfig
from pipeline.data.catalog import list_samples
from pipeline.data.resize import resize_image, working_size
from pipeline.data.samples import SampleReader
from pipeline.errors import DataError
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.exporting.formats import Computes
from pipeline.inference.predictor import Predictor

TOLERANCE = 1e-3
"""Tolerance of probabilities: kernels of other programs round differently; masks stay the same."""
IMAGES = 3
_LONGEST = 512  # pixels of a side: enough for a comparison on any machine
_OTHER_SIZES = ((96, 128), (160, 64), (64, 192))

Images = list[NDArray[np.uint8]]


def check_images(
    reader: SampleReader, resize: float | tuple[int, int] | None
) -> tuple[Images, str]:
    """Three images as a network is shown them (HWC uint8), and where they are from: the
    experiment's own where its data is there, else noise.
    """
    try:
        samples = list_samples(reader.data).train[:IMAGES]
        images = [_shown(reader.image(sample), resize) for sample in samples]
    except DataError:
        images = []
    if len(images) == IMAGES:
        return images, "training images " + ", ".join(sample.id for sample in samples)
    random = np.random.default_rng(0)
    drawn = [random.integers(0, 256, (*size, 3), np.uint8) for size in _OTHER_SIZES]
    return drawn, "noise, since the data of the experiment is missing"


def largest_difference(
    computes: Computes,
    network: ExportedNetwork,
    settings: InferConfig,
    images: Sequence[NDArray[np.uint8]],
) -> float:
    """The largest difference of any probability between the file and the predictor."""
    plain = settings.model_copy(
        update={"tta": ("identity",), "tile": None, "precision": "fp32", "compile": False}
    )
    predictor = Predictor(
        list(network.networks),
        plain,
        resize=None,
        multiclass=network.multiclass,
        scale=network.scale,
        device="cpu",
    )
    differences = []
    for image in images:
        padded = _padded(image, network.step)
        channels_first = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        batch = channels_first / np.float32(network.scale)
        (expected,) = predictor.predict([padded])
        differences.append(float(np.abs(computes(batch)[0] - expected).max()))
    return max(differences)


def _shown(image: NDArray[np.uint8], resize: float | tuple[int, int] | None) -> NDArray[np.uint8]:
    resized = resize_image(image, working_size((image.shape[0], image.shape[1]), resize))
    return resized[:_LONGEST, :_LONGEST]


def _padded(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Mirrored at bottom and right to multiples of `step`."""
    missing = ((0, -image.shape[0] % step), (0, -image.shape[1] % step), (0, 0))
    return np.pad(image, missing, mode="reflect")
