"""scancel: ends or signals jobs, array tasks and steps. Which jobs the filters mean, and who may touch them, slurmctld decides."""

from __future__ import annotations

from slurm.commands.shell import Message, Shell, informed, notes, run
from slurm.model.errors import MESSAGES, NotationError
from slurm.net.circumstances import hosts_in
from slurm.notation import jobref
from slurm.notation.printable import printable
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve, split

_FILTERS = {
    "account": "accounts", "name": "names", "partition": "partitions", "qos": "qos", "reservation": "reservations", "wckey": "wckeys",
}
"""Setting → field of JobFilter, where the texts go as they are."""
_ENDED = "ESLURM_ALREADY_DONE"
"""Told on standard error, but no failure: what was wanted is so."""


def main(shell: Shell | None = None) -> int:
    """Runs scancel and returns its exit status."""
    return run(shell or Shell.of_process("scancel"), _scancel, usage_code=1)


def _scancel(shell: Shell) -> int:
    resolved = resolve("scancel", _with_quiet(shell.argv), shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    names = resolved.text("clusters")
    if not names:
        return _ended(shell, resolved)
    from slurm.commands import clusters

    return clusters.each(shell, names, lambda there: _ended(there, resolved))


def _ended(shell: Shell, resolved: Resolved) -> int:
    """End what is named, on one cluster."""
    signal = _signal(resolved)
    wanted = _filter(resolved)
    if not wanted:
        hint = "name jobs, or choose them with --me, -u, -p, -t, --name; see scancel --help"
        raise OptionError("No job identification provided", exit_code=1, hints=[hint])
    request: Message = {"type": "CancelJobs", "filter": wanted, "signal": signal}
    request.update((flag, True) for flag in ("batch", "full", "hurry", "cron") if resolved.flag(flag))
    if resolved.text("admin_comment"):
        request["admin_comment"] = resolved.text("admin_comment")
    if resolved.flag("interactive"):
        wanted["ids"] = _confirmed(shell, wanted)
        if not wanted["ids"]:
            return 0
    return _cancel(shell, resolved, request)


def _with_quiet(argv: list[str]) -> list[str]:
    """`-q` with nothing but job ids behind it means --quiet: many scripts, and seed 002, write it so; real Slurm reads a QOS."""
    given, rest = split("scancel", argv)
    if [one.spelled for one in given] != ["-q"] or not all(_is_job(word) for word in (given[0].text or "", *rest)):
        return argv
    return ["--quiet", given[0].text or "", *rest]


def _is_job(word: str) -> bool:
    try:
        return bool(jobref.parse_list(word))
    except NotationError:
        return False


def _filter(resolved: Resolved) -> dict[str, object]:
    """The fields of a JobFilter; empty when nothing says which jobs."""
    wanted: dict[str, object] = {}
    ids = _ids(resolved.rest)
    if ids:
        wanted["ids"] = ids
    for setting, field in _FILTERS.items():
        texts = resolved.texts(setting) + (resolved.texts("jobname") if setting == "name" else [])
        if texts:
            wanted[field] = texts
    if resolved.settings.get("state") == []:
        _state("")
    if resolved.texts("state"):
        wanted["states"] = [_state(word) for word in resolved.texts("state")]
    if resolved.settings.get("user") == []:
        _user("")
    if resolved.texts("user"):
        wanted["users"] = [_user(word) for word in resolved.texts("user")]
    if resolved.text("nodelist"):
        from slurm.notation import hostlist

        hosts = resolved.text("nodelist")
        wanted["nodes"] = hostlist.expand(hosts_in(hosts) if "/" in hosts else hosts)
    if resolved.flag("me"):
        wanted["mine"] = True
    return wanted


def _ids(words: list[str]) -> list[str]:
    ids: list[str] = []
    for word in words:
        try:
            ids += [reference.show() for reference in jobref.parse_list(word)]
        except NotationError as error:
            raise OptionError(f"Invalid job id {word}", exit_code=1, hints=[error.message]) from error
    return ids


def _state(word: str) -> str:
    from slurm.model.states import STATE_WORDS  # few cancel by state

    state = STATE_WORDS.get(word.lower())
    if state is None:
        from slurm.notation.nearest import nearest

        meant = nearest(word, (name.upper() for name in STATE_WORDS if len(name) > 3))
        raise OptionError(
            "Valid job states are PENDING, RUNNING, and SUSPENDED",
            exit_code=1,
            bare=True,
            before=[f"Invalid job state specified: {word}"],
            hints=[f"did you mean {meant}?"] if meant else [],
        )
    return state


def _user(word: str) -> str:
    import pwd

    try:
        return pwd.getpwuid(int(word)).pw_name if word.isdigit() else pwd.getpwnam(word).pw_name
    except (KeyError, OverflowError) as error:
        if word.isdigit() and isinstance(error, KeyError):
            return word
        raise OptionError(f"Invalid user name: {word}", exit_code=1) from error


def _signal(resolved: Resolved) -> int:
    if "signal" not in resolved.settings:
        return 0
    word = resolved.text("signal")
    from slurm.notation import signal

    try:
        return signal.parse(word)
    except NotationError as error:
        raise OptionError(f"Unknown job signal: {word}", exit_code=1, bare=True, hints=[error.message]) from error


def _confirmed(shell: Shell, wanted: dict[str, object]) -> list[str]:
    """The ids, among those that the filter finds, that the user says yes to."""
    listed = shell.channel().call({"type": "ListJobs", "fields": ["JobArrayId", "Name", "Partition"], "filter": wanted})
    rows = listed.get("rows")
    chosen: list[str] = []
    for job, name, partition in rows if isinstance(rows, list) else []:
        shell.stdout.write(printable(f"Cancel job_id={job} name={name} partition={partition} [y/n]? "))
        shell.stdout.flush()
        answer = shell.stdin.readline()
        if not answer:
            break
        if answer.strip().lower() in (b"y", b"yes"):
            chosen.append(job)
    return chosen


def _cancel(shell: Shell, resolved: Resolved, request: Message) -> int:
    reply = shell.channel().call(request)
    signal = request["signal"]
    verb = f"Signal {signal} to" if signal else "Terminating"
    if resolved.number("verbose"):
        for shown in (*_items(reply.get("done")), *_items(reply.get("unknown"))):
            shell.say(f"{verb} {'step' if '.' in str(shown) else 'job'} {shown}")
    quiet = resolved.number("quiet") > 0
    code = 0
    for item in _items(reply.get("refused")):
        shown, name, message = item if isinstance(item, list | tuple) else (item, "", "")
        if name == _ENDED and quiet:
            continue
        _complain(shell, shown, message)
        if name != _ENDED:
            code = shell.failure_code(MESSAGES[name][0] & 255 if name in MESSAGES else 1)
    signalled = bool(signal or request.get("batch"))
    for shown in _items(reply.get("unknown")):
        if signalled or "." in str(shown):
            # a signal was wanted somewhere, and arrived nowhere; a job that is to end and is not there has ended
            code = shell.failure_code(1 if signalled else MESSAGES["ESLURM_INVALID_JOB_ID"][0] & 255)
        if not quiet:
            _complain(shell, shown, MESSAGES["ESLURM_INVALID_JOB_ID"][1])
    return code


def _complain(shell: Shell, shown: object, message: object) -> None:
    what = "step" if "." in str(shown) else "job"
    shell.error(f"Kill job error on {what} id {shown}: {message}")


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
