"""plan: forecasts the bytes, files and hours of each stage, before any of them is run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.disk_space import free_bytes, readable
from pipeline.execution.executor import Job
from pipeline.member_id import MemberId
from pipeline.planning.forecast import Line
from pipeline.planning.measure import Measured, MeasureJob, measure
from pipeline.reporting import duration
from pipeline.stages import train
from pipeline.stages.context import StageContext, once
from pipeline.stages.parts import decoded_samples
from pipeline.stages.parts.forecast import SAMPLES, Forecast, typical
from pipeline.stages.parts.map_jobs import Predicting, weights_of
from pipeline.stages.train import Member
from pipeline.training.member import TrainJob

COLUMNS = ("stage", "what", "files", "on disk", "there already", "time to go")


@once
def run(context: StageContext) -> list[Line]:
    """The forecast, shown as a table. Reads the data and makes the fold table if need be."""
    jobs = train.list_jobs(context)
    members = {each: Member(each, job.paths, job.fingerprint) for each, job in jobs.items()}
    predicting = Predicting.of(context, members)
    plan = Forecast(context, predicting, jobs, _measured(context, predicting, jobs))
    lines = [*plan.decoded(), *plan.train(), *plan.infer(), *plan.ensemble(), *plan.submit()]
    _show(context, lines, plan)
    return lines


def _measured(
    context: StageContext, predicting: Predicting, jobs: dict[MemberId, TrainJob]
) -> dict[str, Measured]:
    context.workspace.run.mkdir(parents=True, exist_ok=True)
    some = typical(predicting.survey.of("train"), _sample_count(context))
    measuring, kept = [], decoded_samples.kept_on_disk(context)
    for model in context.models():
        first = MemberId(model, context.used_folds()[0])
        job, weights = jobs[first], None
        if train.is_trained(job):
            weights = weights_of(predicting.members[first])
        samples = predicting.survey.samples("train", some)
        task = MeasureJob(job, samples, weights, model in kept, context.workspace.run)
        measuring.append(Job(f"plan {model}", measure, (task,)))
    values = context.run_jobs("plan", measuring)
    return {name.removeprefix("plan "): value for name, value in values.items()}  # type: ignore[misc]


def _sample_count(context: StageContext) -> int:
    """A GPU needs a full batch to show its speed."""
    if context.machine.devices[0] == "cpu":
        return SAMPLES
    return max(SAMPLES, *(model.infer.batch for model in context.experiment.models.values()))


def _show(context: StageContext, lines: Sequence[Line], plan: Forecast) -> None:
    rows = [_row(line) for line in lines]
    files, size = sum(line.files for line in lines), sum(line.size for line in lines)
    present, seconds = sum(line.present for line in lines), sum(line.seconds for line in lines)
    rows.append(["all", "", f"{files:,}", readable(size), readable(present), _time(seconds)])
    devices = ", ".join(dict.fromkeys(context.machine.devices))
    title = f"plan of {context.experiment.name} on {len(context.machine.devices)} × {devices}"
    context.reporter.table(title, COLUMNS, rows)
    _compare(context, sum(line.needed for line in lines), plan)


def _row(line: Line) -> list[str]:
    time_to_go = ("≥ " if line.stage == "ensemble" and line.seconds else "") + _time(line.seconds)
    size = readable(line.size) if line.size else ""
    present = readable(line.present) if line.present else ""
    return [line.stage, line.what, f"{line.files:,}", size, present, time_to_go]


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else "done"


def _compare(context: StageContext, needed: int, plan: Forecast) -> None:
    folder, scratch = context.workspace.run, plan.scratch
    free = free_bytes(folder)
    text = (
        f"{readable(needed)} more on the disk, {readable(plan.working)} extra while members are "
        f"trained, about {readable(scratch)} extra while the blend is chosen; {readable(free)} are "
        f"free at {folder}"
    )
    if needed + max(plan.working, scratch) <= free:
        context.reporter.say(text)
    else:
        context.reporter.warn(
            f"{text}: it does not fit. Link {folder} to a larger disk, or set infer.dtype: uint8, "
            "infer.codec: blosc2 or ensemble.accumulate: true"
        )
