"""sacctmgr: shows and changes who may use what.

The words that it knows are here; what they do, in the files beside it, read when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slurm.commands import wanted_style
from slurm.commands.shell import Shell, informed, notes, run
from slurm.model.errors import Unsupported
from slurm.model.version import version_line
from slurm.options import getopt, tables
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

Keyword = Callable[[Shell, Resolved, Sequence[str]], int]
_NOT_CHANGED = {
    "federation": "there is no federation"}
_NO_ENTITY = (
    "No valid entity in {} command",
    'Input line must include "Account", "Association", "Cluster", "Configuration",',
    '"Event", "Federation", "Problem", "QOS", "Resource", "Reservation",',
    '"RunAwayJobs", "Stats", "Transaction", "TRES", "User", or "WCKey"')
_NO_CHANGE = (
    "No valid entity in {} command", 'Input line must include "Account", "Cluster", "Coordinator",',
    '"QOS", "Resource", "User", or "WCKey"')


def main(shell: Shell | None = None) -> int:
    """Runs sacctmgr and returns its exit status."""
    return run(shell or Shell.of_process("sacctmgr"), _sacctmgr, usage_code=1)


def _sacctmgr(shell: Shell) -> int:
    resolved = _resolved(shell)
    if informed(shell, resolved):
        return 0
    notes(shell, resolved)
    if resolved.rest:
        return keyword(shell, resolved, resolved.rest)
    from slurm.commands import sacctmgr_prompt

    return sacctmgr_prompt.converse(shell, resolved, keyword)


def _resolved(shell: Shell) -> Resolved:
    """Options may stand behind the words too, as in `sacctmgr show assoc -P`."""
    given, rest = getopt.parse(shell.argv, tables.rows("sacctmgr"), permute=True)
    options = [f"--{one.option.name}" + (f"={one.text}" if one.text else "") for one in given]
    return resolve("sacctmgr", [*options, "--", *rest], shell.environ, now=shell.now())


def keyword(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    """Carries one line out; words may be shortened as long as they are clear."""
    word = line[0].lower()
    found = KEYWORDS.get(word)
    if found is None and len(word) >= 3:
        meant = {KEYWORDS[name] for name in KEYWORDS if name.startswith(word)}
        found = meant.pop() if len(meant) == 1 else None
    if found is not None:
        return found(shell, resolved, line[1:])
    from slurm.notation.nearest import nearest  # only when something is wrong

    near = nearest(word, KEYWORDS)
    shell.raw(f"invalid keyword: {line[0]}")
    shell.hints([f"did you mean {near}?" if near else f"valid: {', '.join(sorted(KEYWORDS))}"])
    return 1


def _no_entity(shell: Shell, lines: Sequence[str], verb: str) -> int:
    for text in lines:
        shell.raw(text.format(verb))
    return 1


def _show(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    from slurm.commands import sacctmgr_database, sacctmgr_show
    from slurm.commands import sacctmgr_words as words

    entity = words.entity_of(line[0]) if line else ""
    if not entity or entity == "coordinator":
        return _no_entity(shell, _NO_ENTITY, "list")
    if entity in (words.CONFIGURATION, words.STATS):
        return sacctmgr_database.show(shell, entity, line[1:])
    if entity == words.EVENT:
        from slurm.commands import sacctmgr_events

        return sacctmgr_events.show(shell, resolved, line[1:])
    if entity == words.RESERVATION:
        from slurm.commands import sacctmgr_reservations

        return sacctmgr_reservations.show(shell, resolved, line[1:])
    if entity == words.RUNAWAY:
        from slurm.commands import sacctmgr_runaways

        return sacctmgr_runaways.show(shell, resolved, line[1:])
    read = words.read(entity, line[1:], "show", shell.now())
    read.which.with_deleted = "withdeleted" in read.flags
    structure = wanted_style.structure(resolved)
    if structure:
        return sacctmgr_show.structured(shell, words.door(shell), entity, read, structure)
    return sacctmgr_show.show(shell, resolved, words.door(shell), entity, read)


def _changes(verb: str, name: str) -> Keyword:
    def carry_out(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
        from slurm.commands import sacctmgr_change
        from slurm.commands import sacctmgr_words as words

        if verb == "modify" and line and line[0].lower() in ("job", "jobs"):
            from slurm.commands import sacctmgr_jobs

            return sacctmgr_jobs.modify(shell, resolved, line[1:])
        entity = words.entity_of(line[0]) if line else ""
        if entity in _NOT_CHANGED:
            raise Unsupported(message=f"sacctmgr {name} {entity} is not supported by slurm-py yet: {_NOT_CHANGED[entity]}")
        if entity not in ("account", "cluster", "coordinator", "qos", "resource", "user",
                "wckey") or (entity in ("coordinator", "wckey") and verb == "modify"):
            return _no_entity(shell, _NO_CHANGE, name)
        return sacctmgr_change.change(shell, resolved, words.door(shell), verb, entity, words.read(entity, line[1:], verb, shell.now()))

    return carry_out


def _dump(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    from slurm.commands import sacctmgr_file, sacctmgr_words

    return sacctmgr_file.dump(shell, resolved, sacctmgr_words.door(shell), line)


def _load(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    from slurm.commands import sacctmgr_file, sacctmgr_words

    return sacctmgr_file.load(shell, resolved, sacctmgr_words.door(shell), line)


def _administrate(what: str) -> Keyword:
    def carry_out(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
        from slurm.commands import sacctmgr_database

        return sacctmgr_database.administrate(shell, what, line)

    return carry_out


def _version(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    shell.out(version_line())
    return 0


def _help(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    from slurm.options import usage

    shell.stdout.write(usage.help_text("sacctmgr"))
    shell.out("")
    shell.out("Keywords: " + ", ".join(sorted(KEYWORDS)))
    return 0


def _clear(shell: Shell, resolved: Resolved, line: Sequence[str]) -> int:
    if not line or line[0].lower() not in ("stats", "stat"):
        raise OptionError(' Only "clear stats" is known.', exit_code=1, bare=True)
    from slurm.commands import sacctmgr_database

    return sacctmgr_database.administrate(shell, "clear", line)


KEYWORDS: dict[str, Keyword] = {
    "add": _changes("add", "add"), "create": _changes("add", "add"), "modify": _changes("modify", "modify"),
    "update": _changes("modify", "modify"),
    "delete": _changes("remove", "delete"), "remove": _changes("remove", "delete"), "show": _show, "list": _show, "dump": _dump,
    "load": _load,
    "archive": _administrate("archive"), "clear": _clear, "ping": _administrate("ping"), "reconfigure": _administrate("reconfigure"),
    "shutdown": _administrate("shutdown"), "version": _version, "help": _help, "exit": lambda shell, resolved, line: 0,
    "quit": lambda shell, resolved, line: 0}
"""First word → what it does; `exit` and `quit` end a conversation."""
