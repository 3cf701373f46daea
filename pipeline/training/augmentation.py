"""Random views of a training sample; the same seed gives the same view, wherever it is drawn."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import AugmentConfig
from pipeline.data.image_sources.rgb import RgbImages
from pipeline.data.image_sources.source import ImageSource, Pixels
from pipeline.size import Size
from pipeline.training.augmentation_steps import Shown, Steps
from pipeline.training.auxiliary.targets import Targets
from pipeline.training.crop_view import CropView, draw_jitter, draw_view
from pipeline.training.drawn_colour import UNCHANGED, Drawn
from pipeline.training.look_matching import LookMatching
from pipeline.training.value_changes import value_change

RGB = RgbImages()


class Crop(NamedTuple):
    """A random view of a sample."""

    image: Pixels
    """HWC of the crop's size."""
    planes: NDArray[np.uint8]
    """CHW."""
    valid: NDArray[np.uint8]
    """HW, 0 or 1."""
    colour: Drawn
    """Of the image and of a reference each: what is still to be done to its colours."""
    objects: NDArray[np.uint8] | None = None
    """CHW, as they are decoded."""
    targets: Targets = MappingProxyType({})
    """Of auxiliary outputs."""


class Augmenter:
    """Crop, geometry and values of one sample at a time.

    Geometry moves image, reference, planes and validity together; colour changes image and
    reference each on its own, as two cameras would. The reference may be moved a little besides,
    as an alignment that is not perfect does, or be blank.
    """

    def __init__(
        self,
        size: Size,
        settings: AugmentConfig,
        source: ImageSource = RGB,
        look: LookMatching | None = None,
    ) -> None:
        """look: that of test images, for `match_test`."""
        self._size = size
        self._source = source
        self._settings = settings
        self._colour = value_change(settings, source)
        self._steps = Steps(settings.steps)
        self._look = look

    def __call__(
        self,
        image: Pixels,
        planes: NDArray[np.uint8],
        valid: NDArray[np.bool_] | None,
        seed: list[int],
        through: tuple[int, int] | None = None,
        objects: NDArray[np.uint8] | None = None,
    ) -> Crop:
        """image HWC, planes CHW, valid HW, objects CHW → the same at the crop's size.

        seed: what makes this view this one (seed, epoch, position); through: a pixel (row, column)
        that the crop is to contain. Geometry, colour, what is done to the reference, steps and the
        test image to look like draw from streams of their own: none knows of another's choices.
        """
        every = planes if objects is None else [*planes, *objects]
        geometry, colour, reference, steps, look = np.random.default_rng(seed).spawn(5)
        view = draw_view(planes.shape[1:], self._size, self._settings, geometry, through)
        channels = self._source.channels
        seen = [view.image(image[..., :channels])]
        if image.shape[2] > channels:
            seen.append(self._reference(image[..., channels:], view, reference))
        if self._look is not None and look.random() < self._settings.match_test:
            seen[0] = self._look(seen[0], look)
        self._colour.begin(colour)
        coloured = [self._colour(each) for each in seen]
        shown = Shown(
            [pixels for pixels, _ in coloured],
            np.stack([view.plane(plane) for plane in every]),
            np.ones(self._size, np.uint8) if valid is None else view.plane(valid.view(np.uint8)),
        )
        if self._steps:
            shown = self._steps(shown, steps)
        drawn = [each for _, each in coloured]
        if len(seen) > 1 and reference.random() < self._settings.reference_drop:
            shown.images[1] = np.full_like(seen[1], self._source.blank)
            drawn[1] = UNCHANGED
        image = np.concatenate(shown.images, axis=2)
        classes, codes = np.split(shown.planes, [len(planes)])
        moved = None if objects is None else codes
        return Crop(image, classes, shown.valid, np.stack(drawn), moved)

    def _reference(self, reference: Pixels, view: CropView, random: np.random.Generator) -> Pixels:
        jitter = draw_jitter(view.middle, self._settings.reference_jitter, random)
        return (view if jitter is None else view.after(jitter)).image(reference)
