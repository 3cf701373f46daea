"""What a member of another run has seen, against what is held out here.

An out-of-fold score is one only if no image of the fold has been seen by what its member starts
from. The other run's fold table says it, if it is still the one that the member was trained by.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.data.folds import COLUMNS
from pipeline.data.listing import listed
from pipeline.data.tables import read_own_table
from pipeline.errors import ArtefactError, ConfigError
from pipeline.manifests import fingerprint, read_manifest
from pipeline.member_id import MemberId
from pipeline.stages.check import Survey
from pipeline.training.member import TrainJob
from pipeline.workspace import MemberPaths, Workspace


def refuse_seen(
    job: TrainJob, survey: Survey, source: MemberPaths, workspace: Workspace, key: str
) -> None:
    """ConfigError where `source` has seen, or does not know, an image that `job` is scored on.

    source: the member of the same fold, of the run of `workspace`. ArtefactError where that run's
    table or images have changed since it was trained.
    """
    fold = MemberId.named(job.name).fold
    try:
        folds, digests = _folds_of(workspace), _digests_of(workspace)
    except ArtefactError as error:
        raise ArtefactError(
            f"{key}: it is not known what {source.folder} has seen: {error}"
        ) from None
    trained = sorted(each for each, number in folds.items() if number != fold)
    _refuse_other_table(source, workspace, [(each, digests.get(each)) for each in trained], key)
    held_out = [sample.id for sample in job.held_out]
    own = {survey.digests["train", sample.id] for sample in job.train}
    seen_bytes = {digests[each] for each in trained} - own
    seen = [
        each
        for each in held_out
        if folds.get(each, fold) != fold or survey.digests["train", each] in seen_bytes
    ]
    unknown = [each for each in held_out if each not in folds]
    if not seen and not unknown:
        return
    verb, ids = ("was trained on", seen) if seen else ("does not know", unknown)
    raise ConfigError(
        f"{key}: {source.folder} {verb} {len(ids)} of the {len(held_out)} images that fold {fold} "
        f"holds out here ({listed(ids)}), so the out-of-fold score would be too good; both runs "
        f"need the same folds, such as a copy of {workspace.fold_table}"
    )


def _refuse_other_table(
    source: MemberPaths, workspace: Workspace, images: list[tuple[str, str | None]], key: str
) -> None:
    """images: id and digest of those that the table says the source was trained on."""
    made_from = (read_manifest(source.manifest) or {}).get("made_from", {})
    if made_from.get("training images") != fingerprint(fingerprint(images)):
        raise ArtefactError(
            f"{key}: {workspace.fold_table} or the images of that run have changed since "
            f"{source.folder} was trained, so it is not known what that has seen; train it again"
        )


def _folds_of(workspace: Workspace) -> dict[str, int]:
    """Id → fold, of the run's own table."""
    table = read_own_table(_present(workspace.fold_table), COLUMNS)
    return {each: int(fold) for each, fold in zip(table["id"], table["fold"], strict=True)}


def _digests_of(workspace: Workspace) -> dict[str, str]:
    """Id → hash of a training image and its mask, of the run's own index."""
    table = read_own_table(_present(workspace.index), ("part", "id", "digest"))
    of_training = table[table["part"] == "train"]
    return dict(zip(of_training["id"], of_training["digest"], strict=True))


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ArtefactError(f"there is no {path}; put it back, or train that run again")
    return path
