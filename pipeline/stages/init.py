"""init: looks at a folder of data, writes an experiment for it, and checks it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.disk_space import disk_errors_reported
from pipeline.errors import ConfigError, DataError
from pipeline.host import slug
from pipeline.proposal.proposal import propose
from pipeline.proposal.write_yaml import as_yaml
from pipeline.reporting import Reporter, duration
from pipeline.stages.context import as_typed

CONFIGS = Path("configs")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


@disk_errors_reported()
def run(
    data: str | None,
    name: str | None,
    reporter: Reporter,
    program: str,
    check: Callable[[Path], None],
) -> Path:
    """Write `configs/<name>.yaml`, which is returned, and check it.

    check: runs the stage `check` on a file. Raises ConfigError for a name that is taken or not
    valid, DataError where nothing is found, and what `check` raises, with the file left in place.
    """
    started = time.monotonic()
    root, path = _folder(data, program), _target(data, name)
    proposal = propose(root)
    arguments = as_typed(program, {"config": str(path)})
    _create(path, as_yaml(proposal, path.stem, f"{program} check{arguments}"))
    reporter.say(f"init: {proposal.summary} → {path}")
    try:
        check(path)
    except (ConfigError, DataError) as error:
        raise type(error)(
            f"{error}\n{path} is written: change what is wrong there, then {program} check"
            f"{arguments}"
        ) from None
    reporter.say(
        f"init: {path} is written and checked in {duration(time.monotonic() - started)}; read it, "
        f"then: {program}{' all' if program == 'maskmill' else ''}{arguments}"
    )
    return path


def _folder(data: str | None, program: str) -> Path:
    if not data or not data.strip():
        raise ConfigError(
            f"init needs the folder of the data:{as_typed(program, {'data': '/folder'})}"
        )
    root = Path(data)
    if root.is_dir() and Path.cwd().resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"DATA={data} contains the working directory, and init writes nothing to the folder of "
            "the data; run it from another folder"
        )
    return root


def _target(data: str | None, name: str | None) -> Path:
    chosen = name.strip() if name and name.strip() else slug(Path(str(data)).resolve().name)
    if not _NAME.fullmatch(chosen):
        raise ConfigError(
            f"NAME={chosen[:80]!r}: letters, digits, `_`, `-` and `.` are allowed, and a letter or "
            "digit at the start; it names configs/<name>.yaml, runs/<name>/ …"
        )
    path = CONFIGS / f"{chosen}.yaml"
    if path.exists() or path.is_symlink():
        raise ConfigError(
            f"{path} exists, and init overwrites nothing; choose another NAME, or move it"
        )
    return path


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists by now, and init overwrites nothing") from None
