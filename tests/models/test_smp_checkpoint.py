from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from pipeline.models.smp_checkpoint import from_smp, to_smp
from tests.helpers.small_models import model


@pytest.mark.parametrize(
    ("theirs", "ours", "architecture", "decoder"),
    [
        ("resnet18", "resnet18", smp.Unet, "unet"),
        ("tu-resnet18", "resnet18", smp.Unet, "unet"),
        ("vgg11_bn", "vgg11_bn", smp.Unet, "unet"),
        ("resnet18", "resnet18", smp.MAnet, "manet"),
    ],
)
def test_checkpoints_load_both_ways(
    theirs: str, ours: str, architecture: type[torch.nn.Module], decoder: str
) -> None:
    their_model = architecture(theirs, encoder_weights=None, classes=2).eval()
    our_model = model(decoder, ours)
    our_model.load_state_dict(from_smp(their_model.state_dict()))
    images = torch.rand(1, 3, 64, 64)
    normalised = (images - our_model.encoder.mean) / our_model.encoder.std
    with torch.no_grad():
        assert torch.equal(our_model(images), their_model(normalised))
    back = to_smp(our_model.state_dict(), wrapped=theirs.startswith("tu-"))
    their_model.load_state_dict(back)
