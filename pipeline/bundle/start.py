"""Starts a bundle: unpacks its code to where it can be written, and predicts from there.

This file travels as `run.py` beside the code that it unpacks, so it imports the standard library
alone. Kaggle may have unpacked `site.zip` and `run.zip` to folders of those names.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

NEEDED = (
    "torch torchvision timm numba pandas pydantic safetensors joblib psutil rich yaml cv2 xxhash"
)


def main(arguments: list[str]) -> int:
    """`run.py FOLDER …`: FOLDER can be written and is kept between attempts."""
    missing = [name for name in NEEDED.split() if find_spec(name) is None]
    if missing:
        sys.exit(f"error: this image lacks {', '.join(missing)}; choose the standard one")
    bundle, scratch = Path(__file__).resolve().parent, Path(arguments[0])
    own = scratch / content_of(bundle)
    site, run = (unpacked(bundle, name, own) for name in ("site", "run"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(":"),
        "NUMBA_CACHE_DIR": str(scratch / "numba"),
    }
    command = [sys.executable, "-m", "pipeline.bundle", str(run), str(scratch), *arguments[1:]]
    return subprocess.run(command, env=environment).returncode


def content_of(bundle: Path) -> str:
    """What is another one for a bundle with other weights or code."""
    try:
        return str(json.loads((bundle / "maskmill-bundle.json").read_text())["content"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.exit(f"error: {bundle}/maskmill-bundle.json says nothing ({error!r}); upload it again")


def unpacked(bundle: Path, name: str, scratch: Path) -> Path:
    """The folder of that name, from its zip or as it lies there; whole, or there is none."""
    target, packed = scratch / name, bundle / f"{name}.zip"
    if target.is_dir():
        return target
    half = scratch / f".{name}.partial"
    shutil.rmtree(half, ignore_errors=True)
    if packed.is_file():
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(half)
    elif (bundle / name).is_dir():
        shutil.copytree(bundle / name, half)
    else:
        sys.exit(f"error: {bundle} has neither {name}.zip nor {name}/; upload the bundle again")
    half.rename(target)
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
