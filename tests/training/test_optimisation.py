"""Rates by part, frozen parts, accumulated batches, recomputed blocks, averaged epochs."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from timm.layers.drop import DropPath
from torch import Tensor, nn

from pipeline.config import TrainConfig
from pipeline.errors import ConfigError, InterruptedRunError
from pipeline.member_id import MemberId
from pipeline.models.segmentation import SegmentationModel
from pipeline.stages import train
from pipeline.training.average import WeightMean
from pipeline.training.checkpointing import checkpoint_encoder
from pipeline.training.disk_bytes import footprint
from pipeline.training.drop_path import drop_paths
from pipeline.training.freezing import Freezing
from pipeline.training.length import check_steps
from pipeline.training.loop import TrainingRun
from pipeline.training.member import TrainJob
from pipeline.training.optimizers import make_optimizer
from pipeline.training.parts import batch_norms, encoder_of, is_of_encoder, normalisations
from pipeline.training.staged import finish, train_member
from tests.helpers.competitions import TINY, context, draw_discs, experiment
from tests.helpers.small_models import model
from tests.helpers.training_jobs import StopAtStep, job_context, member_bytes, train_job


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    draw_discs(folder, count=16)
    return folder


def _run(job: TrainJob, folder: Path) -> TrainingRun:
    run = TrainingRun(job, job_context(folder))
    run.learner.network.train()
    return run


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in network.state_dict().items()}


def _frozen(job: TrainJob, **freeze: Any) -> TrainJob:
    """The job with a frozen encoder, whose weights are random here."""
    settings = TrainConfig.model_validate({**job.model.train.model_dump(), "freeze": freeze})
    return replace(job, model=job.model.model_copy(update={"train": settings}))


def test_the_encoder_has_a_rate_of_its_own(discs: Path, tmp_path: Path) -> None:
    settings = {"optimizer": "sgd", "lr": 1.0, "warmup": 0, "clip": None, "weight_decay": 0}
    moved = {}
    for factor in (1.0, 0.25):
        job = train_job(discs, tmp_path, encoder_lr=factor, schedule="constant", **settings)
        run = _run(job, tmp_path)
        before = _weights(run.learner.plain)
        run.learner.learn([next(run.loader.epoch(0))], 0)
        moved[factor] = {
            name: each - before[name] for name, each in run.learner.plain.named_parameters()
        }
    for name, change in moved[0.25].items():
        expected = moved[1.0][name] * (0.25 if is_of_encoder(name) else 1)
        torch.testing.assert_close(change, expected, rtol=1e-3, atol=1e-6, msg=name)


def test_every_parameter_has_one_group() -> None:
    network = model("unet", "test_resnet")
    for factor, count in ((1.0, 2), (0.1, 4)):
        groups = make_optimizer(network, TrainConfig(encoder_lr=factor)).param_groups
        inside = [id(each) for group in groups for each in group["params"]]
        assert sorted(inside) == sorted(id(each) for each in network.parameters())
        assert len(groups) == count


@pytest.mark.parametrize(
    ("encoder", "layers"), [("test_resnet", 5), ("vgg11_bn", 16), ("test_vit", 7)]
)
def test_rates_fall_from_layer_to_layer(encoder: str, layers: int) -> None:
    network = model("unet", encoder)
    settings = TrainConfig(encoder_lr=0.5, layer_decay=0.5)
    rates = {
        id(parameter): group["factor"]
        for group in make_optimizer(network, settings).param_groups
        for parameter in group["params"]
    }
    found = [(name, rates[id(each)]) for name, each in network.named_parameters()]
    assert {rate for name, rate in found if not is_of_encoder(name)} == {1}
    factors = [rate for name, rate in found if is_of_encoder(name)]
    assert factors == sorted(factors)
    assert sorted(set(factors)) == [0.5 * 0.5 ** (number + 1) for number in reversed(range(layers))]


def test_blocks_are_left_out_in_training_as_often_as_said() -> None:
    network = model("unet", "test_resnet")
    drop_paths("a", network, 0.6)
    found = [each for each in encoder_of(network).modules() if isinstance(each, DropPath)]
    assert [each.drop_prob for each in found] == pytest.approx(
        [0.6 * (number + 1) / len(found) for number in range(len(found))]
    )
    ones = torch.ones(20_000, 1, 1, 1)
    kept = found[-1].train()(ones) > 0
    assert kept.float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert (found[-1].eval()(ones) == 1).all()


def test_paths_change_what_is_trained_and_not_what_predicts() -> None:
    images = torch.rand(8, 3, 64, 64)
    plain, dropped = model("unet", "test_resnet").eval(), model("unet", "test_resnet").eval()
    for norm in normalisations(encoder_of(plain)):
        nn.init.ones_(norm.weight)  # type: ignore[arg-type]  # branches begin at 0
    dropped.load_state_dict(plain.state_dict())
    drop_paths("a", dropped, 0.5)
    assert torch.equal(plain(images), dropped(images))
    assert not torch.equal(plain.train()(images), dropped.train()(images))


def test_an_encoder_without_branches_cannot_drop_them() -> None:
    with pytest.raises(ConfigError, match=r"models\.a: train\.drop_path: 0\.1 needs"):
        drop_paths("a", model("unet", "vgg11_bn"), 0.1)


@pytest.mark.parametrize("part", ["encoder", "norms"])
def test_what_is_frozen_stays_to_the_bit_and_then_learns(
    discs: Path, tmp_path: Path, part: str
) -> None:
    job = _frozen(train_job(discs, tmp_path, steps=4, lr=0.01), **{part: 3})
    run = _run(job, tmp_path)
    encoder = encoder_of(run.learner.plain)
    kept = [encoder] if part == "encoder" else list(normalisations(encoder))
    watched = nn.ModuleList(kept)
    before, others = _weights(watched), _weights(run.learner.plain.decoder)
    for step, batch in enumerate(run.loader.epoch(0)):
        run.learner.learn([batch], step)
        changed = [n for n, each in watched.state_dict().items() if not each.equal(before[n])]
        assert bool(changed) == (step == 3), changed
    assert len(changed) > len(before) / 2, "all of it has thawed"
    assert any(
        not each.equal(others[n]) for n, each in run.learner.plain.decoder.state_dict().items()
    )


def test_frozen_for_good_means_no_gradient_at_all() -> None:
    network = model("unet", "test_resnet").train()
    settings = TrainConfig.model_validate({"freeze": {"encoder": True, "norms": 2}})
    Freezing(network, settings.freeze).before(10**6)
    assert not any(each.requires_grad for each in network.encoder.parameters())
    assert all(each.requires_grad for each in network.decoder.parameters())
    assert not any(each.training for each in network.encoder.modules())


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_vit", "test_nfnet"])
def test_normalisations_of_every_kind_are_found(encoder: str) -> None:
    found = {id(each) for each in normalisations(model("unet", encoder).encoder)}
    named = {
        id(each)
        for _, each in model("unet", encoder).encoder.named_modules()
        if type(each).__name__ in ("BatchNorm2d", "LayerNorm", "LayerNorm2d", "BatchNormAct2d")
    }
    assert len(found) == len(named)


def test_accumulated_batches_make_the_step_of_the_large_one(discs: Path, tmp_path: Path) -> None:
    """Of losses that are means over valid pixels; batch statistics are those of each batch."""
    large = _run(train_job(discs, tmp_path, batch=8, loss={"bce": 1.0}), tmp_path)
    small = _run(train_job(discs, tmp_path, batch=2, accumulate=4, loss={"bce": 1.0}), tmp_path)
    batch = next(large.loader.epoch(0))
    valid = batch.valid.clone()
    valid[:3, :, :20] = 0
    valid[3] = 0
    batch = batch._replace(valid=valid)
    parts = [type(batch)(*(each[k : k + 2] for each in batch[:4])) for k in range(0, 8, 2)]
    for run in (large, small):
        run.learner.network.eval()
    losses = large.learner.learn([batch], 0), small.learner.learn(parts, 0)
    torch.testing.assert_close(*losses)
    pairs = zip(large.learner.plain.parameters(), small.learner.plain.parameters(), strict=True)
    assert all(a.grad is None for a, _ in pairs)
    for one, other in zip(
        *(_gradients(each, batch, parts) for each in (large, small)), strict=True
    ):
        torch.testing.assert_close(one, other)


def _gradients(run: TrainingRun, batch: Any, parts: list[Any]) -> list[Tensor]:
    """Of one step, by what the optimizer has of them: Adam's first moments."""
    state = run.learner.rates.state
    return [state[each]["exp_avg"] for each in run.learner.plain.parameters()]


def test_accumulated_samples_are_those_of_the_large_batch(discs: Path, tmp_path: Path) -> None:
    large = _run(train_job(discs, tmp_path, batch=8), tmp_path)
    small = _run(train_job(discs, tmp_path, batch=2, accumulate=4), tmp_path)
    assert small.length == large.length
    for epoch in range(2):
        whole = torch.cat([batch.images for batch in large.loader.epoch(epoch)])
        assert whole.equal(torch.cat([batch.images for batch in small.loader.epoch(epoch)]))


ENCODERS = ("test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_byobnet")
LARGER = ("densenet121", "swin_tiny_patch4_window7_224", "dpn68", "hrnet_w18_small")


@pytest.mark.parametrize(
    "encoder", [*ENCODERS, *(pytest.param(each, marks=pytest.mark.slow) for each in LARGER)]
)
def test_blocks_that_compute_twice_learn_the_same_to_the_bit(encoder: str) -> None:
    torch.manual_seed(0)
    plain = model("unet", encoder).train()
    saving = copy.deepcopy(plain)
    checkpoint_encoder("a", saving)
    images = torch.rand(2, 3, 64, 64)
    kept = [_step(network, images) for network in (plain, saving)]
    assert kept[1] < kept[0], "fewer numbers are kept for the gradient"
    for (name, one), other in zip(plain.named_parameters(), saving.parameters(), strict=True):
        assert one.grad is not None and other.grad is not None and one.grad.equal(other.grad), name
    for name, each in plain.state_dict().items():
        assert each.equal(saving.state_dict()[name]), name


def _step(network: SegmentationModel, images: Tensor) -> int:
    """The gradient of something; how many bytes were kept for it."""
    kept = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(images)
    logits = output if isinstance(output, Tensor) else output[0]
    logits.square().mean().backward()
    return kept


def test_a_copy_of_a_network_that_computes_twice_uses_its_own_weights() -> None:
    network = model("unet", "test_resnet").train()
    checkpoint_encoder("a", network)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for each in network.parameters():
            each.zero_()
    twin(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(each.grad is None for each in network.parameters())
    assert any(each.grad is not None and each.grad.any() for each in twin.encoder.parameters())


def test_an_encoder_without_blocks_is_refused_before_training(discs: Path, tmp_path: Path) -> None:
    models = {"flat": {"decoder": "unet", "encoder": "vgg11", "weights": None}}
    stage = context(discs, tmp_path, models=models, train={"checkpointing": True})
    with pytest.raises(ConfigError, match=r"models\.flat: train\.checkpointing: .* has none"):
        train.list_jobs(stage)


def test_the_mean_of_weights_is_the_mean() -> None:
    networks = [nn.Linear(2, 2) for _ in range(3)]
    mean = WeightMean(networks[0], 3)
    for each in networks:
        assert not mean.is_complete
        mean.add(each)
    assert mean.is_complete
    expected = torch.stack([each.weight for each in networks]).mean(dim=0)
    torch.testing.assert_close(mean.network.weight, expected)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_the_mean_of_the_last_epochs_predicts(
    discs: Path, tmp_path: Path, ema: float | None
) -> None:
    job = train_job(discs, tmp_path, epochs=3, ema=ema, average={"last": 2})
    snapshots = []

    class Watched(TrainingRun):
        def finish_epoch(self, epoch: int) -> None:
            source = self.learner.average.network if self.learner.average else self.learner.plain
            snapshots.append(_weights(source))
            super().finish_epoch(epoch)

    run = Watched(job, job_context(tmp_path))
    for epoch in range(3):
        run.train_epoch(epoch)
        run.finish_epoch(epoch)
    finish(run)
    saved = load_file(job.paths.weights("mean"))
    measured = {n for n, _ in batch_norms(run.learner.plain)}
    for name, value in saved.items():
        owner = name.rpartition(".")[0]
        expected = (snapshots[1][name] + snapshots[2][name]) / 2
        if name.endswith(("running_mean", "running_var")) and owner in measured:
            assert not torch.equal(value, expected) and value.isfinite().all()
        elif value.is_floating_point():
            torch.testing.assert_close(value, expected, msg=name)
    stage_member = train.Member(MemberId("a", 0), job.paths, job.fingerprint)
    assert stage_member.manifest["weights"] == "mean"


def test_statistics_of_mean_weights_are_those_of_its_own_activations(
    discs: Path, tmp_path: Path
) -> None:
    """In each layer, normalised activations of the crops have mean 0 and deviation 1."""
    job = train_job(discs, tmp_path, epochs=2, lr=0.05, ema=None, average={"last": 2}, steps=3)
    run = TrainingRun(job, job_context(tmp_path))
    for epoch in range(2):
        run.train_epoch(epoch)
        run.finish_epoch(epoch)
    network, first = run.learner.judged, next(iter(batch_norms(run.learner.judged)))[0]
    seen: list[Tensor] = []
    norm = network.get_submodule(first)
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for batch in run.loader.epoch(2):
            network(run.learner._inputs(batch))
    means = torch.stack([each.mean(dim=(0, 2, 3)) for each in seen]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-5)


RICH = {
    "all": {
        "accumulate": 2,
        "batch": 2,
        "encoder_lr": 0.1,
        "optimizer": "nadamw",
        "epochs": 3,
        "schedule": "restarts",
        "cycles": 2,
        "checkpointing": True,
        "average": {"last": 2},
    },
    "plain": {"optimizer": "lion", "schedule": "onecycle", "ema": None, "average": {"last": 2}},
}


@pytest.mark.parametrize(
    ("name", "step"), [("all", 3), pytest.param("plain", 1, marks=pytest.mark.slow)]
)
def test_a_stop_changes_no_byte(discs: Path, tmp_path: Path, name: str, step: int) -> None:
    freeze = {"encoder": 2, "norms": True} if name == "all" else {}
    whole = _frozen(train_job(discs, tmp_path / "whole", **RICH[name]), **freeze)
    train_member(whole, job_context(tmp_path))
    broken = _frozen(train_job(discs, tmp_path / "broken", **RICH[name]), **freeze)
    with pytest.raises(InterruptedRunError):
        train_member(broken, job_context(tmp_path, StopAtStep(step)))
    torch.rand(17)
    train_member(broken, job_context(tmp_path))
    assert member_bytes(broken.paths.folder) == member_bytes(whole.paths.folder)


def test_the_forecast_counts_the_mean(discs: Path, tmp_path: Path) -> None:
    job = train_job(discs, tmp_path, average={"last": 2})
    with pytest.raises(InterruptedRunError):
        train_member(job, job_context(tmp_path, StopAtStep(1)))
    forecast = footprint(model("linknet", "test_resnet"), job.model.train)
    assert job.paths.state.stat().st_size == pytest.approx(forecast.working / 2, rel=0.1)
    train_member(job, job_context(tmp_path))
    kept = sum(path.stat().st_size for path in job.paths.folder.glob("*.safetensors"))
    assert kept == pytest.approx(forecast.kept, rel=0.1)


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"accumulate": 8}, r"accumulate: 8 of train\.batch: 4 make 32 .* an epoch has 8 images"),
        ({"average": {"last": 3}}, r"average\.last: 3 is more than the training's epochs: 2"),
        ({"average": {"last": 3}, "length": 2, "epochs": 9}, "training's epochs: 2"),
        ({"average": {"last": 1}}, r"average\.last: 1: should be greater than or equal to 2"),
        ({"freeze": {"encoder": -1}}, r"freeze\.encoder: -1: must be 0 to"),
        ({"freeze": {"encoder": 3}}, r"weights: null are random"),
        ({"freeze": {"norm": 3}}, r"freeze\.norm: no such key; did you mean norms"),
        ({"encoder_lr": 0}, r"encoder_lr: 0: should be greater"),
        ({"cycles": 1}, "cycles: 1"),
    ],
)
def test_mistakes_are_named(
    discs: Path, tmp_path: Path, training: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        train.list_jobs(
            context(discs, tmp_path, models={"a": {"decoder": "unet", **TINY}}, train=training)
        )


@pytest.mark.parametrize("part", ["encoder", "norms"])
def test_what_thaws_after_the_last_step_is_a_mistake(
    discs: Path, tmp_path: Path, part: str
) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"")
    models = {"a": {"decoder": "unet", **TINY, "weights": str(file)}}
    for steps in (4, True):
        training = {"freeze": {part: steps}, "batch": 4}
        chosen = experiment(discs, models=models, train=training).models["a"].train
        if steps is True:
            check_steps("a", 8, chosen)
        else:
            with pytest.raises(ConfigError, match=rf"freeze\.{part}: 4 steps, .* has 4; lower it"):
                check_steps("a", 8, chosen)
