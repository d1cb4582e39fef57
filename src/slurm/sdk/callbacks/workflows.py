"""BenchmarkCallback and WorkflowGraphCallback: how fast workflows submit their children, how long those take, and which they are.

What a callback has seen inside a workflow's job comes back to the client through a file in the workflow's folder: `leave`, `fetch`.
"""

from __future__ import annotations

import json
import time
from typing import Any

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.callbacks import base
from slurm.sdk.callbacks.base import BaseCallback, ExecutionLocus
from slurm.sdk.calls.folder import whole
from slurm.sdk.job import SHARED_DISK_SECONDS


def leave(context: base.WorkflowCallbackContext, name: str, seen: object) -> None:
    """In the workflow's job: write what was seen, as JSON."""
    with whole(str(context.workflow_job_dir / name)) as file:
        file.write(json.dumps(seen).encode())


def fetch(context: base.CompletedContext, name: str) -> Any:
    """On the client, when a job has ended: what was seen, or None for a job that is no workflow or did not get to its end."""
    job = context.job
    if job is None or not job.workflow:
        return None
    path = f"{job.files.folder}/{name}"
    deadline = time.monotonic() + (SHARED_DISK_SECONDS if context.job_state == "COMPLETED" else 0.0)
    while True:
        try:
            with job.cluster.backend.read(path) as file:
                return json.loads(file.read())
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.05)


WORKFLOW_METRICS_FILENAME = ".slurm_benchmark_metrics.json"

Metrics = dict[str, Any]


class _Workflow:
    """What is noted of one workflow. An array is one submission of as many children as it has elements."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.time()
        self.ended: float | None = None
        self.submitted: list[float] = []
        self.children = self.completed = 0
        self.durations: list[float] = []

    def metrics(self) -> Metrics:
        """As `BenchmarkCallback` describes them, without those that are None."""
        duration = (self.ended or time.time()) - self.began
        gaps = [1000 * (after - before) for before, after in zip(self.submitted, self.submitted[1:], strict=False)]
        durations = self.durations
        found = {
            "name": self.name, "child_count": self.children, "completed_count": self.completed, "duration_seconds": duration,
            "submission_throughput": self.children / duration if duration > 0 else 0.0, "orchestration_overhead_ms": _mean(gaps),
            "min_submission_interval_ms": min(gaps, default=None), "max_submission_interval_ms": max(gaps, default=None),
            "child_avg_duration": _mean(durations), "child_min_duration": min(durations, default=None),
            "child_max_duration": max(durations, default=None)}
        return {key: value for key, value in found.items() if value is not None}


class BenchmarkCallback(BaseCallback):
    """Measures workflows from inside their jobs; once one has ended, the client has its metrics too.

    Keys: name, child_count, completed_count, duration_seconds, submission_throughput (children a second), orchestration_overhead_ms (mean
    gap between submissions), min_ and max_submission_interval_ms, child_avg_, child_min_ and child_max_duration (seconds for
    which the workflow saw a child run; from its submission, where it was not seen before it had ended). What cannot be known, as the gaps
    of a single submission, is left out.
    """

    def __init__(self) -> None:
        self._workflows: dict[str, _Workflow] = {}
        self._fetched: dict[str, Metrics] = {}
        self._parent = ""
        self._since: dict[str, float] = {}
        self._sizes: dict[str, int] = {}

    def get_workflow_metrics(self, workflow_id: str) -> Metrics | None:
        """The metrics of a workflow by the id of its job; None when nothing is known of it."""
        found = self._workflows.get(workflow_id)
        return self._fetched.get(workflow_id) or (found.metrics() if found is not None else None)

    def get_all_workflow_metrics(self) -> dict[str, Metrics]:
        """All that is known, by id."""
        return {**{job: found.metrics() for job, found in self._workflows.items()}, **self._fetched}

    def on_workflow_begin_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """In the workflow's job: begin anew."""
        self._parent = ctx.workflow_job_id
        self._workflows = {self._parent: _Workflow(ctx.workflow_name)}

    def on_end_submit_job_ctx(self, ctx: base.SubmitEndContext) -> None:
        """In a workflow: note when the children were submitted."""
        if self._parent:
            jobs = list(ctx.job) if isinstance(ctx.job, ArrayJob) else [ctx.job]
            self._sizes[ctx.job_id] = len(jobs)
            self._since.update((job.files.key, ctx.timestamp) for job in jobs)

    def on_workflow_task_submitted_ctx(self, ctx: base.WorkflowTaskSubmitContext) -> None:
        """In a workflow: count them."""
        parent = self._workflows.setdefault(ctx.parent_workflow_id, _Workflow(ctx.parent_workflow_name))
        parent.submitted.append(ctx.timestamp)
        parent.children += self._sizes.pop(ctx.child_job_id, 1)

    def on_completed_ctx(self, ctx: base.CompletedContext) -> None:
        """In a workflow: a child has ended. Elsewhere: perhaps a workflow has, and left its metrics."""
        if ctx.emitted_by == ExecutionLocus.RUNNER or ctx.job_id is None:
            return
        parent = self._workflows.get(self._parent)
        if parent is not None:
            parent.completed += 1
            since = self._since.pop(ctx.job.files.key, None) if ctx.job is not None else None
            seconds = (ctx.end_time or time.time()) - since if ctx.duration is None and since is not None else ctx.duration
            parent.durations += [] if seconds is None else [seconds]
        metrics = fetch(ctx, WORKFLOW_METRICS_FILENAME)
        if isinstance(metrics, dict):
            self._fetched[ctx.job_id] = metrics

    def on_workflow_end_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """In the workflow's job: leave the metrics for the client."""
        found = self._workflows.get(ctx.workflow_job_id)
        if found is not None:
            found.ended = time.time()
            leave(ctx, WORKFLOW_METRICS_FILENAME, found.metrics())


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


GRAPH_FILE = ".slurm_workflow_graph.json"


class WorkflowGraphCallback(BaseCallback):
    """Notes what workflows submit. On the client it is there once a workflow has ended, inside the workflow's job at once.

    `graph`: id of a job or an array → {"name", "type" ("workflow" or "task"), "children" (each {"job_id", "name", "is_workflow"})}, of a
    child with "parent", of a workflow that has begun with "start_time" (seconds since the epoch); `submission_order`: the ids in the order
    of submission.
    """

    def __init__(self) -> None:
        self.graph: dict[str, dict[str, Any]] = {}
        self.submission_order: list[str] = []

    def on_workflow_begin_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """In the workflow's job: begin with the workflow itself."""
        self.graph, self.submission_order = {}, []
        self._add(ctx.workflow_job_id, {"name": ctx.workflow_name, "type": "workflow", "children": [], "start_time": ctx.timestamp})

    def on_workflow_task_submitted_ctx(self, ctx: base.WorkflowTaskSubmitContext) -> None:
        """A child, and the edge to it."""
        parent, child = ctx.parent_workflow_id, ctx.child_job_id
        if parent not in self.graph:
            self._add(parent, {"name": ctx.parent_workflow_name, "type": "workflow", "children": []})
        self.graph[parent]["children"].append({"job_id": child, "name": ctx.child_task_name, "is_workflow": ctx.child_is_workflow})
        known = self.graph.get(child, {})  # a child may have ended before anybody is told that it was submitted
        self._add(child, {"name": ctx.child_task_name, "type": "workflow" if ctx.child_is_workflow else "task", "children": [], **known,
            "parent": parent})

    def on_workflow_end_ctx(self, ctx: base.WorkflowCallbackContext) -> None:
        """In the workflow's job: leave the graph for the client."""
        leave(ctx, GRAPH_FILE, {"graph": self.graph, "submission_order": self.submission_order})

    def on_completed_ctx(self, ctx: base.CompletedContext) -> None:
        """A workflow that has ended brings its part of the graph."""
        found = fetch(ctx, GRAPH_FILE)
        if isinstance(found, dict):
            for job in found["submission_order"]:
                self._add(job, {**self.graph.get(job, {}), **found["graph"][job]})

    def get_workflow_roots(self) -> list[str]:
        """The ids of what no workflow submitted."""
        return [job for job in self.submission_order if "parent" not in self.graph[job]]

    def export_json(self) -> str:
        """Graph and order as JSON."""
        return json.dumps({"graph": self.graph, "submission_order": self.submission_order}, indent=2)

    def export_dot(self) -> str:
        """The graph in the language of Graphviz: `dot -Tsvg`."""
        lines = ["digraph workflow {", "  rankdir=TB;", "  node [style=filled];"]
        for job in self.submission_order:
            look = "shape=box fillcolor=lightblue" if self.graph[job]["type"] == "workflow" else "shape=ellipse fillcolor=lightgray"
            lines.append(f"  {_quoted(job)} [label={_quoted(self.graph[job]['name'])} {look}];")
        lines += [f"  {_quoted(job)} -> {_quoted(child['job_id'])};" for job in self.submission_order
            for child in self.graph[job]["children"]]
        return "\n".join([*lines, "}"])

    def _add(self, job: str, node: dict[str, Any]) -> None:
        if job not in self.graph:
            self.submission_order.append(job)
        self.graph[job] = node


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
