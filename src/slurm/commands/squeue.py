"""squeue: asks slurmctld for rows of texts and lays them out."""

from __future__ import annotations

from slurm.commands import report, wanted_style
from slurm.commands.shell import Channel, Message, Shell, informed, notes, run
from slurm.model.errors import NotFound, SlurmError, Unsupported
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve
from slurm.render import fields, format
from slurm.render.format import Column, Layout

_LISTS = {
    "account": "accounts", "partition": "partitions", "name": "names", "qos": "qos", "reservation": "reservations", "licenses": "licenses",
    "user": "users",
}
"""Option → the condition of a JobFilter that it is."""


def main(shell: Shell | None = None) -> int:
    """Runs squeue and returns its exit status."""
    return run(shell or Shell.of_process("squeue"), _squeue, usage_code=1)


def _squeue(shell: Shell) -> int:
    resolved = resolve("squeue", shell.argv, shell.environ, now=shell.now())
    if informed(shell, resolved):
        return 0
    if resolved.flag("helpFormat") or resolved.flag("helpformat"):
        shell.stdout.write("".join(f"{line}\n" for line in format.names_in_columns(fields.JOB.names())))
        return 0
    if resolved.flag("helpstate"):
        from slurm.model.states import STATE_NAMES

        shell.stdout.write("".join(f"{name}\n" for name in STATE_NAMES))
        return 0
    notes(shell, resolved)
    names = resolved.text("clusters")
    if not names:
        return _shown(shell, resolved)
    from slurm.commands import clusters

    clusters.once(resolved.number("iterate"), names)
    return clusters.each(shell, names, lambda there: _shown(there, resolved), heading=not wanted_style.structure(resolved))


def _shown(shell: Shell, resolved: Resolved) -> int:
    """What is asked for, of one cluster."""
    wanted = _filter(resolved, _ids(resolved))
    style = wanted_style.structure(resolved)
    at = _past_moment(shell, resolved.text("at"))
    if style and at:
        raise Unsupported(message="--at of JSON and YAML is not supported by slurm-py yet", hints=["use --Format with --at"])
    if style:
        return report.repeatedly(shell, resolved.number("iterate"), lambda channel: _structured(shell, channel, wanted, style))
    layout = _layout(shell, resolved)
    request: Message = {
        "type": "ListJobs", "fields": layout.names, "filter": wanted, "sort": resolved.text("sort"),
        "expand_arrays": resolved.flag("array"), "steps": _steps_wanted(resolved), "start": resolved.flag("start"),
        "per_partition": resolved.flag("priority"), **({"at": at} if at else {}), **wanted_style.request_style(shell, resolved),
    }
    return report.repeatedly(
        shell, resolved.number("iterate"), lambda channel: _table(shell, channel, resolved, layout, request))


def _past_moment(shell: Shell, text: str) -> float:
    """The moment of --at in seconds since the epoch, 0 without it."""
    if not text:
        return 0.0
    from slurm.notation import moment

    try:
        return moment.parse(text, shell.now(), past=True)
    except SlurmError as error:
        raise OptionError(f"Invalid time specification: {text}", exit_code=1, hints=[error.message]) from error


def _table(shell: Shell, channel: Channel, resolved: Resolved, layout: Layout, request: Message) -> int:
    try:
        rows = report.rows_of(channel.call(request))
    except NotFound as error:
        return _not_found(shell, error)
    _tell_of_users(shell, resolved)
    heading = not resolved.flag("noheader")
    if heading and (resolved.flag("long") or resolved.number("iterate")):
        shell.out(report.date_line(shell))
    shell.stdout.write("".join(f"{line}\n" for line in format.lines(layout, rows, header=heading)))
    return 0


def _structured(shell: Shell, channel: Channel, wanted: Message, style: str) -> int:
    request: Message = {
        "type": "Describe", "what": "jobs_json", "format": style, "filter": wanted, "arguments": ["squeue", *shell.argv]}
    try:
        shell.stdout.write(str(channel.call(request).get("text", "")))
    except NotFound as error:
        return _not_found(shell, error)
    return 0


def _not_found(shell: Shell, error: SlurmError) -> int:
    shell.raw(f"slurm_load_jobs error: {error.message}")
    shell.hints(error.hints)
    return shell.failure_code(1)


def _layout(shell: Shell, resolved: Resolved) -> Layout:
    if resolved.flag("only_job_state") and resolved.settings.get("format") is None and resolved.settings.get("Format") is None:
        return Layout([
            Column(fields.JOB.by_name["jobarrayidbare"], 18, True, " "), Column(fields.JOB.by_name["statecompact"], 2, True)])
    _check_formats(shell, resolved)
    if _steps_wanted(resolved):
        every = "|".join(f"%{letter}" for letter in fields.STEP.by_letter)
        return report.layout_of(shell, resolved, fields.STEP, format.STEPS, every, own=True, what="job step")
    start, long = resolved.flag("start"), resolved.flag("long")
    otherwise = format.JOBS_START if start else format.JOBS_LONG if long else format.JOBS
    return report.layout_of(shell, resolved, fields.JOB, otherwise, format.ALL_JOBS, own=start or long)


def _check_formats(shell: Shell, resolved: Resolved) -> None:
    """--format, --Format and --long each say what a line has: OptionError where the command line has two that Slurm does not join."""
    if not report.written(shell, resolved, "format"):
        return
    if report.written(shell, resolved, "Format"):
        raise OptionError("-O (--Format) is incompatible with -o (--format)", exit_code=1)
    if resolved.flag("long"):
        raise OptionError(report.EXCLUSIVE, exit_code=1, fatal=True)


def _steps_wanted(resolved: Resolved) -> bool:
    return any(resolved.settings.get(key) is not None for key in ("steps", "step"))


def _ids(resolved: Resolved) -> list[str]:
    """The ids of --jobs and --steps; like getopt's optional arguments, -j and -s take theirs from the next word too."""
    texts = []
    words = list(resolved.rest)
    for key in ("jobs", "job", "steps", "step"):
        text = resolved.settings.get(key)
        if text is not None:
            texts.append(str(text) or (words.pop(0) if words else ""))
    if words:
        raise OptionError(f"Unrecognized option: {words[0]}", exit_code=1)
    if not texts:
        return []
    from slurm.notation import jobref

    ids: list[str] = []
    for text in texts:
        for one in _split(text):
            try:
                ids.append(jobref.parse(one).show())
            except SlurmError as error:
                raise OptionError(f"Invalid job id: {one}", exit_code=1, hints=[error.message]) from error
    return ids


def _split(text: str) -> list[str]:
    """Ids between commas outside brackets."""
    pieces = [""]
    depth = 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces if piece.strip()]


def _filter(resolved: Resolved, ids: list[str]) -> Message:
    wanted: Message = {condition: resolved.texts(option) for option, condition in _LISTS.items() if resolved.texts(option)}
    if _names_nothing(resolved, ids):
        wanted["users"] = [""]  # which nobody is called
    if ids:
        wanted["ids"] = ids
    states = _states(resolved.texts("states"))
    if "all" in states:
        wanted["all_states"] = True
    elif states:
        wanted["states"] = states
    if resolved.settings.get("nodelist") is not None:
        from slurm.notation import hostlist

        wanted["nodes"] = hostlist.expand(resolved.text("nodelist"))
    for option, condition in (("me", "mine"), ("notme", "not_mine")):
        if resolved.flag(option):
            wanted[condition] = True
    for key in ("running_over", "running_under"):
        if resolved.settings.get(key) is not None:
            wanted[key] = resolved.number(key)
    if resolved.flag("hide") or not resolved.flag("all"):
        wanted["visible_only"] = True
    return wanted


def _names_nothing(resolved: Resolved, ids: list[str]) -> bool:
    """Whether a list is given that is empty, such as "" for a variable that is not set: nothing is in it."""
    empty = any(resolved.settings.get(option) is not None and not resolved.texts(option) for option in (*_LISTS, "states"))
    return empty or resolved.settings.get("nodelist") == "" or (not ids and any(resolved.settings.get(key) == "" for key in ("jobs", "job")) and not _steps_wanted(resolved))


def _states(words: list[str]) -> list[str]:
    """The names of states given by name or letters, in any case."""
    if not words:
        return []
    from slurm.model.states import STATE_NAMES, STATE_WORDS

    known = {"all": "all", **STATE_WORDS}
    found = []
    for word in words:
        name = known.get(word.lower())
        if name is None:
            raise _InvalidState(word, STATE_NAMES)
        found.append(name)
    return found


class _InvalidState(OptionError):
    """A word of --states that is no state; Slurm lists the valid ones and ends the list with an empty line."""

    def __init__(self, word: str, names: tuple[str, ...]) -> None:
        listed = f"Valid job states include: {','.join(names)}"
        super().__init__(f"{listed}\n", exit_code=1)
        self.preface = (f"Invalid job state specified: {word}",)


def _is_uid(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 11 and int(word) < 2**32


def _tell_of_users(shell: Shell, resolved: Resolved) -> None:
    """A line on standard error for each user that this machine does not know: nobody's jobs are shown for him."""
    users = [name for name in resolved.texts("user") if not _is_uid(name)]
    if not users:
        return
    import pwd

    for name in users:
        try:
            pwd.getpwnam(name)
        except KeyError:
            shell.error(f"Invalid user: {name}")
