"""sbatch: submits a batch script. What its options mean is in `options`, whether the cluster takes the job in slurmctld."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping

from slurm.commands import cli_filter, plugstack
from slurm.commands.batch_script import BatchScript, from_file, from_stream, wrapped
from slurm.commands.estimate import tell_start
from slurm.commands.shell import INTERRUPTED, Channel, Message, Shell, informed, notes, run
from slurm.commands.submission import submit_prefix
from slurm.model.errors import SlurmError, Unreachable
from slurm.net import container_options
from slurm.net.batch_environment import submitted_environment
from slurm.net.circumstances import completed_request, present_folder
from slurm.options.components import resolve_all, split_all
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved

_AS = {"user": "uid", "group": "gid"}
"""As whom a job is submitted: field of the message, option."""
_FAILED = "Batch job submission failed: "
_RECONNECT_SECONDS = 300.0
"""How long --wait looks for a controller that has gone."""
_RECONNECT_PAUSE = 0.5
_UNSURE_SECONDS = 10.0
"""How long a slurmctld that went while it was asked is looked for, outside a job; Slurm's sbatch gives up about as soon."""


def main(shell: Shell | None = None) -> int:
    """Runs sbatch and returns its exit status."""
    return run(shell or Shell.of_process("sbatch"), _sbatch)


def _sbatch(shell: Shell) -> int:
    stack = plugstack.load(shell)
    lines = split_all("sbatch", shell.argv)
    given, rest = [one for line, _ in lines for one in line], lines[-1][1]
    if any(one.option.name in ("help", "usage", "version") for one in given):
        informed(shell, resolve_all("sbatch", shell.argv, {})[0])
        return 0
    wrap = next((one.text for one in reversed(given) if one.option.name == "wrap"), None)
    script = _script(shell, wrap, rest)
    text = None if wrap is not None else script.text
    components = resolve_all("sbatch", shell.argv, shell.environ, script=text, script_name=script.shown, now=shell.now())
    resolved = components[0]
    notes(shell, resolved)
    stack.check(shell, quiet=bool(resolved.number("quiet")))
    requests = [_request(shell, one, script) for one in components]
    names, cluster = resolved.text("clusters"), ""
    if names:
        from slurm.commands import clusters

        cluster, shell = clusters.soonest(shell, names, requests)
    if resolved.flag("test_only"):
        return tell_start(shell, requests)
    return _submit(shell, resolved, requests, script, cluster, stack.variables(resolved))


def _request(shell: Shell, resolved: Resolved, script: BatchScript) -> Message:
    _require_root(resolved)
    request = completed_request(resolved, shell.argv, shell.environ, script.name)
    request["command"] = script.path
    return cli_filter.pre_submit(shell, request, script.text)


def _require_root(resolved: Resolved) -> None:
    _require_known(resolved.text("uid"), "uid", pwd.getpwnam)
    if resolved.text("gid"):
        import grp  # few submit for others

        _require_known(resolved.text("gid"), "gid", grp.getgrnam)
    for option in _AS.values():
        if resolved.text(option) and os.geteuid() != 0:
            raise OptionError(f"--{option} only permitted by root user", exit_code=1)
    if any(resolved.text(option) for option in _AS.values()) and resolved.flag("test_only"):
        raise OptionError("--test-only does not go with --uid and --gid", exit_code=1)


def _require_known(name: str, option: str, look_up: Callable[[str], object]) -> None:
    """A name that this machine does not know is refused here, as Slurm's sbatch does; numbers are slurmctld's to judge."""
    if not name or (name.isascii() and name.isdigit()):
        return
    try:
        look_up(name)
    except (KeyError, ValueError) as error:
        raise OptionError(f"Invalid --{option} specification", hints=[f"this machine knows no such name: {name}"]) from error


def _script(shell: Shell, wrap: str | None, rest: list[str]) -> BatchScript:
    if wrap is not None:
        if rest:
            raise OptionError("Script arguments not permitted with --wrap option", exit_code=1)
        return wrapped(wrap)
    return from_file(rest[0], shell.environ) if rest else from_stream(shell.stdin)


def _submit(shell: Shell, resolved: Resolved, requests: list[Message], script: BatchScript, cluster: str, added: Mapping[str, str]) -> int:
    """`added`: variables by which the job's node learns of options."""
    request, *others = requests
    export = resolved.text("export") if "export" in resolved.settings else None
    environment = submitted_environment(
        shell.environ, export, resolved.text("export_file"), present_folder(), leave_out=lambda name: _tell_left_out(shell, resolved, name))
    environment.update(container_options.asked(resolved, str(request.get("work_dir") or present_folder())))
    environment.update(added)
    payload: Message = {"script": script.text, "argv": resolved.rest[1:], "environment": environment}
    channel = shell.waiting_channel()
    try:
        message: Message = {"type": "SubmitJob", "request": request, "payload": payload, "key": os.urandom(16).hex(), "components": others}
        message.update((field, resolved.text(option)) for field, option in _AS.items() if resolved.text(option))
        channel, reply = _handed_in(shell, channel, message)
    except SlurmError as failure:
        return _refused(shell, failure)
    for warning in _texts(reply.get("warnings")):
        shell.say(warning if warning.startswith("Warning: ") else f"warning: {warning}")
    if not resolved.number("quiet"):
        _tell_missing_folder(shell, request)
    job = _number(reply["job_id"])
    cli_filter.post_submit(shell, request, job)
    if resolved.flag("parsable"):
        shell.out(f"{job};{cluster}" if cluster else str(job))
    elif not resolved.number("quiet"):
        shell.out(f"Submitted batch job {job}{f' on cluster {cluster}' if cluster else ''}")
    shell.stdout.flush()
    return _wait(shell, channel, job) if resolved.flag("wait") else 0


def _handed_in(shell: Shell, channel: Channel, message: Message) -> tuple[Channel, Message]:
    """The reply to a submission, and the connection it came by. Where it is not known whether slurmctld took it, it is handed in again: by
    its key it makes one job.
    """
    deadline = shell.now() + _UNSURE_SECONDS
    told = False
    while True:
        try:
            return channel, channel.call(message)
        except Unreachable:
            channel.close()
            if shell.now() >= deadline:
                raise
        if not told:
            told = True
            shell.say("slurmctld was lost before it answered: asking again (the job is made once)")
        channel = _regained(shell, deadline)


def _regained(shell: Shell, deadline: float) -> Channel:
    """A connection to a slurmctld that was lost; Unreachable when it is not back by then (inside a job: some minutes later)."""
    while True:
        shell.sleep(_RECONNECT_PAUSE)
        try:
            return shell.waiting_channel()
        except Unreachable:
            if shell.now() >= deadline:
                raise


def _tell_left_out(shell: Shell, resolved: Resolved, name: str) -> None:
    if not resolved.number("quiet"):
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        shell.say(f"warning: variable {shown} is no UTF-8 text, the job does not get it")


def _tell_missing_folder(shell: Shell, request: Message) -> None:
    """One line when --output or --error lies in a folder that is not there, which only the node would notice. Patterns are left to it."""
    for name, option in (("stdout", "--output"), ("stderr", "--error")):
        folder = os.path.join(str(request.get("work_dir", "")), os.path.dirname(str(request.get(name, ""))))
        if request.get(name) and "%" not in folder and not os.path.isdir(folder):
            shell.say(f"warning: the folder {folder} of {option} does not exist: if it is not there when the job starts, the job fails")
            return


def _refused(shell: Shell, failure: SlurmError) -> int:
    shell.report(failure, submit_prefix(failure, _FAILED))
    return shell.failure_code(1)


def _wait(shell: Shell, channel: Channel, job: int) -> int:
    """Waits for the end of the job, through restarts of slurmctld; ctrl-C leaves the job alone."""
    try:
        while True:
            try:
                channel.send({"type": "WaitJob", "job_id": job})
                return _exit_code(channel.receive(None))
            except Unreachable:
                channel.close()
            channel = _reconnected(shell)
    except KeyboardInterrupt:
        shell.say(f"job {job} goes on without being waited for")
        return INTERRUPTED


def _reconnected(shell: Shell) -> Channel:
    deadline = shell.now() + _RECONNECT_SECONDS
    while True:
        shell.sleep(_RECONNECT_PAUSE)
        try:
            return shell.channel()
        except Unreachable:
            if shell.now() >= deadline:
                raise


def _exit_code(ended: Message) -> int:
    """The job's exit code, the highest of an array; 1 for one that a signal, a limit or somebody ended. Source: sbatch(1) --wait."""
    status = _number(ended.get("exit_status", 0))
    if status & 0x7F:
        return 1
    return status >> 8 or (0 if ended.get("state") in ("COMPLETED", "") else 1)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
