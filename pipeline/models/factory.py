"""From a model's description to the model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from pipeline.channels import RGB, Channels
from pipeline.config import ModelSpec
from pipeline.errors import ConfigError
from pipeline.models.architecture import architecture_of
from pipeline.models.auxiliary.heads import AuxiliaryHeads
from pipeline.models.auxiliary.levels import tapped_channels
from pipeline.models.auxiliary.target import Column
from pipeline.models.crf_rnn import CrfRnnLayers
from pipeline.models.decoders.parts import LIGHT, Decoder, Features
from pipeline.models.decoders.registry import build_parts, wants_hybrid_dilation, wants_whole_stages
from pipeline.models.encoder import Encoder
from pipeline.models.grafting.build import Wish, make_graft
from pipeline.models.grafting.stitch import make_stitched, parse_seam
from pipeline.models.image_input import ImageInput
from pipeline.models.networks.network import Network
from pipeline.models.networks.registry import build_network
from pipeline.models.reference import input_shape
from pipeline.models.scales import AttentionToScale
from pipeline.models.segmentation import SegmentationModel
from pipeline.models.whole_checkpoint import load_whole, whole_weights


def build_model(spec: ModelSpec, *, classes: int, channels: Channels = RGB) -> SegmentationModel:
    """The model that `spec` describes, on the CPU; random parts come from torch's global RNG.

    channels: of an image, and of its reference behind it where there is one; which of them the
    network is shown.
    Raises ConfigError for unknown names and for weights that are missing or of another network.
    """
    kind, whole = architecture_of(spec), whole_weights(spec)
    if isinstance(kind, Network):
        model = _whole_network(spec, kind, classes, channels)
    else:
        model = _grafted(spec, kind, classes, channels, load=whole is None)
    if spec.scales is not None:
        _, channels_of_map, stride = tapped_channels(model.decoder, (), model.encoder)
        model.scales = AttentionToScale(spec.scales, channels_of_map, stride)
    if spec.crf_rnn is not None:
        model.crf = CrfRnnLayers(spec.crf_rnn, classes)
    if whole is not None:
        load_whole(model, whole, allow_partial=spec.allow_partial)
    return model


def _whole_network(
    spec: ModelSpec, kind: Network, classes: int, channels: Channels
) -> SegmentationModel:
    given = ImageInput(channels.seen, kind.step, spec.reference)
    parts = build_network(str(spec.network), given.in_channels, classes, spec.options)
    return SegmentationModel(given, parts, channels)


def _grafted(
    spec: ModelSpec, kind: Decoder, classes: int, channels: Channels, *, load: bool
) -> SegmentationModel:
    """An encoder in a decoder; load: whether the encoder takes the weights that `spec` names."""
    assert spec.decoder is not None and spec.encoder is not None, "a model without a network"
    wish = Wish(
        weights=spec.weights if load else None,
        allow_partial=spec.allow_partial,
        in_channels=input_shape(spec.reference, channels.seen)[1],
        output_stride=_wanted_stride(spec, kind),
        strict=spec.output_stride is not None,
        hybrid=wants_hybrid_dilation(spec.options),
        whole_stages=wants_whole_stages(spec.options),
    )
    seam = parse_seam(spec.encoder)
    graft = make_graft(spec.encoder, wish) if seam is None else make_stitched(seam, wish)
    encoder = Encoder(graft, channels.seen, kind.finest, spec.reference)
    if wish.hybrid and encoder.output_stride == LIGHT:
        raise ConfigError(
            f"options.hdc: encoder {spec.encoder!r} is not dilated, and has no rates to choose; "
            "leave out `hdc`, or take another encoder or `output_stride`"
        )
    features = Features(
        encoder.channels, encoder.output_stride, graft.ends_with_pool, encoder.in_channels
    )
    return SegmentationModel(
        encoder, build_parts(spec.decoder, features, classes, spec.options), channels
    )


def add_outputs(
    network: SegmentationModel, spec: ModelSpec, classes: int, columns: Sequence[Column] = ()
) -> None:
    """Give a network the heads of the auxiliary outputs of `spec`, for its training.

    They come last, so that all other random parts are as they are without.
    """
    if spec.auxiliary:
        levels = architecture_of(spec).levels
        decoder, encoder = network.decoder, network.encoder
        heads = AuxiliaryHeads(spec.auxiliary, (levels, decoder), encoder, classes, columns)
        network.outputs = heads


def parameter_count(module: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _wanted_stride(spec: ModelSpec, kind: Decoder) -> int:
    if spec.output_stride not in (None, LIGHT) and kind.output_stride == LIGHT:
        raise ConfigError(
            f"decoder {spec.decoder!r} needs every reduction down to 1/{LIGHT}: "
            f"leave out `output_stride` (it is {spec.output_stride})"
        )
    return spec.output_stride or kind.output_stride
