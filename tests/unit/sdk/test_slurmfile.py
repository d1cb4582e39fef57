"""Slurmfiles: found upwards, environments over the default, wrong ones named."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from slurm import BenchmarkCallback, Cluster, LoggerCallback, SlurmfileError, WorkflowContext, workflow
from slurm.sdk import slurmfile
from slurm.sdk.errors import SlurmfileEnvironmentNotFoundError, SlurmfileInvalidError, SlurmfileNotFoundError

TEXT = """
[default.cluster]
backend = "inline"
job_base_dir = "{base}"
[default.submit]
partition = "debug"
time = "00:10:00"
[gpu.cluster.backend_config]
default_account = "lab"
[gpu.submit]
partition = "gpu"
"""


@workflow
def told(ctx: WorkflowContext) -> tuple[Any, ...]:
    return ctx.cluster.environment_config, ctx.cluster.env_name, ctx.cluster.submit_defaults


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a Slurmfile, and a folder in it as the present one."""
    for name in ("SLURMFILE", "SLURM_ENV"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Slurmfile.toml").write_text(TEXT.format(base=tmp_path / "jobs"))
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    return tmp_path


def test_a_table_of_the_users_own_stays_his(project: Path) -> None:
    with (project / "Slurmfile.toml").open("a") as file:
        file.write('[default.data]\nroot = "/scratch"\n[gpu.data]\nshards = 8\n')
    cluster = Cluster.from_env("gpu")
    assert cluster.environment_config is not None and cluster.environment_config["data"] == {"root": "/scratch", "shards": 8}
    assert cluster.environment_config["cluster"]["backend"] == "inline"
    assert cluster.submit_defaults == {"partition": "gpu", "time": "00:10:00"} and cluster.defaults()["partition"] == "gpu"
    with cluster:
        own, name, submit = told().result()
    assert own == {"data": {"root": "/scratch", "shards": 8}, "submit": dict(cluster.submit_defaults)} and name == "gpu" and submit == cluster.submit_defaults
    other = Cluster("inline", job_base_dir=project)
    assert (other.environment_config, other.submit_defaults) == (None, None)


def test_the_nearest_slurmfile_upwards_makes_the_cluster(project: Path) -> None:
    cluster = Cluster.from_env()
    assert (cluster.backend_type, cluster.job_base_dir) == ("inline", str(project / "jobs"))
    assert cluster.defaults() == {"partition": "debug", "time": "00:10:00"}


def test_in_a_folder_that_was_removed_there_is_no_slurmfile(project: Path) -> None:
    (project / "deep").rmdir()
    with pytest.raises(SlurmfileNotFoundError, match="the present folder is gone"):
        slurmfile.find(None, {})


def test_an_environment_lies_over_the_default(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cluster in (Cluster.from_env("gpu"), Cluster.from_env(project / "Slurmfile.toml", env="gpu"), Cluster.from_file(project / "Slurmfile.toml")):
        assert cluster.defaults()["time"] == "00:10:00"
    assert Cluster.from_env("gpu").defaults() == {"account": "lab", "partition": "gpu", "time": "00:10:00"}
    monkeypatch.setenv("SLURM_ENV", "gpu")
    assert Cluster.from_env(overrides={"partition": "long"}).defaults()["partition"] == "long"


def test_overrides_win_by_the_names_of_a_slurmfile_and_of_cluster(project: Path) -> None:
    cluster = Cluster.from_env("gpu", overrides={"backend": "subprocess", "backend_config": {"default_account": "other"}, "job_base_dir": str(project)})
    assert (cluster.backend_type, cluster.default_account, cluster.job_base_dir) == ("subprocess", "other", str(project))
    assert Cluster.from_spec(cluster.spec()).default_account == "other"  # as in a workflow
    assert (cluster.env_name, cluster.slurmfile_path) == ("gpu", str(project / "Slurmfile.toml"))


@pytest.mark.parametrize(("text", "said"), [
    ("[default.cluster]\njob_base_dir='x'", "a key `backend` is missing"),
    ("[default.cluster]\nbackend='inline'\n[default.clutser]\n", "clutser is unknown; did you mean cluster? valid: cluster, submit"),
    ("no toml", "is no TOML"),
    ("[default.cluster]\nbackend='inline'\n[[default.callbacks]]\ntarget='a:b'", "callbacks[0]: a:b cannot be made: ModuleNotFoundError: No module named 'a'"),
    ("[default]\ncallbacks=['slurm.callbacks:LoggerCallback', 'math.pi']\n[default.cluster]\nbackend='inline'", "callbacks[1]: math.pi gives 3.14"),
    ("[default]\ncallbacks='x:y'\n[default.cluster]\nbackend='inline'", "callbacks is no list"),
    ("[default]\ncallbacks=[{args=[]}]\n[default.cluster]\nbackend='inline'", "callbacks[0] is {'args': []}, neither"),
])
def test_a_wrong_slurmfile_is_named_with_what_is_wrong(project: Path, text: str, said: str) -> None:
    (project / "Slurmfile.toml").write_text(text)
    with pytest.raises(SlurmfileInvalidError, match="Slurmfile.toml") as caught:
        Cluster.from_env()
    assert said in str(caught.value)


def test_callbacks_are_made_and_those_given_in_python_win(project: Path) -> None:
    (project / "Slurmfile.toml").write_text(
        "[default.cluster]\nbackend='inline'\n[[default.callbacks]]\ntarget='slurm.callbacks:LoggerCallback'\nkwargs={poll_interval=5}\n"
        "[gpu]\ncallbacks=['slurm.callbacks.BenchmarkCallback']\n")
    first, = Cluster.from_env().callbacks
    assert (type(first), first.get_poll_interval()) == (LoggerCallback, 5.0)
    assert [type(one) for one in Cluster.from_env("gpu").callbacks] == [BenchmarkCallback]
    own = BenchmarkCallback()
    assert Cluster.from_env(callbacks=[own]).callbacks == [own]
    assert Cluster.from_env(callbacks=[own], overrides={"callbacks": []}).callbacks == []


def test_what_is_missing_is_named_with_what_there_is(project: Path) -> None:
    with pytest.raises(SlurmfileEnvironmentNotFoundError, match="no environment cpu; it has default, gpu"):
        Cluster.from_env("cpu")
    with pytest.raises(SlurmfileNotFoundError, match="looked for ./other.toml"):
        Cluster.from_env("./other.toml")
    with pytest.raises(SlurmfileError):
        slurmfile.flat(project / "nothing.toml")


def test_a_flat_file_and_a_command_line_make_clusters_too(project: Path) -> None:
    (project / "flat.toml").write_text(f'backend = "inline"\njob_base_dir = "{project}"\ndefault_partition = "gpu"\n')
    assert Cluster.from_file(project / "flat.toml").defaults() == {"partition": "gpu"}
    parser = argparse.ArgumentParser()
    Cluster.add_argparse_args(parser)
    args = parser.parse_args(["--backend", "inline", "--partition", "gpu", "--hostname", "ignored-without-ssh"])
    assert Cluster.from_args(args, job_base_dir=project).defaults() == {"partition": "gpu"}
