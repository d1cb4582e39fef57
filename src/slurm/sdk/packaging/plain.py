"""Ways of packaging that build nothing: `none`, `auto`, `inherit`.

`none`: over ssh the Python there has to have slurm-py and the modules; on a shared disk the job looks where this process looks. `auto`: there the
same, and over ssh slurm-py and the user's modules travel as sources; a pyproject.toml does not change that (docs/decisions/0011). `inherit`: the
environment of whoever submits, so that the children of a workflow run the code that the workflow runs, whatever has been edited since.
"""

from __future__ import annotations

import sys
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.calls.folder import JobFiles
from slurm.sdk.errors import PackagingError
from slurm.sdk.packaging.base import PackagingStrategy, asked_python
from slurm.sdk.packaging.settings import Config
from slurm.sdk.place import Place


class NonePackagingStrategy(PackagingStrategy):
    """Nothing is made and nothing is sent."""

    def prepare(self, task: Any, cluster: Place) -> None:
        """Find out where things lie."""
        self.interpreter = asked_python(self.config, cluster)
        if not isinstance(cluster.backend, Distant):
            self.source, self.path = shipping.here()


class AutoPackagingStrategy(PackagingStrategy):
    """Paths on a shared disk, sources over ssh."""

    def prepare(self, task: Any, cluster: Place) -> None:
        """Send what is not there yet."""
        self.interpreter = asked_python(self.config, cluster)
        if isinstance(cluster.backend, Distant):
            shipping.check(cluster.backend, self.interpreter, cluster.setup)
            self.source = shipping.runner(cluster.backend, cluster.job_base_dir)
            self.path = shipping.sources(cluster.backend, cluster.job_base_dir)
        else:
            self.source, self.path = shipping.here()
            if self.interpreter != [sys.executable]:
                self.source = shipping.runner(cluster.backend, cluster.job_base_dir)  # another may have another cloudpickle, or none


class InheritPackagingStrategy(PackagingStrategy):
    """What the workflow around has; outside of a workflow, on a shared disk, what this process has."""

    def __init__(self, config: Config, parent: PackagingStrategy | None = None) -> None:
        """`parent` has taken what the workflow around made."""
        super().__init__(config)
        self._parent = parent

    def prepare(self, task: Any, cluster: Place) -> None:
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
