"""`auto`: the job finds what this process finds. On a shared disk by paths and the same interpreter; elsewhere slurm-py and the user's
modules travel as sources.

A pyproject.toml does not change that: see docs/decisions/0011.
"""

from __future__ import annotations

import sys
from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.packaging.base import PackagingStrategy, Site, asked_python


class AutoPackagingStrategy(PackagingStrategy):
    """Paths on a shared disk, sources over ssh."""

    def prepare(self, task: Any, cluster: Site) -> None:
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
