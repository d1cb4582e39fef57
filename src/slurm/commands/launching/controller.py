"""The way to slurmctld for programs that outlive it: connections that are opened anew when it was restarted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from slurm.model.errors import Unreachable
from slurm.net.client import Connection, reach
from slurm.net.discovery import Site, find_site

_PAUSE_SECONDS = 0.2
_OUTSIDE_SECONDS = 3.0
"""How long a controller that may be starting is waited for where no job is around us."""


class Controller:
    """The controller of the cluster that `environ` means; Unreachable or ConfigError when there is none.

    `away_seconds`: how long it may be away before a program gives up.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.site: Site = find_site(environ)
        self.away_seconds = self.site.away_seconds if self.site.is_around(environ) else _OUTSIDE_SECONDS

    def open(self, patience: float = 3.0) -> Connection:
        """A new connection; Unreachable after `patience` seconds of refusals."""
        return reach(self.site, patience)

    def tell(self, message: Mapping[str, Any], patience: float) -> dict[str, Any]:
        """Send what may be sent twice and wait for the answer, for `patience` seconds also across a restart. Unreachable, SlurmError."""
        deadline = time.monotonic() + patience
        while True:
            try:
                with self.open(0.0) as connection:
                    return connection.call(message, patience)
            except Unreachable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
