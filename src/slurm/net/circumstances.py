"""Circumstances: the parts of a JobRequest that come from the process that submits.

What sbatch, srun, salloc and the SDK have in common there.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence

from slurm.model.errors import SlurmError
from slurm.net.discovery import rules_of
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved


def completed_request(resolved: Resolved, argv: Sequence[str], environ: Mapping[str, str], default_name: str) -> dict[str, object]:
    """The JobRequest fields of `resolved` with working directory, limits, umask, host and session of this process added.

    SlurmError when a word of the command line is no text: nobody could show such a job.
    """
    _require_text(argv)
    request = dict(resolved.request)
    if not request.get("name"):
        request["name"] = default_name
    here = present_folder()
    request["work_dir"] = os.path.join(here, str(request["work_dir"])) if request.get("work_dir") else here
    read_host_files(resolved, request)
    if resolved.command != "srun":
        _require_enough_nodes(request)
    _require_begin_before_deadline(request)
    request["umask"] = _umask(environ)
    request["rlimits"] = propagated_limits(resolved, environ)
    request["submit_line"] = " ".join((resolved.command, *argv))
    request["submit_host"] = os.uname().nodename
    request["alloc_sid"] = os.getsid(0)
    if resolved.command == "sbatch" and "export" in resolved.settings:
        request["export_env"] = resolved.text("export")
    return request


def _require_text(argv: Sequence[str]) -> None:
    for word in argv:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            message = f"the argument {word.encode('utf-8', 'surrogateescape')!r} is not UTF-8 text"
            raise SlurmError("ESLURM_INVALID_OPTION", message, hints=["rename the file, or pass its name in a file"])


def present_folder() -> str:
    """The folder this process is in; SlurmError when somebody has deleted it."""
    try:
        return os.getcwd()
    except OSError as error:
        message = f"getcwd failed: {os.strerror(error.errno or 0)}"
        raise SlurmError("ESLURM_INVALID_OPTION", message, hints=["the present folder is gone: cd to one that exists"]) from error


def read_host_files(resolved: Resolved, request: dict[str, object]) -> None:
    """A list of hosts with a slash in it names a file of hosts, as --nodefile does."""
    if resolved.text("nodefile"):
        try:
            request["nodelist"] = hosts_in(resolved.text("nodefile"))
        except SlurmError as error:
            raise OptionError("Invalid --nodefile node file", preface=[error.message]) from error
    for field in ("nodelist", "exclude"):
        if "/" in str(request.get(field, "")):
            request[field] = hosts_in(str(request[field]))


def _require_enough_nodes(request: dict[str, object]) -> None:
    """More nodes named than --nodes allows: nobody knows which was meant. srun leaves the last names out, see `launching.requests`."""
    most = request.get("nodes_max")
    if not (request.get("nodelist") and isinstance(most, int) and most):
        return
    from slurm.notation import hostlist  # few submissions name nodes

    named = hostlist.count(str(request["nodelist"]))
    if most < named:
        message = f"invalid number of nodes (-N {named}-{most})"
        raise SlurmError("ESLURM_INVALID_NODE_COUNT", message, hints=[f"{named} nodes are named, at most {most} are asked for"])


def _require_begin_before_deadline(request: dict[str, object]) -> None:
    begin, deadline = request.get("begin"), request.get("deadline")
    if isinstance(begin, float | int) and isinstance(deadline, float | int) and 0 < deadline < begin:
        raise OptionError("Incompatible begin and deadline time specification", exit_code=1)


def hosts_in(path: str) -> str:
    """The host list in a file: names or ranges parted by blanks, commas or line breaks, `#` begins a remark."""
    try:
        with open(path, encoding="utf-8") as file:
            words = [word for line in file for word in line.partition("#")[0].split()]
    except (OSError, UnicodeDecodeError) as error:
        why = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SlurmError("ESLURM_INVALID_NODE_NAME", f"slurm_allocate_resources error opening file {path}, {why}") from error
    return ",".join(word.strip(",") for word in words if word.strip(","))


def _umask(environ: Mapping[str, str]) -> int:
    wanted = environ.get("SLURM_UMASK", "")
    if wanted and all(digit in "01234567" for digit in wanted):
        return int(wanted, 8) & 0o777
    present = os.umask(0)
    os.umask(present)
    return present


def propagated_limits(resolved: Resolved, environ: Mapping[str, str]) -> dict[str, int]:
    """The limits that the job gets: as --propagate says, else PropagateResourceLimits, else PropagateResourceLimitsExcept."""
    asked = resolved.texts("propagate")
    if asked:
        return soft_limits(asked)
    rules = rules_of(environ)
    left_out = [name.strip() for name in rules["propagateresourcelimitsexcept"].split(",") if name.strip()]
    if left_out:
        return {name: limit for name, limit in soft_limits(["ALL"]).items() if name.upper() not in {each.upper() for each in left_out}}
    chosen = [name.strip() for name in rules["propagateresourcelimits"].split(",") if name.strip()]
    return soft_limits([chosen[0].upper()] if len(chosen) == 1 else chosen or ["ALL"])


def soft_limits(names: Sequence[str]) -> dict[str, int]:
    """The soft limits of this process that --propagate names, "nofile" → 1024; -1: unlimited."""
    if list(names) == ["NONE"]:
        return {}
    known = {name.removeprefix("RLIMIT_").lower() for name in dir(resource) if name.startswith("RLIMIT_")}
    chosen = known & _PROPAGATED if list(names) == ["ALL"] else known & {name.lower() for name in names}
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[0] for name in sorted(chosen)}


_PROPAGATED = frozenset(("as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "rss", "stack"))
"""What PropagateResourceLimits=ALL stands for."""
