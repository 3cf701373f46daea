"""Files that no pattern matches, in folders that a pattern reads, and entries that are not files.

Ignored: hidden files that are no images (`.DS_Store`, `._x`), files of Windows (`Thumbs.db`,
`desktop.ini`), and texts, tables and archives, which are common beside images. Compressed and
hidden images are reported.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.checks.finding import Finding
from pipeline.checks.unreached_files import is_like, unreached
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog, find_files, patterns_of
from pipeline.data.listing import listed
from pipeline.data.name_patterns import LEFT_BY_SYSTEMS, as_regex, folders_of, matching

_PACKED = {".gz", ".bz2", ".xz", ".zst", ".zip"}
_TEXTS = {
    ".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html",
    ".pdf", ".log", ".py", ".ipynb", ".sh", ".parquet", ".xlsx", ".zip", ".gz", ".tar", ".7z",
}  # fmt: skip


def find_leftovers(catalog: Catalog, data: DataConfig) -> list[Finding]:
    """Files in or near the folders of the patterns that are not read."""
    taken = {path for pattern in patterns_of(data).values() for path in _taken(data, pattern)}
    findings: list[Finding] = []
    told: set[Path] = set(taken)
    for key, pattern in patterns_of(data).items():
        left = sorted(_unmatched(data.root, pattern, taken) - told)
        if left:
            findings.append(Finding("warning", key, _text(left, pattern, catalog, data)))
        beyond = sorted(unreached(data.root, pattern) - told - set(left))
        if beyond:
            names = listed([shown_path(path, data.root) for path in beyond], most=3)
            text = f"{len(beyond)} file(s) in folders that no pattern reaches: {names}"
            findings.append(Finding("warning", key, text))
        told.update(left, beyond)
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
            for folder in folders_of(data.root, pattern)
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


def _unmatched(root: Path, pattern: str, taken: set[Path]) -> set[Path]:
    """Images, or files that may be images, beside those of a pattern; folders named like files."""
    found = set()
    wanted = re.compile(as_regex(pattern))
    for folder in folders_of(root, pattern):
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            path = folder / entry.name
            named = wanted.fullmatch(path.relative_to(root).as_posix())
            if path in taken or (_is_ignored(entry.name) and not _is_put_away(path, pattern)):
                continue
            if entry.is_dir() and not named:
                continue
            if not (named and not path.exists()):  # those are errors already
                found.add(path)
    return found


def _is_ignored(name: str) -> bool:
    lowered = name.lower()
    return name.startswith(".") or lowered in LEFT_BY_SYSTEMS or Path(lowered).suffix in _TEXTS


def _is_put_away(path: Path, pattern: str) -> bool:
    """True for an image that is compressed or hidden; `._x` is what macOS knows about an image."""
    packed = path.suffix.lower() in _PACKED and is_like(path.with_suffix(""), pattern)
    return packed or (is_like(path, pattern) and not path.name.startswith("._"))


def _text(left: list[Path], pattern: str, catalog: Catalog, data: DataConfig) -> str:
    names = listed([shown_path(path, data.root) for path in left], most=3)
    text = f"{len(left)} file(s) in its folders are not read, since no pattern matches: {names}"
    folders = [path for path in left if path.is_dir()]
    if folders:
        text += f" ({len(folders)} of them folders)"
    hidden = [path for path in left if path.name.startswith(".")]
    if hidden:
        text += f" ({len(hidden)} of them hidden, by the dot that their names begin with)"
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
    for path in left:
        inner = path.with_suffix("")  # of `x.png.gz`, `x.png.part`
        named = (inner if is_like(inner, pattern) else path).relative_to(root).with_suffix("")
        if match := wanted.fullmatch(named.as_posix()):
            yield match["id"].removeprefix(".")


def near_misses(data: DataConfig) -> list[str]:
    """Files that the pattern of images may mean, where it takes none."""
    pattern = data.of_first_file(data.images)
    found = unreached(data.root, pattern) | _unmatched(data.root, pattern, set())
    return [shown_path(path, data.root) for path in sorted(found)]
