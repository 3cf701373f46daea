"""Freshness of artefacts: fingerprints of inputs, and manifests of files.

Freshness is decided by manifests: one beside (or inside) an artefact holds the fingerprint of
everything it was made from and names its files with their sizes and checksums. It is written
last, so an artefact without its manifest is unfinished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.atomic_files import file_checksum, rename_damaged, write_atomic
from pipeline.errors import ArtefactError

_READ_AT_ONCE = {".csv", ".md", ".yaml", ".html"}


def fingerprint(*parts: Any) -> str:
    """24 hex digits that change when any of `parts` (JSON values or config blocks) changes.

    Keys at their default are left out of config blocks, so that a new key changes nothing for
    experiments that do not use it. Hence a default that changes, and code that gives other numbers
    for the same settings, must bump the version that its artefacts are fingerprinted with (the
    VERSION of training.member, inference.job, …).
    """
    return _digest(_text(parts))


def fingerprints_with(*rest: Any) -> Callable[[str], str]:
    """A function: first → fingerprint(first, *rest), for very many firsts and the same rest."""
    after = _text(rest)[1:]
    return lambda first: _digest(f"[{encode_basestring(first)}, {after}")


def _text(parts: Sequence[Any]) -> str:
    return json.dumps(parts, sort_keys=True, default=_as_json, ensure_ascii=False)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _as_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no place in a fingerprint")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """The manifest at `path`; None where there is none, or not every value is as it was written."""
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict):
        return None
    seal = manifest.pop("seal", None)  # those of earlier versions have none
    return manifest if seal in (None, fingerprint(manifest)) else None


def write_manifest(
    path: Path,
    fingerprint_: str,
    files: Iterable[Path] = (),
    known: Mapping[Path, NamedFile] | None = None,
    **facts: Any,
) -> None:
    """Declare an artefact finished; call it after all its files are on disk.

    files: those that the artefact consists of, in the manifest's folder or below it; known: more
    of them, whose checksums need not be computed again.
    """
    named = {**{each: NamedFile.of(each) for each in files}, **(known or {})}
    entries = {each.relative_to(path.parent).as_posix(): asdict(named[each]) for each in named}
    content = {"fingerprint": fingerprint_, "files": entries, **facts}
    as_read = json.loads(json.dumps(content))
    write_atomic(path, json.dumps({**content, "seal": fingerprint(as_read)}, indent=1) + "\n")


@dataclass(frozen=True)
class NamedFile:
    """A file as a manifest names it."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> NamedFile:
        return cls(path.stat().st_size, file_checksum(path))


def named_files(manifest: Path) -> Mapping[Path, NamedFile]:
    """The files that a manifest names, by path; ArtefactError where it is no readable manifest."""
    content = read_manifest(manifest)
    try:
        named = TypeAdapter(dict[str, NamedFile]).validate_python((content or {})["files"])
    except (KeyError, ValidationError):
        raise ArtefactError(
            f"{manifest} is missing or not a manifest of this version; delete it, and run make "
            "again to regenerate the files it names"
        ) from None
    return {manifest.parent / name: file for name, file in named.items()}


def lost_files(manifest: Path) -> list[Path]:
    """The named files that are gone or not as written: tables and texts are read, of large ones
    (weights, images) the size is compared; who reads those compares their checksum.

    A manifest that cannot be read is lost itself.
    """
    try:
        named = named_files(manifest)
    except ArtefactError:
        return [manifest]
    return [path for path, file in named.items() if _is_lost(path, file)]


def _is_lost(path: Path, file: NamedFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.bytes:
        return True
    return path.suffix in _READ_AT_ONCE and file_checksum(path) != file.sha256


def is_fresh(manifest: Path, fingerprint_: str) -> bool:
    """True if the artefact was made from just these inputs, and all its files are still there.

    Cheap, so that every `make` can ask (see `lost_files`); `verified_files` reads them all.
    """
    same = (read_manifest(manifest) or {}).get("fingerprint") == fingerprint_
    return same and not lost_files(manifest)


def is_as_written(path: Path, manifest: Path) -> bool:
    """True if the file has, byte for byte, what it had when the manifest named it."""
    try:
        named = named_files(manifest).get(path)
    except ArtefactError:
        return False
    return named is not None and path.is_file() and file_checksum(path) == named.sha256


def damaged_files(manifest: Path) -> list[Path]:
    """The named files that have changed, every byte compared; each one is renamed.

    Not files that are missing: `is_fresh` sees those.
    """
    return [
        rename_damaged(path)
        for path, file in named_files(manifest).items()
        if path.is_file() and file_checksum(path) != file.sha256
    ]


def verified_files(manifest: Path, remedy: str) -> list[Path]:
    """The named files, every byte compared; ArtefactError with the remedy at the first damage."""
    return [verified(path, file.sha256, remedy) for path, file in named_files(manifest).items()]


def verified(path: Path, checksum: str, remedy: str) -> Path:
    """`path` itself if its bytes have that checksum; ArtefactError with the remedy if not."""
    if not path.is_file():
        raise ArtefactError(f"{path} is missing; {remedy}")
    if file_checksum(path) != checksum:
        raise ArtefactError(f"{path} is damaged (its checksum differs); {remedy}")
    return path
