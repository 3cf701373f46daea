"""download: fetches and unpacks the data of a competition."""

from __future__ import annotations

import re
import shutil
import time
import zipfile
from pathlib import Path

from pipeline.disk_space import check_room, disk_errors_reported
from pipeline.errors import DataError, ResourceError
from pipeline.kaggle.client import call_kaggle
from pipeline.kaggle.slugs import check_slug
from pipeline.reporting import Reporter, duration
from pipeline.stages.context import as_typed

PRESETS = Path("configs/presets")


@disk_errors_reported()
def run(competition: str, data: str | None, reporter: Reporter, program: str) -> Path:
    """Unpack the files of `competition` to `data` (default: `data/<competition>`); its path.

    Nothing is done where that folder is there. A download that was cut goes on, and an archive is
    unpacked whole or not at all.
    """
    started = time.monotonic()
    slug = check_slug("COMPETITION", competition)
    target = Path(data) if data else Path("data") / slug
    if target.is_dir() and any(target.iterdir()):
        reporter.say(f"download: up to date, {target} (remove it to get the files again)")
        return target
    fetched = target.with_name(f".{target.name}.download")
    call_kaggle("competitions", "download", slug, "-p", str(fetched), competition=slug)
    files = _unpacked(fetched, target)
    shutil.rmtree(fetched, ignore_errors=True)
    config = _preset(slug)
    given = {"config": str(config), "data": str(target)} if config else {"data": str(target)}
    following = f"{'check' if config else 'init'}{as_typed(program, given)}"
    took = duration(time.monotonic() - started)
    reporter.say(f"download: {files} file(s) → {target} in {took}; next: {program} {following}")
    return target


def _preset(competition: str) -> Path | None:
    """The shipped config that names the competition's page."""
    page = re.compile(rf"/{competition}(?![\w-])")
    for path in sorted(PRESETS.glob("*.yaml")):
        if page.search(path.read_text()):
            return path
    return None


def _unpacked(fetched: Path, target: Path) -> int:
    """Unpack all archives that were fetched, move other files; how many files there are."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    found = [each for each in fetched.iterdir() if not each.name.endswith(".kaggle-partial")]
    if not found:
        raise DataError(f"Kaggle's client left no file in {fetched}; run the same command again")
    for each in found:
        if each.suffix == ".zip":
            _extract(each, partial)
        else:
            shutil.copy(each, partial)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        target.rmdir()
    partial.rename(target)
    return sum(1 for each in target.rglob("*") if each.is_file())


def _extract(archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            size = sum(each.file_size for each in packed.infolist())
            check_room("download", size, [], target, "")
            packed.extractall(target)
    except (zipfile.BadZipFile, EOFError) as error:
        archive.unlink()
        raise ResourceError(
            f"{archive.name} is damaged or was cut ({error}), and was removed; run the same "
            "command again to fetch it anew"
        ) from None
