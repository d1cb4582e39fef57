"""The versions of the API that are served, and THE table of what is not in all of them.

Everything else is the same from one to the next.
"""

from __future__ import annotations

from typing import NamedTuple

NEWEST = 45
VERSIONS: tuple[int, ...] = (42, 43, 44, 45)
"""v0.0.42 came with Slurm 24.11, each of the others half a year later."""


class Since(NamedTuple):
    """Something that came with a version: an operation ("POST /slurm/{version}/reservation") or, behind its schema, a field ("job_info",
    "step_id")."""

    version: int
    operation: str = ""
    schema: str = ""
    field: str = ""


CAME: tuple[Since, ...] = (
    Since(43, "POST /slurm/{version}/reservation"),
    Since(43, "POST /slurm/{version}/reservations/"),
    Since(43, "DELETE /slurm/{version}/reservation/{reservation_name}"),
    Since(43, "GET /slurmdb/{version}/ping/"),
    Since(43, schema="job_desc_msg", field="segment_size"),
    Since(43, schema="job_info", field="segment_size"),
    Since(44, schema="job_info", field="step_id"),
    Since(44, schema="job_desc_msg", field="step_id"),
    Since(44, schema="license", field="Nodes"),
)


def name(version: int) -> str:
    """A version as paths have it: "v0.0.44"."""
    return f"v0.0.{version}"


def read(text: str) -> int | None:
    """The version of a path, None for one that is not served."""
    return next((version for version in VERSIONS if name(version) == text), None)


def serves(version: int, operation: str) -> bool:
    """Whether a version has an operation."""
    return all(version >= one.version for one in CAME if one.operation == operation)


def missing(version: int, schema: str) -> frozenset[str]:
    """The fields that a schema does not have yet in a version."""
    return frozenset(one.field for one in CAME if one.schema == schema and version < one.version)
