"""The methods of the published SDK's ways of packaging, for ours: what a script in its form (`rendering`) says before, around and after the
runner."""

from __future__ import annotations

import shlex
from typing import Any

from slurm.sdk.calls.folder import JobFiles


class PublishedStrategy:
    """A base of ways of packaging; of the instance it needs what `PackagingStrategy` has. Before `prepare` there is nothing to say."""

    def generate_setup_commands(self: Any, task: Any, job_id: str | None = None, job_dir: str | None = None) -> list[str]:
        """Lines before the runner; the interpreter stands in PY_EXEC."""
        python = [f"export PY_EXEC={shlex.quote(self.interpreter[0])}"] if len(self.interpreter) == 1 else []
        source = [f"export PYTHONPATH={shlex.quote(self.source)}${{PYTHONPATH:+:$PYTHONPATH}}"] if self.source else []
        return [*(self.lines(_files(job_id, job_dir), None) if self.interpreter else []), *python, *source]

    def generate_cleanup_commands(self: Any, task: Any, job_id: str | None = None, job_dir: str | None = None) -> list[str]:
        """None: what a job has is its folder's, or shared by many."""
        return []

    def wrap_execution_command(self: Any, command: str, task: Any, job_id: str | None = None, job_dir: str | None = None) -> str:
        """The runner's command line in what is around it."""
        lines = self.launch(command, "", _files(job_id, job_dir))
        return command if lines == [f"exec {command}"] else "\n".join(("(", *lines, ")"))


def _files(job_id: str | None, job_dir: str | None) -> JobFiles:
    return JobFiles(job_dir or ".", job_id or "")
