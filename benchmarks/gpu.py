"""The real training and prediction on one card, against that card alone: `-m benchmarks.gpu`.

    python -m benchmarks.gpu [--out gpu.md] [--device cpu --quick]

Prints a Markdown table line by line and takes less than three minutes: a section that no time is
left for is named and left out. It draws its data. `--device cpu --quick` rehearses it.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import blend, infer
from pipeline.config import DataConfig, ModelConfig, ModelSpec, TrainConfig
from pipeline.config.losses import Bce, Dice
from pipeline.cores import usable_cores
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.execution.executor import JobContext
from pipeline.inference.precision import autocast
from pipeline.interruption import StopFlag
from pipeline.models.factory import build_model
from pipeline.reporting import JobProgress
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.validation_epochs import ValidationEpochs
from pipeline.workspace import MemberPaths

BUDGET_S = 150
PLAIN = {"decoder": "linknet", "encoder": "resnet34"}


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    models: tuple[dict[str, str], ...] = (PLAIN, {"decoder": "unet", "encoder": "efficientnet_b0"})
    size: tuple[int, int] = infer.CARVANA_SIZE
    crop: tuple[int, int] = (1024, 1024)
    batch: int = 8
    steps: int = 20
    drawn: int = 24
    predicted: int = 64
    blended: int = blend.BYTES


QUICK = Scale(
    models=({"decoder": "linknet", "encoder": "test_resnet"},),
    size=(64, 94), crop=(64, 64), batch=2, steps=3, drawn=4, predicted=4, blended=2**24,
)  # fmt: skip


@dataclass
class Report:
    """The table, a line at a time: nothing is lost where the machine is taken away."""

    out: Path | None
    started: float = field(default_factory=time.perf_counter)

    def line(self, text: str) -> None:
        print(text, flush=True)
        if self.out is not None:
            with self.out.open("a") as stream:
                stream.write(text + "\n")

    def row(self, what: str, figure: str, beside: str = "") -> None:
        self.line(f"| {what} | {figure} | {beside} |")

    def section(self, name: str, call: Callable[[], None]) -> None:
        """Run a section if there is time; a failure is a row, and the next one is run."""
        if time.perf_counter() - self.started > BUDGET_S:
            self.row(name, "left out", "no time left")
            return
        try:
            call()
        except Exception as error:  # a benchmark that shows half is worth more than none
            self.row(name, "failed", f"{type(error).__name__}: {str(error).splitlines()[:1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    device, scale = arguments.device, QUICK if arguments.quick else Scale()
    if device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here; --device cpu --quick rehearses")
    if device == "cpu":
        torch.set_num_threads(1)  # as the others that share its cores
    report = Report(arguments.out)
    cores = usable_cores()
    report.line(f"{infer.device_name(device)}, {cores} cores, torch {torch.__version__}\n")
    report.line("| what | figure | beside |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="gpu bench ") as folder:
        sections(Path(folder), device, scale, report)
    report.row("all of this", f"{time.perf_counter() - report.started:.0f} s")


def sections(folder: Path, device: str, scale: Scale, report: Report) -> None:
    """The dearest last, as the time may end before."""
    bench = Training(draw(folder, scale), folder, device, scale)
    for model in scale.models:
        section = functools.partial(against_the_card, bench, model, report)
        report.section(f"training {name(model)}", section)
    report.section("infer", lambda: predict(folder, device, scale, report))
    report.section("number formats", lambda: number_formats(bench, report))
    report.section("blend", lambda: blending(scale, report))
    report.section("forward", lambda: forwards(device, scale, report))
    if scale is not QUICK:  # minutes, on a CPU
        report.section("compiled", lambda: compiled_forward(device, scale, report))


def name(model: dict[str, str]) -> str:
    return f"{model['decoder']}/{model['encoder']}"


def draw(folder: Path, scale: Scale) -> tuple[Sample, ...]:
    """JPEG images with a mask each."""
    samples = []
    for path in infer.draw(folder, scale.size, scale.drawn):
        mask = np.asarray(Image.open(path).convert("L")) > 128
        Image.fromarray(mask.astype(np.uint8)).save(path.with_suffix(".png"))
        samples.append(Sample(path.stem, path, (path.with_suffix(".png"),)))
    return tuple(samples)


@dataclass(frozen=True)
class Training:
    """Makes trainings over the drawn images."""

    samples: tuple[Sample, ...]
    folder: Path
    device: str
    scale: Scale

    def run(
        self, model: dict[str, str], decoded: Path | None = None, **settings: Any
    ) -> TrainingRun:
        """One that has its networks on the device and has done nothing yet.

        decoded: where decoded samples are kept; None: they are decoded each time.
        """
        train = TrainConfig(
            size=self.scale.crop,
            batch=self.scale.batch,
            steps=self.scale.steps,
            cache="off",
            **settings,
        )
        data = DataConfig(root=self.folder, images="{id}.jpg", masks="{id}.png", classes={"a": 1})
        job = TrainJob(
            name=name(model),
            model=ModelConfig(**model, weights=None, train=train),
            metric="dice",
            classes=("a",),
            multiclass=False,
            losses=(Bce(name="bce"), Dice(name="dice")),
            reader=SampleReader(data),
            train=self.samples,
            held_out=self.samples[:1],
            validated=ValidationEpochs(train.epochs, every=1),
            paths=MemberPaths(self.folder / "member"),
            fingerprint="f",
            made_from={},
            decoded=decoded,
        )
        progress = JobProgress(self.folder / "progress", "bench")
        return TrainingRun(job, JobContext(self.device, progress, StopFlag(), usable_cores()))

    def rate(self, run: TrainingRun) -> float:
        """Images/s of one epoch, to its last look at the loss."""
        run.progress.step = 0
        started = time.perf_counter()
        run.train_epoch(0)
        return self.scale.batch * self.scale.steps / (time.perf_counter() - started)

    def rate_on_device(self, run: TrainingRun) -> float:
        """The same steps where every batch lies on the device already."""
        count, (height, width) = self.scale.batch, self.scale.crop
        planes = torch.randint(2, (count, 1, height, width), dtype=torch.uint8)
        images = torch.randint(256, (count, 3, height, width), dtype=torch.uint8)
        batch = [each.to(self.device) for each in (images, planes, torch.ones_like(planes))]
        run.loader.close()
        run.loader = OnDevice(batch, self.scale.steps)  # type: ignore[assignment]
        self.rate(run)  # warms up
        return self.rate(run)


class OnDevice:
    """A loader whose every batch lies on the device already."""

    def __init__(self, batch: list[Tensor], steps: int) -> None:
        self._batches = [batch] * steps

    def epoch(self, _epoch: int, _start: int) -> Iterator[list[Tensor]]:
        return iter(self._batches)


class Watched:
    """A loader, and the seconds that the training waited for each batch."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.seconds: list[float] = []

    def epoch(self, epoch: int, start: int) -> Iterator[Any]:
        batches = iter(self._loader.epoch(epoch, start))
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self.seconds.append(time.perf_counter() - started)
            if batch is None:
                return
            yield batch


def against_the_card(bench: Training, model: dict[str, str], report: Report) -> None:
    """From JPEG files, and from decoded samples, against batches that are on the device already."""
    run = bench.run(model)
    what = f"training {name(model)}, {bench.scale.crop[0]}²"
    reset_peak(bench.device)
    alone = bench.rate_on_device(run)
    network = build_model(ModelSpec(**model, weights=None), classes=1)
    forward = infer.forward_flops(network, bench.scale.crop, bench.device)
    share = infer.share_of_peak(3 * forward * alone, bench.device)  # backward counts twice
    beside = f"{share:.1%} of bf16 peak, " if share else ""
    report.row(
        f"{what}: batches on the device", f"{alone:.1f} images/s", beside + peak(bench.device)
    )
    for source, decoded in (("JPEG", None), ("decoded samples", bench.folder / "decoded")):
        run = bench.run(model, decoded)
        loader = run.loader
        run.loader = watched = Watched(loader)  # type: ignore[assignment]
        started = bench.rate(run)  # starts the workers, which stay
        first = watched.seconds[0]
        watched.seconds.clear()
        rate = bench.rate(run)
        loader.close()
        waited = sum(watched.seconds) * rate / (bench.scale.batch * bench.scale.steps)
        report.row(
            f"{what}: from {source}",
            f"{rate:.1f} images/s",
            f"{rate / alone:.2f} of the device's; the loop waits {waited:.0%} of the time, "
            f"{first:.1f} s for the first batch, {started:.1f} images/s in the first epoch",
        )


def predict(folder: Path, device: str, scale: Scale, report: Report) -> None:
    reset_peak(device)
    encoder = scale.models[0]["encoder"]
    whole = infer.carvana(folder, device, scale.size, scale.predicted, encoder)
    report.row(f"infer {whole.what}", whole.figures, peak(device))


def number_formats(bench: Training, report: Report) -> None:
    """The same training steps, batches on the device."""
    rates = {
        precision: bench.rate_on_device(bench.run(bench.scale.models[0], precision=precision))
        for precision in ("fp32", "fp16", "bf16")
    }
    for precision, rate in rates.items():
        report.row(
            f"training step {name(bench.scale.models[0])}, {precision}",
            f"{1000 * bench.scale.batch / rate:.1f} ms",
            f"{rate / rates['fp32']:.2f}× fp32",
        )


def forwards(device: str, scale: Scale, report: Report) -> None:
    """One pass in bf16: the layout in memory, and cuDNN's search for the fastest way."""
    network, images = forward_inputs(device, scale)
    seconds = {"contiguous": forward_s(network, images)}
    images = images.contiguous(memory_format=torch.channels_last)
    network = network.to(memory_format=torch.channels_last)
    seconds["channels_last"] = forward_s(network, images)
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        seconds["channels_last, cudnn.benchmark"] = forward_s(network, images)
    for way, each in seconds.items():
        shown = f"{seconds['contiguous'] / each:.2f}× contiguous"
        report.row(f"forward {name(scale.models[0])}, {way}", f"{1000 * each:.2f} ms", shown)


def compiled_forward(device: str, scale: Scale, report: Report) -> None:
    """The same pass before and after `compile`."""
    network, images = forward_inputs(device, scale)
    images = images.contiguous(memory_format=torch.channels_last)
    network = network.to(memory_format=torch.channels_last)
    plain, started = forward_s(network, images), time.perf_counter()
    network.compile()
    compiled = forward_s(network, images)
    report.row(
        f"forward {name(scale.models[0])}, channels_last, compiled",
        f"{1000 * compiled:.2f} ms",
        f"{plain / compiled:.2f}× not compiled; {time.perf_counter() - started:.0f} s to compile",
    )


def forward_inputs(device: str, scale: Scale) -> tuple[torch.nn.Module, Tensor]:
    """A network, and a batch of padded images."""
    network = build_model(ModelSpec(**scale.models[0], weights=None), classes=1)
    height, width = (-(-side // 32) * 32 for side in scale.size)
    return network.to(device).eval(), torch.rand(scale.batch, 3, height, width, device=device)


def forward_s(network: torch.nn.Module, images: Tensor, repeats: int = 10) -> float:
    """Seconds of one pass."""
    device = images.device
    with torch.inference_mode(), autocast(device, "bf16"):
        for _ in range(2):
            network(images)
        synchronize(device)
        started = time.perf_counter()
        for _ in range(repeats):
            network(images)
        synchronize(device)
    return (time.perf_counter() - started) / repeats


def blending(scale: Scale, report: Report, members: int = 10) -> None:
    """The host's part: decisions of many maps, against reading them at all."""
    images = blend.image_set(members, scale.blended)
    files = [[blend.encoded(each) for each in image] for image in images[:1]]
    blend.one_round(images, files)
    speeds = blend.one_round(images, files)
    report.row(
        f"blend of {members} maps to runs, on the host",
        f"{speeds['runs, row']:.1f} GB/s",
        f"{speeds['runs, row'] / speeds['read bound']:.2f} of reading them; "
        f"{speeds['runs, row'] / speeds['NumPy float32']:.0f}× NumPy",
    )


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak(device: str) -> None:
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> str:
    """The most device memory that tensors took since `reset_peak`."""
    if device == "cpu":
        return ""
    return f"at most {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB"


if __name__ == "__main__":
    main()
