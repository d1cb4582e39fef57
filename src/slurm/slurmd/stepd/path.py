"""The PATH of a task: the folder with the commands of the cluster that runs it comes first, also after a login shell set PATH anew.

Who makes that folder, and why: `slurmd.job_commands`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

FOLDER = "slurm-commands"
FILE = "bash-env"
"""Each bash of a job reads it."""
KEPT = "SLURM_PY_BASH_ENV"
"""The job's own BASH_ENV."""


def first(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The environment of a job or step in which the commands of `folder` ("": none) are found first; one without PATH stays as it is."""
    made = dict(environment)
    if not folder or "PATH" not in made:
        return made
    # A job that a job submitted brings the folder of the node where it was.
    others = [place for place in made["PATH"].split(os.pathsep) if os.path.basename(place) != FOLDER]
    made["PATH"] = os.pathsep.join((folder, *others))
    own = made.get("BASH_ENV", "")
    if own and not own.endswith(f"/{FOLDER}/{FILE}"):
        made[KEPT] = own
    made["BASH_ENV"] = os.path.join(folder, FILE)
    return made
