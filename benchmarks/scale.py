"""Carvana's scale, simulated: 50 members' maps of 1280x1918: `-m benchmarks.scale [folder]`.

For two numbers of images, each in a process of its own: run lengths of every blended image, from
maps that are on disk only and again from the page cache; the peak of the process's private memory,
which must not grow with the number of images; and, from the slower of disk and memory, the hours
for the competition's 100,064 test images.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.rle import to_text
from pipeline.ensemble.blending.kernel import decide_runs
from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.members import check_members, reader_of
from pipeline.maps import MapShape, MapStore

SIZE = (1280, 1918)
MEMBERS = 50
TEST_IMAGES = 100_064
COUNTS = (4, 12)
IN_MEMORY = 4  # images whose maps the kernel alone goes over
ROUNDS = 5
MAP_BYTES = SIZE[0] * SIZE[1]


def make_stores(folder: Path, images: int) -> None:
    rows, columns = np.mgrid[-1 : 1 : SIZE[0] * 1j, -1 : 1 : SIZE[1] * 1j]
    far = (1 - (rows / 0.6) ** 2 - (columns / 0.7) ** 2) * 20
    rng = np.random.default_rng(0)
    ids = [f"car{number}" for number in range(images)]
    for member in range(MEMBERS):
        store = MapStore.create(
            folder / str(member), [MapShape(id, *SIZE) for id in ids], ["car"], fingerprint="f"
        )
        logits = far + rng.normal(size=SIZE)
        plane = (0.5 + 0.5 * np.tanh(logits / 2)).astype(np.float32)
        for shift, id in enumerate(ids):
            store.write({id: np.roll(plane, shift, axis=1)[None]})


def forget(folder: Path) -> None:
    """Have the system drop the files' pages."""
    for path in folder.glob("*/maps.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def private_mib() -> float:
    """Memory of this process that is not a page of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def blend_all(folder: Path) -> tuple[float, float]:
    """GB of maps a second, and the peak of private memory in MiB."""
    members = {str(member): MapStore.open(folder / str(member)) for member in range(MEMBERS)}
    ids = members["0"].ids
    check_members(members, ids)
    maps, weights = reader_of(members), [1.0] * MEMBERS

    def row(id: str) -> str:
        return to_text(decide_runs(maps(id), weights, [0.5], "row", threads=1)[0])

    start, peak = perf_counter(), 0.0
    for _ in ordered(row, ids):
        peak = max(peak, private_mib())
    return len(ids) * MEMBERS * MAP_BYTES / (perf_counter() - start) / 1e9, peak


def kernel_alone(folder: Path) -> float:
    """GB of maps a second from arrays in memory, unchecked: all that the kernel can reach."""
    members = [MapStore.open(folder / str(member)) for member in range(MEMBERS)]
    ids = members[0].ids[:IN_MEMORY]
    arrays = [[np.array(each.read_raw(id)) for each in members] for id in ids]

    def row(maps: list[NDArray[Any]]) -> str:
        return to_text(decide_runs(maps, [1.0] * MEMBERS, [0.5], "row", threads=1)[0])

    start = perf_counter()
    for _ in ordered(row, arrays):
        pass
    return len(arrays) * MEMBERS * MAP_BYTES / (perf_counter() - start) / 1e9


def read_files(folder: Path) -> float:
    """GB a second of plainly reading the same files, one after another."""
    start, size = perf_counter(), 0
    for path in folder.glob("*/maps.npy"):
        with path.open("rb", buffering=0) as file:
            while part := file.read(1 << 22):
                size += len(part)
    return size / (perf_counter() - start) / 1e9


def measure(folder: Path) -> None:
    """One line; called in a process of its own, so that its peak is its own."""
    blend_all(folder)
    forget(folder)
    plain = read_files(folder)
    forget(folder)
    cold, _ = blend_all(folder)
    warm, peak = blend_all(folder)
    # Alternating, for the ratio.
    pairs = [(blend_all(folder)[0], kernel_alone(folder)) for _ in range(ROUNDS)]
    share = np.median([way / kernel for way, kernel in pairs])
    total = TEST_IMAGES * MEMBERS * MAP_BYTES / 1e9 / 3600
    bound = "disk" if cold < warm / 1.2 else "memory"
    print(
        f"disk alone {plain:5.2f} GB/s, from disk {cold:5.2f}, from memory {warm:5.2f} "
        f"({share:.2f} of the kernel alone); private memory {peak:.0f} MiB; {TEST_IMAGES} images: "
        f"{total / cold:.1f} h, bound by {bound}"
    )


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    for images in COUNTS:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            make_stores(Path(folder), images)
            print(f"{MEMBERS} members x {images} images: ", end="", flush=True)
            command = "import sys, pathlib, benchmarks.scale as scale; "
            command += "scale.measure(pathlib.Path(sys.argv[1]))"
            subprocess.run([sys.executable, "-c", command, folder], check=True)


if __name__ == "__main__":
    main()
