"""Masks that would fit their images better if they were read in another way."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.checks.edge_fit import (
    Reading,
    best_reading,
    compare_readings,
    is_shredded,
    whole_readings,
)
from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog
from pipeline.data.image_sources.source import TURNED
from pipeline.data.inspection import Record
from pipeline.data.listing import listed
from pipeline.data.masks.registry import mask_format


def find_misreadings(
    catalog: Catalog, records: Sequence[Record], data: DataConfig
) -> list[Finding]:
    """Evidence for another order of runs, another size, or images not turned by EXIF.

    Where a format of masks leaves no choice, only images that EXIF turns can be misread.
    """
    masked = [each for each in records if each.part == "train" and any(each.shares)]
    turned = [each for each in masked if TURNED in each.note]
    masks = mask_format(data)
    asked = turned or (masked if len(masks.readings) > 1 else [])
    if not asked:
        return []
    samples = [catalog.by_id["train"][each.id] for each in asked]
    readings = compare_readings(data, samples, bool(turned))
    if turned and needs_choice(records, data):
        return _without_setting(readings, [each.id for each in turned])
    return _doubts(readings, "data.exif" if turned else masks.reading)


def needs_choice(records: Sequence[Record], data: DataConfig) -> bool:
    """True if EXIF turns images whose masks are in coordinates, and `data.exif` is not set."""
    unsaid = mask_format(data).in_coordinates and data.exif is None
    return unsaid and any(each.part == "train" and TURNED in each.note for each in records)


def _without_setting(readings: Sequence[Reading], turned: Sequence[str]) -> list[Finding]:
    best = best_reading(readings)
    if best is readings[0]:
        return []
    text = (
        f"{len(turned)} image(s) are turned by EXIF ({listed(turned, most=2)}), and their "
        "masks do not say whether they count pixels of the image as viewers show it (data.exif: "
        f"apply) or as it is stored (data.exif: ignore); {_advice(readings, best)}"
    )
    return [Finding("error", "data.exif", text)]


def _advice(readings: Sequence[Reading], best: Reading | None) -> str:
    if best is not None:
        return f"the masks fit the images with {best.name}"
    whole = [each.name or "the present setting" for each in whole_readings(readings)]
    return f"possible are: {'; '.join(whole)}. Compare the masks with the images"


def _doubts(readings: Sequence[Reading], subject: str) -> list[Finding]:
    ours, best = readings[0], best_reading(readings)
    if is_shredded(readings):
        others = [each for each in whole_readings(readings) if each is not ours]
        likely = [best] if best in others else others
        text = f"{len(ours.scores)} masks fall into {ours.pieces} pieces, and with "
        text += " or ".join(f"{each.name} into {each.pieces}" for each in others if each)
        if len(likely) == 1 and likely[0] is not None:
            text += f"; is it {likely[0].name}?"
        else:
            text += "; compare the masks with the images to see which setting is right"
        return [Finding("warning", subject, text)]
    if best is None or best is ours:
        return []
    text = f"the outlines of {len(ours.scores)} masks fit their images clearly better with "
    return [Finding("warning", subject, f"{text}{best.name}; is that the right setting?")]
