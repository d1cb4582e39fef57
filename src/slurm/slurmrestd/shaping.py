"""Records as `scontrol --json` and its kin print them, in the shape that the API's specification gives them in a version."""

from __future__ import annotations

from typing import Any

from slurm.slurmrestd import versions

Record = dict[str, Any]


def job(record: Record, version: int) -> Record:
    """A job of slurmctld; the record itself is changed."""
    for name in versions.missing(version, "job_info"):
        record.pop(name, None)
    given = record.get("job_resources")
    if given is None:
        record.pop("job_resources", None)  # the specification has no way to say that there are none
    else:
        given["select_type"] = [word for text in given["select_type"] for word in text.removeprefix("CR_").split("_")]
    return record


def partition(record: Record) -> Record:
    """A partition; the record itself is changed."""
    record["select_type"] = [word for word in record["select_type"] if word != "NONE"]
    record["cpus"]["task_binding"] = 0
    for part in ("defaults", "maximums"):
        limit = record[part]["partition_memory_per_cpu"]
        record[part]["memory_per_cpu"] = limit["number"] if limit["set"] else 0
    return record


def license_record(record: Record, version: int) -> Record:
    """A licence."""
    gone = versions.missing(version, "license")
    return {name: value for name, value in record.items() if name not in gone}


def counters(record: Record) -> Record:
    """What sdiag tells; the record itself is changed."""
    for one in record["rpcs_by_message_type"]:
        one.setdefault("cycle_last", 0)
        one.setdefault("cycle_max", 0)
    return record
