"""bundle: packs a finished run for a code competition, whose test images are hidden."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from statistics import median

from pipeline import __version__
from pipeline.atomic_files import file_checksum, write_atomic
from pipeline.bundle import start
from pipeline.bundle.kernel import NAME, dataset_metadata, kaggle_name, kernel_metadata, notebook
from pipeline.bundle.layout import CODE, DATASET, FACTS, KERNEL, RUN, START, BundleFacts
from pipeline.bundle.pack import pack_code, pack_run
from pipeline.data.catalog import list_test_samples
from pipeline.disk_space import check_room, disk_errors_reported, readable
from pipeline.errors import ConfigError, DataError
from pipeline.kaggle.slugs import check_slug
from pipeline.prediction.blended import MemoryBlend
from pipeline.prediction.finished_run import (
    FinishedRun,
    read_finished_run,
    refuse_references,
    verify_weights,
)
from pipeline.prediction.image_predictor import ImagePredictor
from pipeline.reporting import duration
from pipeline.stages.context import StageContext

TIMED = 4
"""Images; the first one warms up."""


@dataclass(frozen=True)
class BundleRequest:
    """The options of the user.

    competition, owner: names in Kaggle's addresses; hours: the notebook must be done within;
    expected: hidden images, for the forecast; half: weights in 16 bits.
    """

    competition: str
    owner: str
    out: Path
    hours: float = 8.5
    expected: int | None = None
    half: bool = False


@disk_errors_reported()
def run(context: StageContext, folder: Path, request: BundleRequest) -> Path:
    """Write `dataset/` and `kernel/` below `request.out`, to be uploaded by Kaggle's client.

    Raises ConfigError for names that Kaggle has not, DataError where OUT holds anything else.
    """
    started = time.monotonic()
    competition = check_slug("COMPETITION", request.competition)
    owner = check_slug("OWNER", request.owner)
    if request.expected is not None and request.expected < 1:
        raise ConfigError(f"EXPECTED={request.expected}: must be the number of hidden images")
    finished = read_finished_run(folder)
    refuse_references(finished.experiment)
    if finished.experiment.data.test is None:
        raise ConfigError("data.test: a bundle looks there for the hidden images; set it")
    models = MemoryBlend.of(finished).models
    verify_weights(finished, models)
    request = replace(request, out=request.out.resolve())
    _check_target(request.out)
    weights = [each for model in models for each in finished.members[model]]
    size = sum(each.size for each in weights)
    check_room("bundle", 2 * size, [], request.out, "")
    seconds = _seconds_an_image(context, finished)
    made = request.out.with_name(f".{request.out.name}.partial")
    shutil.rmtree(made, ignore_errors=True)
    endings = ("-maskmill", "-submit")
    own = kaggle_name(finished.experiment.name, NAME - sum(map(len, endings)))
    name = own + endings[0]
    dataset, kernel = made / DATASET, made / KERNEL
    for each in (dataset, kernel, made / RUN):
        each.mkdir(parents=True)
    members = pack_run(dataset / f"{RUN}.zip", finished, made / RUN, half=request.half)
    shutil.rmtree(made / RUN)
    pack_code(dataset / f"{CODE}.zip")
    shutil.copyfile(start.__file__, dataset / START)
    sums = [file_checksum(dataset / f"{each}.zip")[:16] for each in (RUN, CODE)]
    facts = BundleFacts(
        name=finished.experiment.name,
        version=__version__,
        competition=competition,
        half=request.half,
        members=members,
        seconds_an_image=seconds,
        content="".join(sums),
    )
    write_atomic(dataset / FACTS, facts.as_json())
    write_atomic(dataset / "dataset-metadata.json", dataset_metadata(owner, name))
    metadata = kernel_metadata(owner, name + endings[1], name, competition)
    write_atomic(kernel / "kernel-metadata.json", metadata)
    write_atomic(kernel / "submit.ipynb", notebook(name, request.hours))
    shutil.rmtree(request.out, ignore_errors=True)
    made.rename(request.out)
    _say_what_it_needs(context, finished, request, facts)
    context.done("bundle", f"{members} member(s)", request.out, started)
    context.reporter.say(upload_commands(request.out))
    return request.out


def upload_commands(out: Path) -> str:
    """What the user has to type."""
    dataset, kernel = (quote(str(out / each)) for each in (DATASET, KERNEL))
    return (
        f"upload: kaggle datasets create -p {dataset} (a new version: kaggle datasets version "
        f"-p … -m notes), and when it is ready: kaggle kernels push -p {kernel}"
    )


def _check_target(out: Path) -> None:
    """DataError unless `out` is free, or holds a bundle, which is replaced."""
    inside = {each.name for each in out.iterdir()} if out.is_dir() else set()
    if inside == {DATASET, KERNEL} and (out / DATASET / FACTS).is_file():
        return
    if inside or (out.exists() and not out.is_dir()):
        raise DataError(f"{out} holds something else; name another folder with OUT=")


def _seconds_an_image(context: StageContext, finished: FinishedRun) -> float | None:
    """Of all members on the first device here; None without test images that can be tried."""
    data = finished.experiment.data
    samples = list_test_samples(data)[:TIMED] if data.root.is_dir() else ()
    if len(samples) < 2 or data.volume is not None:
        return None
    predictor = ImagePredictor(finished, context.machine.devices[0])
    took = []
    try:
        for sample in samples:
            began = time.monotonic()
            predictor(sample.image)
            took.append(time.monotonic() - began)
    except DataError as error:
        context.reporter.warn(f"bundle: {error}; how long an image takes was not measured")
        return None
    return median(took[1:])


def _say_what_it_needs(
    context: StageContext, finished: FinishedRun, request: BundleRequest, facts: BundleFacts
) -> None:
    size = sum(each.stat().st_size for each in (request.out / DATASET).iterdir())
    text = f"bundle: {readable(size)} to upload"
    if facts.seconds_an_image is not None:
        count = request.expected or len(list_test_samples(finished.experiment.data))
        whole = facts.seconds_an_image * count
        device = context.machine.devices[0]
        text += f"; {duration(whole)} for {count} image(s) on one {device} like this one"
        if whole > request.hours * 3600:
            context.reporter.warn(
                f"bundle: {duration(whole)} on one {device} are more than {request.hours:g} h; on "
                "such a device the least worthy members will be left out"
            )
    context.reporter.say(text)
