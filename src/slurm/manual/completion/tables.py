"""The tables of `words` as functions that bash and zsh both read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slurm.manual.completion import words
from slurm.manual.flags import Flag

ASK = r"""
# What the cluster is asked for, one a line, a remark behind a tab; a second is the longest that anybody waits.
_slurm_py_ask() {
    case $1 in
        jobs) command timeout 1 squeue -h -o "%i"$'\t'"%j, %T, %u" 2>/dev/null | command sed 's/_\[[^]]*\]//' | command sort -u ;;
        steps) command timeout 1 squeue -h -s -o "%i"$'\t'"%j" 2>/dev/null ;;
        past_jobs) command timeout 1 sacct -nXP -o jobid 2>/dev/null ;;
        partitions) command timeout 1 sinfo -h -o %R 2>/dev/null ;;
        nodes) command timeout 1 sinfo -h -N -o %N 2>/dev/null | command sort -u ;;
        features) command timeout 1 sinfo -h -o %f 2>/dev/null | command tr ',' '\n' | command sed '/^(null)$/d' | command sort -u ;;
        reservations) command timeout 1 scontrol -o show reservation 2>/dev/null | command sed -n 's/^ReservationName=\([^ ]*\).*/\1/p' ;;
        licenses) command timeout 1 scontrol -o show license 2>/dev/null | command sed -n 's/^LicenseName=\([^ ]*\).*/\1/p' ;;
        users) command timeout 1 sacctmgr -nP show user format=user 2>/dev/null || command getent passwd | command cut -d: -f1 ;;
        accounts) command timeout 1 sacctmgr -nP show account format=account 2>/dev/null ;;
        qos) command timeout 1 sacctmgr -nP show qos format=name 2>/dev/null ;;
        clusters) command timeout 1 sacctmgr -nP show cluster format=cluster 2>/dev/null ;;
        wckeys) command timeout 1 sacctmgr -nP show wckey format=wckey 2>/dev/null ;;
        groups) command getent group | command cut -d: -f1 ;;
    esac
}
"""


def text() -> str:
    """The functions: what an option takes, what stands at a place, which options there are."""
    return "\n".join((*_of_option(), *_of_place(), *_of_value(), *_options(), ASK.strip(), ""))


def shown(takes: str | tuple[str, ...]) -> str:
    """A kind or words as one text of a shell: "@jobs", or "one two"."""
    return f"@{takes}" if isinstance(takes, str) else " ".join(takes)


def _case(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Branches of a `case`, one for all patterns that have the same text, in the order of the first."""
    found: dict[str, list[str]] = {}
    for pattern, value in rows:
        found.setdefault(value, []).append(pattern)
    for value, patterns in found.items():
        yield f"        {'|'.join(patterns)}) REPLY={_quoted(value)} ;;"


def _of_option() -> Iterator[str]:
    def rows() -> Iterator[tuple[str, str]]:
        flags = [*((name, (), flag) for name, there in words.commands().items() for flag in there),
            *(("slurm", before, flag) for before, there in words.subcommands().items() for flag in there)]
        for command, before, flag in flags:
            if flag.metavar:
                for name in flag.names:
                    called = f'"{" ".join((command, *before))} {name}{"=" if flag.optional else ""}"'
                    yield called, shown(words.of_option(command, flag))

    yield ("# What an option takes ($1: the command, $2: the option, with = where only that may part them): @KIND, words, or nothing that "
           "is known.")
    yield "# Status 1: it takes nothing."
    yield "_slurm_py_of_option() {"
    yield '    case "$1 $2" in'
    yield from _case(rows())
    yield "        *) REPLY=; return 1 ;;"
    yield "    esac"
    yield "}"


def _of_place() -> Iterator[str]:
    yield "# What may stand behind words that are no options ($1: the command and these words, in lower case)."
    yield "_slurm_py_of_place() {"
    yield "    case $1 in"
    for place in words.places():
        pieces = [place.command, *(word.lower() for word in place.before)]
        key = " ".join(pieces)
        pattern = f'"{key[:-1]}"*' if key.endswith("*") else f'"{key}"' + (f'|"{key} "*' if place.many else "")
        yield f"        {pattern}) REPLY={_quoted(shown(place.takes))} ;;"
    yield "        *) REPLY= ;;"
    yield "    esac"
    yield "}"


def _of_value() -> Iterator[str]:
    yield "# What KEY=… of scontrol and sacctmgr takes ($1: the key in lower case)."
    yield "_slurm_py_of_key() {"
    yield "    case $1 in"
    yield from _case((key.lower(), shown(takes)) for key, takes in words.VALUES.items())
    yield "        *) REPLY= ;;"
    yield "    esac"
    yield "}"


def _options() -> Iterator[str]:
    yield "# The options of a command ($1: it, and the words behind `slurm`), one a line, what each does behind a tab."
    yield "_slurm_py_options() {"
    yield "    case $1 in"
    rows: dict[tuple[str, ...], tuple[Flag, ...]] = {(name,): there for name, there in words.commands().items()}
    rows |= {("slurm", *before): there for before, there in words.subcommands().items()}
    for called in sorted(rows, key=lambda called: -len(called)):
        name = " ".join(called)
        yield f'        "{name}"|"{name} "*) REPLY={_quoted(chr(10).join(listed(rows[called])))} ;;'
    yield "        *) REPLY= ;;"
    yield "    esac"
    yield "}"


def listed(flags: Iterable[Flag]) -> Iterator[str]:
    """Options, each with what it does behind a tab; = behind those that take something."""
    for flag in flags:
        for name in flag.names:
            equals = "=" if flag.metavar and not flag.optional and name.startswith("--") else ""
            yield f"{name}{equals}\t{flag.help}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
