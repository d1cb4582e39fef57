"""`none`: nothing travels.

Over ssh the Python there has to have slurm-py and the modules; on a shared disk the job looks where this process looks.
"""

from __future__ import annotations

from typing import Any

from slurm.sdk.backends.backend import Distant
from slurm.sdk.calls import shipping
from slurm.sdk.packaging.base import PackagingStrategy, Site, asked_python


class NonePackagingStrategy(PackagingStrategy):
    """Nothing is made and nothing is sent."""

    def prepare(self, task: Any, cluster: Site) -> None:
        """Find out where things lie."""
        self.interpreter = asked_python(self.config, cluster)
        if not isinstance(cluster.backend, Distant):
            self.source, self.path = shipping.here()
