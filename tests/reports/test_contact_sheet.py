from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipeline.reports.contact_sheet import SIDE, Cell, Strip, contact_sheet

RED, BLUE = (230, 75, 60), (60, 130, 245)


def _cell(size: tuple[int, int], images: int = 1) -> Cell:
    planes = np.zeros((2, *size), bool)
    planes[0, size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    valid = np.ones(size, bool)
    valid[: size[0] // 8] = False
    return Cell((np.full((*size, 3), 200, np.uint8),) * images, planes, valid)


def _read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def _of_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())


def test_edges_have_the_colours_of_their_classes_and_void_is_hatched() -> None:
    sheet = _read(contact_sheet([Strip("a", [[_cell((64, 64))]])], {"x": RED, "ß日": BLUE}))
    below = sheet[-SIDE - 4 :]
    assert 100 < _of_colour(below, RED) < 4 * SIDE and not _of_colour(below, BLUE)
    void = below[: SIDE // 8 - 2, :SIDE]
    assert 0.4 < (void == 128).all(axis=2).mean() < 0.6
    assert not (below[SIDE // 8 + 2 :] == 128).all(axis=2).any()


def test_a_background_of_black_has_no_edges() -> None:
    sheet = _read(contact_sheet([Strip("a", [[_cell((64, 64))]])], {"x": (0, 0, 0), "y": BLUE}))
    assert not _of_colour(sheet[-SIDE - 4 :], (0, 0, 0))


def test_cells_of_any_size_and_number_of_images_fit() -> None:
    rows = [[_cell((600, 900)), _cell((32, 32), 2)], [_cell((3, 700)), _cell((1, 1), 2)]]
    strips = [Strip("long words " * 40, rows), Strip("b", rows[:1])]
    sheet = _read(contact_sheet(strips, {"x": RED, "y": BLUE}))
    assert sheet.shape[1] == SIDE + 4 + 2 * SIDE + 4
    assert sheet.shape[0] > 2 * SIDE and sheet.dtype == np.uint8
