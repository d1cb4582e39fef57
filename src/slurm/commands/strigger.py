"""strigger: sets, shows and clears triggers. slurmctld keeps them and runs their programs."""

from __future__ import annotations

from slurm.commands.shell import Message, Shell, informed, notes, run
from slurm.model.errors import SlurmError
from slurm.net.circumstances import hosts_in
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

_HEADING = "TRIG_ID RES_TYPE   RES_ID TYPE                                OFFSET USER     FLAGS PROGRAM"
_OF_JOB = ("time", "fini")
_OF_NODE = ("down", "up", "drained", "draining", "resume", "idle", "reconfig")
_OF_DAEMON = {
    "backup_slurmctld_assumed_control": "slurmctld", "backup_slurmctld_failure": "slurmctld",
    "backup_slurmctld_resumed_operation": "slurmctld", "primary_slurmctld_failure": "slurmctld",
    "primary_slurmctld_resumed_control": "slurmctld", "primary_slurmctld_resumed_operation": "slurmctld",
    "primary_slurmdbd_failure": "slurmdbd", "primary_slurmdbd_resumed_operation": "slurmdbd",
}
_MOST_OFFSET = 2**31 - 1


def main(shell: Shell | None = None) -> int:
    """Runs strigger and returns its exit status."""
    return run(shell or Shell.of_process("strigger"), _strigger, usage_code=1)


def _strigger(shell: Shell) -> int:
    resolved = resolve("strigger", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    _check_values(resolved)
    modes = [mode for mode in ("set", "get", "clear") if resolved.flag(mode)]
    if len(modes) != 1:
        raise OptionError("You must use exactly one of the following options: --set, --get or --clear", exit_code=1)
    if resolved.rest:
        raise OptionError(f"Unrecognized command line parameter {resolved.rest[0]}", exit_code=1)
    if "jobid" in resolved.settings and "node" in resolved.settings:
        raise OptionError("--jobid and --node can not both be given", exit_code=1)
    return {"set": _set, "get": _get, "clear": _clear}[modes[0]](shell, resolved)


def _check_values(resolved: Resolved) -> None:
    """What is wrong whatever is to be done with it is said first, as Slurm does."""
    if "jobid" in resolved.settings:
        _job(resolved)
    if "flags" in resolved.settings and {word.lower() for word in resolved.texts("flags")} != {"perm"}:
        raise OptionError(f"Invalid flags {','.join(resolved.texts('flags'))}", exit_code=1, hints=["the one flag is PERM"])


def _set(shell: Shell, resolved: Resolved) -> int:
    what, program = _what(resolved), resolved.text("program")
    if not program:
        raise OptionError("--program must be specified to set a trigger", exit_code=1)
    if not program.startswith("/"):
        raise OptionError('The --program value must start with "/"', exit_code=1)
    message: Message = {"type": "SetTrigger", **what, "program": program, "offset": _offset(resolved)}
    message["permanent"] = bool(resolved.texts("flags"))
    try:
        reply = shell.channel().call(message)
    except SlurmError as error:
        shell.report(error, "slurm_set_trigger: ")
        return shell.failure_code(1)
    if resolved.number("verbose"):
        shell.say(f"trigger {reply.get('id')} set")
    return 0


def _what(resolved: Resolved) -> Message:
    """What is waited for, and of what."""
    given = [name for name in (*_OF_JOB, *_OF_NODE, *_OF_DAEMON) if resolved.flag(name)]
    if len(given) != 1:
        hint = f"one of --{', --'.join((*_OF_JOB, *_OF_NODE, *_OF_DAEMON))}"
        raise OptionError("You must specify an event" if not given else f"Only one event can be given: {', '.join(given)}", exit_code=1,
            hints=[hint])
    [what] = given
    if what in _OF_DAEMON:
        return {"of": _OF_DAEMON[what], "what": what}
    if "jobid" in resolved.settings:
        if what in ("idle", "reconfig"):
            raise OptionError(f"--{what} is not about a job", exit_code=1)
        return {"of": "job", "what": what, "job": _job(resolved)}
    if what in _OF_JOB:
        raise OptionError(f"--{what} option requires the --jobid option", exit_code=1)
    nodes = resolved.text("node", "*")
    return {"of": "node", "what": what, "nodes": hosts_in(nodes) if "/" in nodes else nodes}


def _job(resolved: Resolved) -> int:
    text = resolved.text("jobid")
    if not (text.isascii() and text.isdigit()):
        raise OptionError(f"Invalid jobid {text}", exit_code=1)
    return int(text)


def _offset(resolved: Resolved) -> int:
    text = resolved.text("offset", "0")
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _MOST_OFFSET:
        raise OptionError(f"Invalid offset {text}", exit_code=1, hints=["seconds, such as 60 or -600"])
    return int(text)


def _get(shell: Shell, resolved: Resolved) -> int:
    reply = shell.channel().call({"type": "ListTriggers"})
    found = reply.get("triggers")
    shown = [one for one in found if _is_meant(one, resolved)] if isinstance(found, list) else []
    if resolved.number("verbose"):
        shell.say(f"Read {len(shown)} trigger records")
    if shown and not resolved.flag("noheader"):
        shell.out(_HEADING)
    for one in shown:
        of = str(one["job"]) if one["kind"] == "job" else str(one.get("nodes", "*")) if one["kind"] == "node" else one["kind"]
        flags = "PERM" if one.get("permanent") else ""
        shell.out(f"{one['id']:7} {one['kind']:<9} {of:>7} {one['what']:<35} {one.get('offset', 0):6} {one['user']:<8} {flags:<5} "
                  f"{one['program']}")
    return 0


def _is_meant(one: dict[str, object], resolved: Resolved) -> bool:
    events = [name for name in (*_OF_JOB, *_OF_NODE, *_OF_DAEMON) if resolved.flag(name)]
    return (
        ("id" not in resolved.settings or one["id"] == resolved.number("id"))
        and ("jobid" not in resolved.settings or one.get("job", 0) == _job(resolved))
        and (not resolved.text("user") or resolved.text("user") in (one["user"], str(one["uid"])))
        and ("node" not in resolved.settings or one["kind"] == "node")
        and (not events or one["what"] in events))


def _clear(shell: Shell, resolved: Resolved) -> int:
    message: Message = {"type": "ClearTriggers"}
    if "id" in resolved.settings:
        message["id"] = resolved.number("id")
    if "jobid" in resolved.settings:
        message["job"] = _job(resolved)
    if resolved.text("user"):
        message["user"] = resolved.text("user")
    if len(message) == 1:
        raise OptionError("You must specify a --id, --jobid, or --user to clear", exit_code=1)
    try:
        shell.channel().call(message)
    except SlurmError as error:
        if error.name == "ESLURM_TRIGGER_MISSING" and resolved.number("quiet"):
            return 0
        shell.report(error, "slurm_clear_trigger: ")
        return shell.failure_code(1)
    return 0
