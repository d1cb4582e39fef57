"""The front door: names on demand, the published SDK's import paths, and nothing loaded for the commands."""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import slurm
from slurm import doors
from slurm.sdk import decorators, tasks, workflow

SRC = str(Path(slurm.__file__).resolve().parents[1])


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": SRC}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_slurm_loads_nothing_of_the_sdk() -> None:
    assert _python("import slurm, sys; print([m for m in sys.modules if m.startswith('slurm.')])") == "[]"


def test_every_name_of_the_front_door_is_there_and_typed() -> None:
    stub = (Path(slurm.__file__).parent / "__init__.pyi").read_text()
    for name in doors.NAMES:
        assert getattr(slurm, name) is not None
        assert f" as {name}\n" in stub
    assert set(doors.NAMES) <= set(dir(slurm))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tsk'"):
        getattr(slurm, "tsk")  # noqa: B009
    with pytest.raises(ImportError):
        importlib.import_module("slurm.tsk")


@pytest.mark.parametrize("first", ["from slurm.workflow import WorkflowContext", "import slurm.workflow", "from slurm.task import SlurmTask", ""])
def test_decorators_stay_decorators_whatever_was_imported_before(first: str) -> None:
    code = (f"{first}\nimport slurm\nfrom slurm import workflow, task\nimport slurm.workflow as w\n"
            "from slurm.task import SlurmTask\nfrom slurm.workflow import WorkflowContext\n"
            "assert isinstance(task(len), SlurmTask)\nassert w.WorkflowContext is WorkflowContext\n"
            "assert slurm.workflow is workflow and slurm.task is task\n@workflow\ndef f(): ...\nprint(f)")
    assert _python(code) == "f"


@pytest.mark.parametrize("alias", sorted(doors.MODULES))
def test_every_import_path_of_users_leads_somewhere(alias: str) -> None:
    module = importlib.import_module(f"slurm.{alias}")
    assert module.__name__ == f"slurm.{alias}"
    assert [name for name in vars(module) if not name.startswith("_")] or not doors.MODULES[alias]


def test_aliases_show_the_very_same_things() -> None:
    assert importlib.import_module("slurm.decorators").task is decorators.task
    assert importlib.import_module("slurm.task").SlurmTask is tasks.SlurmTask
    assert importlib.import_module("slurm.workflow").WorkflowContext is workflow.WorkflowContext


def test_an_alias_with_others_below_it_is_a_package_and_an_attribute() -> None:
    code = ("import slurm.callbacks.callbacks, slurm\nfrom slurm.callbacks import BaseCallback\n"
            "assert slurm.callbacks.callbacks.BaseCallback is BaseCallback\nprint(BaseCallback.__module__)")
    assert _python(code) == "slurm.sdk.callbacks.base"
    assert _python("import slurm; print(slurm.callbacks.BaseCallback.__name__)") == "BaseCallback"
    with pytest.raises(ImportError):
        importlib.import_module("slurm.callbacks.nothing")


def test_a_star_brings_all_names() -> None:
    assert _python("from slurm import *\nprint(Cluster.__name__, task.__name__, LoggerCallback.__name__)") == "Cluster task LoggerCallback"


class Theirs:
    """A backend that only has the published SDK's methods."""

    def __init__(self, kind: str, **words: object) -> None:
        self.told = kind, words

    def submit_job(self, script: str, target_job_dir: str, pre_submission_id: str, account: str | None = None, partition: str | None = None) -> str:
        return "12"

    def get_job_status(self, job_id: str) -> dict[str, str]:
        return {"JobState": "COMPLETED", "ExitCode": "0:0"}


def test_a_name_that_is_patched_in_an_alias_moves_what_is_behind_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown, behind = importlib.import_module("slurm.cluster"), importlib.import_module("slurm.sdk.cluster")
    own = behind.create_backend
    with monkeypatch.context() as patched:
        patched.setattr("slurm.cluster.create_backend", Theirs)
        cluster = slurm.Cluster(backend_type="ssh", hostname="login", username="me", job_base_dir=tmp_path)
        made: Any = cluster.backend
        assert made.theirs.told == ("ssh", {"start": True, "hostname": "login", "username": "me"})
        with cluster:
            assert slurm.task(len)("abc").id == "12"
    assert shown.create_backend is behind.create_backend is own


def test_a_module_below_a_package_of_aliases_is_no_patch() -> None:
    assert _python("import slurm.sdk.callbacks.debug as ours, slurm.sdk.callbacks, slurm.callbacks.debug\nprint(slurm.sdk.callbacks.debug is ours)") == "True"


def test_the_room_config_keeps_its_meaning() -> None:
    assert importlib.import_module("slurm.config.reader").__name__ == "slurm.config.reader"


def test_the_runner_runs_as_a_module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["slurm.runner"])
    for name in ("slurm.runner", "slurm.runner.__main__"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("slurm.runner", run_name="__main__")
    assert caught.value.code == 2
    assert "--task NAME is missing" in capsys.readouterr().err
