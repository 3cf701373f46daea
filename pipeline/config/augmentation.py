"""The `train.augment` block: random changes of training samples."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.augmentation_presets import PRESETS, PresetName
from pipeline.config.augmentation_steps import MOST_STEPS, as_written, parse_step
from pipeline.config.base import Block, check_names
from pipeline.config.limits import Probability

ScaleFactor = Annotated[float, Field(ge=0.25, le=4)]


class JitterConfig(Block):
    """Random movement of a reference from its aligned position."""

    shift: float = Field(0, ge=0, le=100)
    """Pixels, in each direction."""
    rotate: float = Field(0, ge=0, le=180)
    """Degrees, in either direction."""
    scale: float = Field(0, ge=0, lt=1)
    """Largest share by which it grows or shrinks."""


class AugmentConfig(Block):
    """Random changes of a training sample; geometry moves image, reference and mask together."""

    preset: PresetName = "light"
    """Values of the keys below that are not given, see [Augmentation](augmentation.md#presets).
    light: the defaults below."""
    flips: tuple[Literal["horizontal", "vertical", "transpose"], ...] = ("horizontal",)
    """Each listed symmetry is applied to half of the samples, independently of the others."""
    affine: Probability = 0.7
    """Share of the samples that are rotated, scaled and shifted."""
    rotate: float = Field(10, ge=0, le=180)
    """Largest rotation in degrees, in either direction."""
    scale: Annotated[float, Field(ge=0, lt=1)] | tuple[ScaleFactor, ScaleFactor] = 0.15
    """Largest share by which a sample grows or shrinks; or the smallest and the largest factor of
    its size, such as `[0.5, 2.0]`, each octave alike often."""
    shift: float = Field(0.06, ge=0, lt=1)
    """Largest shift as a share of the side, in either direction."""
    colour: Probability = 0.5
    """Share of the samples whose brightness, contrast, hue and saturation change."""
    strength: float = Field(0.2, ge=0, le=1)
    """How much they change; image and reference change independently. Of `data.bands` it is
    brightness, contrast, gamma and noise of each band by itself."""
    match_test: Probability = 0
    """Share of the samples whose values get the distribution of a test image (histogram matching),
    where training and test images come from different devices or stains."""
    colour_on: Literal["cpu", "device"] = "cpu"
    """Where colours are changed. device: on the GPU, for machines whose cores are too few to keep
    it busy (the column `waiting` of history.csv). The changes are drawn alike; pixels differ by a
    few levels."""
    band_drop: Probability = 0
    """Share of the samples in which one band of `data.bands` has no data."""
    reference_jitter: JitterConfig = JitterConfig()
    """Random movement of the reference, so that models tolerate errors of alignment."""
    reference_drop: Probability = 0
    """Share of the samples whose reference is replaced by a blank one."""
    steps: tuple[str | dict[str, Any], ...] = Field((), max_length=MOST_STEPS)
    """Transforms of albumentations that follow, in this order: `{GaussNoise: {std_range: [0.02,
    0.1]}, p: 0.3}`, or a name alone (p is then 0.5), see
    [Augmentation](augmentation.md#steps)."""
    mixup: Probability = 0
    """Share of the samples that are averaged with another training sample; truth becomes
    probabilities."""
    cutmix: Probability = 0
    """Share of the samples of which a rectangle is another training sample's."""
    copy_paste: Probability = 0
    """Share of the samples onto which objects of another training sample are pasted."""
    mosaic: Probability = 0
    """Share of the samples whose quarters are four training samples'."""

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = PRESETS.get(values.get("preset", "light"), {}) if _is_name(values) else {}
        given = {key: each for key, each in values.items() if each is not None}
        return {**values, **preset, **given}

    @field_validator("scale")
    @classmethod
    def _rising(cls, scale: float | tuple[float, float]) -> float | tuple[float, float]:
        if isinstance(scale, tuple) and scale[0] > scale[1]:
            raise ValueError("must be [smallest, largest]")
        return scale

    @field_validator("steps")
    @classmethod
    def _known_steps(
        cls, steps: tuple[str | dict[str, Any], ...], info: ValidationInfo
    ) -> tuple[str | dict[str, Any], ...]:
        parsed = [parse_step(each) for each in steps]
        check_names("augmentation step", parsed, info)
        return tuple(map(as_written, parsed))

    @property
    def mixes(self) -> bool:
        """True if samples are mixed with others."""
        return max(self.mixup, self.cutmix, self.copy_paste, self.mosaic) > 0


def _is_name(values: dict[str, Any]) -> bool:
    return isinstance(values.get("preset", ""), str)
