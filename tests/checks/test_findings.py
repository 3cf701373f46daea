"""What check finds: every problem with the id, file or key it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.checks.finding import Finding
from pipeline.checks.findings import find_problems
from pipeline.config import Experiment, SubmissionConfig
from pipeline.data.catalog import list_samples
from pipeline.data.groups import groups_or_error
from pipeline.data.inspection import inspect
from tests.helpers.data_folders import CLASSES, experiment, save, smooth, write

BLOCK = np.zeros((24, 36), np.uint8)
BLOCK[3:9, 5:17] = 1


def draw(root: Path, train: str = "abcd", test: str = "") -> None:
    for number, sample_id in enumerate(train + test):
        part = "images" if number < len(train) else "test"
        save(root / part / f"{sample_id}.png", smooth(seed=number))
        if part == "images":
            save(root / "masks" / f"{sample_id}.png", BLOCK)


def problems(root: Path, folds: int = 2, **keys: Any) -> list[Finding]:
    return found_in(experiment(root, folds, **keys))


def found_in(chosen: Experiment) -> list[Finding]:
    catalog = list_samples(chosen.data)
    groups = groups_or_error(catalog, chosen.data)
    records = inspect(catalog, chosen.data, {}, lambda _: None, threads=1)
    return find_problems(catalog, records, groups, chosen)


def one(findings: list[Finding], severity: str) -> Finding:
    (finding,) = findings
    assert finding.severity == severity
    return finding


def test_nothing_is_wrong_with_good_data(tmp_path: Path) -> None:
    draw(tmp_path, test="xy")
    assert problems(tmp_path, test="test/{id}.png") == []


def test_errors_come_first_and_name_their_ids(tmp_path: Path) -> None:
    draw(tmp_path, "abcdef")
    write(tmp_path / "images/b.png", b"")
    save(tmp_path / "masks/d.png", BLOCK[:, 1:])
    save(tmp_path / "images/f.png", np.zeros((24, 36, 3), np.uint8))
    save(tmp_path / "masks/z.png", BLOCK)
    findings = problems(tmp_path)
    assert [finding.severity for finding in findings] == ["error", "error", "warning", "warning"]
    assert [finding.subject for finding in findings[:2]] == ["train b", "train d"]
    assert findings[2].text == "masks without image: z"
    assert findings[3].text == "constant image: f"


def test_a_problem_of_many_samples_is_told_a_few_times_and_counted(tmp_path: Path) -> None:
    ids = "abcdefghijkl"
    draw(tmp_path, ids)
    for each in ids[1:]:
        (tmp_path / f"masks/{each}.png").unlink()
    write(tmp_path / "images/l.png", b"")
    errors = [each for each in problems(tmp_path) if each.severity == "error"]
    assert [each.subject for each in errors] == [
        "train b", "train c", "train d", "train e", "train f", "train g, h, i, j, k", "train l",
    ]  # fmt: skip
    assert [each.count for each in errors] == [1, 1, 1, 1, 1, 5, 1]


def test_a_broken_test_image_is_an_error(tmp_path: Path) -> None:
    draw(tmp_path, test="xy")
    write(tmp_path / "test/y.png", b"<html>")
    assert one(problems(tmp_path, test="test/{id}.png"), "error").subject == "test y"


def test_an_image_in_train_and_test(tmp_path: Path) -> None:
    draw(tmp_path, "abcd", "bx")
    (tmp_path / "test/b.png").write_bytes((tmp_path / "images/b.png").read_bytes())
    finding = one(problems(tmp_path, test="test/{id}.png"), "error")
    assert finding.subject == "data.test"
    assert "1 image(s) are in train and in test: b;" in finding.text
    assert problems(tmp_path, test="test/{id}.png", drop=["b"]) == []


def test_unreadable_images_of_one_id_are_not_called_the_same(tmp_path: Path) -> None:
    draw(tmp_path, "abcd", "bc")
    for part in ("images", "test"):
        write(tmp_path / part / "b.png", b"<html>")
    write(tmp_path / "test/c.png", b"GIF")
    findings = problems(tmp_path, test="test/{id}.png")
    assert [each.subject for each in findings] == ["train b", "test b", "test c"]


def test_the_same_id_for_another_picture_in_test_is_only_worth_a_warning(tmp_path: Path) -> None:
    draw(tmp_path, "abcd", "bx")
    save(tmp_path / "test/b.png", smooth(seed=9))
    finding = one(problems(tmp_path, test="test/{id}.png"), "warning")
    assert finding.text == "1 id(s) occur in train and in test with different images: b"


def test_a_training_picture_in_test_under_another_name_is_a_leak(tmp_path: Path) -> None:
    draw(tmp_path, "abcd", "x")
    (tmp_path / "test/x.png").write_bytes((tmp_path / "images/c.png").read_bytes())
    finding = one(problems(tmp_path, test="test/{id}.png"), "warning")
    assert finding.subject == "c" and "as x in test" in finding.text


def test_an_id_of_two_images(tmp_path: Path) -> None:
    draw(tmp_path)
    save(tmp_path / "images/c.bmp", smooth())
    finding = one(problems(tmp_path, images="images/{id}.*"), "error")
    assert finding.subject == "c"
    assert problems(tmp_path, images="images/{id}.*", drop=["c"]) == []


def test_test_images_that_are_not_there(tmp_path: Path) -> None:
    draw(tmp_path)
    found = one(problems(tmp_path, test="test/{id}.png"), "error")
    assert found.subject == "data.test" and "test/{id}.png; fix the pattern, or" in found.text


def test_a_sample_that_is_missing_or_not_of_the_test_images(tmp_path: Path) -> None:
    draw(tmp_path, test="xy")
    chosen = experiment(tmp_path, test="test/{id}.png")
    sampled = chosen.submission.model_copy(update={"sample": Path("sample.csv")})
    chosen = chosen.model_copy(update={"submission": sampled})
    assert "sample.csv is missing" in one(found_in(chosen), "error").text
    write(tmp_path / "sample.csv", "id,rle_mask\nx,\nz,\n")
    assert "asks for z" in one(found_in(chosen), "error").text
    write(tmp_path / "sample.csv", "id,rle_mask\nx,\ny,\n")
    assert found_in(chosen) == []


def test_weights_that_are_not_there_are_named_before_training(tmp_path: Path) -> None:
    draw(tmp_path)
    chosen = experiment(tmp_path)
    model = chosen.models["a"].model_copy(update={"weights": str(tmp_path / "w.pth")})
    chosen = chosen.model_copy(update={"models": {"a": model}})
    found = one(found_in(chosen), "error")
    assert found.subject == "models.a.weights" and "w.pth" in found.text
    write(tmp_path / "w.pth", b"x")
    assert found_in(chosen) == []


@pytest.mark.parametrize("metric", ["dsb", "airbus"])
def test_a_metric_of_objects_needs_masks_that_tell_them_apart(metric: str, tmp_path: Path) -> None:
    draw(tmp_path)
    chosen = experiment(tmp_path)
    found = one(found_in(chosen.model_copy(update={"metric": metric})), "error")
    assert found.subject == "metric" and metric in found.text
    for masks, fine in [
        ("masks/{id}*.png", True),
        ({"csv": "t.csv", "instances": True}, True),
        ({"csv": "t.csv"}, False),
    ]:
        assert experiment(tmp_path, masks=masks).data.has_objects == fine


def test_masks_that_are_sent_in_another_order_than_they_come_are_told(tmp_path: Path) -> None:
    draw(tmp_path, test="xy")
    write(tmp_path / "t.csv", "ImageId,EncodedPixels\n" + "".join(f"{x},1 5\n" for x in "abcd"))
    for order, relative, subjects in [
        ("column", False, []),
        ("row", False, ["submission.order"]),
        ("row", True, ["submission.order", "submission.relative"]),
    ]:
        masks = {"csv": "t.csv", "order": order, "relative": relative}
        found = problems(tmp_path, masks=masks, test="test/{id}.png")
        assert [each.subject for each in found if "most competitions" in each.text] == subjects


def test_dropping_what_is_not_there_is_said(tmp_path: Path) -> None:
    draw(tmp_path)
    found = one(problems(tmp_path, drop=["a", "nope"]), "warning")
    assert (found.subject, found.text) == ("data.drop", "no training image has the id nope")


def test_missing_groups_are_told_beside_all_else(tmp_path: Path) -> None:
    draw(tmp_path)
    write(tmp_path / "images/b.png", b"")
    write(tmp_path / "groups.csv", "id,group\na,1\nb,2\nc,3\n")
    findings = problems(tmp_path, group={"csv": "groups.csv"})
    assert [finding.subject for finding in findings] == ["train b", "data.group"]
    assert findings[1].text.endswith("groups.csv names no group for d")


@pytest.mark.parametrize(("folds", "wrong"), [(2, False), (4, False), (5, True)])
def test_fewer_groups_than_folds(folds: int, wrong: bool, tmp_path: Path) -> None:
    draw(tmp_path)
    findings = [each for each in problems(tmp_path, folds) if each.subject == "folds.count"]
    assert bool(findings) is wrong
    if wrong:
        assert findings[0].text.endswith("the data has 4; set folds.count ≤ 4")


@pytest.mark.parametrize("train", ["a", "ab"])
def test_one_image_or_one_group_cannot_be_split(train: str, tmp_path: Path) -> None:
    draw(tmp_path, train)
    findings = problems(tmp_path, group="^()")
    assert findings[0].text == "one group (or one image) cannot be split; add data"


def test_every_mask_empty(tmp_path: Path) -> None:
    draw(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        save(path, BLOCK * 0)
    assert "every mask is empty" in one(problems(tmp_path, classes=CLASSES), "error").text


def test_classes_that_are_rare_or_nowhere(tmp_path: Path) -> None:
    draw(tmp_path)
    save(tmp_path / "masks/c.png", BLOCK * np.uint8(2))
    error, warning = problems(tmp_path, classes=CLASSES)
    assert (error.severity, error.subject) == ("error", "class eel")
    assert "occurs in no mask" in error.text
    assert (warning.severity, warning.subject) == ("warning", "class dog")
    assert warning.text == "is in 1 image(s), fewer than the 2 folds: c"


def test_of_unreadable_training_data_just_that_is_said(tmp_path: Path) -> None:
    draw(tmp_path)
    for path in (tmp_path / "images").iterdir():
        write(path, b"")
    assert [each.subject for each in problems(tmp_path)] == [f"train {name}" for name in "abcd"]


def test_references_that_are_missing(tmp_path: Path) -> None:
    draw(tmp_path, "abcd", "xy")
    for name in "abc":
        save(tmp_path / f"refs/{name}.png", smooth())
    keys = {"reference": "refs/{id}.png", "test": "test/{id}.png"}
    findings = {each.subject: each for each in problems(tmp_path, **keys)}
    assert findings["data.reference"].text.startswith("no reference image for d; add them, or set")
    assert findings["data.test_reference"].text.startswith("no reference image for x, y; ")
    assert (
        findings["data.reference"].severity == findings["data.test_reference"].severity == "error"
    )


def test_the_same_picture_in_two_groups_is_a_leak(tmp_path: Path) -> None:
    draw(tmp_path)
    for name in "bd":
        save(tmp_path / f"images/{name}.png", smooth())
    finding = one(problems(tmp_path), "warning")
    assert finding.subject == "a"
    assert finding.text.startswith("is the same image as b, d in another group")
    save(tmp_path / "images/b.png", smooth(seed=1))
    save(tmp_path / "images/c.png", smooth(seed=2))
    assert problems(tmp_path, group="^([bc]|[ad])") != []
    write(tmp_path / "g.csv", "id,group\na,1\nd,1\nb,2\nc,2\n")
    assert problems(tmp_path, group={"csv": "g.csv"}) == []


def test_masks_that_are_nothing_but_inside_are_doubted(tmp_path: Path) -> None:
    draw(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        save(path, BLOCK * 0 + 1)
    assert "every mask covers its whole image" in one(problems(tmp_path), "warning").text


def test_groups_that_are_one_number_are_told(tmp_path: Path) -> None:
    draw(tmp_path, "abcdef")
    write(tmp_path / "g.csv", "id,g\na,1\nb,1.0\nc,2\nd,2\ne,x\nf,007\n")
    group = {"csv": "g.csv", "id": "id", "group": "g"}
    assert one(problems(tmp_path, group=group), "warning").text == (
        "1 number(s) are written in several ways, as groups of their own: '1' and '1.0'"
    )


@pytest.mark.parametrize(
    ("submission", "subject"),
    [
        ({"key": "={id}"}, "submission.key"),
        ({"columns": ["@id", "rle"]}, "submission.columns"),
        ({"rows": "class", "class": "c"}, "submission.class"),
    ],
)
def test_cells_that_spreadsheets_run_are_told(
    submission: dict[str, object], subject: str, tmp_path: Path
) -> None:
    draw(tmp_path, test="xy")
    keys = {"test": "test/{id}.png", "classes": ["=a"]}
    chosen = experiment(tmp_path, **keys).model_copy(
        update={"submission": SubmissionConfig.model_validate(submission)}
    )
    finding = one(found_in(chosen), "warning")
    assert finding.subject == subject and "run these cells as formulas: " in finding.text
