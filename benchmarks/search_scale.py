"""The search at the scale of 50 members, from two measured sizes: `-m benchmarks.search_scale`.

Maps of 160x240 that err like networks do (`benchmarks.search`), in stores on the disk (of the
folder that is named, or the temporary one); the bounds of `search.sampling` are made smaller as the
maps are, so that weights are searched on a sample. Each size is a process of its own: seconds and
bytes of gathering and of one search, and the peak of private memory. What grows with the pixels is
projected to 50 members and 5,088 out-of-fold maps of 1080x1920 at the speeds of this run;
`ensemble` makes twelve searches: for two rules of thresholds, on all images and without each of
five folds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import search as drawn
from benchmarks.peak import Peak
from pipeline.data.ground_truth import Truth
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.search import disputed_pixels, sampling, threshold_counts
from pipeline.ensemble.search.oof import OofSource
from pipeline.ensemble.search.oof_pixels import gather
from pipeline.ensemble.search.weights import search_blend
from pipeline.maps import MapShape, MapStore
from pipeline.metrics import get_metric

SIZE = (160, 240)
MEMBERS = 50
COUNTS = (40, 80)
SEARCHES = 12
GOAL = (5088, 1080 * 1920)
SHRUNK = 32  # the sample: as many pixels of an image as of full-HD ones


def make_stores(folder: Path, images: int) -> None:
    """Maps of all members, and `truths.npy`; beyond the first 10, images are shifted copies."""
    drawn.SIZE = SIZE
    first = [drawn.draw_image(MEMBERS, number) for number in range(min(images, 10))]
    every = [drawn.shifted(first[n % len(first)], 7 * (n // len(first))) for n in range(images)]
    np.save(folder / "truths.npy", np.stack([truth.planes for _, truth in every]))
    shapes = [MapShape(str(number), *SIZE) for number in range(images)]
    for member in range(MEMBERS):
        store = MapStore.create(folder / str(member), shapes, ["a"], fingerprint="f")
        store.write(
            {
                str(n): np.divide(maps[member], 255, dtype=np.float32)
                for n, (maps, _) in enumerate(every)
            }
        )


def measure(folder: Path) -> dict[str, Any]:
    """Seconds, bytes and MiB of one size; prints them as JSON."""
    sampling.SEARCHED_VALUES = 1
    sampling.SAMPLED_VALUES //= SHRUNK
    stores = {str(member): MapStore.open(folder / str(member)) for member in range(MEMBERS)}
    ids, truths = stores["0"].ids, np.load(folder / "truths.npy", mmap_mode="r")
    source = OofSource(
        tuple(stores), tuple(ids), reader_of(stores), lambda each: Truth(truths[int(each)])
    )
    metric, read = get_metric("dice"), {"sample": 0, "all": 0}
    passing = threshold_counts.passing

    def counted(values: Any, starts: Any, lengths: Any, shares: Any, shift: int) -> Any:
        kind = "all" if values is of_all else "sample"
        read[kind] += int(lengths.sum()) * int(np.count_nonzero(shares)) * values.itemsize
        return passing(values, starts, lengths, shares, shift)

    with Peak() as peak:
        start = perf_counter()
        whole = gather(source, metric, folder)
        assert isinstance(whole, disputed_pixels.Disputed) and whole.sample is not None
        of_all, sample = whole.blocks.values, whole.sample.oof
        assert isinstance(sample, disputed_pixels.Disputed)
        gathered = perf_counter() - start
        vars(disputed_pixels)["passing"] = counted
        blend = search_blend(whole, metric)
        chosen = perf_counter() - start - gathered
    return {
        "images": len(ids),
        "maps": len(ids) * MEMBERS * SIZE[0] * SIZE[1],
        "kept": int(of_all.nbytes),
        "sample": int(sample.blocks.values.nbytes),
        "gather_s": gathered,
        "choose_s": chosen,
        "read": read,
        "finishing": read["all"],
        "MiB": peak.mebibytes,
        "score": blend.score,
        "members": sum(weight > 0 for weight in blend.weights.values()),
    }


def report(few: dict[str, Any], many: dict[str, Any]) -> None:
    for row in (few, many):
        of_all, sample = row["read"]["all"], row["read"]["sample"]
        print(
            f"{row['images']} maps of {SIZE[0]}x{SIZE[1]} by {MEMBERS} members: "
            f"{row['maps'] / 1e6:.0f} MB, {row['kept'] / 1e6:.1f} MB disputed, gathered in "
            f"{row['gather_s']:.1f} s; searched in {row['choose_s']:.1f} s: {sample / 1e9:.2f} GB "
            f"read of a sample of {row['sample'] / 1e6:.2f} MB, {of_all / 1e6:.0f} MB of all "
            f"({of_all / row['kept']:.1f} passes); {row['MiB']:.0f} MiB private; "
            f"Dice {row['score']:.5f} with {row['members']} members"
        )
    size = GOAL[0] * GOAL[1] * MEMBERS
    growth = size / (many["maps"] - few["maps"])
    scratch = growth * (many["kept"] - few["kept"])
    finishing = scratch * max(row["finishing"] / row["kept"] for row in (few, many))
    speed = many["maps"] / many["gather_s"] / 1e9
    hours = size / speed / 1e9 / 3600
    print(
        f"{GOAL[0]} maps of 1080x1920: {size / 1e9:.0f} GB read once in {hours:.1f} h "
        f"({speed:.2f} GB/s of this run), {scratch / 1e9:.0f} GB of scratch; of it "
        f"{finishing / 1e9:.0f} GB read by a search, {SEARCHES * finishing / 1e12:.1f} TB by "
        f"{SEARCHES}"
    )


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(measure(Path(sys.argv[2]))))
        return
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    rows = []
    for images in COUNTS:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            make_stores(Path(folder), images)
            command = [sys.executable, "-m", "benchmarks.search_scale", "measure", folder]
            text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rows.append(json.loads(text))
    report(*rows)


if __name__ == "__main__":
    main()
