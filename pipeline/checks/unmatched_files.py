"""Files that no pattern matches, in folders that a pattern reads, and entries that are not files.

Ignored: hidden files (`.DS_Store`, `._x`), files of Windows (`Thumbs.db`, `desktop.ini`), and
texts, tables and archives, which are common beside images. Compressed images are reported.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.config.patterns import ImagePattern
from pipeline.data.catalog import Catalog, find_files, patterns_of
from pipeline.data.listing import listed
from pipeline.data.name_patterns import as_glob, as_regex, matching

_LEFT_BY_SYSTEMS = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}
_PACKED = {".gz", ".bz2", ".xz", ".zst", ".zip"}
_TEXTS = {
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html",
    ".pdf", ".log", ".py", ".ipynb", ".sh", ".parquet", ".xlsx", ".zip", ".gz", ".tar", ".7z",
}  # fmt: skip


def find_leftovers(catalog: Catalog, data: DataConfig) -> list[Finding]:
    """Files in or near the folders of the patterns that are not read."""
    taken = {path for pattern in patterns_of(data).values() for path in _taken(data, pattern)}
    findings: list[Finding] = []
    told: set[Path] = set()
    for key, pattern in patterns_of(data).items():
        left = sorted(_unmatched(data.root, pattern, taken) - told)
        told |= set(left)
        if left:
            findings.append(Finding("warning", key, _text(left, pattern, catalog, data)))
    beyond = sorted(_out_of_reach(data) - taken)
    if beyond:
        names = listed([shown_path(path, data.root) for path in beyond], most=3)
        text = f"{len(beyond)} file(s) in folders that no pattern reaches: {names}"
        findings.append(Finding("warning", "data.images", text))
    return findings


def find_unusable(data: DataConfig) -> list[Finding]:
    """Errors: matches of a pattern that cannot be opened, or whose names are not valid."""
    findings = []
    forms: dict[str, dict[str, str]] = {}
    for key, pattern in patterns_of(data).items():
        found = matching(data.root, pattern)
        findings += [
            Finding("error", key, problem)
            for path in found
            if (problem := _problem(path, data.root))
        ]
        findings += [
            Finding(
                "error", key, f"{shown_path(folder, data.root)} cannot be opened: no permission"
            )
            for folder in _folders(data.root, pattern)
            if not os.access(folder, os.R_OK | os.X_OK)
        ]
        for each in found.values():
            if not each.isascii():
                forms.setdefault(unicodedata.normalize("NFC", each), {}).setdefault(each, key)
    return findings + list(_look_alike(forms))


def _problem(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix()
    if not _is_utf8(os.fsencode(name)):
        return f"the name {shown_path(path, root)} is not UTF-8; rename the file"
    if os.fsencode(name) != name.encode(errors="surrogatepass"):
        return (
            f"the name {shown_path(path, root)} is UTF-8, and Python reads names as "
            f"{sys.getfilesystemencoding()} here; set PYTHONUTF8=1"
        )
    if path.is_file() or path.is_dir():
        return ""
    what = "a broken link" if path.is_symlink() else "not a regular file"
    return f"{shown_path(path, root)} is {what}; get it, or remove it"


def _look_alike(forms: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """é as one letter and as e with an accent: alike to the eye, and another id."""
    for name, keys in sorted(forms.items()):
        if len(keys) > 1:
            text = f"{name!r} is written in two Unicode forms that look alike; rename the files"
            yield Finding("error", " and ".join(dict.fromkeys(keys.values())), text)


def shown_path(path: Path, root: Path) -> str:
    """A path below `root`, printable whatever bytes its name is made of."""
    name = os.fsencode(path.relative_to(root).as_posix())
    return name.decode("utf-8", "backslashreplace")


def _taken(data: DataConfig, pattern: str) -> Iterator[Path]:
    for paths in find_files(data.root, pattern, folders=data.volume is not None).values():
        yield from paths


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _folders(root: Path, pattern: str) -> list[Path]:
    """The folders that a pattern looks for files in."""
    parent = Path(pattern).parent.as_posix()
    if parent == ".":
        return [root]
    wanted = re.compile(as_regex(parent))
    return [
        path
        for path in sorted(root.glob(as_glob(parent)))
        if path.is_dir() and wanted.fullmatch(path.relative_to(root).as_posix())
    ]


def _unmatched(root: Path, pattern: str, taken: set[Path]) -> set[Path]:
    """Images, or files that may be images, beside those of a pattern; folders named like files."""
    found = set()
    wanted = re.compile(as_regex(pattern))
    for folder in _folders(root, pattern):
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            path = folder / entry.name
            named = wanted.fullmatch(path.relative_to(root).as_posix())
            packed = path != _unpacked(path) and _is_like(_unpacked(path), pattern)
            if path in taken or (_is_ignored(entry.name) and not packed):
                continue
            if entry.is_dir() and not named:
                continue
            if not (named and not path.exists()):  # those are errors already
                found.add(path)
    return found


def _is_ignored(name: str) -> bool:
    lowered = name.lower()
    return name.startswith(".") or lowered in _LEFT_BY_SYSTEMS or Path(lowered).suffix in _TEXTS


def _unpacked(path: Path) -> Path:
    """The path of what is in a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in _PACKED else path


def _is_like(path: Path, pattern: str) -> bool:
    """True if a file has the ending of a pattern, in any spelling."""
    ending = spelled(Path(pattern).suffix)
    return bool(ending and not re.search(r"[{}*]", ending)) and spelled(path.suffix) == ending


def spelled(ending: str) -> str:
    """The usual spelling of a file's ending: `.JPEG` is `.jpg`."""
    lowered = ending.lower()
    return _SAME.get(lowered, lowered)


def _text(left: list[Path], pattern: str, catalog: Catalog, data: DataConfig) -> str:
    names = listed([shown_path(path, data.root) for path in left], most=3)
    text = f"{len(left)} file(s) in its folders are not read, since no pattern matches: {names}"
    folders = [path for path in left if path.is_dir()]
    if folders:
        text += f" ({len(folders)} of them folders)"
    known = set(catalog.by_id["train"]) | set(catalog.by_id["test"]) | set(data.drop)
    lost = sorted(set(_ids(left, pattern, data.root)) - known)
    if lost:
        text += f"; so {len(lost)} id(s) have no image at all: {listed(lost, most=3)}"
    return text


def _ids(left: Iterable[Path], pattern: str, root: Path) -> Iterator[str]:
    """The ids of files if case and ending are ignored."""
    end = Path(pattern).suffix
    loose = pattern.removesuffix(end) if end and not re.search(r"[{}*]", end) else pattern
    wanted = re.compile(as_regex(loose), re.IGNORECASE)
    for path in map(_unpacked, left):
        if match := wanted.fullmatch(path.relative_to(root).with_suffix("").as_posix()):
            yield match["id"]


def _out_of_reach(data: DataConfig) -> set[Path]:
    """Files with the ending of images, below their folder, as deep as no image can be."""
    found = set()
    named = [each for each in (data.images, data.test) if each is not None]
    for pattern in (each for one in named for each in _as_written(one)):
        parts = Path(pattern).parts
        fixed = list(takewhile(lambda part: not re.search(r"[{*]", part), parts[:-1]))
        within = data.root.joinpath(*fixed)
        found |= {
            path
            for path in within.rglob("*")
            if _is_like(path, pattern)
            and len(path.relative_to(data.root).parts) != len(parts)
            and not any(part.startswith(".") for part in path.relative_to(within).parts)
        }
    return found


def _as_written(pattern: ImagePattern) -> tuple[str, ...]:
    return (pattern,) if isinstance(pattern, str) else pattern


def near_misses(data: DataConfig) -> list[str]:
    """Files that the pattern of images may mean, where it takes none."""
    beside = _unmatched(data.root, data.of_first_file(data.images), set())
    return [shown_path(path, data.root) for path in sorted(_out_of_reach(data) | beside)]
