"""metadata.json, from which programs written for the published SDK read what a job is."""

from __future__ import annotations

import json
from pathlib import Path

from slurm import Cluster, JobContext, task, workflow
from slurm.sdk.workflow import WorkflowContext


@task
def twice(number: int) -> int:
    return 2 * number


@workflow
def outer(ctx: WorkflowContext, job: JobContext) -> tuple[str, int, str]:
    child = twice(5)
    child.wait()
    return child.id, ctx.get_latest_task_result("twice"), str(child.files.folder)


def test_a_job_an_array_and_the_child_of_a_workflow_tell_where_their_results_lie(tmp_path: Path) -> None:
    with Cluster("inline", job_base_dir=tmp_path):
        job, array, flow = twice(4), twice.map([1, 2]), outer()
        child, latest, folder = flow.result()
    told = json.loads((Path(job.target_job_dir) / "metadata.json").read_text())
    assert (told["job_id"], told["task_name"], told["is_workflow"], told["pre_submission_id"]) == (job.id, "twice", False, job.pre_submission_id)
    assert Path(job.target_job_dir, told[job.id]["result_file"]) == Path(job.result_path)
    parts = json.loads((Path(array.files.folder) / "metadata.json").read_text())
    assert [Path(array.files.folder, parts[one.id]["result_file"]) for one in array] == [Path(one.result_path) for one in array]
    below = json.loads((Path(folder) / "metadata.json").read_text())
    assert (below["job_id"], below["parent_workflow"], latest) == (child, flow.id, 10)
    assert json.loads((Path(flow.target_job_dir) / "metadata.json").read_text())["is_workflow"]
