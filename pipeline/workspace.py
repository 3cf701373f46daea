"""Where every artefact lives, and how it gets there whole.

No path of an artefact is put together anywhere else. Freshness is decided by manifests: one
beside (or inside) an artefact holds the fingerprint of everything it was made from and names its
files with their sizes and checksums. It is written last, so an artefact without its manifest is
unfinished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.disk_space import disk_error
from pipeline.errors import ArtefactError

Part = Literal["oof", "test"]

_READ_AT_ONCE = {".csv", ".md", ".yaml", ".html"}


def write_atomic(path: Path, data: bytes | str) -> None:
    """Put `data` at `path` whole: a reader sees the old file or the new one, never a piece."""
    payload = data.encode() if isinstance(data, str) else data
    stream_atomic(path, lambda stream: stream.write(payload), len(payload))


def stream_atomic(path: Path, write: Callable[[BinaryIO], object], size: int = 0) -> None:
    """Like `write_atomic`, for content that `write` puts into the stream piece by piece.

    size: its bytes, if known; ResourceError names them when the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path) as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
            Path(stream.name).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path, size) from None


@contextmanager
def _temporary(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path`, gone afterwards; locked, so that `sweep` knows that its owner lives."""
    # a name of 255 bytes is the longest there is
    name = f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    temporary = path.with_name(name)
    stream = _create_locked(temporary)
    try:
        yield stream
    finally:
        temporary.unlink(missing_ok=True)
        with suppress(OSError):  # what is still to be flushed to a full disk
            stream.close()


def _create_locked(path: Path) -> BinaryIO:
    while True:
        stream = path.open("xb")
        with suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(stream.fileno()).st_nlink:  # not swept before it was locked
            return stream
        stream.close()


def sweep(folder: Path) -> None:
    """Remove the temporary files in `folder` that killed processes left; never a living one's."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def empty_folder(folder: Path) -> None:
    """Remove everything in `folder`, which stays: it may be a link to another disk."""
    if not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fingerprint(*parts: Any) -> str:
    """24 hex digits that change when any of `parts` (JSON values or config blocks) changes.

    What stands at its default is left out of config blocks, so that a new key changes nothing for
    those who do not use it. Hence a default that changes, and code that gives other numbers for
    the same settings, must bump the version that its artefacts are fingerprinted with (the VERSION
    of training.member, inference.job, …).
    """
    text = json.dumps(parts, sort_keys=True, default=_as_json, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _as_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} has no place in a fingerprint")


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
    """Declare an artefact finished; call it after everything it speaks of is on disk.

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
            "again to make anew what it speaks of"
        ) from None
    return {manifest.parent / name: file for name, file in named.items()}


def lost_files(manifest: Path) -> list[Path]:
    """The named files that are gone or not as written: tables and texts are read, of large ones
    (weights, pictures) the size is compared; who reads those compares their checksum.

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
    """Whether the artefact was made from just these inputs, and all its files are still there.

    Cheap, so that every `make` can ask (see `lost_files`); `verified_files` reads them all.
    """
    same = (read_manifest(manifest) or {}).get("fingerprint") == fingerprint_
    return same and not lost_files(manifest)


def is_as_written(path: Path, manifest: Path) -> bool:
    """Whether the file has, byte for byte, what it had when the manifest named it."""
    try:
        named = named_files(manifest).get(path)
    except ArtefactError:
        return False
    return named is not None and path.is_file() and file_checksum(path) == named.sha256


def damaged_files(manifest: Path) -> list[Path]:
    """The named files that are not as they were written, every byte compared; each put aside.

    Not files that are missing: `is_fresh` sees those.
    """
    return [
        put_aside(path)
        for path, file in named_files(manifest).items()
        if path.is_file() and file_checksum(path) != file.sha256
    ]


def put_aside(path: Path) -> Path:
    """Rename a damaged file, so that it is made again and nobody's bytes are lost; `path`."""
    with suppress(OSError):
        path.replace(path.with_name(f"{path.name}.damaged"))
    return path


def verified_files(manifest: Path, remedy: str) -> list[Path]:
    """The named files, every byte compared; ArtefactError with the remedy at the first damage."""
    return [verified(path, file.sha256, remedy) for path, file in named_files(manifest).items()]


@dataclass(frozen=True)
class MemberPaths:
    """The files of one member, a (model, fold)."""

    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    @property
    def state(self) -> Path:
        """Everything an interrupted training needs to go on."""
        return self.folder / "state.bin"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    def weights(self, kind: Literal["ema", "plain"]) -> Path:
        """The weights after the last step: their moving average, or as they are."""
        return self.folder / f"last_{kind}.safetensors"


@dataclass(frozen=True)
class Workspace:
    """Every path of one experiment, below `root` (the working directory)."""

    name: str
    root: Path = Path()
    progress_of: str = ""
    """Whose jobs report into `progress`: those of one invocation have a folder there."""

    @classmethod
    def folders_of_a_run(cls) -> set[str]:
        """Names in a run's folder that are taken, so that no model may have them."""
        example = cls("name")
        names = [name for name, value in vars(cls).items() if isinstance(value, property)]
        paths: list[Path] = [getattr(example, name) for name in names]
        below = [
            path.relative_to(example.run).parts for path in paths if example.run in path.parents
        ]
        return {parts[0] for parts in below}

    @property
    def fold_table(self) -> Path:
        return self.root / "folds" / f"{self.name}.csv"

    @property
    def fold_manifest(self) -> Path:
        return self.fold_table.with_suffix(".json")

    @property
    def run(self) -> Path:
        return self.root / "runs" / self.name

    @property
    def index(self) -> Path:
        """What `check` read of every image and mask."""
        return self.run / "index.csv"

    @property
    def index_manifest(self) -> Path:
        return self.run / "index.json"

    @property
    def weights_manifest(self) -> Path:
        """Which files of starting weights `check` has put into their networks."""
        return self.run / "weights.json"

    @property
    def alignment(self) -> Path:
        return self.run / "alignment.csv"

    @property
    def alignment_manifest(self) -> Path:
        return self.run / "alignment.json"

    @property
    def aligned_references(self) -> Path:
        return self.run / "aligned"

    def member(self, model: str, fold: int) -> MemberPaths:
        return MemberPaths(self.run / model / f"fold{fold}")

    def maps(self, model: str, part: Part) -> Path:
        return self.run / model / "maps" / part

    @property
    def summed_maps(self) -> Path:
        """The test maps of all models, summed (`ensemble.accumulate`)."""
        return self.run / "blend" / "test"

    @property
    def blend(self) -> Path:
        return self.run / "ensemble.yaml"

    @property
    def oof_scores(self) -> Path:
        """The blend's score of every out-of-fold image."""
        return self.run / "oof_scores.csv"

    @property
    def borders(self) -> Path:
        return self.run / "borders.csv"

    @property
    def blend_manifest(self) -> Path:
        return self.run / "ensemble.json"

    def scorecard(self, suffix: Literal["csv", "md"]) -> Path:
        return self.run / f"scorecard.{suffix}"

    @property
    def report(self) -> Path:
        return self.run / "report.html"

    @property
    def report_manifest(self) -> Path:
        return self.run / "report.json"

    @property
    def submissions(self) -> Path:
        return self.root / "submissions" / self.name

    def submission(self, label: str) -> Path:
        return self.submissions / f"{label}.csv"

    @property
    def progress(self) -> Path:
        """Where running jobs say how far they are."""
        return self.run / ".progress" / self.progress_of

    @property
    def locks(self) -> Path:
        return self.root / "runs" / ".locks"


def verified(path: Path, checksum: str, remedy: str) -> Path:
    """`path` itself if its bytes have that checksum; ArtefactError with the remedy if not."""
    if not path.is_file():
        raise ArtefactError(f"{path} is missing; {remedy}")
    if file_checksum(path) != checksum:
        raise ArtefactError(f"{path} is damaged (its checksum differs); {remedy}")
    return path
