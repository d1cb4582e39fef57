"""WorkflowGraphCallback: which jobs a workflow submitted, as a graph.

The import path `slurm.examples.workflow_graph_visualization` leads here.
"""

from __future__ import annotations

import json
from typing import Any

from slurm.sdk.callbacks import benchmark, contexts
from slurm.sdk.callbacks.base import BaseCallback

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

    def on_workflow_begin_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """In the workflow's job: begin with the workflow itself."""
        self.graph, self.submission_order = {}, []
        self._add(ctx.workflow_job_id, {"name": ctx.workflow_name, "type": "workflow", "children": [], "start_time": ctx.timestamp})

    def on_workflow_task_submitted_ctx(self, ctx: contexts.WorkflowTaskSubmitContext) -> None:
        """A child, and the edge to it."""
        parent, child = ctx.parent_workflow_id, ctx.child_job_id
        if parent not in self.graph:
            self._add(parent, {"name": ctx.parent_workflow_name, "type": "workflow", "children": []})
        self.graph[parent]["children"].append({"job_id": child, "name": ctx.child_task_name, "is_workflow": ctx.child_is_workflow})
        known = self.graph.get(child, {})  # a child may have ended before anybody is told that it was submitted
        self._add(child, {"name": ctx.child_task_name, "type": "workflow" if ctx.child_is_workflow else "task", "children": [], **known,
            "parent": parent})

    def on_workflow_end_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """In the workflow's job: leave the graph for the client."""
        benchmark.leave(ctx, GRAPH_FILE, {"graph": self.graph, "submission_order": self.submission_order})

    def on_completed_ctx(self, ctx: contexts.CompletedContext) -> None:
        """A workflow that has ended brings its part of the graph."""
        found = benchmark.fetch(ctx, GRAPH_FILE)
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
