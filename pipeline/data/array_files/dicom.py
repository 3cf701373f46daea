"""DICOM: one image or several frames, its numbers as its header says that they are to be taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.array_files import dicom_codecs
from pipeline.data.array_files.array_file import ArrayFile
from pipeline.data.array_files.description import described
from pipeline.data.array_files.dicom_values import Values, values_of
from pipeline.data.array_files.extras import library
from pipeline.data.pages import RefusedError

_PALETTE = "PALETTE COLOR"
_BARE_ENDINGS = {".dcm", ".dicom", ".ima", ""}
_BARE_STARTS = (b"\2\0", b"\x08\0")
"""Of the first tag in files that begin without a preamble, as old ones do."""
_DECODERS = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


@dataclass(frozen=True)
class DicomPixels:
    """The pixels of a DICOM file. values: None of colour images and of tables."""

    path: Path
    values: Values | None
    looked_up: bool
    """True if stored numbers are places in a table: of colours, or of gray values."""
    frames: int = 1

    def read(self, start: int, stop: int, plane: int) -> NDArray[Any]:
        pixels = library("pydicom.pixels", "dicom", "DICOM")
        dataset = read_header(self.path)
        # of a file with frames, only the one is read; a dataset would have all of them
        source = self.path if self.frames > 1 and dataset.preamble else dataset
        stored = _decoded(pixels, source, dataset, plane)[start:stop]
        if self.values is not None:
            return self.values.given(stored, plane)
        if not self.looked_up:
            return stored
        if dataset.PhotometricInterpretation == _PALETTE:
            return np.asarray(pixels.apply_color_lut(stored, dataset))
        return np.asarray(pixels.apply_modality_lut(stored, dataset))


def is_dicom(path: Path, start: bytes) -> bool:
    """start: the first bytes of the file."""
    if start[128:132] == b"DICM":
        return True
    bare = start[:2] in _BARE_STARTS and start[3:4] == b"\0"
    return bare and path.suffix.lower() in _BARE_ENDINGS


def describe(path: Path) -> ArrayFile:
    """The image of a DICOM file."""
    return described_as(path, read_header(path))


def read_header(path: Path) -> Any:
    """The dataset of a file; large elements are read from the file when they are asked for."""
    pydicom = library("pydicom", "dicom", "DICOM")
    dataset = pydicom.dcmread(path, defer_size=2**16, force=True)
    meta = dataset.file_meta
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        if implicit is None or not little:
            raise RefusedError("does not say how its pixels are stored (Transfer Syntax UID)")
        uid = pydicom.uid
        meta.TransferSyntaxUID = (
            uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        )
    return dataset


def described_as(path: Path, dataset: Any) -> ArrayFile:
    """The array of a dataset. RefusedError if it has no image."""
    stored = _stored_type(dataset)
    height, width = int(dataset.Rows), int(dataset.Columns)
    frames = int(dataset.get("NumberOfFrames") or 1)
    bands = int(dataset.get("SamplesPerPixel") or 1)
    notes = [f"{frames} frames are read as slices"] if frames > 1 else []
    values, looked_up = None, False
    if bands == 1 and dataset.PhotometricInterpretation == _PALETTE:
        bands, looked_up = 3, True
        stored = _table_type(dataset.RedPaletteColorLookupTableDescriptor)
        notes.append("palette read as RGB")
    elif bands == 1 and dataset.get("ModalityLUTSequence"):
        looked_up = True
        stored = _table_type(dataset.ModalityLUTSequence[0].LUTDescriptor)
        notes.append("gray values are those of the modality table")
    elif bands == 1:
        values = values_of(dataset, stored)
        stored = values.dtype
        notes += values.notes
    if dataset.get("DoseGridScaling"):
        notes.append(f"numbers are doses of {float(dataset.DoseGridScaling):g} each, not rescaled")
    shape = (frames,) * (frames > 1) + (height, width) + (bands,) * (bands > 1)
    return described(
        path,
        DicomPixels(path, values, looked_up, frames),
        axes="Z" * (frames > 1) + "YX" + "C" * (bands > 1),
        shape=shape,
        stored=stored,
        no_data=values.no_data if values else None,
        spacing=_spacing(dataset, frames > 1),
        notes=tuple(notes),
    )


def _stored_type(dataset: Any) -> np.dtype[Any]:
    for name, dtype in (("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")):
        if name in dataset:
            return np.dtype(dtype)
    if "PixelData" not in dataset or "BitsAllocated" not in dataset:
        kind = getattr(dataset.get("SOPClassUID"), "name", "")
        raise RefusedError(f"is a DICOM file without an image{f' ({kind})' if kind else ''}")
    size = max(1, int(dataset.BitsAllocated) // 8)
    return np.dtype(f"{'i' if dataset.get('PixelRepresentation') else 'u'}{size}")


def _table_type(descriptor: Any) -> np.dtype[Any]:
    return np.dtype(np.uint8 if int(descriptor[2]) == 8 else np.uint16)


def _spacing(dataset: Any, slices: bool) -> tuple[float, ...] | None:
    """In mm, of the image or of the measures that all frames share."""
    shared = dataset.get("SharedFunctionalGroupsSequence")
    measures = shared[0].get("PixelMeasuresSequence") if shared else None
    source = measures[0] if measures else dataset
    plane = source.get("PixelSpacing") or source.get("ImagerPixelSpacing")
    if not plane or len(plane) != 2:
        return None
    step = source.get("SpacingBetweenSlices") or source.get("SliceThickness")
    if slices and not step:
        return None
    return (*((abs(float(step)),) if slices else ()), float(plane[0]), float(plane[1]))


def _decoded(pixels: Any, source: Any, dataset: Any, frame: int) -> NDArray[Any]:
    """A frame as it is stored, YX or YXC; colours as RGB."""
    try:
        return np.asarray(pixels.pixel_array(source, index=frame))
    except RuntimeError as error:  # what pydicom raises if none of its decoders can do it
        found = dicom_codecs.decoded(dataset, frame)
        if found is not None:
            return found
        name = dataset.file_meta.TransferSyntaxUID.name
        reason = str(error).strip().splitlines()[-1].strip()
        raise RefusedError(
            f"cannot be decoded: it is compressed as {name} ({reason}); get the file again, or "
            f"install further decoders: {_DECODERS}"
        ) from None
