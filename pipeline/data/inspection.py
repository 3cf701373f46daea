"""Reads every sample once and records facts and problems for later stages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog, Part, Sample
from pipeline.data.ground_truth import Truth
from pipeline.data.image_sources.registry import image_source
from pipeline.data.image_sources.source import Examined, ImageSource, Pixels
from pipeline.data.images import opened, read_bytes
from pipeline.data.masks.arrays import mask_array
from pipeline.data.masks.files import MaskSizeError
from pipeline.data.masks.format import MaskFormat
from pipeline.data.masks.meaning import note_of_turn
from pipeline.data.masks.registry import mask_format
from pipeline.data.stamps import Stamps, files_below
from pipeline.data.volume_masks import mask_notes
from pipeline.errors import DataError
from pipeline.size import Size

PARTS: tuple[Part, ...] = ("train", "test")
VERSION = "check/5"
"""Bumped when the same files give different records than before."""
_PART = 2**20  # bytes of a file that are in memory together
FLAT = "flat"
"""Start of `Record.picture` of slices without anything on them, of which volumes have many."""
NEXT_NOTE = "\n"
"""Between the notes about one image, which may hold any other character."""


@dataclass(frozen=True)
class Record:
    """Facts about one sample. Text only, so that it survives a CSV unchanged."""

    id: str
    part: str
    stamp: str
    """Size and time of the files: while these stay, the files need not be read again."""
    digest: str = ""
    """Hash of the bytes of image and reference, and of what the masks say."""
    height: int = 0
    width: int = 0
    coverage: str = ""
    """Share of the valid pixels that each class covers, space-separated in class order."""
    note: str = ""
    problem: str = ""
    picture: str = ""
    """Hash of the image's bytes alone."""
    colours: str = ""
    """`index #rrggbb`, comma-separated: what was read by the indices of a palette."""
    bands: str = ""
    """Mean of each band of `data.bands`, space-separated; nan where it has no data."""

    @property
    def band_means(self) -> tuple[float, ...]:
        return tuple(float(mean) for mean in self.bands.split())

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(float(share) for share in self.coverage.split())


def inspect(
    catalog: Catalog,
    data: DataConfig,
    known: dict[tuple[str, str], Record],
    advance: Callable[[int], None],
    threads: int = -1,
) -> list[Record]:
    """A record of every sample, train first, by id; those in `known` with the same stamp as is.

    What is wrong with a sample is in its record; DataError for a faulty table of masks.
    """
    masks, source = mask_format(data), image_source(data)
    stamps = Stamps(data, source)
    tasks = [
        (sample, part, stamps.of(sample, part))
        for part in PARTS
        for sample in catalog.by_id[part].values()
    ]
    fresh = [task for task in tasks if not _is_known(known, task)]
    if fresh:
        masks.expect(catalog.by_id["train"])
    pool = joblib.Parallel(n_jobs=threads, prefer="threads", return_as="generator")
    read = pool(joblib.delayed(_inspect_one)(*task, data, masks, source) for task in fresh)
    found = {(record.part, record.id): record for record in _counted(read, advance)}
    named = [(part, sample.id) for sample, part, _ in tasks]
    every = {name: found.get(name) or known[name] for name in named}
    pictures = {each.image.absolute(): every[part, each.id].picture for each, part, _ in tasks}
    for sample, part, _ in fresh:
        around = source.neighbours(sample.image)
        others = [pictures.get(path.absolute(), "") for path in around]
        if others and not every[part, sample.id].problem:
            every[part, sample.id] = _with_neighbours(every[part, sample.id], others)
    return list(every.values())


def _with_neighbours(record: Record, pictures: Iterable[str]) -> Record:
    """The record of an image that is read together with these."""
    together = "|".join([record.digest, *pictures])
    return replace(record, digest=hashlib.sha256(together.encode()).hexdigest()[:24])


def _is_known(known: dict[tuple[str, str], Record], task: tuple[Sample, Part, str]) -> bool:
    sample, part, stamp = task
    record = known.get((part, sample.id))
    return record is not None and record.stamp == stamp and not record.problem


def _counted(records: Iterable[Record], advance: Callable[[int], None]) -> Iterator[Record]:
    for record in records:
        advance(1)
        yield record


def _inspect_one(
    sample: Sample,
    part: Part,
    stamp: str,
    data: DataConfig,
    masks: MaskFormat,
    source: ImageSource,
) -> Record:
    try:
        facts = _facts(sample, part, data, masks, source)
    except DataError as error:
        return Record(sample.id, part, stamp, problem=str(error))
    return replace(Record(sample.id, part, stamp), **facts)


def _facts(
    sample: Sample, part: Part, data: DataConfig, masks: MaskFormat, source: ImageSource
) -> dict[str, Any]:
    image, digest = _examined(sample.image, source)
    size = (image.pixels.shape[0], image.pixels.shape[1])
    picture, same = digest.hexdigest()[:24], False
    if image.content is not None and is_flat(image.pixels[:]):
        picture = f"{FLAT} {picture}"
    if sample.reference is not None:
        decoded = source.read(sample.reference)
        same = np.array_equal(decoded, image.pixels[:], equal_nan=decoded.dtype.kind == "f")
        _hash_files(digest, source.files(sample.reference))
    if not data.turns:
        digest.update(b"as stored")  # other pixels than those of the same bytes, turned
    notes = list(image.notes)
    if same:
        notes.append("reference identical to the image")
    facts: dict[str, Any] = {"height": size[0], "width": size[1]}
    facts["bands"] = " ".join(f"{mean:.6g}" for mean in image.means)
    if part == "train":
        if data.volume is not None:  # before a slice is looked for that a shorter mask lacks
            notes += _doubts_of_masks(sample, data)
        truth = _truth(sample, size, image, masks)
        same_turn = note_of_turn(image.orientation)
        notes += [f"mask: {note}" for note in truth.notes if note != same_turn]
        facts["colours"] = ", ".join(truth.colours)
        valid = truth.planes[0].size if truth.valid is None else int(truth.valid.sum())
        shares = truth.planes.sum(axis=(1, 2), dtype=np.int64) / max(1, valid)
        facts["coverage"] = " ".join(f"{share:.6g}" for share in shares)
        digest.update(np.packbits(truth.planes).tobytes())
        if truth.soft is not None:
            digest.update(truth.soft.tobytes())
        if truth.valid is not None:
            digest.update(np.packbits(truth.valid).tobytes())
        if truth.instances is not None:
            digest.update(truth.instances.tobytes())
    return {
        **facts,
        "note": NEXT_NOTE.join(notes),
        "digest": digest.hexdigest()[:24],
        "picture": picture,
    }


def _doubts_of_masks(sample: Sample, data: DataConfig) -> list[str]:
    key = mask_array(data)
    notes = (mask_notes(sample.image, mask, data, key=key) for mask in sample.masks)
    return [f"mask: {note}" for of_mask in notes for note in of_mask]


def _examined(path: Path, source: ImageSource) -> tuple[Examined, hashlib._Hash]:
    """The image, and the hash of its file so far."""
    image = source.examine_rows(path)
    if image is None:
        encoded = read_bytes(path)
        return source.examine(encoded, path), hashlib.sha256(encoded)
    digest = hashlib.sha256()
    if image.content is not None:
        digest.update(str(image.pixels.shape).encode())
        digest.update(image.content)
    else:
        _hash_files(digest, source.files(path))
    return image, digest


def is_flat(pixels: Pixels) -> bool:
    """True if each band has one value, or none, everywhere."""
    first = pixels[:1, :1]
    return bool(((pixels == first) | (np.isnan(pixels) & np.isnan(first))).all())


def _hash_files(digest: hashlib._Hash, files: Iterable[Path]) -> None:
    for path in (each for file in files for each in files_below(file)):
        with opened(path) as stream:
            while part := stream.read(_PART):
                digest.update(part)


def _truth(sample: Sample, size: Size, image: Examined, masks: MaskFormat) -> Truth:
    try:
        return masks.read(sample.id, sample.masks, size)
    except MaskSizeError as error:
        hint = ""
        if error.found == (size[1], size[0]):
            hint = ": height and width are swapped"
            if image.orientation > 4:
                hint = (
                    ", because EXIF turns the image; set data.exif: ignore if the masks are drawn "
                    "on the stored pixels, or apply if on the image as viewers show it"
                )
        raise DataError(f"{error}{hint}") from None


def as_row(record: Record) -> dict[str, str]:
    """The record as a row of text."""
    return {key: str(value) for key, value in asdict(record).items()}


def from_row(row: dict[str, str]) -> Record:
    """The record that `as_row` made the row of."""
    numbers = {"height": int(row["height"]), "width": int(row["width"])}
    return Record(**{**row, **numbers})  # type: ignore[arg-type]
