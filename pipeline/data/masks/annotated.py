"""Masks from files of annotation tools: each region an object of its class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

from pipeline.config import AnnotationFiles, DataConfig, MaskSource
from pipeline.data.ground_truth import Truth
from pipeline.data.listing import listed
from pipeline.data.masks.annotations.annotation import Annotation, AnnotationFile
from pipeline.data.masks.annotations.image_names import image_name
from pipeline.data.masks.annotations.registry import open_annotations
from pipeline.data.masks.annotations.truth_drawing import TruthDrawing
from pipeline.data.row_keys import as_matched
from pipeline.errors import DataError
from pipeline.size import Size
from pipeline.suggestions import did_you_mean


class Annotated:
    """Files of annotations; see `MaskFormat`."""

    in_coordinates: ClassVar[bool] = True
    reading: ClassVar[str] = ""

    def __init__(self, data: DataConfig, block: AnnotationFiles) -> None:
        self._data = data
        self._block = block
        self._classes = {as_matched(name): at for at, name in enumerate(data.class_names)}

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        return cls(data, data.masks) if isinstance(data.masks, AnnotationFiles) else None

    @property
    def pattern(self) -> str | None:
        return self._block.pattern

    @property
    def shared_files(self) -> tuple[Path, ...]:
        return () if self.pattern else (self._data.root / self._block.annotations,)

    @property
    def conventions(self) -> Mapping[str, object]:
        return {}

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        return {"": self._block}

    def lacks(self, sample_id: str, files: Sequence[Path]) -> bool:
        index = None if self.pattern else self._shared.index
        return not files if index is None else index.find(image_name(self._data, sample_id)) is None

    def read(self, sample_id: str, files: Sequence[Path], size: Size) -> Truth:
        file, image = self._file(sample_id, files), image_name(self._data, sample_id)
        drawing = TruthDrawing(len(self._classes), size, objects=self._block.instances)
        if file is not None and file.index is not None and file.index.find(image) is None:
            if self._block.missing == "error":
                raise file.index.error(image)
        elif file is not None:
            for each in file.of_image(image, size):
                self._draw(each, file, drawing)
        return drawing.truth()

    def expect(self, ids: Collection[str]) -> None:
        """DataError where a file of all images lists none of them."""
        index = None if self.pattern else self._shared.index
        if index is None or not ids:
            return
        images = [image_name(self._data, each) for each in sorted(ids)]
        if all(index.find(each) is None for each in images):
            raise DataError(
                f"{index.path} lists none of the training images: they are "
                f"{listed(sorted(ids), most=3)}, its own {listed(list(index.names), most=3)}; "
                "its names must be those of the files (data.masks.match: id goes by its ids)"
            )

    def doubts(self, ids: Collection[str]) -> list[str]:
        if self.pattern:
            return []
        doubts, index = list(self._shared.doubts()), self._shared.index
        known = [image_name(self._data, each) for each in (*ids, *self._data.drop)]
        if index is not None and (unused := index.unused(known)):
            doubts.append(
                f"{len(unused)} image(s) of {index.path.name} are no training images: "
                f"{listed(unused)}"
            )
        return doubts

    @cached_property
    def _shared(self) -> AnnotationFile:
        return open_annotations(self.shared_files[0], self._block, self._data.class_names)

    def _file(self, sample_id: str, files: Sequence[Path]) -> AnnotationFile | None:
        """The file of an image; None where it has none, and need not."""
        if not self.pattern:
            return self._shared
        if len(files) > 1:
            names = listed([str(path) for path in files])
            raise DataError(f"{sample_id}: several files of annotations: {names}")
        if files:
            return open_annotations(files[0], self._block, self._data.class_names)
        if self._block.missing == "empty":
            return None
        raise DataError(
            f"{sample_id}: no file matches {self.pattern}; where that means that nothing is on the "
            "image, set data.masks.missing: empty"
        )

    def _draw(self, each: Annotation, file: AnnotationFile, drawing: TruthDrawing) -> None:
        plane = self._plane(each, file)
        if plane is not None or self._block.others == "void":
            drawing.add(each, None if each.void else plane)

    def _plane(self, each: Annotation, file: AnnotationFile) -> int | None:
        """The place of its class; None for one that is not in `data.classes`, if that may be."""
        names, where = self._data.class_names, f"{file.path}, {each.title}"
        if each.name is None and len(names) > 1:
            raise DataError(
                f"{where}: its class is not known; set data.masks.class to the name of what holds "
                "the class of a region"
            )
        place = 0 if each.name is None else self._classes.get(as_matched(each.name))
        if place is None and self._block.others == "error":
            raise DataError(
                f"{where}: class {each.name!r} is not in data.classes"
                f"{did_you_mean(str(each.name), names)}; or set data.masks.others: skip (or void)"
            )
        return place
