"""The whole networks by name; one is added by one file and one line of `NETWORKS`.

A network's function takes the channels of an image and the number of classes and returns the parts
of a model; it has no encoder, and no weights that were trained before.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.models.decoders.parts import Parts, Tap
from pipeline.models.networks.drn import (
    drn_c_26,
    drn_c_42,
    drn_d_22,
    drn_d_38,
    drn_d_54,
    drn_d_105,
)
from pipeline.models.networks.enet import enet
from pipeline.models.networks.fastscnn import fastscnn
from pipeline.models.networks.fcdensenet import fcdensenet56, fcdensenet67, fcdensenet103
from pipeline.models.networks.layers import initialise
from pipeline.models.networks.network import Network
from pipeline.models.networks.segnet import segnet
from pipeline.models.networks.unet_original import unet_original
from pipeline.models.networks.vnet import vnet

_INSIDE = tuple(Tap(f"inside.{number}") for number in (2, 1, 0))
_ENLARGED = tuple(Tap(name) for name in ("stage4", "stage3"))
_RESIDUAL = tuple(Tap(f"up.{number}") for number in (2, 1, 0))
_STAGES = tuple(Tap(f"up.{number}") for number in (3, 2, 1, 0))

NETWORKS: Mapping[str, Network] = {
    "unet_original": Network(unet_original, step=16, levels=_INSIDE),
    "segnet": Network(segnet, step=32, levels=_STAGES),
    "fcdensenet56": Network(fcdensenet56, step=32, levels=_STAGES),
    "fcdensenet67": Network(fcdensenet67, step=32, levels=_STAGES),
    "fcdensenet103": Network(fcdensenet103, step=32, levels=_STAGES),
    "drn_c_26": Network(drn_c_26, step=8),
    "drn_c_42": Network(drn_c_42, step=8),
    "drn_d_22": Network(drn_d_22, step=8),
    "drn_d_38": Network(drn_d_38, step=8),
    "drn_d_54": Network(drn_d_54, step=8),
    "drn_d_105": Network(drn_d_105, step=8),
    "enet": Network(enet, step=8, levels=_ENLARGED),
    "fastscnn": Network(fastscnn, step=32, levels=(Tap("context"),)),
    "vnet": Network(vnet, step=16, levels=_RESIDUAL),
}


def build_network(
    name: str, image: int, classes: int, options: Mapping[str, bool | int | float | str]
) -> Parts:
    """The parts of network `name`, initialised from torch's global RNG.

    image: channels of an image; options: keyword arguments of the network's function.
    """
    parts = NETWORKS[name].build(image, classes, **options)
    initialise(parts.decoder)
    return parts
