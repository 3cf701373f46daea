"""Named sets of values for the keys of `train.augment`."""

from __future__ import annotations

from typing import Any, Literal

PresetName = Literal["light", "medium", "heavy", "microscopy", "aerial", "screen"]

_MIRRORED = 4
"""OpenCV's number for what is mirrored beyond an edge, so that nothing becomes void."""
_ALL_FLIPS = ("horizontal", "vertical", "transpose")
_NOISE = {"GaussNoise": {"std_range": [0.01, 0.06], "per_channel": False}, "p": 0.2}
_BLUR = {"GaussianBlur": {"sigma_limit": [0.3, 1.5], "blur_limit": 0}, "p": 0.2}
_GAMMA = {"RandomGamma": {"gamma_limit": [70, 140]}, "p": 0.3}
_LOW_RESOLUTION = {
    "Downscale": {
        "scale_range": [0.4, 0.8],
        "interpolation_pair": {"downscale": 1, "upscale": 1},  # bilinear, for any bands
    },
    "p": 0.15,
}

PRESETS: dict[str, dict[str, Any]] = {
    "light": {},
    "medium": {
        "rotate": 20,
        "scale": [0.75, 1.35],
        "shift": 0.1,
        "strength": 0.25,
        "steps": [_GAMMA, _BLUR, _NOISE],
    },
    "heavy": {
        "affine": 0.8,
        "rotate": 30,
        "scale": [0.6, 1.6],
        "shift": 0.1,
        "colour": 0.6,
        "strength": 0.3,
        "steps": [
            {
                "GridDistortion": {"distort_limit": [-0.25, 0.25], "border_mode": _MIRRORED},
                "p": 0.15,
            },
            _GAMMA,
            _LOW_RESOLUTION,
            _BLUR,
            _NOISE,
            {
                "CoarseDropout": {
                    "num_holes_range": [1, 4],
                    "hole_height_range": [0.05, 0.2],
                    "hole_width_range": [0.05, 0.2],
                },
                "p": 0.2,
            },
        ],
    },
    "microscopy": {
        "flips": _ALL_FLIPS,
        "affine": 0.8,
        "rotate": 45,
        "scale": [0.7, 1.4],
        "strength": 0.25,
        "steps": [
            {"ElasticTransform": {"alpha": 60, "sigma": 8, "border_mode": _MIRRORED}, "p": 0.1},
            _GAMMA,
            _BLUR,
            _NOISE,
        ],
    },
    "aerial": {
        "flips": _ALL_FLIPS,
        "rotate": 45,
        "scale": [0.6, 1.6],
        "strength": 0.25,
        "steps": [_GAMMA, _LOW_RESOLUTION, _NOISE],
    },
    "screen": {
        "rotate": 3,
        "scale": 0.1,
        "shift": 0.03,
        "reference_jitter": {"shift": 0.5},
        "steps": [
            {"ImageCompression": {"quality_range": [50, 95]}, "p": 0.3},
            _LOW_RESOLUTION,
            _BLUR,
            _NOISE,
        ],
    },
}
