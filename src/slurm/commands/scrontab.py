"""scrontab: shows, edits, replaces and removes the crontab of a user. slurmctld keeps it, and runs its jobs."""

from __future__ import annotations

import os
import pwd

from slurm.commands import crontab_file
from slurm.commands.shell import Message, Shell, informed, run
from slurm.model.errors import SlurmError
from slurm.net import container_options
from slurm.net.circumstances import completed_request
from slurm.options.errors import OptionError, UsageError
from slurm.options.resolve import Resolved, resolve

_EXAMPLE = """\
# Entries of this file become batch jobs that run again and again; scrontab(1).
#
# minute hour day-of-month month day-of-week command, or @hourly, @daily, @weekly, @monthly, @yearly:
#
# #SCRON -p debug -t 5:00
# #SCRON -o nightly-%j.out --open-mode=append
# 30 2 * * mon-fri $HOME/nightly.sh
"""
_SCRIPT = "#!/bin/sh\n# This job was submitted through scrontab.\n"
_PATH = "/usr/local/bin:/usr/bin:/bin"
_NOT_HERE = {
    "array": "an array cannot run again and again: let the job submit it", "begin": "its line says when it begins",
    "deadline": "a job that runs again and again has none", "export": "the job gets the variables of a login, none of the shell",
    "export_file": "the job gets the variables of a login, none of the shell", "test_only": "an entry is a job to come",
    "wait": "nobody waits for it", "wrap": "the command stands on the line of its time", "parsable": "nothing is printed",
    "hold": "leave it out",
}
"""Options of sbatch that an entry cannot have, and why."""
_DISABLED = "ESLURM_DISABLED"


def main(shell: Shell | None = None) -> int:
    """Runs scrontab and returns its exit status."""
    return run(shell or Shell.of_process("scrontab"), _scrontab, usage_code=1)


def _scrontab(shell: Shell) -> int:
    resolved = resolve("scrontab", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    chosen = [name for name in ("edit", "list", "remove") if resolved.flag(name)]
    if len(chosen) + len(resolved.rest) > 1:
        raise UsageError("only one of -e, -l, -r and a file can be given")
    try:
        return _carried_out(shell, resolved, chosen[0] if chosen else "replace")
    except SlurmError as failure:
        if failure.name != _DISABLED:
            raise
        raise OptionError(failure.message, exit_code=1, fatal=True, hints=failure.hints) from failure


def _carried_out(shell: Shell, resolved: Resolved, what: str) -> int:
    user = resolved.text("user")
    if what == "list":
        reply = _present(shell, user)
        if not reply.get("found"):
            shell.raw(f"no crontab for {reply.get('user')}")
            return 1
        shell.stdout.write(str(reply.get("text")))
        return 0
    if what == "remove":
        shell.channel().call({"type": "WriteCrontab", "user": user})
        return 0
    if what == "edit":
        return _edit(shell, user)
    text = _text_of(shell, resolved.rest[0] if resolved.rest else "-")
    return 0 if _installed(shell, user, text) else shell.failure_code(1)


def _present(shell: Shell, user: str) -> Message:
    return shell.channel().call({"type": "ReadCrontab", "user": user})


def _text_of(shell: Shell, name: str) -> str:
    try:
        if name == "-":
            return shell.stdin.read().decode()
        with open(name, "rb") as file:
            return file.read().decode()
    except OSError as error:
        raise OptionError(f"Unable to open file {name}: {os.strerror(error.errno or 0)}", exit_code=1) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{name} is not UTF-8 text", exit_code=1) from error


def _installed(shell: Shell, user: str, text: str) -> bool:
    """Whether the text was taken; what is wrong with it is told."""
    entries, wrong = crontab_file.read(text)
    if text.strip() and not wrong:
        owner = _account(user)
        jobs: list[Message] = []
        for entry in entries:
            try:
                jobs.append(_job(shell, entry, owner))
            except SlurmError as error:
                wrong += [f"line {entry.last}: {error.message}", *error.hints]
        if not wrong:
            reply = shell.channel().call({"type": "WriteCrontab", "user": user, "text": text if text.endswith("\n") else text + "\n",
                "jobs": jobs})
            warnings = reply.get("warnings")
            for warning in warnings if isinstance(warnings, list) else []:
                shell.say(f"warning: {warning}")
            return True
    if not wrong:
        shell.channel().call({"type": "WriteCrontab", "user": user})
        return True
    for sentence in wrong:
        shell.error(sentence)
    shell.error("There are errors in your crontab: it was not installed")
    return False


def _account(user: str) -> pwd.struct_passwd:
    try:
        if not user:
            return pwd.getpwuid(os.geteuid())
        return pwd.getpwuid(int(user)) if user.isascii() and user.isdigit() else pwd.getpwnam(user)
    except (KeyError, OverflowError) as error:
        raise OptionError(f"Invalid user name: {user or os.geteuid()}", exit_code=1) from error


def _job(shell: Shell, entry: crontab_file.Entry, owner: pwd.struct_passwd) -> Message:
    """An entry as slurmctld takes it: a batch job in the owner's home, with the variables of a login."""
    resolved = resolve("sbatch", entry.options, {}, now=shell.now())
    if resolved.rest:
        raise OptionError(f"Invalid option: {resolved.rest[0]}")
    for name, why in _NOT_HERE.items():
        if resolved.settings.get(name) or resolved.request.get(name):
            raise OptionError(f"--{name.replace('_', '-')} is not for entries of a crontab: {why}")
    resolved.request["work_dir"] = os.path.join(owner.pw_dir, str(resolved.request.get("work_dir") or "")).rstrip("/") or "/"
    request = completed_request(resolved, entry.options, shell.environ, os.path.basename(entry.command.split()[0]))
    request["submit_line"] = " ".join(("scrontab", *shell.argv))
    environment = {
        "HOME": owner.pw_dir, "LOGNAME": owner.pw_name, "USER": owner.pw_name, "SHELL": owner.pw_shell or "/bin/sh", "PATH": _PATH,
        "SLURM_SUBMIT_DIR": owner.pw_dir, "SLURM_SUBMIT_HOST": os.uname().nodename}
    environment.update(container_options.asked(resolved, str(resolved.request["work_dir"])))
    payload: Message = {"script": f"{_SCRIPT}{entry.command}\n", "environment": environment}
    return {"spec": entry.spec, "first_line": entry.first, "last_line": entry.last, "request": request, "payload": payload}


def _edit(shell: Shell, user: str) -> int:
    """An editor with the crontab, again while there are errors in it and the user wants to mend them."""
    import subprocess
    import tempfile

    reply = _present(shell, user)
    before = str(reply.get("text") or _EXAMPLE)
    editor = shell.environ.get("VISUAL") or shell.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="crontab.", dir=shell.environ.get("TMPDIR") or None) as file:
        file.write(before)
        file.flush()
        while True:
            status = subprocess.run(["/bin/sh", "-c", f'{editor} "$1"', "sh", file.name], check=False).returncode
            if status:
                raise OptionError(f"the editor {editor} failed with status {status}", exit_code=1, hints=["the crontab is as it was"])
            after = _text_of(shell, file.name)
            if after == before:
                shell.say("no changes made to the crontab")
                return 0
            if _installed(shell, user, after):
                return 0
            if not _wants_to_retry(shell):
                return shell.failure_code(1)


def _wants_to_retry(shell: Shell) -> bool:
    shell.stdout.write("Do you want to retry the edit? (y/n) ")
    shell.stdout.flush()
    return shell.stdin.readline().strip().lower() in (b"y", b"yes")
