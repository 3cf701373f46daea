"""What CLUSTER= may say, and what is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.execution.cluster import launch
from pipeline.execution.cluster.settings import SlurmConfig, cluster_settings
from tests.helpers.cluster import environment

CLOSED = "\ninterface: ib0\n"


def settings(folder: Path, text: str):
    path = folder / "cluster.yaml"
    path.write_text(text)
    return cluster_settings(str(path))


def test_an_address_or_one_way_to_start(tmp_path: Path) -> None:
    assert cluster_settings("tcp://10.0.0.1:8786").scheduler == "tcp://10.0.0.1:8786"
    assert settings(tmp_path, "local: 3").expected == 3
    assert settings(tmp_path, "ssh: [localhost, localhost]").expected == 2
    slurm = settings(tmp_path, "slurm: {jobs: 8, gpus: 4}" + CLOSED)
    assert slurm.expected == 8 and slurm.slurm is not None and slurm.slurm.slots == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("local: 2\nssh: [localhost]", "has local and ssh"),
        ("grace: 3", "needs one of local, ssh, slurm, scheduler; has no"),
        ("lokal: 2", "no such key; did you mean local"),
        ("local: 0", "local: 0"),
        ("[1]", "is not a cluster"),
        ("slurm: {jobs: 2, walltime: 8h}" + CLOSED, "walltime"),
        ("scheduler: tls://a:1", "needs tls"),
        ("scheduler: 10.0.0.1", "scheduler: '10.0.0.1'"),
    ],
)
def test_a_mistake_is_named(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        settings(tmp_path, text)


def test_a_file_that_is_not_there_is_no_cluster() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml.*is neither an address"):
        cluster_settings("nowhere.yaml")


@pytest.mark.parametrize("start", ["ssh: [box-a, box-b]", "slurm: {jobs: 2}"])
def test_a_scheduler_on_all_interfaces_without_tls_is_refused(start: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"all interfaces.*can run code as you; give tls"):
        settings(tmp_path, start)
    settings(tmp_path, start + CLOSED)
    settings(tmp_path, start + "\ntls: {ca: ca.pem, certificate: c.pem, key: k.pem}")


def test_a_scheduler_of_this_machine_listens_on_loopback_alone(tmp_path: Path) -> None:
    options = launch.ssh_options(settings(tmp_path, "ssh: [localhost, localhost]"))
    assert options["scheduler_options"]["host"] == "localhost"
    assert options["hosts"] == ["localhost"] * 3
    closed = launch.ssh_options(settings(tmp_path, "ssh: [box-a]" + CLOSED))
    assert (
        closed["scheduler_options"]["interface"] == closed["worker_options"]["interface"] == "ib0"
    )


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    made = settings(tmp_path, "ssh: [a]\ntls: {ca: no/ca.pem, certificate: c.pem, key: k.pem}")
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match=r"tls: there is no file no/ca\.pem"):
        launch.security_of(made.tls)


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:30:00", 1800), ("2-01:00:10", 176410), ("100:00:00", 360000)]
)
def test_a_walltime_in_seconds(text: str, seconds: int) -> None:
    assert SlurmConfig(walltime=text).seconds == seconds


GOLDEN = """\
#!/usr/bin/env bash

#SBATCH -J maskmill
#SBATCH -p gpu
#SBATCH -A lab
#SBATCH -n 1
#SBATCH --cpus-per-task=16
#SBATCH --mem=60G
#SBATCH -t 08:00:00
#SBATCH --gres=gpu:2
#SBATCH --constraint=a100
module load cuda
export PYTHONPATH={code}:$PYTHONPATH
export MASKMILL_UNTIL=$(($(date +%s) + 28500))
/shared/maskmill/bin/python -m distributed.cli.dask_worker tcp://scheduler:8786 --name maskmill-0 \
--nthreads 2 --memory-limit 59.60GiB --nanny --death-timeout 60 --local-directory /tmp \
--memory-limit 0 --lifetime 28740s --no-dashboard --interface ib0
"""


def test_the_script_of_a_slurm_job(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    made = settings(
        tmp_path,
        "slurm: {jobs: 8, gpus: 2, cpus: 16, memory: 64GB, queue: gpu, account: lab,\n"
        "  directives: [--constraint=a100], prologue: [module load cuda],\n"
        "  python: /shared/maskmill/bin/python}" + CLOSED,
    )
    code = Path(launch.__file__).parents[3]
    assert launch.job_script(made) == GOLDEN.format(code=code)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"distributed: pip install 'maskmill\[cluster\]'"):
        launch.require(settings(tmp_path, "local: 2"))
    with pytest.raises(ConfigError, match="distributed and dask_jobqueue"):
        launch.require(settings(tmp_path, "slurm: {}" + CLOSED))


def test_without_cluster_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, pipeline.cli, pipeline.execution.executor\n"
        "names = ('distributed', 'dask', 'pipeline.execution.cluster')\n"
        "assert not {each for each in sys.modules if each in names}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=environment())
