"""job_container.conf: folders of which each job has its own, where NamespaceType=namespace/tmpfs (formerly JobContainerType=
job_container/tmpfs) says so.

Not here: how they are made and removed (`slurmd.private_folders`). Source: job_container.conf(5).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from slurm.config import values
from slurm.config.nodes import expand
from slurm.config.reader import Problem, Record

KINDS = ("namespace/tmpfs", "job_container/tmpfs")
NONE = "none"
SHARED_MEMORY = "/dev/shm"


class JobContainer(NamedTuple):
    """What holds for one node. `base`: where the folders lie, "" where jobs have none of their own; `make_base`: make it when it is not
    there; `folders`: absolute paths; `shared`: what the host mounts later is seen inside."""

    base: str = ""
    make_base: bool = False
    folders: tuple[str, ...] = ("/tmp", SHARED_MEMORY)
    shared: bool = False


def read_job_container(records: list[Record], node: str, hostname: str, problems: list[Problem]) -> JobContainer:
    """What the lines say for this node, those that name it over those that name none; what is wrong is added to `problems`."""
    found: dict[str, str] = {}
    for named in (False, True):
        for record in records:
            hosts = record.get("NodeName")
            if bool(hosts) == named and (not hosts or node in expand(hosts, record.origin, problems)):
                found.update({entry.row.name: _checked(record, entry.row.name, entry.text, problems) for entry in record.entries})
    base = found.get("BasePath", "").replace("%h", hostname).replace("%n", node)
    if base.lower() == NONE:
        return JobContainer()
    folders = tuple(dict.fromkeys(os.path.normpath(word.strip()) for word in found.get("Dirs", "").split(",") if word.strip()))
    return JobContainer(base, found.get("AutoBasePath") == "yes", folders or JobContainer().folders, found.get("Shared") == "yes")


def _checked(record: Record, name: str, text: str, problems: list[Problem]) -> str:
    """The text of a key; yes or no where that is what it says."""
    row = next(entry.row for entry in record.entries if entry.row.name == name)
    try:
        value = values.read(row, text)
    except ValueError as error:
        problems.append(Problem(record.origin, f"{name}={text} is no value for {name}", str(error)))
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    strange = [word for word in text.split(",") if not word.strip().startswith("/")] if name in ("BasePath", "Dirs") else []
    if strange and text.lower() != NONE:
        problems.append(Problem(record.origin, f"{name}={text}: {strange[0]} is no absolute path"))
    return text
