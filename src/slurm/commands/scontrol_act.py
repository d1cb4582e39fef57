"""scontrol's words that do something: hold, release, requeue, suspend, resume, ping, reconfigure, shutdown, write, wait_job, token."""

from __future__ import annotations

import os
import time

from slurm.commands import caller, wanted_style
from slurm.commands.shell import Channel, Message, Shell
from slurm.model.errors import MESSAGES, SlurmError, Unreachable, Unsupported
from slurm.notation import commas
from slurm.notation.printable import printable_lines
from slurm.options.resolve import Resolved


def hold(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`hold ID…`."""
    return _jobs(shell, "hold", words, {"type": "HoldJobs"})


def uhold(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`uhold ID…`: held as by the owner, who may release it."""
    return _jobs(shell, "uhold", words, {"type": "HoldJobs", "user": True})


def release(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`release ID…`."""
    return _jobs(shell, "release", words, {"type": "ReleaseJobs"})


def requeue(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`requeue ID…`."""
    return _jobs(shell, "requeue", words, {"type": "RequeueJobs"})


def top(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`top ID…`: before the other waiting jobs of their user."""
    return _jobs(shell, "top", words, {"type": "MoveToTop"})


def requeue_hold(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`requeuehold [State=SpecialExit] ID…`."""
    states = [word.partition("=")[2] for word in words if word.lower().startswith("state=")]
    for state in states:
        if state.lower() != "specialexit":
            shell.raw(f"Invalid state: {state}")
            shell.hints(["the one state is SpecialExit"])
            return 1
    return _jobs(shell, "requeuehold", [word for word in words if not word.lower().startswith("state=")], {
        "type": "RequeueJobs", "hold": True, **({"special": True} if states else {})})


def suspend(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`suspend ID…`."""
    return _jobs(shell, "suspend", words, {"type": "SuspendJobs"})


def resume(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`resume ID…`."""
    return _jobs(shell, "resume", words, {"type": "ResumeJobs"})


def notify(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`notify JOBID MESSAGE…`."""
    if len(words) < 2:
        shell.raw("too few arguments for keyword:notify")
        shell.hints(["write scontrol notify JOBID MESSAGE"])
        return 1
    channel = shell.channel()
    try:
        say_lines(shell, channel.call({"type": "NotifyJob", "job": words[0], "text": " ".join(words[1:])}))
        return 0
    except SlurmError as error:
        return refused(shell, error, "job notify failure: ", "")
    finally:
        channel.close()


def _jobs(shell: Shell, word: str, words: list[str], request: Message) -> int:
    ids = [one for text in words for _, one in commas.pieces(text.removeprefix("jobid=").removeprefix("JobId=")) if one]
    if not ids:
        shell.raw(f"too few arguments for keyword:{word}")
        shell.hints([f"write scontrol {word} JOBID"])
        return 1
    channel = shell.channel()
    code = 0
    try:
        for some in [ids] if word == "top" else [[one] for one in ids]:  # else each for itself: what one is refused the others get
            try:
                say_lines(shell, channel.call({**request, "ids": some}))
            except Unreachable:
                raise
            except SlurmError as error:
                code = refused(shell, error, "", f" for job {','.join(some)}")
        return code
    finally:
        channel.close()


_LONGEST_NUMBER = 18  # digits


def token(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`token [username=USER] [lifespan=SECONDS]`: what SLURM_JWT is set to on a machine without a daemon."""
    given = {name.lower(): text for name, _, text in (word.partition("=") for word in words)}
    lifespan = given.get("lifespan", "0")
    if lifespan.lower() == "infinite":
        lifespan = str(2**31 - 1)
    if given.keys() - {"username", "lifespan"} or not lifespan.isdecimal() or len(lifespan) > _LONGEST_NUMBER:
        shell.error(f"Invalid option for token: {' '.join(words)}")
        shell.hints(["write scontrol token [username=USER] [lifespan=SECONDS]"])
        return 1
    channel = shell.channel()
    try:
        made = channel.call({"type": "MakeToken", "username": given.get("username", ""), "lifespan": int(lifespan)})
    except SlurmError as error:
        shell.error(f"slurm_fetch_token: error with request: {error.message}")
        shell.hints(error.hints)
        return 1
    finally:
        channel.close()
    shell.out(f"SLURM_JWT={made['token']}")
    return 0


def ping(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`ping`: whether the controller answers now; one that is starting is not waited for."""
    if words:
        shell.raw("too many arguments for keyword:ping")
        return 1
    style = wanted_style.structure(resolved)
    try:
        channel = shell.channel(patient=False)
    except Unreachable as error:
        return _structured_ping(shell, style, None) if style else _down(shell, error)
    try:
        return _structured_ping(shell, style, channel) if style else show_ping(shell, channel)
    finally:
        channel.close()


def _structured_ping(shell: Shell, style: str, channel: Channel | None) -> int:
    from slurm.net.discovery import find_site
    from slurm.render import json_text

    began = time.monotonic()
    try:
        reply = channel.call({"type": "Ping"}) if channel is not None else {}
    except Unreachable:
        reply = {}
    waited = int((time.monotonic() - began) * 1e6)
    try:
        site = find_site(shell.environ)
        cluster, host = site.cluster, str(reply.get("host") or site.host)
    except SlurmError:
        cluster, host = "", str(reply.get("host", ""))
    records: list[json_text.Value] = []
    for each in _controllers(reply) if reply else [{"host": host, "mode": "primary", "up": False}]:
        answers = bool(each["up"])
        records.append({
            "hostname": str(each["host"] or host), "pinged": "UP" if answers else "DOWN", "responding": answers,
            "latency": waited if answers else 0, "mode": str(each["mode"]), "primary": each["mode"] == "primary"})
    report = {"pings": records, **json_text.closing(cluster, *caller.names(), ["scontrol", *shell.argv])}
    shell.stdout.write(json_text.encode(report, style))
    return 0 if reply else 1


def show_ping(shell: Shell, channel: Channel) -> int:
    """Prints the line of `ping`; 1 when the controller does not answer."""
    try:
        reply = channel.call({"type": "Ping"})
    except Unreachable as error:
        return _down(shell, error)
    for each in _controllers(reply):
        shell.out(f"Slurmctld({each['mode']}) at {each['host']} is {'UP' if each['up'] else 'DOWN'}")
    if reply.get("mode", "primary") != "primary":
        shell.hints([f"{reply.get('host', '')} leads"])
    if reply.get("trouble"):
        shell.hints([str(reply["trouble"])])
    return 0


def _controllers(reply: Message) -> list[dict[str, object]]:
    """Every slurmctld as the one that answered knows them: host, mode, up."""
    seen = reply.get("controllers")
    if isinstance(seen, list) and seen:
        return seen
    return [{"host": reply.get("host", ""), "mode": reply.get("mode", "primary"), "up": True}]


def _down(shell: Shell, error: Unreachable) -> int:
    from slurm.net.discovery import find_site

    try:
        site = find_site(shell.environ)
        hosts, standby = list(site.hosts), site.standby
    except SlurmError:
        hosts, standby = [], ""  # no cluster is meant: the hints say so
    if len(hosts) < 2:
        shell.out(f"Slurmctld(primary) at {hosts[0]} is DOWN" if hosts else "Slurmctld(primary) is DOWN")
    else:
        own = _standing_by(standby)
        for rank, host in enumerate(hosts):
            mode = "primary" if rank == 0 else "backup" if len(hosts) == 2 else f"backup{rank}"
            shell.out(f"Slurmctld({mode}) at {host} is {'UP' if host == own else 'DOWN'}")
    shell.hints(error.hints)
    return 1


def _standing_by(path: str) -> str:
    """The host of the slurmctld that stands by on this machine, "" for none."""
    from slurm.net import client
    from slurm.net.endpoint import unix

    try:
        with client.dial(unix(path)) as connection:
            return str(connection.call({"type": "Ping"}).get("host", ""))
    except SlurmError:
        return ""


def reconfigure(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`reconfigure`: read the configuration again."""
    return _plain(shell, {"type": "Reconfigure"}, "slurm_reconfigure error:")


def shutdown(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`shutdown [slurmctld|controller]`."""
    if words and words[0].lower() not in ("slurmctld", "controller"):
        shell.raw(f"invalid argument:{words[0]} for keyword:shutdown")
        shell.hints(["valid: slurmctld, controller, or nothing for every daemon"])
        return 1
    return _plain(shell, {"type": "Shutdown", "controller_only": bool(words)}, "slurm_shutdown error:")


def _plain(shell: Shell, request: Message, prefix: str) -> int:
    channel = shell.channel()
    try:
        say_lines(shell, channel.call(request))
        return 0
    except SlurmError as error:
        return refused(shell, error, prefix, "")
    finally:
        channel.close()


def write(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`write batch_script ID [FILE|-]`: into slurm-ID.sh unless a file is named."""
    if not words:
        shell.raw("too few arguments for keyword:write")
        shell.hints(["write scontrol write batch_script JOBID [FILE|-]"])
        return 1
    if words[0].lower() == "config":
        raise Unsupported(message="scontrol write config is not supported by slurm-py yet",
            hints=["scontrol show config prints what slurmctld runs with"])
    if len(words) < 2 or words[0].lower() != "batch_script":
        shell.raw(f"invalid write argument:{words[0]}" if words[0].lower() != "batch_script" else "too few arguments for keyword:write")
        shell.hints(["write scontrol write batch_script JOBID [FILE|-]"])
        return 1
    job = words[1]
    channel = shell.channel()
    try:
        text = str(channel.call({"type": "BatchScript", "job_id": job}).get("text", ""))
    except SlurmError as error:
        return refused(shell, error, "job script retrieval failed: ", "")
    finally:
        channel.close()
    name = words[2] if len(words) > 2 else f"slurm-{job}.sh"
    if name == "-":
        text = printable_lines(text) if shell.stdout.isatty() else text
        shell.stdout.write(text + ("" if text.endswith("\n") else "\n"))
        return 0
    try:
        # Scripts may hold secrets: nobody else may read the copy.
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        shell.error(f"failed to open file {name}: {error.strerror}")
        return 1
    shell.out(f"batch script for job {job} written to {name}")
    return 0


def wait_job(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`wait_job ID`: until its nodes are ready for it."""
    if not words:
        shell.raw("too few arguments for keyword:wait_job")
        shell.hints(["write scontrol wait_job JOBID"])
        return 1
    if not words[0].isdigit():
        shell.raw(f"Invalid job_id {words[0]}")
        return 1
    channel = shell.channel()
    try:
        channel.send({"type": "WaitReady", "job_id": int(words[0])})
        channel.receive(None)
    except SlurmError as error:
        shell.report(error)
        return shell.failure_code(1)
    finally:
        channel.close()
    shell.say(f"Nodes are ready for job {words[0]}")
    return 0


def errnumstr(shell: Shell, resolved: Resolved, words: list[str]) -> int:
    """`errnumstr NUMBER`: the sentence of an error number."""
    if len(words) != 1:
        shell.raw(f"too {'many' if words else 'few'} arguments for keyword:errnumstr")
        return 1
    if not words[0].isdecimal() or len(words[0]) > _LONGEST_NUMBER:
        shell.raw(f"invalid error number: {words[0]}")
        return 1
    number = int(words[0])
    shell.out(next((text for code, text in MESSAGES.values() if code == number), f"Unknown error {number}"))
    return 0


def say_lines(shell: Shell, reply: Message) -> None:
    """The lines that a reply has for standard error."""
    for line in texts(reply.get("lines")):
        shell.say(line)


def refused(shell: Shell, error: SlurmError, prefix: str, suffix: str) -> int:
    """Prints an error as scontrol does, without the command's name; `prefix` and `suffix` go round Slurm's own sentences only."""
    for line in error.preface:
        shell.raw(line)
    own = error.message.startswith("slurm_")
    known = error.message == MESSAGES[error.name][1]
    shell.raw((prefix if known and not own else "") + error.message + (suffix if known else ""))
    shell.hints(error.hints)
    return shell.failure_code(1)


def texts(value: object) -> list[str]:
    """A list of texts in a reply."""
    return [str(item) for item in value] if isinstance(value, list) else []
