"""The order in which run lengths count pixels, by mask files, by the images, or by a header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.checks.edge_fit import best_reading, compare_readings, is_shredded, whole_readings
from pipeline.config import DataConfig
from pipeline.config.choices import RleOrder
from pipeline.data import rle
from pipeline.data.catalog import list_samples
from pipeline.data.images import read_bytes
from pipeline.data.masks.one_class import decode_inside
from pipeline.errors import DataError
from pipeline.proposal.findings import Alternative, Found, Sureness
from pipeline.proposal.pairs import Pair
from pipeline.proposal.run_tables import MaskRows
from pipeline.proposal.samples import KNOWN, Sample

ORDERS: tuple[RleOrder, RleOrder] = ("column", "row")
_MOST_IMAGES = 24
_FEW = 6
_SAME = 0.95


def other(order: object) -> RleOrder:
    """The one of both that `order` is not."""
    return "column" if order == "row" else "row"


def order_by_files(root: Path, pair: Pair, rows: MaskRows) -> Found | None:
    """The order in which a table gives the same masks as the files of the same images."""
    agree = dict.fromkeys(ORDERS, 0)
    compared = 0
    for sample_id, cells in _cells_by_id(rows).items():
        files = [pair.masks.family.path_of(each) for each in pair.masks.ids.get(sample_id, ())]
        if not files or compared == _FEW:
            continue
        fits = [_share(root, files, cells, order, rows) for order in ORDERS]
        compared += 1
        for order, share in zip(ORDERS, fits, strict=True):
            agree[order] += share > _SAME and share > max(fits) - 1e-9
    best = max(agree, key=lambda each: agree[each])
    if not compared or agree[best] < compared or agree[best] == agree[other(best)]:
        return None
    why = f"so {rows.table.path} gives the masks of {compared} images that were compared"
    return Found("order", best, why)


def order_by_images(data: DataConfig, rows: MaskRows) -> Found | None:
    """The order in which the outlines of masks follow edges of their images."""
    wanted = list(_cells_by_id(rows))[:_MOST_IMAGES]
    train = {each.id: each for each in list_samples(data).train}
    samples = [train[each] for each in wanted if each in train]
    try:
        readings = compare_readings(data, samples, turned=False)
    except DataError:
        return None
    best = best_reading(readings)
    if best is None and is_shredded([*readings[1:], readings[0]]):
        best = readings[0]
    elif best is None and is_shredded(readings) and len(whole_readings(readings)) == 1:
        best = whole_readings(readings)[0]
    if best is None:
        return None
    chosen = "row" if (best is not readings[0]) != (_order(data) == "row") else "column"
    why = f"the masks of {len(samples)} images fit what they show best so"
    return Found("order", chosen, why, "likely", (Alternative(other(chosen), "the other order"),))


def order_by_header(sample: Sample | None) -> Found:
    """The order that the competition of that header has; column where it is not known."""
    header = tuple(sample.columns) if sample else ()
    known = KNOWN.get((header[0], header[1])) if header else None
    if known is not None:
        order, where = known
        why = f"this header is that of {where}, which counts so"
        sureness: Sureness = "guess" if header[0] == "id" else "likely"  # a name that anyone has
        doubt = (Alternative(other(order), "if yours does not"),)
        return Found("order", order, why, sureness, doubt)
    why = "down columns, as in most competitions: their page says it"
    return Found("order", "column", why, "guess", (Alternative("row", "along rows (Carvana)"),))


def _order(data: DataConfig) -> str:
    return str(getattr(data.masks, "order", "column"))


def _cells_by_id(rows: MaskRows) -> dict[str, list[str]]:
    """The cells that are not empty, by id."""
    found: dict[str, list[str]] = {}
    for sample_id, cell in zip(rows.keys.ids, rows.table.column(rows.rle), strict=False):
        if sample_id and " " in cell.strip():
            found.setdefault(sample_id, []).append(cell)
    return found


def _share(
    root: Path, files: Sequence[str], cells: Sequence[str], order: RleOrder, rows: MaskRows
) -> float:
    """Intersection over union of the masks of an image in files and in the table."""
    try:
        planes = [decode_inside(read_bytes(root / each), root / each) for each in files]
        filed = np.any(planes, axis=0)
        size = (filed.shape[0], filed.shape[1])
        told = np.any(
            [rle.decode(cell, size, order, relative=rows.is_relative) for cell in cells], axis=0
        )
    except (DataError, ValueError):
        return 0.0
    return float((filed & told).sum() / max(1, (filed | told).sum()))
