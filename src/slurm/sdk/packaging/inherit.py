"""`inherit`: the environment of whoever submits. Inside a workflow that is the workflow's own: its wheel, its container, or nothing at all.

Nothing is built or sent for the children of a workflow, so that they run the code that the workflow itself runs, whatever has been edited
since.
"""

from __future__ import annotations

from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging.base import PackagingStrategy, Site, asked_python
from slurm.sdk.packaging.settings import Config


class InheritPackagingStrategy(PackagingStrategy):
    """What the workflow around has; outside of a workflow, on a shared disk, what this process has."""

    def __init__(self, config: Config, parent: PackagingStrategy | None = None) -> None:
        """`parent` has taken what the workflow around made."""
        super().__init__(config)
        self._parent = parent

    def prepare(self, task: Any, cluster: Site) -> None:
        """Find out what there is; PackagingError when there is nothing that the job could see."""
        if self._parent is not None:
            self.take(self._parent.made())
        elif isinstance(cluster.backend, Distant):
            raise PackagingError('packaging="inherit" takes the environment of the workflow that submits the task, and this is no '
                                 'workflow: the cluster behind '
                                 'ssh cannot see the environment of this program. packaging="none" sends nothing, "auto" sends sources')
        else:
            self.interpreter = asked_python({}, cluster)
            self.source, self.path = shipping.here()

    def command(self) -> list[str]:
        """As the parent's."""
        return self._parent.command() if self._parent is not None else super().command()

    def lines(self, files: JobFiles, base: int | None) -> list[str]:
        """As the parent's."""
        return self._parent.lines(files, base) if self._parent is not None else []

    def launch(self, command: str, launcher: str, files: JobFiles) -> list[str]:
        """As the parent's."""
        return self._parent.launch(command, launcher, files) if self._parent is not None else super().launch(command, launcher, files)
