"""The out-of-fold maps and ground truths of some images, as a search reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.ensemble.blending.means import Mean
from pipeline.ensemble.members import check_members, reader_of
from pipeline.ensemble.search.oof import OofSource
from pipeline.maps import MapStore
from pipeline.stages import align
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext


def oof_source(
    context: StageContext,
    survey: Survey,
    ids: Sequence[str],
    oof: Mapping[str, MapStore],
    mean: Mean,
) -> OofSource:
    """Of these models; ArtefactError where their maps do not agree."""
    check_members(oof, ids)
    reader = align.run(context)
    samples = survey.catalog.by_id["train"]
    experiment, read = context.experiment, reader_of(oof)
    classes = len(experiment.data.classes)
    return OofSource(
        names=tuple(oof),
        ids=tuple(ids),
        maps=lambda each: [one[:classes] for one in read(each)],
        truth=lambda each: reader.truth(samples[each], survey.sizes["train", each]),
        mean=mean,
        multiclass=experiment.data.multiclass,
        outputs=experiment.ensemble.used_outputs,
        output_maps=lambda each: [one[classes:] for one in read(each)],
        picture=lambda each: reader.picture(samples[each]),
    )
