"""The files of a bundle, and what its description says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ArtefactError

FACTS = "maskmill-bundle.json"
START = "run.py"
CODE, RUN = "site", "run"
"""Each is a zip, or the folder that Kaggle has made of it."""
DATASET, KERNEL = "dataset", "kernel"
"""The two folders to upload."""


@dataclass(frozen=True)
class BundleFacts:
    """What `maskmill-bundle.json` says.

    seconds_an_image: of all members on the machine that wrote the bundle; None: not measured.
    content: tells bundles with other weights or code apart.
    """

    name: str
    version: str
    competition: str
    half: bool
    members: int
    seconds_an_image: float | None
    content: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """ArtefactError where the file is none of ours."""
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ArtefactError(f"{path} describes no bundle ({error}); upload it again") from None

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"
