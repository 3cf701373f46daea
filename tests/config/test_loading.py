"""`extends`, overrides, and models laid over the global blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Experiment, load_experiment
from pipeline.config.loss_terms import short_form
from pipeline.errors import ConfigError
from tests.helpers.experiments import MINIMAL, experiment

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(folder: Path, text: str, *overrides: str) -> Experiment:
    return load_experiment(write(folder, "x.yaml", MINIMAL + text), overrides=overrides)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configs_that_come_with_it_are_valid(path: Path) -> None:
    assert load_experiment(path).name == path.stem


def test_the_smallest_experiment_has_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, "")
    assert loaded.folds.count == 5
    assert loaded.models["a"].train == loaded.train
    assert loaded.data.classes == {"car": 1}


def test_a_model_overrides_just_the_keys_it_names(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "  b: {decoder: unet, encoder: vgg16,\n"
        "      train: {lr: 1, augment: {rotate: 3}}, infer: {batch: 2}}\n"
        "train: {lr: 2, epochs: 7, augment: {rotate: 5, scale: 0.5}}\ninfer: {tta: [rot90]}\n",
    )
    a, b = loaded.models["a"], loaded.models["b"]
    assert (a.train.lr, a.train.epochs, a.train.augment.rotate) == (2, 7, 5)
    assert (b.train.lr, b.train.epochs) == (1, 7)
    assert (b.train.augment.rotate, b.train.augment.scale) == (3, 0.5)
    assert (b.infer.batch, b.infer.tta) == (2, ("rot90",))


def test_a_models_losses_replace_the_global_ones(tmp_path: Path) -> None:
    own = "  b: {decoder: unet, encoder: vgg16, train: {loss: {lovasz: 1}}}\n"
    loaded = load(tmp_path, own + "train: {loss: {bce: 1, dice: 1}}\n")
    assert short_form(loaded.models["b"].train.loss or ()) == {"lovasz": 1.0}
    assert short_form(loaded.train.loss or ()) == {"bce": 1.0, "dice": 1.0}


@pytest.mark.parametrize("block", ["train", "infer", "folds", "ensemble", "submission"])
def test_an_empty_block_says_nothing(block: str, tmp_path: Path) -> None:
    assert load(tmp_path, f"{block}:\n") == load(tmp_path, "")


def test_an_empty_block_of_a_model_says_nothing(tmp_path: Path) -> None:
    own = "  b:\n    decoder: unet\n    encoder: vgg16\n    train:\n    infer:\n"
    assert load(tmp_path, own + "train: {lr: 2, augment: }\n").models["b"].train.lr == 2


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "0.0001", "1.e-4", "'1e-4'"])
def test_small_numbers_may_be_written_as_they_are(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, f"train: {{lr: {text}}}\n").train.lr == 1e-4
    assert load(tmp_path, "", f"train.lr={text}").train.lr == 1e-4


def test_extends_lays_a_file_over_another(tmp_path: Path) -> None:
    write(tmp_path, "bases/base.yaml", MINIMAL + "train: {lr: 2, epochs: 7}\n")
    write(tmp_path, "middle.yaml", "extends: bases/base.yaml\ntrain: {lr: 3, batch: 5}\n")
    top = write(tmp_path, "top.yaml", "extends: middle.yaml\nname: top\ntrain: {batch: 6}\n")
    loaded = load_experiment(top)
    assert loaded.name == "top"
    assert (loaded.train.lr, loaded.train.epochs, loaded.train.batch) == (3, 7, 6)
    assert list(loaded.models) == ["a"]


def test_extends_replaces_mappings_that_are_one_value(tmp_path: Path) -> None:
    base = MINIMAL.replace("[car]", "{car: 1, bus: 2}")
    ensemble = "metric: {name: fbeta, beta: 2}\nensemble: {weights: {a: 1}}\n"
    submission = "submission: {rows: class, key: '{id}_{class}'}\n"
    write(tmp_path, "base.yaml", base + ensemble + submission)
    top = write(
        tmp_path,
        "top.yaml",
        "extends: base.yaml\ndata: {classes: {van: 3, bus: 4}}\nmetric: {name: dice}\n",
    )
    loaded = load_experiment(top)
    assert loaded.data.classes == {"van": 3, "bus": 4}
    assert loaded.metric == {"name": "dice"}


def test_extends_with_an_empty_block_keeps_the_base(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", MINIMAL + "train: {lr: 2}\ninfer: {tile: [64, 64]}\n")
    top = write(tmp_path, "top.yaml", "extends: base.yaml\ntrain:\ninfer: {tile: null}\n")
    loaded = load_experiment(top)
    assert loaded.train.lr == 2
    assert loaded.infer.tile is None


def test_a_model_that_is_null_is_left_out_of_the_base(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", MINIMAL)
    text = "extends: base.yaml\nmodels: {a: null, b: {decoder: unet, encoder: resnet18}}\n"
    assert list(load_experiment(write(tmp_path, "top.yaml", text)).models) == ["b"]
    with pytest.raises(ConfigError, match=r"models\.c"):
        load_experiment(write(tmp_path, "new.yaml", "extends: base.yaml\nmodels: {c: null}\n"))


def test_an_override_may_leave_a_model_out(tmp_path: Path) -> None:
    text = MINIMAL + "  b: {decoder: unet, encoder: vgg16}\n"
    path = write(tmp_path, "x.yaml", text)
    assert list(load_experiment(path, overrides=["models.a=null"]).models) == ["b"]
    with pytest.raises(ConfigError, match=r"models\.c"):
        load_experiment(path, overrides=["models.c=null"])


@pytest.mark.parametrize("ring", [["x"], ["x", "y"], ["x", "y", "z"]])
def test_extends_in_a_circle_is_an_error(ring: list[str], tmp_path: Path) -> None:
    for name, base in zip(ring, ring[1:] + ring[:1], strict=True):
        write(tmp_path, f"{name}.yaml", f"extends: ../{tmp_path.name}/{base}.yaml\n")
    with pytest.raises(ConfigError, match="forms a cycle"):
        load_experiment(tmp_path / "x.yaml")


def test_extends_of_a_missing_file_names_both(tmp_path: Path) -> None:
    path = write(tmp_path, "x.yaml", "extends: nowhere.yaml\n")
    with pytest.raises(ConfigError, match=r"x\.yaml: extends: .*nowhere\.yaml"):
        load_experiment(path)
    path = write(tmp_path, "x.yaml", "extends: [a, b]\n")
    with pytest.raises(ConfigError, match=r"x\.yaml: extends: .* is not a file name"):
        load_experiment(path)


def test_overrides_reach_every_depth(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "train:\n",
        "train.epochs=2",
        "train.augment.flips=[vertical]",
        "models.a.train.lr=1e-3",
        "models.b={decoder: linknet, encoder: vgg16}",
        "data.group='^(..)'",
        "infer.tile=null",
        "ensemble.weights.a=1",
        "ensemble.weights.b=0",
    )
    assert loaded.train.epochs == 2
    assert loaded.models["a"].train.lr == 1e-3
    assert loaded.models["a"].train.augment.flips == ("vertical",)
    assert loaded.models["b"].train.epochs == 2
    assert loaded.data.group == "^(..)"
    assert loaded.ensemble.weights == {"a": 1, "b": 0}


def test_data_replaces_the_root(tmp_path: Path) -> None:
    path = write(tmp_path, "x.yaml", MINIMAL)
    assert load_experiment(path, data="/somewhere/else").data.root == Path("/somewhere/else")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epochs", "key=value"),
        ("=3", "key=value"),
        ("name.first=x", "name is 'cars', not a block"),
        ("models.a.encoder.x=1", "models.a.encoder is 'resnet18', not a block"),
        ("train.lr=[1", "train.lr=.* cannot be read as YAML"),
        ("train.lr=2024-13-45", "cannot be read as YAML"),
        ("train.lr=!!python/name:os.system", "cannot be read as YAML"),
        ("train.epoch=3", r"train\.epoch: no such key; did you mean epochs"),
        ("models.b.decoder=unet", r"models\.b\.encoder: is required"),
    ],
)
def test_a_wrong_override_is_named(override: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        load(tmp_path, "", override)


def test_an_experiment_is_frozen_and_survives_a_round_trip() -> None:
    first = experiment(train={"size": [32, 48]}, input={"resize": 0.5}, infer={"tile": [64, 64]})
    again = Experiment.model_validate(first.model_dump(mode="json"))
    assert again == first
    with pytest.raises(Exception, match="frozen"):
        first.name = "x"  # type: ignore[misc]


def test_vanilla_is_the_plain_unet_on_vgg_from_random_weights() -> None:
    plain = {"decoder": "unet", "encoder": "vgg16_bn", "weights": None}
    chosen = experiment(models={"a": {"decoder": "vanilla", "train": {"lr": 0.1}}, "b": plain})
    assert chosen.models["a"].architecture == chosen.models["b"].architecture
    other = experiment(models={"a": {"decoder": "vanilla", "encoder": "vgg11_bn"}})
    assert other.models["a"].architecture.encoder == "vgg11_bn"


@pytest.mark.parametrize("use", ["difference", "siamese"])
def test_a_model_of_two_images_needs_a_reference(use: str) -> None:
    models = {"a": {"decoder": "unet", "encoder": "resnet18", "reference": use}}
    with pytest.raises(ConfigError, match=rf"models\.a\.reference: {use} needs data\.reference"):
        experiment(models=models)
    chosen = experiment(models=models, data={"reference": "refs/{id}.png"})
    assert chosen.models["a"].architecture.reference == use
