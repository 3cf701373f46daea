"""The real pairs with known warps: how many are found, and that none is wrong without saying so."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.alignment import AlignSettings, align
from pipeline.alignment.geometry import corner_distance
from tests.helpers.shared_data import shared_data


@pytest.mark.slow
def test_real_pairs_are_found_or_flagged() -> None:
    folder = shared_data("deeppcb_ecc")
    table = pd.read_csv(folder / "known_warps.csv", dtype={"id": str})
    errors, trusted = np.zeros(len(table)), np.zeros(len(table), bool)
    for place, row in table.iterrows():
        image, reference = (
            cv2.imread(str(folder / part / f"{row.id}.png"), cv2.IMREAD_GRAYSCALE)
            for part in ("train", "train_refs")
        )
        known = np.array([row[f"w{i}{j}"] for i in range(3) for j in range(3)], dtype=float)
        found = align(image, reference, AlignSettings())
        errors[place] = corner_distance(found.warp, known.reshape(3, 3), image.shape)
        trusted[place] = found.status == "ok"
    textured = (table.texture == "rich").to_numpy()
    assert (errors[textured & trusted] < 1).sum() >= 0.9 * textured.sum()
    assert errors[trusted].max() < 3
    assert (~trusted & (errors < 1)).sum() <= 0.05 * (errors < 1).sum()
