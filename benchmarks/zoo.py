"""Every system of the literature in one table: `docs/zoo.md`.

    python -m benchmarks.zoo [names …] [--rows runs/zoo.jsonl]

Parameters are counted as in the named public code. All other columns are of one class, and of
decoders on ResNet-34 at their default options: floating-point operations for an image of 512 × 512
(a multiplication and an addition are two), the stride of the last map before it is enlarged to the
image, images a second of 256 × 256 on one CPU thread, and whether it trains on a single image,
computes in bf16 and is exported to ONNX. Rows are kept in a file, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.systems import SYSTEMS, System
from pipeline.errors import MaskmillError
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.exporting.formats import FORMATS
from pipeline.models.factory import build_model, parameter_count
from pipeline.models.segmentation import SegmentationModel

PAGE = Path("docs/zoo.md")
_COUNTED = 512
_TIMED, _ROUNDS = 256, 5
_ODD = (101, 299), (299, 101), (321, 479)
_TOLERANCE = 1e-3

_INTRODUCTION = """# All systems

Made by `python -m benchmarks.zoo`. Parameters are counted with the encoder, the options and the
classes of the public code beside them; a difference of 0 means the same to the last one. All other
columns are of one class, and of decoders on ResNet-34 at their default options. *GFLOPs* are those
of an image of 512×512 (a multiplication and an addition are two), *stride* is that of the last map
before it is enlarged to the image, *images/s* are those of 256×256 on one CPU thread, beside other
work. Every system takes 101×299, 299×101 and 321×479.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="decoders and networks; default: all")
    parser.add_argument("--rows", type=Path, default=Path("runs/zoo.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = _kept(arguments.rows)
    arguments.rows.parent.mkdir(parents=True, exist_ok=True)
    for system in SYSTEMS:
        if system.name in rows or (arguments.names and system.name not in arguments.names):
            continue
        rows[system.name] = facts(system)
        print(system.title, rows[system.name], flush=True)
        with arguments.rows.open("a") as file:
            file.write(json.dumps({"name": system.name, **rows[system.name]}) + "\n")
    if len(rows) == len(SYSTEMS):
        PAGE.write_text(page(rows))


def facts(system: System) -> dict[str, Any]:
    """What is measured of a system, by column."""
    with torch.device("meta"):
        counted = parameter_count(build_model(system.spec(), classes=system.classes))
        shapes = build_model(system.spec(plain=True), classes=1).eval()
    torch.manual_seed(0)
    network = build_model(system.spec(plain=True), classes=1).eval()
    return {
        "parameters": counted,
        "gflops": _operations(shapes) / 1e9,
        "stride": _stride(shapes),
        "images": _rate(network),
        "sizes": _verdict(lambda: _takes(shapes, _ODD)),
        "one": _verdict(lambda: _trains_on_one(network.train())),
        "bf16": _verdict(lambda: _computes_in_bf16(network.eval())),
        "onnx": _verdict(lambda: _exports(network.eval())),
    }


@torch.no_grad()
def _operations(network: SegmentationModel) -> int:
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, _COUNTED, _COUNTED, device="meta"))
    return int(counter.get_total_flops())


@torch.no_grad()
def _stride(network: SegmentationModel) -> int:
    """Of the decoder's map; the head enlarges it."""
    heights: list[int] = []
    hook = network.decoder.register_forward_hook(lambda _, __, out: heights.append(out.shape[2]))
    network(torch.empty(1, 3, _COUNTED, _COUNTED, device="meta"))
    hook.remove()
    return _COUNTED // heights[0]


@torch.no_grad()
def _rate(network: SegmentationModel) -> float:
    """Images a second of CPU time, the median of some."""
    images, seconds = torch.rand(1, 3, _TIMED, _TIMED), []
    for _ in range(_ROUNDS + 1):
        started = time.process_time()
        network(images)
        seconds.append(time.process_time() - started)
    return 1 / statistics.median(seconds[1:])


@torch.no_grad()
def _takes(network: SegmentationModel, sizes: Iterable[tuple[int, int]]) -> str:
    for size in sizes:
        found = network(torch.empty(1, 3, *size, device="meta")).shape
        if found != (1, 1, *size):
            return f"{size[0]}×{size[1]} gives {found[2]}×{found[3]}"
    return "yes"


def _trains_on_one(network: SegmentationModel) -> str:
    output = network(torch.rand(1, 3, 64, 96))
    logits = [output] if isinstance(output, Tensor) else list(output[:2])
    torch.stack(logits).square().mean().backward()  # type: ignore[no-untyped-call]
    gradients = {name: each.grad for name, each in network.named_parameters()}
    network.zero_grad()
    dead = [name for name, each in gradients.items() if each is None or not each.isfinite().all()]
    return f"no finite gradient at {dead[0]}" if dead else "yes"


@torch.no_grad()
def _computes_in_bf16(network: SegmentationModel) -> str:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        finite = network(torch.rand(1, 3, 64, 96)).isfinite().all()
    return "yes" if finite else "not finite"


@torch.no_grad()
def _exports(network: SegmentationModel) -> str:
    exported = ExportedNetwork([network], "arithmetic", multiclass=False, scale=255)
    images = torch.rand(1, 3, 2 * exported.step, 3 * exported.step)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        FORMATS["onnx"].write(exported, 3, path)
        computes = FORMATS["onnx"].read(path, exported)
        if computes is None:
            return "not checked: onnxruntime is not installed"
        difference = np.abs(computes(images.numpy()) - exported(images).numpy()).max()
    return "yes" if difference < _TOLERANCE else f"differs by {difference:.2g}"


def _verdict(tries: Callable[[], str]) -> str:
    try:
        return tries()
    except (MaskmillError, RuntimeError, ValueError) as error:
        return f"no: {str(error).splitlines()[0]}"


def _kept(path: Path) -> dict[str, dict[str, Any]]:
    lines = path.read_text().splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {row.pop("name"): row for row in rows}


def page(rows: dict[str, dict[str, Any]]) -> str:
    """The page of all systems."""
    columns = [
        *("system", "in YAML", "paper", "parameters", "public code", "difference", "GFLOPs"),
        *("stride", "images/s", "trains on one image", "bf16", "ONNX"),
    ]
    lines = [_line(system, rows[system.name]) for system in SYSTEMS]
    return "\n".join([_INTRODUCTION, _cells(columns), "|---" * len(columns) + "|", *lines, ""])


def _line(system: System, row: dict[str, Any]) -> str:
    kind = "decoder" if system.decoder else "network"
    encoder = f", {system.model['encoder']}" if system.decoder else ""
    difference = ""
    if system.parameters is not None:
        count = row["parameters"] - system.parameters
        difference = f"{count:+,}: {system.why}" if count else "0"
    cells = [
        system.title,
        f"`{kind}: {system.name}`{encoder}",
        system.paper,
        f"{row['parameters']:,}",
        f"{system.parameters:,} ({system.code})" if system.parameters else "",
        difference,
        f"{row['gflops']:.1f}",
        str(row["stride"]),
        f"{row['images']:.1f}",
        row["one"],
        row["bf16"],
        row["onnx"],
    ]
    return _cells(cells)


def _cells(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
