"""`scontrol show …`: what is asked of slurmctld, and the few things that need nobody (host lists)."""

from __future__ import annotations

from slurm.commands import scontrol_act, wanted_style
from slurm.commands.shell import Message, Shell
from slurm.model.errors import InvalidRequest, NotationError, NotFound, SlurmError
from slurm.net.circumstances import hosts_in
from slurm.notation import hostlist
from slurm.options.resolve import Resolved

ENTITIES: dict[str, str] = {
    "job": "job", "jobs": "job", "jobid": "job", "step": "step", "steps": "step", "node": "node", "nodes": "node", "partition": "partition",
    "partitions": "partition", "partitionname": "partition", "config": "config", "daemons": "daemons", "licenses": "licenses",
    "license": "licenses",
    "topology": "topology", "topoconf": "topology", "aliases": "aliases", "federation": "federation", "reservation": "reservation",
    "reservations": "reservation", "assoc_mgr": "assoc_mgr", "cache": "assoc_mgr", "burstbuffer": "burstbuffer", "dwstat": "dwstat",
    "slurmd": "slurmd",
    "bbstat": "burstbuffer",
}
"""Word → what is asked of slurmctld; three letters are enough."""
_HOSTLISTS = ("hostnames", "hostlist", "hostlistsorted")
SHOWN = ("job", "step", "node", "partition", "config", "daemons", "licenses", "reservation", "topology", "assoc_mgr", *_HOSTLISTS)
"""What hints name."""
_STRUCTURED = {
    "job": "job", "node": "nodes_json", "partition": "partitions_json", "step": "step", "licenses": "licenses",
    "reservation": "reservation",
}


_CALLS = {"step": "slurm_get_job_steps"}
"""What is asked → the name of Slurm's call that its errors begin with, where that is not slurm_load_jobs."""
_NOT_HERE = ("burstbuffer", "dwstat")
"""What there is none of, and nothing is shown of, as Slurm shows nothing where its plug-in is not set."""


def show(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`show ENTITY [NAME…]`."""
    if not words:
        shell.raw("too few arguments for keyword:show")
        shell.hints([f"valid: {', '.join(SHOWN)}"])
        return 1
    entity, equals, name = words[0].partition("=")
    names = [name, *words[1:]] if equals else words[1:]
    if _is(entity, "hostnames", 5) or entity.lower() in _HOSTLISTS:
        return _hosts(shell, entity.lower(), names)
    what = _entity(entity)
    return 0 if what in _NOT_HERE else _describe(shell, resolved, what, names)


def completing(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`completing`: jobs that have ended but whose nodes are not clean yet."""
    return _describe(shell, resolved, "completing", [])


def _is(word: str, whole: str, least: int) -> bool:
    return len(word) >= least and whole.startswith(word.lower())


def _entity(word: str) -> str:
    lowered = word.lower()
    if lowered in ENTITIES:
        return ENTITIES[lowered]
    found = {what for name, what in ENTITIES.items() if len(lowered) >= 3 and name.startswith(lowered)}
    return found.pop() if len(found) == 1 else word


def _describe(shell: Shell, resolved: Resolved, what: str, names: list[str]) -> int:
    request: Message = {"type": "Describe", "what": what, **wanted_style.request_style(shell, resolved)}
    style = wanted_style.structure(resolved)
    if style and what in _STRUCTURED:
        request.update(what=_STRUCTURED[what], format=style, arguments=["scontrol", *shell.argv])
    request.pop("convert", None)
    if names:
        request["names"] = _split(what, names)
    for flag, field in (("details", "detail"), ("oneliner", "oneline"), ("future", "future"), ("all", "hidden")):
        if resolved.flag(flag):
            request[field] = True
    if resolved.flag("hide"):
        request["hidden"] = False
    channel = shell.channel()
    try:
        reply = channel.call(request)
        text = str(reply.get("text", ""))
        if resolved.number("quiet"):
            text = "".join(line for line in text.splitlines(keepends=True) if not line.endswith(" not found\n"))
        shell.stdout.write(text)
        for line in scontrol_act.texts(reply.get("errors")):
            shell.raw(line)
        code = reply.get("exit_code", 0)
        return code if isinstance(code, int) else 1
    except NotFound as error:
        return _not_found(shell, error, _CALLS.get(what, "slurm_load_jobs"))
    except InvalidRequest as error:
        shell.raw(error.message)
        shell.hints(error.hints or [f"valid: {', '.join(SHOWN)}"])
        return shell.failure_code(1)
    finally:
        channel.close()


def _split(what: str, names: list[str]) -> list[str]:
    """Names as one list; jobs may stand with commas between, the commas of `88_[1,3]` aside."""
    if what not in ("job", "step"):
        return names
    pieces: list[str] = []
    for name in names:
        depth = 0
        pieces.append("")
        for char in name:
            depth += (char == "[") - (char == "]")
            if char == "," and depth == 0:
                pieces.append("")
            else:
                pieces[-1] += char
    return [piece for piece in pieces if piece]


def _not_found(shell: Shell, error: SlurmError, call: str) -> int:
    known = error.message.endswith("not found")
    shell.raw(error.message if known else f"{call} error: {error.message}")
    shell.hints(error.hints)
    return shell.failure_code(1)


def _hosts(shell: Shell, entity: str, names: list[str]) -> int:
    """Host lists are read here: no controller is asked, so that job scripts may do it at any rate."""
    text = ",".join(names)
    if text.startswith("/") and entity.startswith("hostlist"):
        try:
            text = hosts_in(text)
        except SlurmError as error:
            shell.raw(f"Can not open {text}")
            shell.hints(error.hints)
            return 1
    if not text and not entity.startswith("hostlist"):
        text = shell.environ.get("SLURM_JOB_NODELIST") or shell.environ.get("SLURM_NODELIST") or ""
        if not text:
            shell.raw("SLURM_JOB_NODELIST environment variable not set")
            shell.hints(["give a host list, or run this inside a job"])
            return 1
    if not text:
        shell.raw(f"invalid hostlist: {text}")
        shell.hints([f"write scontrol show {entity} cn01,cn02,cn03"])
        return 1
    try:
        hosts = hostlist.expand(text)
    except NotationError as error:
        shell.raw(f"Invalid hostlist: {text}")
        shell.hints([error.message])
        return 1
    if entity == "hostlistsorted":
        shell.out(hostlist.compress(hosts, sort=True))
    elif entity == "hostlist":
        shell.out(hostlist.compress(hosts))
    else:
        shell.stdout.write("".join(f"{host}\n" for host in hosts))
    return 0
