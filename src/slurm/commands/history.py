"""`slurm history`: what happened to jobs, moment by moment, as far as the cluster keeps it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import wanted
from slurm.model.errors import NotFound
from slurm.notation import moment
from slurm.sdk.errors import BackendError


@runtime_checkable
class Remembering(Protocol):
    """A backend whose cluster keeps a history."""

    def history(self, id: str) -> Mapping[str, Any]:
        """The fields of a HistoryRead; a BackendError because of NotFound where there is nothing of such a job."""
        ...


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm history`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("jobs", metavar="JOB_ID", nargs="+", help="12, or 12_3 for an element of an array")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Tell it; exit status, 1 when nothing is kept of one of them."""
    ids = [f"{ref.job}_{task}" if task is not None else ref.show() for ref in wanted.parse(options.jobs) for task in ref.tasks or (None,)]
    found, unknown = {}, []
    with which_cluster.opened(options) as cluster:
        backend = cluster.backend
        if not isinstance(backend, Remembering):
            raise BackendError("that cluster keeps no history")
        for one in ids:
            try:
                found[one] = backend.history(one)
            except BackendError as error:
                if not isinstance(error.__cause__, NotFound):
                    raise
                unknown.append(one)
    if console.json:
        console.answer({"jobs": {one: told["happened"] for one, told in found.items()}, "unknown": unknown})
        return 1 if unknown else 0
    for told in found.values():
        console.table(["TIME", "JOB", "STATE", "WHAT HAPPENED"], [
            [moment.show(each["at"]), each["job"], each["state"], each["what"]] for each in told["happened"]])
    for one in unknown:
        console.error([f"nothing is kept of a job {one}: it never was, or it was too long ago"])
    return 1 if unknown else 0
