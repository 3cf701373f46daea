"""Peak memory of infer and ensemble: few and many images, and one model and several in a job.

    python -m benchmarks.memory

Each case runs in a process of its own; the peak is the process's private memory (what is not
backed by files), sampled every 20 ms. Models are those that the stage puts into one job: more of
them go into further jobs (`stages.parts.map_jobs.TOGETHER_BYTES`), so that theirs is bounded, too.

    python -m benchmarks.memory tiles

is of one large image in tiles (`benchmarks.large_image`): half an hour.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import large_image
from benchmarks.peak import Peak

COUNTS = {"infer": (100, 2000), "ensemble": (100, 400)}
MODELS = (1, 5)
SIZE = (320, 480)
SIDES = (15_000, 30_000)


def main() -> None:
    for stage, counts in COUNTS.items():
        few, many = (_peak(stage, count) for count in counts)
        print(
            f"peak private memory of {stage}: {few:.0f} MiB at {counts[0]} images of "
            f"{SIZE[0]}×{SIZE[1]}, {many:.0f} MiB at {counts[1]}: {many / few - 1:+.1%}",
            flush=True,
        )
    one, several = (_peak("infer", 100, models) for models in MODELS)
    print(
        f"peak private memory of infer: {one:.0f} MiB with {MODELS[0]} model in a job, "
        f"{several:.0f} MiB with {MODELS[1]}: {several / one - 1:+.1%}",
        flush=True,
    )


def large_images() -> None:
    for what in ("identity", "d4", "rle"):
        peaks = [_peak(what, side) for side in SIDES]
        said = ", ".join(f"{p:.0f} MiB at {s}×{s}" for p, s in zip(peaks, SIDES, strict=True))
        print(f"peak private memory of one image in tiles, {what}: {said}", flush=True)


def _peak(stage: str, images: int, models: int = 1) -> float:
    """MiB, of a child process; images: how many, or the side of a large one."""
    with tempfile.TemporaryDirectory() as folder:
        case = [stage, folder, str(images), str(models)]
        command = [sys.executable, "-m", "benchmarks.memory", *case]
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(text.split()[-1])


def child(stage: str, folder: Path, count: int, models: int) -> None:
    """Run one stage's core over `count` images and print the peak in MiB."""
    if stage in ("identity", "d4", "rle"):
        peak = large_image.peak_of(stage, folder, count)
    elif stage == "infer":
        _draw(folder, count)
        with Peak() as peak:
            _infer(folder, models)
    else:
        _fill(folder, count)
        with Peak() as peak:
            _ensemble(folder)
    print(peak.mebibytes)


def _draw(folder: Path, count: int) -> None:
    (folder / "images").mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 255, (SIZE[0] // 8, SIZE[1] // 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize(SIZE[::-1])
        picture.save(folder / "images" / f"{number:05d}.jpg")


def _infer(folder: Path, models: int) -> None:
    """The same path as the stage's job: decode, predict, quantise, write."""
    import torch

    from pipeline.atomic_files import file_checksum
    from pipeline.config import DataConfig, InferConfig, ModelConfig
    from pipeline.data.catalog import Sample
    from pipeline.data.samples import SampleReader
    from pipeline.execution.executor import JobContext
    from pipeline.inference import job
    from pipeline.inference.sinks import StoreSink
    from pipeline.interruption import StopFlag
    from pipeline.maps import MapShape, MapStore
    from pipeline.models.checkpoint import save_weights
    from pipeline.models.factory import build_model
    from pipeline.reporting import JobProgress

    torch.set_num_threads(1)
    model = ModelConfig(
        decoder="linknet", encoder="test_resnet", weights=None,
        infer=InferConfig(tta=("identity",)),
    )  # fmt: skip
    weights = folder / "w.safetensors"
    save_weights(weights, build_model(model.architecture, classes=1))
    paths = sorted((folder / "images").iterdir())
    data = DataConfig(root=folder, images="{id}", masks="{id}", classes={"a": 1})
    shapes = [MapShape(path.stem, *SIZE) for path in paths]
    stores = tuple(
        MapStore.create(folder / f"maps{number}", shapes, ["a"], fingerprint="f")
        for number in range(models)
    )
    output = job.Output(model, (job.MemberWeights("m", weights, file_checksum(weights)),))
    samples = tuple(Sample(path.stem, path) for path in paths)
    reader, sink = SampleReader(data), StoreSink(stores)
    work = job.InferJob((output,) * models, sink, 1, False, reader, samples)
    job.predict_range(work, JobContext("cpu", JobProgress(folder / "p", "j"), StopFlag()))


def _fill(folder: Path, count: int) -> None:
    """Four models' maps of discs with soft edges."""
    from pipeline.maps import MapShape, MapStore

    random = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    shapes = [MapShape(str(number), *SIZE) for number in range(count)]
    for model in range(4):
        store = MapStore.create(folder / f"m{model}", shapes, ["a"], fingerprint="f")
        for number in range(count):
            distance = np.hypot(rows - 160 + random.normal(0, 3), columns - 240)
            soft = 1 / (1 + np.exp((distance - 90) / 3))
            store.write({str(number): soft[None].astype(np.float32)})


def _ensemble(folder: Path) -> None:
    """Gather, choose and nested score, as the stage does them."""
    from pipeline.data.ground_truth import Truth
    from pipeline.ensemble.members import reader_of
    from pipeline.ensemble.search.evidence import Evidence
    from pipeline.ensemble.search.nested import Procedure
    from pipeline.ensemble.search.oof import OofSource
    from pipeline.ensemble.search.oof_pixels import gather
    from pipeline.maps import MapStore
    from pipeline.metrics import get_metric

    stores = {f"m{model}": MapStore.open(folder / f"m{model}") for model in range(4)}
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    truth = Truth((np.hypot(rows - 160, columns - 240) < 90)[None].astype(np.uint8))
    ids = stores["m0"].ids
    source = OofSource(tuple(stores), tuple(ids), reader_of(stores), lambda _: truth)
    metric = get_metric("dice")
    oof = gather(source, metric, folder)
    places = np.arange(len(ids))
    Procedure(Evidence(oof, places % 2, places), metric).run(lambda fold, rule: "search")


if __name__ == "__main__":
    if sys.argv[1:] == ["tiles"]:
        large_images()
    elif len(sys.argv) > 1:
        child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
