"""Images a second of infer, decode and write included, against the straightforward stack.

    python -m benchmarks.infer

On a CPU, D4 TTA: the same U-Net with the same weights as an SMP model behind a DataLoader, ttach's
wrapper and `np.savez_compressed` a case, each from weights on disk to maps on disk. One compute
thread on both sides, whose rounds alternate, so that a slower moment of the machine touches both.
Where there is a GPU, also LinkNet-34 at 1280×1920 in bf16 with flip TTA: its share of the card's
peak, and hours for Carvana's test set.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import ttach
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from pipeline.atomic_files import file_checksum
from pipeline.config import DataConfig, InferConfig, ModelConfig
from pipeline.data.catalog import Sample
from pipeline.data.samples import SampleReader
from pipeline.execution.executor import JobContext
from pipeline.inference.job import InferJob, MemberWeights, Output, predict_range
from pipeline.inference.sinks import StoreSink
from pipeline.interruption import StopFlag
from pipeline.maps import MapShape, MapStore
from pipeline.models.checkpoint import save_weights
from pipeline.models.factory import build_model
from pipeline.models.whole_checkpoint import from_smp
from pipeline.reporting import JobProgress

ENCODERS = {"resnet18": "resnet18", "mobilenetv3_small_100": "tu-mobilenetv3_small_100"}
SIZE, IMAGES, BATCH, ROUNDS = (192, 288), 8, 8, 5
CARVANA_SIZE, CARVANA_IMAGES, FOLDS = (1280, 1918), 100_064, 5
# dense bf16 FLOP/s of the makers' data sheets
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}


def main() -> None:
    torch.set_num_threads(1)
    for ours, theirs in ENCODERS.items():
        with tempfile.TemporaryDirectory() as folder:
            _compare(Path(folder), ours, theirs)
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as folder:
            whole = carvana(Path(folder), "cuda:0", CARVANA_SIZE, images=64)
        print(f"infer, {whole.what} on {device_name('cuda:0')}: {whole.figures}", flush=True)


def _compare(folder: Path, ours: str, theirs: str) -> None:
    paths = draw(folder, SIZE, IMAGES)
    network = smp.Unet(theirs, encoder_weights=None)
    torch.save(network.state_dict(), folder / "theirs.pt")
    model = ModelConfig(
        decoder="unet", encoder=ours, weights=None, infer=InferConfig(tta=("d4",), batch=BATCH)
    )
    mine = build_model(model.architecture, classes=1)
    mine.load_state_dict(from_smp(network.state_dict()))
    weights = [_saved(folder / "weights.safetensors", mine)]
    rates, ratios = [], []
    for round_ in range(ROUNDS + 1):  # the first one warms up
        started = time.perf_counter()
        store = infer(folder, paths, model, weights, SIZE, "cpu", str(round_))
        middle = time.perf_counter()
        straightforward(theirs, mine.encoder.mean, mine.encoder.std, paths, folder)
        ended = time.perf_counter()
        if round_:
            rates.append(IMAGES / (middle - started))
            ratios.append((ended - middle) / (middle - started))
    _check_equal(store, folder / "npz")
    print(
        f"infer, U-Net on {ours}, D4: {statistics.median(rates):.2f} images/s of "
        f"{SIZE[0]}×{SIZE[1]}, {statistics.median(ratios):.2f}× the straightforward stack "
        f"({min(ratios):.2f} … {max(ratios):.2f} in {ROUNDS} rounds; one thread)",
        flush=True,
    )


def draw(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEG files of soft noise."""
    random = np.random.default_rng(0)
    paths = [folder / f"{number:03d}.jpg" for number in range(count)]
    for path in paths:
        coarse = random.integers(0, 255, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return paths


def _saved(path: Path, network: nn.Module) -> MemberWeights:
    save_weights(path, network)
    return MemberWeights(path.stem, path, file_checksum(path))


def infer(
    folder: Path,
    paths: Sequence[Path],
    model: ModelConfig,
    weights: Sequence[MemberWeights],
    size: tuple[int, int],
    device: str,
    name: str,
) -> MapStore:
    """One job of the stage, into a new store."""
    store = MapStore.create(
        folder / f"maps{name}", [MapShape(path.stem, *size) for path in paths], ["a"],
        fingerprint="f",
    )  # fmt: skip
    data = DataConfig(root=folder, images="{id}.jpg", masks="{id}.png", classes={"a": 1})
    job = InferJob(
        outputs=(Output(model, tuple(weights)),),
        sink=StoreSink((store,)),
        classes=1,
        multiclass=False,
        reader=SampleReader(data),
        samples=tuple(Sample(path.stem, path) for path in paths),
    )
    progress = JobProgress(folder / "progress", "infer")
    predict_range(job, JobContext(device, progress, StopFlag(), torch.get_num_threads()))
    return store


class _Pictures(Dataset[tuple[str, Tensor]]):
    def __init__(self, paths: Sequence[Path], mean: Tensor, std: Tensor) -> None:
        self._paths, self._mean, self._std = paths, mean[0], std[0]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, position: int) -> tuple[str, Tensor]:
        pixels = np.asarray(Image.open(self._paths[position]).convert("RGB"))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
        return self._paths[position].stem, (image - self._mean) / self._std


def straightforward(
    encoder: str, mean: Tensor, std: Tensor, paths: Sequence[Path], folder: Path
) -> None:
    """What most teams write."""
    (folder / "npz").mkdir(exist_ok=True)
    network = smp.Unet(encoder, encoder_weights=None).eval()
    network.load_state_dict(torch.load(folder / "theirs.pt", weights_only=True))
    loader = DataLoader(_Pictures(paths, mean, std), batch_size=BATCH, num_workers=1)
    probable = nn.Sequential(network, nn.Sigmoid())
    wrapper = ttach.SegmentationTTAWrapper(probable, ttach.aliases.d4_transform())
    with torch.no_grad():
        for ids, images in loader:
            for each, probabilities in zip(ids, wrapper(images).numpy(), strict=True):
                np.savez_compressed(folder / "npz" / each, probabilities=probabilities)


def _check_equal(store: MapStore, folder: Path) -> None:
    for each in store.ids:
        with np.load(folder / f"{each}.npz") as archive:
            worst = np.abs(store.read(each) - archive["probabilities"]).max()
        assert worst < 0.5 / 255 + 1e-4, f"{each}: the two stacks differ by {worst}"


@dataclass(frozen=True)
class FullSize:
    """Five folds of LinkNet-34 over full-size images: images/s, FLOP/s, share of the peak."""

    what: str
    rate: float
    flops: float
    share: float | None

    @property
    def figures(self) -> str:
        share = "its peak is not known here" if self.share is None else f"{self.share:.1%} of peak"
        hours = CARVANA_IMAGES / self.rate / 3600
        return (
            f"{self.rate:.2f} images/s, {self.flops / 1e12:.1f} TFLOP/s, {share}; "
            f"{CARVANA_IMAGES} images in {hours:.1f} h"
        )


def device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def share_of_peak(flops: float, device: str) -> float | None:
    """Of the card's dense bf16 FLOP/s; None where that is not known."""
    name = device_name(device)
    return next((flops / peak for key, peak in PEAKS.items() if key in name), None)


def forward_flops(network: nn.Module, size: tuple[int, int], device: str) -> int:
    """Multiplications and additions of one image's forward pass."""
    padded = [-(-side // 32) * 32 for side in size]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.eval().to(device)(torch.zeros(1, 3, *padded, device=device))
    return int(counter.get_total_flops())


def carvana(
    folder: Path, device: str, size: tuple[int, int], images: int, encoder: str = "resnet34"
) -> FullSize:
    """Five folds of one model in one pass over full-size images."""
    paths = draw(folder, size, images)
    model = ModelConfig(
        decoder="linknet", encoder=encoder, weights=None,
        infer=InferConfig(tta=("identity", "hflip"), batch=8, precision="bf16"),
    )  # fmt: skip
    weights = []
    for fold in range(FOLDS):
        torch.manual_seed(fold)
        network = build_model(model.architecture, classes=1).eval()
        weights.append(_saved(folder / f"fold{fold}.safetensors", network))
    infer(folder, paths[: len(paths) // 4], model, weights, size, device, "warm")
    started = time.perf_counter()
    infer(folder, paths, model, weights, size, device, "timed")
    seconds = (time.perf_counter() - started) / images
    flops = forward_flops(network, size, device) * 2 * FOLDS / seconds
    what = f"LinkNet on {encoder}, {size[0]}×{size[1]}, flip TTA, bf16, {FOLDS} folds"
    return FullSize(what, 1 / seconds, flops, share_of_peak(flops, device))


if __name__ == "__main__":
    main()
