"""How well `pipeline.alignment` finds warps that are known, and knows when it has not.

Run from the repository root: `python -m benchmarks.alignment --data FOLDER [--synthetic FOLDER]`;
with --profile it also says which share of the time is spent inside OpenCV.
FOLDER of --data is laid out as a competition, with `known_warps.csv` beside it, or is the drawn
reference demo (data/demo_reference), whose `true_warps.csv` speaks of both parts; --synthetic takes
any folders of pictures, from which pairs are made: random warps, gain, gamma, uneven light, noise,
blur and pasted defects on the image, and for some a larger reference or a large turn.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# One process on one core, so that pairs a second are pairs a second and core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import pandas as pd

from pipeline.alignment import AlignSettings, align
from pipeline.alignment.geometry import FloatArray, corner_distance, similarity

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif")
MOTIONS = ("translation", "euclidean", "affine", "homography")
WARPS = ("known_warps.csv", "true_warps.csv")
KINDS = (*MOTIONS, "turned", "large turn", "larger reference", "zoomed reference", "unrelated")


@dataclass(frozen=True)
class Case:
    """A pair and the warp it was made with; None where there is none to find."""

    name: str
    kind: str
    texture: str
    image: np.ndarray
    reference: np.ndarray
    warp: FloatArray | None


def known_cases(data: Path) -> Iterator[Case]:
    """The pairs of a data set with known warps."""
    path = next(data / name for name in WARPS if (data / name).is_file())
    for row in pd.read_csv(path, dtype={"id": str}).to_dict("records"):
        part = row.get("part", "train")
        image, reference = (
            _grey(next((data / folder).glob(f"{row['id']}.*"))) for folder in (part, f"{part}_refs")
        )
        warp = np.array([row[f"w{i}{j}"] for i in range(3) for j in range(3)]).reshape(3, 3)
        kind = row.get("kind") or ("homography" if np.abs(warp[2, :2]).max() > 0 else "similarity")
        yield Case(row["id"], kind, row.get("texture", data.name), image, reference, warp)


def random_warp(kind: str, size: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """A warp about the image's centre; sizes of motion as in photos held by a jig or by hand."""
    height, width = size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = 0.0 if kind == "translation" else rng.uniform(-3, 3)
    turn = {"turned": rng.uniform(-10, 10), "large turn": rng.uniform(-180, 180)}.get(kind, turn)
    scale = {"larger reference": rng.uniform(0.92, 1.08), "zoomed reference": 1.25}.get(kind, 1.0)
    warp = similarity(scale, turn, middle, middle + rng.uniform(-12, 12, 2))
    if kind not in ("affine", "homography", "zoomed reference"):
        return warp
    extra = np.eye(3)
    extra[:2, :2] += rng.uniform(-0.02, 0.02, (2, 2))
    if kind == "homography":
        extra[2, :2] = rng.uniform(-0.02, 0.02, 2) / max(size)
    centring = similarity(1.0, 0.0, middle, np.zeros(2))
    warp = warp @ np.linalg.inv(centring) @ extra @ centring
    normal: FloatArray = warp / warp[2, 2]
    return normal


def uneven_light(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A smooth factor for each pixel, 0.7 to 1.3."""
    coarse = rng.uniform(0.7, 1.3, (3, 3)).astype(np.float32)
    return cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def spoil(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """HW uint8 as another camera would see it, with defects on it."""
    values = np.power(image / 255.0, rng.uniform(0.7, 1.4)) * 255.0
    values = values * rng.uniform(0.7, 1.2) * uneven_light(image.shape, rng) + rng.uniform(-20, 20)
    for _ in range(rng.integers(2, 12)):
        centre = (int(rng.integers(image.shape[1])), int(rng.integers(image.shape[0])))
        axes = (int(rng.integers(2, 14)), int(rng.integers(1, 8)))
        turn, level = float(rng.uniform(0, 180)), float(rng.uniform(0, 255))
        cv2.ellipse(values, centre, axes, turn, 0, 360, level, -1)
    values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.2, 1.2))
    values += rng.normal(0, rng.uniform(1, 6), values.shape)
    spoilt: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return spoilt


def synthetic_case(kind: str, pictures: list[Path], seed: int) -> Case:
    """A pair made from one picture (from two for the kind "unrelated")."""
    rng = np.random.default_rng(seed)
    path, other = (pictures[int(i)] for i in rng.choice(len(pictures), 2, replace=False))
    scene = _scene(path)
    larger = kind in ("larger reference", "zoomed reference")
    side, reference_side = (390, 500) if larger else (400, 400)
    offset = (np.array(scene.shape[::-1]) - reference_side) / 2
    place = similarity(1.0, 0.0, np.zeros(2), offset)
    warp = random_warp(kind, (side, side), rng)
    if larger:
        warp[:2, 2] += (reference_side - side) / 2
    reference = _cut(scene, place, reference_side)
    image = _cut(_scene(other) if kind == "unrelated" else scene, place @ warp, side)
    truth = None if kind == "unrelated" else warp
    return Case(path.stem, kind, _set_of(path), spoil(image, rng), reference, truth)


def _scene(path: Path) -> np.ndarray:
    """A picture enlarged so that 500 x 500 pixels can be cut from it with room to turn."""
    picture = _grey(path)
    factor = 620 / min(picture.shape)
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


def _grey(path: Path) -> np.ndarray:
    """HW uint8, read as OpenCV reads it."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit(f"{path} is not a picture that OpenCV reads")
    return picture


def _cut(scene: np.ndarray, warp: FloatArray, side: int) -> np.ndarray:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT_101
    return cv2.warpPerspective(scene, warp, (side, side), flags=flags, borderMode=border)


def _set_of(path: Path) -> str:
    """The data set a picture belongs to: the first folder below "data", or its own."""
    parts = path.resolve().parts
    return parts[parts.index("data") + 1] if "data" in parts else path.parent.name


def synthetic_cases(folder: Path, count: int) -> Iterator[Case]:
    """`count` pairs of each kind from the pictures below a folder, always the same."""
    pictures = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURES and "mask" not in str(path)
    )
    for kind in KINDS:
        for seed in range(count):
            yield synthetic_case(kind, pictures, seed)


def measure(case: Case, settings: AlignSettings) -> dict[str, object]:
    """One row: what was found, and how far off it is at the worst corner."""
    began = time.process_time()
    found = align(case.image, case.reference, settings)
    seconds = time.process_time() - began
    size = (case.image.shape[0], case.image.shape[1])
    error = np.inf if case.warp is None else corner_distance(found.warp, case.warp, size)
    return {
        "kind": case.kind,
        "texture": case.texture,
        "name": case.name,
        "motion": found.motion,
        "status": found.status,
        "error": error,
        "corner_px": found.corner_px,
        "cc_after": found.cc_after,
        "seconds": seconds,
    }


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per kind and texture; flagged pairs count as not under a pixel."""

    def line(group: pd.DataFrame) -> pd.Series:
        trusted = group[group.status == "ok"]
        good = group[group.error < 1]
        return pd.Series(
            {
                "pairs": len(group),
                "under 1 px": (trusted.error < 1).sum() / len(group),
                "median": group.error.median(),
                "90 %": group.error.quantile(0.9, interpolation="lower"),
                "flagged": int((group.status != "ok").sum()),
                "good flagged": int((good.status != "ok").sum()),
                "trusted > 3 px": int((trusted.error > 3).sum()),
                "worst trusted": trusted.error.max(),
                "pairs/s": len(group) / group.seconds.sum(),
            }
        )

    groups = rows.groupby(["texture", "kind"], sort=False)[list(rows.columns)]
    return pd.DataFrame(groups.apply(line))


def opencv_share(profile: cProfile.Profile) -> float:
    """The share of profiled time in OpenCV's own functions; profiling makes Python look dearer."""
    entries = profile.getstats()
    inside = [
        entry.inlinetime
        for entry in entries
        if isinstance(entry.code, str)  # a function of C
        and ("cv2." in entry.code or hasattr(cv2, entry.code[1:-1]))
    ]
    return float(sum(inside) / sum(entry.inlinetime for entry in entries))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--synthetic", type=Path, nargs="*", default=[])
    parser.add_argument("--count", type=int, default=4, help="synthetic pairs of each kind")
    parser.add_argument("--profile", action="store_true", help="slower: the share of OpenCV")
    parser.add_argument("--rows", type=Path, help="write every pair to this CSV")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings = AlignSettings()
    profile = cProfile.Profile()
    if arguments.profile:
        profile.enable()
    rows = [measure(case, settings) for case in known_cases(arguments.data)]
    for folder in arguments.synthetic:
        rows += [measure(case, settings) for case in synthetic_cases(folder, arguments.count)]
    profile.disable()
    table = pd.DataFrame(rows)
    if arguments.profile:
        print(f"{opencv_share(profile):.0%} of the time in OpenCV")
    if arguments.rows:
        table.to_csv(arguments.rows, index=False)
    print(summary(table).round(2).to_string())


if __name__ == "__main__":
    main()
