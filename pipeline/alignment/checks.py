"""Tells an alignment that can be trusted from one that cannot, and names the reason.

Correlation alone is not enough: repeats of a pattern correlate well at the wrong place, and noisy
photos badly at the right one. Each check below catches what the others miss.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.alignment.geometry import FloatArray, overlap_share, scale_and_rotation
from pipeline.config import AlignSettings
from pipeline.size import Size

_LEAST_OVERLAP = 0.4
_MOST_DISAGREEMENT = 0.25
# The same without a fit of its own, for pairs that agree poorly anywhere. Parallel lines that agree
# well reach 0.98 at the next line, and still lie right.
_ECHO = 0.9
_AGREES = 0.78
# Another place of this share of the quality leaves open which of the two is right.
_RIVAL = 0.975


@dataclass(frozen=True)
class Findings:
    """Quality measurements of a finished fit.

    correlation: of the band-passed images with the warp; rival: quality of the best other place,
    as a share of this one's; echo: best correlation after a further shift, likewise;
    disagreement: share of windows that match better elsewhere; corner_px: standard error of the
    worst corner; converged: whether the steps came to rest.
    """

    warp: FloatArray
    correlation: float
    rival: float
    echo: float
    disagreement: float
    corner_px: float
    converged: bool


def verdict(findings: Findings, size: Size, reference_size: Size, settings: AlignSettings) -> str:
    """ "ok", or the first reason not to trust the warp (of any comparison with NaN, too)."""
    scale, turn = scale_and_rotation(findings.warp, size)
    trusted = {
        "low correlation": findings.correlation >= settings.min_correlation,
        "little overlap": overlap_share(findings.warp, size, reference_size) >= _LEAST_OVERLAP,
        "too much rotation": abs(turn) <= settings.max_rotation,
        "too much scale": 1 / settings.max_scale <= scale <= settings.max_scale,
        "ambiguous place": findings.rival <= _RIVAL and _is_alone(findings),
        "sub-windows disagree": findings.disagreement <= _MOST_DISAGREEMENT,
        "did not converge": findings.converged,
        "uncertain corners": findings.corner_px <= settings.max_uncertainty,
    }
    return next((reason for reason, holds in trusted.items() if not holds), "ok")


def _is_alone(findings: Findings) -> bool:
    return findings.correlation >= _AGREES or findings.echo <= _ECHO
