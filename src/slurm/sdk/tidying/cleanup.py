"""Cleanup: what Cluster.cleanup removes, near or over ssh, and what it says of that. How it is found stands in `cleaning`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from slurm.sdk.backends.backend import Backend, Distant
from slurm.sdk.errors import BackendError, InvalidOption
from slurm.sdk.following.inspection import queue
from slurm.sdk.place import Place
from slurm.sdk.tidying import cleaning
from slurm.sdk.tidying.removed import Cleanup, Removed

ROUNDS = 100
"""So many times at most a distant machine is asked to go on, 40 seconds each."""


def cleanup(cluster: Place, *, older_than: float | timedelta = timedelta(days=7), keep_failed: bool = False, dry_run: bool = False,
            cache: bool = False) -> Cleanup:
    """See `Cluster.cleanup`."""
    seconds = older_than.total_seconds() if isinstance(older_than, timedelta) else older_than
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise InvalidOption(f"cleanup: older_than={older_than!r}: give seconds or a timedelta")
    wish: dict[str, Any] = {"base": cluster.job_base_dir, "older_than": seconds, "keep_failed": keep_failed, "dry_run": dry_run,
        "cache": cache,
                            "live": live_scripts(cluster.backend), "done": []}
    found: list[Removed] = []
    told: dict[str, Any] = {"more": True, "kept": 0}
    problems: dict[str, None] = {}
    for _ in range(ROUNDS):
        told = _cleaned(cluster, wish)
        found += [Removed(*one) for one in told["found"]]
        problems.update(dict.fromkeys(told["problems"]))
        wish["done"] = [one.path for one in found]
        if not told["more"]:
            break
    else:
        problems["it took too long: clean up once more for the rest"] = None
    return Cleanup(tuple(found), told["kept"], tuple(problems), dry_run)


def live_scripts(backend: Backend) -> Sequence[str]:
    """Where the scripts of this user's jobs lie that have not ended; BackendError when the cluster cannot tell: then nothing may be
    removed."""
    # What stands behind the path are arguments of the script, which those of ours have not.
    return sorted({row.command for row in queue(backend.ask, mine=True) if row.command.startswith("/")})


def _cleaned(cluster: Place, wish: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(cluster.backend, Distant):
        return cleaning.clean(wish["base"], wish)
    with open(cleaning.__file__, encoding="utf-8") as file:
        program = file.read()
    path = f"{wish['base']}/.cleanup.{uuid4().hex[:8]}.json"
    cluster.backend.write(path, json.dumps(wish).encode())
    quoted = shlex.quote(path)
    out = cluster.backend.say(f"{shlex.quote(cluster.python)} - {quoted} <<'END-OF-PROGRAM'\n{program}\nEND-OF-PROGRAM\nstatus=$?; rm -f "
                              f"{quoted}; exit $status")
    for line in out.splitlines():
        if line.startswith("slurm-cleaned="):
            told: dict[str, Any] = json.loads(line.partition("=")[2])
            return told
    raise BackendError(f"cleaning up did not tell what it did, but: {out.strip()!r}")
