"""The description of a store: header.json, the last file that its creation writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pipeline.config.choices import Codec
from pipeline.errors import ArtefactError
from pipeline.manifests import fingerprint
from pipeline.maps.checksums import CHECKSUMS, FORMAT


@dataclass(frozen=True)
class StoreHeader:
    """Everything that must agree before a store is continued, or blended with another one."""

    kind: Literal["probability", "weighted sum"]
    fingerprint: str
    classes: tuple[str, ...]
    dtype: Literal["uint8", "uint16", "float16", "uint32"]
    codec: Codec
    index_sha256: str
    weights: Mapping[str, int] = field(default_factory=dict)
    """Of a weighted sum: the whole-number weight of each member, in order."""
    source_dtype: Literal["uint8", "uint16"] | None = None
    """Of a weighted sum: the dtype of the maps that are added."""
    format: int = FORMAT
    seal: str | None = None
    """As read from a file: the fingerprint of all the rest, so that no altered header is believed.
    None in those that an earlier version wrote.
    """

    def to_json(self) -> str:
        sealed = {**self._facts(), "seal": self._own_seal()}
        return json.dumps(sealed, indent=1, ensure_ascii=False) + "\n"

    @property
    def is_sealed(self) -> bool:
        """True if it is unchanged since it was written, as far as this can be checked."""
        return self.seal in (None, self._own_seal())

    def _own_seal(self) -> str:
        return fingerprint(self._facts())

    def _facts(self) -> dict[str, Any]:
        facts = asdict(self)
        del facts["seal"]
        return facts

    def difference(self, other: StoreHeader) -> str | None:
        """The first thing in which `other` differs, both values named; None if nothing does.

        A store of an earlier format that can still be read is no other one.
        """
        mine, theirs = self._facts(), other._facts()
        for name, value in mine.items():
            if name != "format" and value != theirs[name]:
                if name == "index_sha256":
                    return "the list of images or their sizes differ"
                return f"{name} is {value!r} there and {theirs[name]!r} now"
        return None


def read_header(path: Path) -> StoreHeader:
    """Raises ArtefactError where there is no header, or none that this version understands."""
    again = "run `make infer` to regenerate its maps"
    try:
        header = TypeAdapter(StoreHeader).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtefactError(
            f"no map store at {path.parent} (or its creation was cut short); run `make infer`"
        ) from None
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "the text"
        raise ArtefactError(
            f"{path} is damaged or written by another program ({where}: {mistake['msg']}); {again}"
        ) from None
    except (IsADirectoryError, NotADirectoryError):
        raise ArtefactError(f"{path} is not a file; {again}") from None
    if header.format not in CHECKSUMS:
        raise ArtefactError(
            f"{path.parent} has format {header.format}, and this version reads "
            f"{' and '.join(map(str, CHECKSUMS))}; {again}"
        )
    if not header.is_sealed:
        raise ArtefactError(f"{path} was altered; {again}")
    return header
