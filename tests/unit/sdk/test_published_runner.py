"""Jobs in the published SDK's form: its command line, its files, its scripts; and that each SDK finds the other's results."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import slurm
from slurm import Cluster, Job, JobContext, task, workflow
from slurm.sdk.inside import runner
from slurm.sdk.published import array_items, metadata, rendering
from slurm.sdk.published.runner import resolve_task_arguments
from slurm.sdk.published.words import JobResultPlaceholder, normalize_sbatch_key, normalize_sbatch_options, parse_packaging_config
from slurm.sdk.workflow import WorkflowContext

HEADER = b'# slurm-sdk-pickle {"python":"3.11.7","protocol":5,"sdk":"0.4.6"}\n'
KEY = "20261121_063405_b2ebe4ef"
MODULE = '''
from slurm import JobContext, task, workflow
from slurm.callbacks import BaseCallback
def plain(a, b=1): return a, b
@task
def decorated(a, job: JobContext): return a, job.job_id, str(job.output_dir)
def fail(): raise ValueError("no")
@workflow
def flow(ctx, n): return [decorated(n).result(10)[0], ctx.workflow_job_id]
class Says(BaseCallback):
    def on_begin_run_job_ctx(self, ctx): print("begins", ctx.job_id)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder below a base, and a module `theirs` that can be imported."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/theirs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    sys.modules.pop("theirs", None)
    made = tmp_path / "jobs" / "it" / KEY
    made.mkdir(parents=True)
    return made


def put(path: Path, value: Any, header: bytes = HEADER) -> str:
    path.write_bytes(header + pickle.dumps(value))
    return path.name


def run(folder: Path, function: str, *words: str, element: str = "", **variables: str) -> int:
    (folder / "callbacks.pkl").touch()
    output = f"slurm_job_{KEY}{element}_result.pkl"
    environ = {"SLURM_JOB_ID": "12", "SLURM_JOBS_DIR": str(folder.parents[1]), "JOB_DIR": str(folder), **variables}
    return runner.main(["--module", "theirs", "--function", function, "--output-file", output, "--callbacks-file", "callbacks.pkl", "--job-dir", str(folder),
                        "--pre-submission-id", KEY, "--loglevel", "INFO", *words], environ)


def test_a_call_with_their_pickles_is_made_and_found_by_its_id(folder: Path) -> None:
    words = ["--args-file", put(folder / "args.pkl", (1,)), "--kwargs-file", put(folder / "kwargs.pkl", {"b": 2}, b"")]
    path = base64.b64encode(HEADER + pickle.dumps([str(folder)])).decode()
    assert run(folder, "plain", *words, "--sys-path", path) == 0
    assert str(folder) in sys.path
    sys.path.remove(str(folder))
    result = folder / f"slurm_job_{KEY}_result.pkl"
    assert pickle.loads(result.read_bytes()) == (1, 2)
    assert json.loads((folder / "metadata.json").read_text())["12"]["result_file"] == result.name
    assert metadata.found("12", str(folder.parents[1])) == str(result)
    assert metadata.found("13", str(folder.parents[1])) is None


def test_an_element_takes_its_item_and_gets_the_context_and_results_of_others(folder: Path) -> None:
    assert run(folder, "plain", "--args-file", put(folder / "args.pkl", (5,))) == 0
    items = [1, {"a": [JobResultPlaceholder("12")]}]
    array_items.serialize_array_items(items, folder)
    words = ["--array-index", "1", "--array-items-file", "array_items.pkl"]
    assert run(folder, "decorated", *words, element="_1", SLURM_ARRAY_JOB_ID="20", SLURM_ARRAY_TASK_ID="1", SLURM_JOB_ID="22") == 0
    assert pickle.loads((folder / f"slurm_job_{KEY}_1_result.pkl").read_bytes()) == ([(5, 1)], "22", str(folder))
    assert set(json.loads((folder / "metadata.json").read_text())) == {"12", "20_1"}


def test_a_task_that_raises_is_told_on_standard_error_and_in_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "fail") == 1
    assert "ValueError: no" in capsys.readouterr().err
    job: Job[Any] = Job("12", backend=None, cluster=Cluster("inline", job_base_dir=folder), target_job_dir=str(folder), pre_submission_id=KEY)
    assert (folder / f"slurm_job_{KEY}_error.pkl").exists() and not (folder / "metadata.json").exists()
    assert job.files.error == str(folder / f"slurm_job_{KEY}_error.pkl")


def test_a_workflow_finds_its_cluster_in_the_slurmfile_that_came_with_it(folder: Path) -> None:
    (folder / "Slurmfile.toml").write_text(f'[default.cluster]\nbackend = "inline"\njob_base_dir = "{folder.parent}"\n')
    assert run(folder, "flow", "--kwargs-file", put(folder / "k.pkl", {"n": 3}), SLURM_SDK_SLURMFILE=str(folder / "Slurmfile.toml")) == 0
    assert pickle.loads((folder / f"slurm_job_{KEY}_result.pkl").read_bytes()) == [3, "12"]


def test_callbacks_that_came_with_a_job_are_called(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import theirs  # type: ignore[import-not-found]

    put(folder / "callbacks.pkl", [theirs.Says()])
    assert run(folder, "plain", "--args-file", put(folder / "args.pkl", (1,))) == 0
    assert "begins 12" in capsys.readouterr().out


def test_wrong_words_are_refused_with_what_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        runner.main(["--module", "m", "--function", "f"], {})
    assert caught.value.code == 2
    assert "the following arguments are required: --output-file, --callbacks-file" in capsys.readouterr().err


def test_a_placeholder_of_an_unknown_job_names_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"Could not find result file for job_id=7: no metadata.json below {tmp_path}"):
        resolve_task_arguments((JobResultPlaceholder("7"),), {}, str(tmp_path))


def test_jobs_of_ours_are_found_by_their_ids(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        job, array = twice(4), twice.map([1, 2])
        child, runs, text = outer().result()
    given = ([JobResultPlaceholder(job.id)], {"k": (JobResultPlaceholder(array[1].id),)}, JobResultPlaceholder(child))
    assert resolve_task_arguments(given, {}, str(tmp_path))[0] == ([8], {"k": (4,)}, 10)
    told = json.loads((Path(job.target_job_dir) / "metadata.json").read_text())
    assert (told["job_id"], told["task_name"], told["is_workflow"], told["pre_submission_id"]) == (job.id, "twice", False, job.pre_submission_id)
    assert runs == 10 and text.startswith("{")


@pytest.mark.parametrize("array", [False, True])
def test_a_rendered_script_runs_by_itself(folder: Path, array: bool) -> None:
    import theirs

    context = rendering.RenderContext(theirs.plain, (1,), {"b": 2}, {"mem": "1G", "exclusive": None}, {"memory": "2G"}, None, str(folder), KEY, [], None, array)
    array_items.serialize_array_items([(3, 4)], folder)
    script = rendering.render_job_script(context)
    assert script == rendering.render_job_script(**context._asdict())
    assert script.startswith("#!/bin/bash\n#SBATCH --job-name=plain\n#SBATCH --mem=2G\n#SBATCH --exclusive\n")
    done = subprocess.run(["bash", "-c", script], env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "SLURM_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "0",
                                                      "PYTHONPATH": str(Path(slurm.__file__).parents[1])}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pickle.loads((folder / f"slurm_job_{KEY}{'_0' if array else ''}_result.pkl").read_bytes()) == ((3, 4) if array else (1, 2))


def test_a_rendered_script_says_what_the_way_of_packaging_says(folder: Path, tmp_path: Path) -> None:
    import theirs

    strategy: Any = slurm.packaging.get_packaging_strategy({"type": "auto"})  # type: ignore[attr-defined]
    assert (strategy.generate_setup_commands(theirs.plain), strategy.generate_cleanup_commands(theirs.plain)) == ([], [])
    assert strategy.wrap_execution_command("run it", theirs.plain) == "run it"
    strategy.prepare(theirs.decorated, Cluster("subprocess", job_base_dir=tmp_path))
    script = rendering.render_job_script(rendering.RenderContext(theirs.plain, (1,), {}, {}, {}, strategy, str(folder), KEY))
    done = subprocess.run(["bash", "-c", script], env={"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": "12"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert pickle.loads((folder / f"slurm_job_{KEY}_result.pkl").read_bytes()) == (1, 1)


def test_a_container_stands_around_the_command_of_a_rendered_script() -> None:
    strategy: Any = slurm.packaging.get_packaging_strategy({"type": "container", "runtime": "podman"})  # type: ignore[attr-defined]
    strategy.image = "img"
    wrapped = strategy.wrap_execution_command("run it", None, job_id=KEY, job_dir="/jobs/it")
    assert wrapped.startswith("(\nexport CONTAINER_IMAGE=img\n") and wrapped.endswith("\n)") and "run it" in wrapped


def test_array_items_are_converted_counted_and_read(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        job = twice(1)
    converted, found = array_items.convert_job_items_to_placeholders([{"a": [job]}, (job, 2), 3])
    assert converted == [{"a": [JobResultPlaceholder(job.id)]}, (JobResultPlaceholder(job.id), 2), 3] and found == [job, job]
    path = tmp_path / array_items.serialize_array_items([1, 2], tmp_path, 1)
    assert array_items.load_array_item(path, 1) == 2
    with pytest.raises(IndexError, match="item 2 of an array of 2"):
        array_items.load_array_item(path, 2)
    assert (array_items.generate_array_spec(3), array_items.generate_array_spec(3, 2)) == ("0-2", "0-2%2")
    with pytest.raises(ValueError, match="at least one item"):
        array_items.generate_array_spec(0)


@pytest.mark.parametrize(("packaging", "found"), [
    ("", None), ("auto", {"type": "auto"}), ("container", {"type": "container"}), ("container:reg:5000/a:1", {"type": "container", "image": "reg:5000/a:1"}),
    ("repo/img:tag", {"type": "container", "image": "repo/img:tag"}), ({"type": "none"}, {"type": "none"})])
def test_packaging_is_read_from_a_word_or_a_dictionary(packaging: Any, found: Any) -> None:
    assert parse_packaging_config(packaging) == found
    if found:
        assert parse_packaging_config(packaging, {"push": False}) == {**found, "push": False}


def test_names_of_options_are_normalised() -> None:
    assert [normalize_sbatch_key(key) for key in (" Cpus-Per-Task", "name")] == ["cpus_per_task", "job_name"]
    assert normalize_sbatch_options({"memory": "1G", "name": "n", None: 1}) == {"mem": "1G", "job_name": "n"}
    assert normalize_sbatch_options({"memory": "1G", "mem": "2G"}) == {"memory": "1G", "mem": "2G"}


@task
def twice(number: int) -> int:
    return 2 * number


@workflow
def outer(ctx: WorkflowContext, job: JobContext) -> tuple[str, int, str]:
    child = twice(5)
    child.wait()
    return child.id, ctx.get_latest_task_result("twice"), "{" if ctx.result_path.parent == ctx.metadata_path.parent else ""
