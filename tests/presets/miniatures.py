"""Small folders in the layouts of the competitions of `configs/presets`.

Names of files, endings, headers and keys are the genuine ones, sizes are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pydicom
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from pipeline.data.rle import encode
from tests.helpers.competition_layouts import (
    SIZE,
    airbus,
    carvana,
    disc,
    dsb,
    put,
    references,
    table,
    tgs,
)

Pixels = NDArray[np.uint8]


def _images(start: str, count: int = 8) -> Iterator[tuple[str, Pixels, Pixels]]:
    for number in range(count):
        yield f"{start}{number:07x}", *disc(number)


def siim(root: Path) -> None:
    """`train-rle.csv` has a blank before the second header, and one before its cells."""
    lines = []
    for at, (each, image, mask) in enumerate(_images("1.2.276.0.7230010.3.1.4.")):
        _dicom(root / f"dicom-images-train/s{at}/r{at}/{each}.dcm", image[..., 0])
        runs = [encode(mask == value, "column", relative=True) for value in (1, 2)]
        lines += [f"{each}, {cell}" for cell in (runs if at % 3 else ["-1"])]
    table(root / "train-rle.csv", "ImageId, EncodedPixels", *lines)
    for at, each in enumerate(("t1", "t2")):
        _dicom(root / f"dicom-images-test/s{at}/r{at}/{each}.dcm", disc(at)[0][..., 0])
    table(root / "sample_submission.csv", "ImageId,EncodedPixels", "t1,-1", "t2,-1")


def _dicom(path: Path, pixels: Pixels) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    written.SOPClassUID = meta.MediaStorageSOPClassUID
    written.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    written.Rows, written.Columns = pixels.shape
    written.PhotometricInterpretation, written.SamplesPerPixel = "MONOCHROME2", 1
    written.BitsAllocated, written.BitsStored, written.HighBit = 8, 8, 7
    written.PixelRepresentation = 0
    written.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, written)


def severstal(root: Path) -> None:
    lines = []
    for each, image, mask in _images("s", 10):
        put(root / f"train_images/{each}.jpg", image)
        third, fourth = (mask == at % 2 + 1 for at in divmod(int(each[-1], 16), 2))
        planes = (mask == 1, mask == 2, third, fourth)
        lines += [f"{each}.jpg_{n},{encode(plane, 'column')}" for n, plane in enumerate(planes, 1)]
    table(root / "train.csv", "ImageId_ClassId,EncodedPixels", *lines)
    _by_class(root, "ImageId_ClassId", ("1", "2", "3", "4"))


def clouds(root: Path) -> None:
    labels, lines = ("Fish", "Flower", "Gravel", "Sugar"), []
    for each, image, mask in _images("c", 10):
        put(root / f"train_images/{each}.jpg", image)
        for at, label in enumerate(labels):
            cell = encode(mask == at % 2 + 1, "column") if (int(each[-1], 16) + at) % 3 else ""
            lines.append(f"{each}.jpg_{label},{cell}")
    table(root / "train.csv", "Image_Label,EncodedPixels", *lines)
    _by_class(root, "Image_Label", labels)


def _by_class(root: Path, header: str, classes: tuple[str, ...]) -> None:
    for at, each in enumerate(("t1", "t2")):
        put(root / f"test_images/{each}.jpg", disc(at)[0])
    asked = [f"{each}.jpg_{name},1 1" for each, name in product(("t1", "t2"), classes)]
    table(root / "sample_submission.csv", f"{header},EncodedPixels", *asked)


def kidney_slides(root: Path) -> None:
    lines, patients = [], []
    for at, (each, image, mask) in enumerate(_images("0a")):
        _tiff(root / f"train/{each}.tiff", image)
        lines.append(f"{each},{encode(mask > 0, 'column')}")
        patients.append(f"{each}.tiff,56,40,{each}-anatomical-structure.json,{each}.json,{at // 2}")
    table(root / "train.csv", "id,encoding", *lines)
    columns = "image_file,width_pixels,height_pixels,anatomical_structures_segmentation_file,"
    columns += "glomerulus_segmentation_file,patient_number"
    table(root / "HuBMAP-20-dataset_information.csv", columns, *patients)
    for at, each in enumerate(("t1", "t2")):
        _tiff(root / f"test/{each}.tiff", disc(at)[0])
    table(root / "sample_submission.csv", "id,predicted", "t1,", "t2,")


def organs(root: Path) -> None:
    lines = []
    for each, image, mask in _images("1"):
        _tiff(root / f"train_images/{each}.tiff", image)
        facts = f"kidney,HPA,{SIZE[0]},{SIZE[1]},0.4,4"
        lines.append(f"{each},{facts},{encode(mask > 0, 'column')},42,Male")
    columns = "organ,data_source,img_height,img_width,pixel_size,tissue_thickness,rle,age,sex"
    table(root / "train.csv", f"id,{columns}", *lines)
    _tiff(root / "test_images/10078.tiff", disc(3)[0])
    table(root / "sample_submission.csv", "id,rle", "10078,12 34")


def _tiff(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels)


def cells(root: Path) -> None:
    lines = []
    for each, image, mask in _images("00"):
        put(root / f"train/{each}.png", image[..., 0])
        facts = f"{SIZE[1]},{SIZE[0]},shsy5y,19:00,2019-06-16,x,0h0m"
        lines += [f"{each},{encode(mask == value, 'row')},{facts}" for value in (1, 2)]
    columns = "width,height,cell_type,plate_time,sample_date,sample_id,elapsed_timedelta"
    table(root / "train.csv", f"id,annotation,{columns}", *lines)
    for at, each in enumerate(("t1", "t2")):
        put(root / f"test/{each}.png", disc(at)[0][..., 0])
    table(root / "sample_submission.csv", "id,predicted", "t1,1 1 5 1", "t2,1 1 5 1")


def vessels(root: Path) -> None:
    for at, (kidney, slices) in enumerate(
        (("kidney_1_dense", 4), ("kidney_2", 3), ("kidney_3", 3))
    ):
        for number in range(slices):
            image, mask = disc(10 * at + number)
            _tiff(root / f"train/{kidney}/images/{number:04d}.tif", image[..., 0] * np.uint16(200))
            shape = ((mask > 0) * 255).astype(np.uint8)
            _tiff(root / f"train/{kidney}/labels/{number:04d}.tif", shape)
    asked = []
    for kidney, number in product(("kidney_5", "kidney_6"), range(3)):
        pixels = disc(number)[0][..., 0] * np.uint16(200)
        _tiff(root / f"test/{kidney}/images/{number:04d}.tif", pixels)
        asked.append(f"{kidney}_{number:04d},1 0")
    table(root / "sample_submission.csv", "id,rle", *asked)


def ink(root: Path) -> None:
    for at, fragment in enumerate(("1", "2", "3")):
        image, mask = disc(at)
        _layers(root / f"train/{fragment}", image)
        put(root / f"train/{fragment}/inklabels.png", ((mask > 0) * 255).astype(np.uint8))
        put(root / f"train/{fragment}/ir.png", image[..., 0])
        Image.new("1", SIZE[::-1], 1).save(root / f"train/{fragment}/mask.png")
    for at, fragment in enumerate(("a", "b")):
        _layers(root / f"test/{fragment}", disc(at)[0])
        Image.new("1", SIZE[::-1], 1).save(root / f"test/{fragment}/mask.png")
    table(root / "sample_submission.csv", "Id,Predicted", "a,1 1", "b,1 1")


def _layers(folder: Path, image: Pixels) -> None:
    for layer in range(65):
        _tiff(folder / f"surface_volume/{layer:02d}.tif", image[..., layer % 3] * np.uint16(250))


def roads(root: Path) -> None:
    for number in range(8):
        image, mask = disc(number)
        put(root / f"train/{number + 100034}_sat.jpg", image)
        shown = np.repeat(((mask > 0) * 255).astype(np.uint8)[..., None], 3, axis=2)
        put(root / f"train/{number + 100034}_mask.png", shown)


def _striped(mask: Pixels, values: Sequence[int]) -> Pixels:
    """The mask, and above and below it stripes of these values."""
    painted = mask.copy()
    for at, value in enumerate(values):
        painted[:, at * 2 : at * 2 + 2][mask[:, at * 2 : at * 2 + 2] == 0] = value
    return painted


def voc(root: Path) -> None:
    for number in range(8):
        each, (image, mask) = f"2007_{number:06d}", disc(number)
        put(root / f"JPEGImages/{each}.jpg", image)
        painted = _striped(mask, range(3, 21))
        painted[:2] = 255
        put(root / f"SegmentationClass/{each}.png", painted, palette=True)
    put(root / "JPEGImages/2008_000001.jpg", disc(9)[0])


def cityscapes(root: Path) -> None:
    for city, number in product(("aachen", "bochum", "zurich"), range(4)):
        each, (image, mask) = f"{city}_{number:06d}_000019", disc(number)
        put(root / f"leftImg8bit/train/{city}/{each}_leftImg8bit.png", image)
        folder = root / f"gtFine/train/{city}"
        labels = _striped(mask, range(4, 29))
        labels[-8:, :12] = np.repeat([29, 30, 31, 32, 33, 7], 2)
        put(folder / f"{each}_gtFine_labelIds.png", labels)
        put(folder / f"{each}_gtFine_color.png", np.stack([labels * 7, labels, labels], axis=2))
        (folder / f"{each}_gtFine_polygons.json").write_text("{}")


MINIATURES: dict[str, Callable[[Path], None]] = {
    "airbus": airbus,
    "carvana": carvana,
    "cityscapes": cityscapes,
    "deepglobe-roads": roads,
    "dsb2018": dsb,
    "hubmap-kidney": kidney_slides,
    "hubmap-organ": organs,
    "sartorius": cells,
    "screen-defects": references,
    "sennet-vessels": vessels,
    "severstal": severstal,
    "siim-pneumothorax": siim,
    "tgs-salt": tgs,
    "understanding-clouds": clouds,
    "vesuvius-ink": ink,
    "voc2012": voc,
}
