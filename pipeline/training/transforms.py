"""Transforms of albumentations by name, as far as they suit images with masks alone."""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import must not look at the network

import inspect
import warnings
from typing import Any

import albumentations as A
from pydantic import ValidationError

from pipeline.config.augmentation_steps import AugmentStep
from pipeline.errors import ConfigError
from pipeline.suggestions import check_name, did_you_mean, shortened

_NEEDS_BOXES = "needs boxes, and there are masks only"
_CHANGES_MASKS = "changes what is an object in a mask by itself"
_REFUSED = {
    "AtLeastOneBBoxRandomCrop": _NEEDS_BOXES,
    "BBoxSafeRandomCrop": _NEEDS_BOXES,
    "ConstrainedCoarseDropout": _NEEDS_BOXES,
    "RandomCropNearBBox": _NEEDS_BOXES,
    "RandomSizedBBoxSafeCrop": _NEEDS_BOXES,
    "CropNonEmptyMaskIfExists": "chooses a crop, which has been chosen by train.size before",
    "Lambda": "takes functions, which YAML does not hold",
    "MaskDropout": _CHANGES_MASKS,
    "Morphological": _CHANGES_MASKS,
    "Mosaic": "needs metadata; use train.augment.mosaic",
    "TextImage": "needs metadata",
}
_OWN_KEYS = frozenset({"self", "p", "strict"})
_BASES = (A.ImageOnlyTransform, A.DualTransform, A.Transform3D)


def known_transforms() -> dict[str, type[Any]]:
    """Every transform of images, with masks or without, by name."""
    classes = {name: each for name, each in vars(A).items() if inspect.isclass(each)}
    return {
        name: each
        for name, each in classes.items()
        if issubclass(each, A.ImageOnlyTransform | A.DualTransform) and each not in _BASES
    }


def make_transform(step: AugmentStep) -> Any:
    """The transform of a step, applied at every call: whether it is, its caller draws.

    Raises ConfigError for a name or an argument that albumentations does not know, and for a
    transform that images with masks alone have no use of.
    """
    known = known_transforms()
    check_name("transform", step.name, known)
    kind = known[step.name]
    if reason := _refusal(step.name, kind):
        raise ConfigError(f"{step.name} {reason}")
    keys = set(inspect.signature(kind.__init__).parameters) - _OWN_KEYS
    for key, value in step.arguments.items():
        if key not in keys:
            raise ConfigError(f"{step.name}: no argument {key!r}{did_you_mean(key, keys)}")
        if "mask" in key and value not in (None, 0):
            raise ConfigError(
                f"{step.name}.{key}: truth is moved by the nearest pixel, and is void where it "
                "comes from outside; leave the key out"
            )
    transform = _made(step.name, kind, step.arguments)
    if needed := set(transform.targets_as_params) - {"image"}:
        raise ConfigError(f"{step.name} needs {', '.join(sorted(needed))}, and there are none")
    return transform


def is_spatial(transform: Any) -> bool:
    """True if a transform changes places, hence masks too; False if it changes values alone."""
    return isinstance(transform, A.DualTransform)


def _refusal(name: str, kind: type[Any]) -> str | None:
    if issubclass(kind, A.Transform3D):
        return "is for volumes"
    targets = {each.value.lower() for each in kind._targets}
    if issubclass(kind, A.DualTransform) and "mask" not in targets:
        return "moves images and not their masks"
    return _REFUSED.get(name)


def _made(name: str, kind: type[Any], arguments: dict[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that another transform can do the same
            return kind(**arguments, p=1.0, **_strictly(kind))
    except Exception as error:  # arguments are any values, and its own checks raise anything
        raise ConfigError(_problems(name, error)) from None


def _strictly(kind: type[Any]) -> dict[str, bool]:
    """What makes a transform raise where it would warn and use defaults; few do not know it."""
    (owner, *_) = [each for each in kind.__mro__ if "__init__" in vars(each)]
    return {"strict": True} if "InitSchema" in vars(owner) else {}


def _problems(name: str, error: Exception) -> str:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return f"{name}: {shortened(error)}"
    lines = []
    for each in cause.errors(include_url=False):
        place = ".".join([name, *map(str, each["loc"][:1])])
        given = (
            ""
            if each["type"] == "missing" or not each["loc"]
            else (f" (it is {shortened(each['input'])})")
        )
        lines.append(f"{place}: {each['msg'].removeprefix('Value error, ')}{given}")
    return "; ".join(dict.fromkeys(lines))
