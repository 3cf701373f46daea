"""The files of a prediction: masks, and optionally probabilities and overlays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.atomic_files import stream_atomic
from pipeline.config import DataConfig
from pipeline.host import slug
from pipeline.prediction.class_colours import class_colours

PROBABILITIES, OVERLAYS, AREAS = "probabilities", "overlays", "areas.csv"
_TINT = 0.45
_LINES_ACROSS_IMAGE = 400


@dataclass(frozen=True)
class PredictedMaskFiles:
    """The files of every image, below one folder.

    One class: `<stem>.png` of 0 and 255. Multiclass: `<stem>.png` of the classes' pixel values,
    with a palette of their colours, or painted as the training masks are. Classes that may
    overlap: `<class>/<stem>.png` of 0 and 255, so that `masks: {class}/{id}.png` reads them.
    """

    folder: Path
    classes: Mapping[str, int | str]
    multiclass: bool
    probabilities: bool = False
    overlay: bool = False

    @classmethod
    def of(
        cls, folder: Path, data: DataConfig, *, probabilities: bool = False, overlay: bool = False
    ) -> PredictedMaskFiles:
        return cls(folder, data.classes, data.multiclass, probabilities, overlay)

    def paths(self, stem: str) -> list[Path]:
        """Every file of an image."""
        extra = [self._probabilities(stem)] if self.probabilities else []
        return [*self.masks(stem), *extra, *([self._overlay(stem)] if self.overlay else [])]

    def write(self, stem: str, decision: NDArray[np.bool_]) -> None:
        """The masks of a decision, bool CHW."""
        (first, *others) = self.masks(stem)
        if self.multiclass:
            _save(first, _valued(decision, self.classes))
            return
        for path, plane in zip([first, *others], decision, strict=True):
            _save(path, Image.fromarray(plane.view(np.uint8) * np.uint8(255)))

    def write_probabilities(self, stem: str, probabilities: NDArray[np.float32]) -> None:
        """Blended probabilities, float32 CHW 0..1, as an array that NumPy opens."""
        stream_atomic(self._probabilities(stem), lambda stream: np.save(stream, probabilities))

    def write_overlay(
        self, stem: str, image: NDArray[np.uint8], decision: NDArray[np.bool_]
    ) -> None:
        """The image (HWC uint8 RGB) with the decision (bool CHW) in the classes' colours."""
        picture = Image.fromarray(painted(image, decision, self.classes))
        stream_atomic(
            self._overlay(stem), lambda stream: picture.save(stream, format="JPEG", quality=90)
        )

    def masks(self, stem: str) -> list[Path]:
        """The files of an image's masks: one, or one a class."""
        if self.multiclass or len(self.classes) == 1:
            return [self.folder / f"{stem}.png"]
        return [self.folder / name / f"{stem}.png" for name in class_folders(tuple(self.classes))]

    def _probabilities(self, stem: str) -> Path:
        return self.folder / PROBABILITIES / f"{stem}.npy"

    def _overlay(self, stem: str) -> Path:
        return self.folder / OVERLAYS / f"{stem}.jpg"


def class_folders(names: Sequence[str]) -> list[str]:
    """A folder's name for each class: its own, unless no file may have it or another has it."""
    taken = {PROBABILITIES, OVERLAYS, AREAS}
    folders = []
    for number, name in enumerate(names, start=1):
        folder = slug(name)
        while folder.casefold() in taken:
            folder = f"{number}-{folder}"
        taken.add(folder.casefold())
        folders.append(folder)
    return folders


def painted(
    image: NDArray[np.uint8], decision: NDArray[np.bool_], classes: Mapping[str, int | str]
) -> NDArray[np.uint8]:
    """The image (HWC uint8 RGB) tinted and outlined in the classes' colours; no background."""
    result = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / _LINES_ACROSS_IMAGE))
    for plane, (name, colour) in zip(decision, class_colours(classes).items(), strict=True):
        if (classes[name] == 0 and len(classes) > 1) or not any(colour):
            continue
        tinted = result[plane] * (1 - _TINT) + np.array(colour) * _TINT
        result[plane] = np.rint(tinted).astype(np.uint8)
        mode = cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        contours, _ = cv2.findContours(plane.astype(np.uint8), *mode)
        cv2.drawContours(result, contours, -1, colour, thickness)
    return result


def _valued(decision: NDArray[np.bool_], classes: Mapping[str, int | str]) -> Image.Image:
    """Each pixel the colour, or the value, of its class; values with a palette where they fit."""
    colours = np.array(list(class_colours(classes).values()), np.uint8)
    chosen = decision.argmax(axis=0)
    numbers = [each for each in classes.values() if isinstance(each, int)]
    if len(numbers) < len(classes):
        return Image.fromarray(colours[chosen])
    values = np.array(numbers)
    if values.max() > 255:
        return Image.fromarray(values[chosen].astype(np.uint16))
    picture = Image.fromarray(values[chosen].astype(np.uint8), mode="P")
    palette = np.zeros((256, 3), np.uint8)
    palette[values] = colours
    picture.putpalette(palette.ravel().tolist())
    return picture


def _save(path: Path, picture: Image.Image) -> None:
    stream_atomic(path, lambda stream: picture.save(stream, format="PNG"))
