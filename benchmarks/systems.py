"""The systems of the literature that can be trained here, and the public code that they are counted
against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config import ModelSpec


@dataclass(frozen=True)
class System:
    """One row of docs/zoo.md.

    model: as in YAML, with the encoder and the options of the public code. classes, parameters:
    of that code; parameters None where there is none to compare with. differs: by how many ours
    differ, which `tests/models/test_zoo.py` holds them to, and why.
    """

    title: str
    paper: str
    model: Mapping[str, object]
    classes: int = 1
    parameters: int | None = None
    code: str = ""
    differs: int = 0
    why: str = ""
    plain: Mapping[str, object] = field(init=False)
    """The same decoder as the others' rows: on ResNet-34, at its default options."""

    def __post_init__(self) -> None:
        plain = {"decoder": self.model["decoder"], "encoder": "resnet34"} if self.decoder else {}
        object.__setattr__(self, "plain", plain or dict(self.model))

    @property
    def decoder(self) -> str | None:
        name = self.model.get("decoder")
        return None if name is None else str(name)

    @property
    def name(self) -> str:
        """As YAML names it."""
        return self.decoder or str(self.model["network"])

    def spec(self, *, plain: bool = False) -> ModelSpec:
        """The model, with random weights."""
        model = self.plain if plain else self.model
        return ModelSpec.model_validate({**model, "weights": None})


def _decoder(name: str, encoder: str = "resnet34", **options: object) -> dict[str, object]:
    return {"decoder": name, "encoder": encoder, **({"options": options} if options else {})}


def _network(name: str) -> dict[str, object]:
    return {"network": name}


_BIASES = "biases before a normalisation, which takes them out again"
_FCN = "wkentaro/pytorch-fcn"
_LINKNET = "e-lab/pytorch-linknet"
_DLINKNET = "zlckanata/DeepGlobe-Road-Extraction-Challenge"
_ZIJUN = "zijundeng/pytorch-semantic-segmentation"
_TIRAMISU = "bfortuner/pytorch_tiramisu"
_MEETPS = "meetps/pytorch-semseg"
_DRN = "fyu/drn, without its layer for 1000 classes"
_OF_IMAGENET = 512 * 1000 + 1000

SYSTEMS: tuple[System, ...] = (
    System("U-Net on an encoder", "Ronneberger et al. 2015", _decoder("unet")),
    System("U-Net++", "Zhou et al. 2018", _decoder("unetplusplus")),
    System("MA-Net", "Fan et al. 2020", _decoder("manet")),
    System("LinkNet", "Chaurasia & Culurciello 2017", _decoder("linknet", "resnet18", links=4),
           12, 11_534_796, _LINKNET, -64, _BIASES),
    System("D-LinkNet", "Zhou et al. 2018", _decoder("dlinknet", tail="published"),
           1, 31_096_129, _DLINKNET, -992, _BIASES),
    System("FPN", "Kirillov et al. 2017", _decoder("fpn")),
    System("UPerNet", "Xiao et al. 2018", _decoder("upernet")),
    System("PSPNet", "Zhao et al. 2017", _decoder("pspnet", "resnet50s", tail="published"),
           19, 49_080_038, "hszhao/semseg, with auxiliary head"),
    System("FCN-32s", "Long et al. 2015", _decoder("fcn32s", "vgg16"), 21, 136_152_917, _FCN),
    System("FCN-16s", "Long et al. 2015", _decoder("fcn16s", "vgg16"), 21, 134_815_994, _FCN),
    System("FCN-8s", "Long et al. 2015", _decoder("fcn8s", "vgg16"), 21, 134_489_759, _FCN),
    System("DeepLab v1", "Chen et al. 2015", _decoder("deeplabv1", "vgg16")),
    System("DeepLab v2", "Chen et al. 2018", _decoder("deeplabv2", "resnet101"),
           21, 44_048_532, "kazuto1011/deeplab-pytorch"),
    System("DeepLab v3", "Chen et al. 2017", _decoder("deeplabv3", "resnet50"),
           21, 42_004_074, "torchvision, with auxiliary head"),
    System("DeepLab v3+", "Chen et al. 2018", _decoder("deeplabv3plus")),
    System("Dilated context", "Yu & Koltun 2016", _decoder("dilated_context")),
    System("RefineNet", "Lin et al. 2017", _decoder("refinenet", "resnet101"),
           21, 118_052_437, "DrSleep/refinenet-pytorch"),
    System("Global convolutional network", "Peng et al. 2017", _decoder("gcn", "resnet152"),
           21, 59_369_620, _ZIJUN),
    System("DUC and HDC", "Wang et al. 2018", _decoder("duc", "resnet152", hdc=True),
           21, 82_920_448, _ZIJUN),
    System("BiSeNet", "Yu et al. 2018", _decoder("bisenet", "resnet18")),
    System("ICNet", "Zhao et al. 2018", _decoder("icnet")),
    System("DANet", "Fu et al. 2019", _decoder("danet")),
    System("PAN", "Li et al. 2018", _decoder("pan")),
    System("DPT", "Ranftl et al. 2021", _decoder("dpt")),
    System("SegFormer's head", "Xie et al. 2021", _decoder("segformer")),
    System("U-Net", "Ronneberger et al. 2015", _network("unet_original"), 2, 31_031_810, _MEETPS),
    System("SegNet", "Badrinarayanan et al. 2017", _network("segnet"), 12, 29_449_956, _MEETPS, -24,
           "theirs normalises its logits, which ours and the authors' code do not"),
    System("FC-DenseNet56", "Jégou et al. 2017", _network("fcdensenet56"), 11, 1_376_795,
           _TIRAMISU),
    System("FC-DenseNet67", "Jégou et al. 2017", _network("fcdensenet67"), 11, 3_463_243,
           _TIRAMISU),
    System("FC-DenseNet103", "Jégou et al. 2017", _network("fcdensenet103"), 11, 9_322_091,
           _TIRAMISU),
    *(System(f"DRN-{name[4].upper()}-{name[6:]}", "Yu et al. 2017", _network(name), 1,
             count - _OF_IMAGENET, _DRN, 513, "the head, which theirs has not")
      for name, count in (("drn_c_26", 21_126_584), ("drn_c_42", 31_234_744),
                          ("drn_d_22", 16_393_752), ("drn_d_38", 26_501_912),
                          ("drn_d_54", 35_809_176), ("drn_d_105", 54_801_304))),
    System("ENet", "Paszke et al. 2016", _network("enet")),
    System("Fast-SCNN", "Poudel et al. 2019", _network("fastscnn")),
    System("V-Net (2-D)", "Milletari et al. 2016", _network("vnet")),
)  # fmt: skip
