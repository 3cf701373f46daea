"""The common part of what lies over another mask format: all answers but the masks are its."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pipeline.config import DataConfig, MaskSource
from pipeline.data.masks.format import MaskFormat


@dataclass(frozen=True)
class Layered:
    """Answers of `MaskFormat` that are those of the format below."""

    masks: MaskFormat
    data: DataConfig

    @classmethod
    def of(cls, data: DataConfig) -> Self | None:
        """None: it lies over another format."""
        return None

    @property
    def pattern(self) -> str | None:
        return self.masks.pattern

    @property
    def shared_files(self) -> tuple[Path, ...]:
        return self.masks.shared_files

    @property
    def in_coordinates(self) -> bool:
        return self.masks.in_coordinates

    @property
    def conventions(self) -> Mapping[str, object]:
        return self.masks.conventions

    @property
    def reading(self) -> str:
        return self.masks.reading

    @property
    def readings(self) -> Mapping[str, MaskSource]:
        return self.masks.readings

    def lacks(self, sample_id: str, files: Sequence[Path]) -> bool:
        return self.masks.lacks(sample_id, files)

    def expect(self, ids: Collection[str]) -> None:
        self.masks.expect(ids)

    def doubts(self, ids: Collection[str]) -> list[str]:
        return self.masks.doubts(ids)
