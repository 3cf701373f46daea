"""The export formats: each writes a file and returns a function that computes with it alone.

A new format is one pair of functions and one line in `FORMATS`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import ConfigError, ResourceError
from pipeline.exporting.exported_network import ExportedNetwork
from pipeline.models.checkpoint import load_weights, save_weights
from pipeline.suggestions import check_name

ImageBatch = NDArray[np.float32]
Computes = Callable[[ImageBatch], ImageBatch]
"""Images N×C×H×W float32 0..1 → probabilities N×classes×H×W."""

_OPSET = 17
_TRACED_AT = (2, 3)  # steps high and wide: sides that differ, so that none is taken for the other


@dataclass(frozen=True)
class Format:
    """write(network, channels, path); read(path, network): None where nothing here can run it."""

    suffix: str
    write: Callable[[ExportedNetwork, int, Path], None]
    read: Callable[[Path, ExportedNetwork], Computes | None]


def get_format(name: str) -> Format:
    """The format of that name; ConfigError for an unknown one."""
    check_name("format", name, FORMATS)
    return FORMATS[name]


def _example(network: ExportedNetwork, channels: int) -> torch.Tensor:
    height, width = (count * network.step for count in _TRACED_AT)
    return torch.linspace(0, 1, channels * height * width).reshape(1, channels, height, width)


def _write_torchscript(network: ExportedNetwork, channels: int, path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that shapes are checked in Python, and TorchScript's age
        trace: Any = torch.jit.trace
        traced = trace(network, _example(network, channels), check_trace=False)
        traced.save(str(path))


def _read_torchscript(path: Path, _network: ExportedNetwork) -> Computes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return lambda images: _computed(loaded, images)


def _write_onnx(network: ExportedNetwork, channels: int, path: Path) -> None:
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise ResourceError(
            "FORMAT=onnx needs the package onnx; install it with pip install 'maskmill[export]', "
            "or take FORMAT=torchscript"
        ) from None
    axes = {0: "images", 2: "height", 3: "width"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (_example(network, channels),),
            str(path),
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_axes={"images": axes, "probabilities": axes},
            opset_version=_OPSET,
            dynamo=False,
        )


def _read_onnx(path: Path, _network: ExportedNetwork) -> Computes | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {"images": images})[0])


def _write_state_dict(network: ExportedNetwork, _channels: int, path: Path) -> None:
    if len(network.networks) > 1:
        raise ConfigError(
            "FORMAT=state_dict writes the weights of one network, and these are "
            f"{len(network.networks)}; choose one with FOLD= and, "
            "where the model has several seeds, SEED="
        )
    save_weights(path, network.networks[0])


def _read_state_dict(path: Path, network: ExportedNetwork) -> Computes:
    """The network again, with the tensors of the file and none of its own."""
    emptied = copy.deepcopy(network)
    for tensor in emptied.state_dict().values():
        tensor.zero_()
    load_weights(path, emptied.networks[0])
    return lambda images: _computed(emptied, images)


def _computed(network: Callable[[torch.Tensor], torch.Tensor], images: ImageBatch) -> ImageBatch:
    with torch.no_grad():
        values: ImageBatch = network(torch.from_numpy(images)).numpy()
    return values


FORMATS: dict[str, Format] = {
    "onnx": Format("onnx", _write_onnx, _read_onnx),
    "torchscript": Format("pt", _write_torchscript, _read_torchscript),
    "state_dict": Format("safetensors", _write_state_dict, _read_state_dict),
}
