"""WorkflowGraphCallback: which jobs a workflow submitted, as a graph. The import path `slurm.examples.workflow_graph_visualization` leads here."""

from __future__ import annotations

import json
from typing import Any

from slurm.sdk.callbacks import contexts, workflow_file
from slurm.sdk.callbacks.base import BaseCallback

GRAPH_FILE = ".slurm_workflow_graph.json"


class WorkflowGraphCallback(BaseCallback):
    """Notes what is submitted. The children of a workflow are there once it has ended, or at once inside its job.

    `graph`: id of a job or an array → {"name", "parent" (the id of its workflow or None), "children" (ids), "is_workflow", "submitted" (seconds since
    the epoch)}; `submission_order`: the ids in the order of submission.
    """

    def __init__(self) -> None:
        self.graph: dict[str, dict[str, Any]] = {}
        self.submission_order: list[str] = []

    def on_end_submit_job_ctx(self, ctx: contexts.SubmitEndContext) -> None:
        """A node."""
        self._add(ctx.job_id, {"name": ctx.job.name, "parent": None, "children": [], "is_workflow": False, "submitted": ctx.timestamp})

    def on_workflow_begin_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """In the workflow's job: begin with the workflow itself."""
        self.graph, self.submission_order = {}, []
        self._add(ctx.workflow_job_id, {"name": ctx.workflow_name, "parent": None, "children": [], "is_workflow": True, "submitted": ctx.timestamp})

    def on_workflow_task_submitted_ctx(self, ctx: contexts.WorkflowTaskSubmitContext) -> None:
        """An edge."""
        node = self.graph.get(ctx.child_job_id)
        if node is not None and ctx.parent_workflow_id in self.graph:
            node.update(parent=ctx.parent_workflow_id, is_workflow=ctx.child_is_workflow)
            self.graph[ctx.parent_workflow_id]["children"].append(ctx.child_job_id)

    def on_workflow_end_ctx(self, ctx: contexts.WorkflowCallbackContext) -> None:
        """In the workflow's job: leave the graph for the client."""
        workflow_file.leave(ctx, GRAPH_FILE, {"graph": self.graph, "submission_order": self.submission_order})

    def on_completed_ctx(self, ctx: contexts.CompletedContext) -> None:
        """A workflow that has ended brings its part of the graph."""
        found = workflow_file.fetch(ctx, GRAPH_FILE)
        if isinstance(found, dict):
            for job in found["submission_order"]:
                before = self.graph.get(job, {})
                self._add(job, {**found["graph"][job], "parent": before.get("parent") or found["graph"][job]["parent"]})

    def get_workflow_roots(self) -> list[str]:
        """The ids of what no workflow submitted."""
        return [job for job in self.submission_order if self.graph[job]["parent"] is None]

    def export_json(self) -> str:
        """Graph and order as JSON."""
        return json.dumps({"graph": self.graph, "submission_order": self.submission_order}, indent=2)

    def export_dot(self) -> str:
        """The graph in the language of Graphviz: `dot -Tsvg`."""
        lines = ["digraph workflow {", "  rankdir=TB;", "  node [style=filled];"]
        for job in self.submission_order:
            node = self.graph[job]
            shape = "box, fillcolor=lightblue" if node["is_workflow"] else "ellipse, fillcolor=lightgrey"
            lines.append(f"  {_quoted(job)} [label={_quoted(node['name'] + chr(10) + job)}, shape={shape}];")
        lines += [f"  {_quoted(job)} -> {_quoted(child)};" for job in self.submission_order for child in self.graph[job]["children"]]
        return "\n".join([*lines, "}"])

    def _add(self, job: str, node: dict[str, Any]) -> None:
        if job not in self.graph:
            self.submission_order.append(job)
        self.graph[job] = node


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
