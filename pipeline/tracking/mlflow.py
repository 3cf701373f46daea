"""MLflow: one run a member, in MLFLOW_TRACKING_URI or else in an SQLite file beside the others."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mlflow import MlflowClient

from pipeline.tracking.tracker import TrackedRun


class MLflow:
    """One run, found again by a tag."""

    def start(self, run: TrackedRun) -> None:
        local = f"sqlite:///{(run.folder / 'mlflow.db').resolve()}"
        self._client = client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or local)
        found = client.get_experiment_by_name(run.experiment)
        place = found.experiment_id if found else client.create_experiment(run.experiment)
        known = client.search_runs([place], f"tags.maskmill = '{run.id}'")
        made = known[0] if known else client.create_run(place, run_name=run.name)
        self._id = made.info.run_id
        for key, value in ({} if known else run.settings).items():
            client.log_param(self._id, key, value)
        client.set_tag(self._id, "maskmill", run.id)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def finish(self) -> None:
        self._client.set_terminated(self._id)
