"""Identifies starting weights and code of a model, so that changes make the model stale."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from pathlib import Path

import timm

from pipeline.atomic_files import file_checksum
from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.grafting.stitch import backbones_of
from pipeline.models.grafting.weights import PRETRAINED, local_source


def starting_point(spec: ModelSpec) -> dict[str, dict[str, object]]:
    """By encoder, or by network: its `weights` and its `code`, each None where the name alone says
    everything.

    weights: checksum of the file that would be loaded, or what timm says of those it would fetch.
    code: checksums of the source files of a factory of one's own, or the version of its package.
    """
    names = [spec.network] if spec.network else backbones_of(str(spec.encoder))
    return {name: {"weights": _weights(name, spec.weights), "code": _code(name)} for name in names}


def _weights(name: str, weights: str | None) -> object:
    if weights is None or (":" in name and weights == PRETRAINED):
        return None  # random, or as a factory gives them, which its code says
    path = local_source(name, weights)
    if path is not None:
        status = path.stat()
        return _checksum(path, status.st_size, status.st_mtime_ns)
    if weights != PRETRAINED:
        return None  # there is no such file, which `check` reports
    fetched = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return {"timm": timm.__version__, **({} if fetched is None else _identity(asdict(fetched)))}


def _identity(fetched: Mapping[str, object]) -> dict[str, object]:
    keys = ("architecture", "tag", "hf_hub_id", "hf_hub_filename", "url")
    return {key: fetched[key] for key in keys if fetched.get(key)}


@lru_cache(maxsize=256)
def _checksum(path: Path, size: int, changed_ns: int) -> str:
    """Cached for the process, since every member of a model needs it."""
    return file_checksum(path)


def _code(name: str) -> object:
    module, found, _ = name.partition(":")
    if not found:
        return None
    origin = _origin(module)
    if origin is not None and _is_own(origin):
        files = dict(sorted(_own_sources(module)))
        return {each: file_checksum(path) for each, path in files.items()}
    package = module.partition(".")[0]
    return {each: version(each) for each in sorted(packages_distributions().get(package, ()))}


def _own_sources(module: str) -> Iterator[tuple[str, Path]]:
    """The module and whatever it imports that no package manager installed: name, file."""
    waiting, seen = [module], {module}
    while waiting:
        name = waiting.pop()
        origin = _origin(name)
        if origin is None or not _is_own(origin):
            continue
        yield name, origin
        new = {*_parents(name), *_imports(name, origin)} - seen
        waiting, seen = [*waiting, *sorted(new)], seen | new


def _parents(name: str) -> Iterator[str]:
    """The packages around a module: their code runs when it is imported."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _imports(name: str, origin: Path) -> Iterator[str]:
    package = name if origin.name == "__init__.py" else name.rpartition(".")[0]
    try:
        tree = ast.parse(origin.read_bytes())
    except SyntaxError:
        return  # importing it will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _origin(module: str) -> Path | None:
    """The source file of a module; None for what is no module or has none."""
    try:
        spec: ModuleSpec | None = importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    except Exception as error:  # finding a module runs the code of the packages around it
        raise ConfigError(f"encoder module {module!r} cannot be imported: {error}") from error
    if spec is None or not spec.has_location or not spec.origin:
        return None
    path = Path(spec.origin).resolve()
    return path if path.suffix == ".py" and path.is_file() else None


def _is_own(path: Path) -> bool:
    """True if the file belongs to neither Python, nor an installed package, nor this program."""
    paths = sysconfig.get_paths()
    installed = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    here = str(Path(__file__).resolve().parents[1])
    roots = [Path(each).resolve() for each in [*installed, here]]
    inside = any(path.is_relative_to(root) for root in roots)
    return not inside and "site-packages" not in path.parts
