"""Completion for fish: a file for each command, which fish reads when the command is first completed."""

from __future__ import annotations

from collections.abc import Iterator

from slurm.manual.completion import words
from slurm.manual.flags import Flag

_HEAD = "# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.\n"
_FUNCTIONS = r"""
# The words behind the command that are neither options nor what these take, in lower case.
function __slurm_py_operands
    set -l typed (commandline -opc)
    set -l command (path basename -- $typed[1])
    set -l skip 0
    for word in $typed[2..]
        if test $skip = 1
            set skip 0
        else if string match -qr '^-.' -- $word
            contains -- "$command $word" $__slurm_py_taking; and set skip 1
        else
            string lower -- $word
        end
    end
end

# Whether exactly these words stand there; with -m also more behind them.
function __slurm_py_behind
    set -l there (__slurm_py_operands)
    if test "$argv[1]" = -m
        set -e argv[1]
        test (count $there) -gt (count $argv); and set -e there[(math (count $argv) + 1)..]
    end
    test (count $there) = (count $argv); or return 1
    for place in (seq (count $argv))
        string match -q -- $argv[$place] $there[$place]; or return 1
    end
end

# Of a list with commas the last is completed: whatever stands before it comes before each line.
function __slurm_py_listed
    set -l token (string replace -r '^(-[^=]*|\w+)=' '' -- (commandline -ct))
    set -l before (string match -r '^.*,' -- $token; or echo)
    while read -l line
        echo -- $before$line
    end
end

# KEY= for words of scontrol and sacctmgr, with the values of the key that stands there.
function __slurm_py_key
    set -l token (commandline -ct)
    string match -q '*=*' -- $token; or return
    set -l key (string replace -r '=.*' '' -- $token)
    switch (string lower -- $key)
@KEYS@
    end
end

# What the cluster is asked for; a second is the longest that anybody waits.
function __slurm_py_ask
    switch $argv[1]
        case jobs
            command timeout 1 squeue -h -o "%i"\t"%j, %T, %u" 2>/dev/null | string replace -r '_\[[^]]*\]' ''
        case steps
            command timeout 1 squeue -h -s -o "%i"\t"%j" 2>/dev/null
        case past_jobs
            command timeout 1 sacct -nXP -o jobid 2>/dev/null
        case partitions
            command timeout 1 sinfo -h -o %R 2>/dev/null
        case nodes
            command timeout 1 sinfo -h -N -o %N 2>/dev/null
        case features
            command timeout 1 sinfo -h -o %f 2>/dev/null | string split , | string match -v '(null)'
        case reservations
            command timeout 1 scontrol -o show reservation 2>/dev/null | string replace -rf '^ReservationName=(\S*).*' '$1'
        case licenses
            command timeout 1 scontrol -o show license 2>/dev/null | string replace -rf '^LicenseName=(\S*).*' '$1'
        case users
            command timeout 1 sacctmgr -nP show user format=user 2>/dev/null; or __fish_complete_users
        case accounts
            command timeout 1 sacctmgr -nP show account format=account 2>/dev/null
        case qos
            command timeout 1 sacctmgr -nP show qos format=name 2>/dev/null
        case clusters
            command timeout 1 sacctmgr -nP show cluster format=cluster 2>/dev/null
        case wckeys
            command timeout 1 sacctmgr -nP show wckey format=wckey 2>/dev/null
        case groups
            __fish_complete_groups
    end
end
"""


def files() -> dict[str, str]:
    """slurm.fish, with what all need, and one file for each other command."""
    commands = words.commands()
    head = _HEAD + "\nset -g __slurm_py_taking " + " ".join(_quoted(one) for one in _taking()) + "\n" + _FUNCTIONS.replace("@KEYS@",
        "\n".join(_keys()))
    lines = ["complete -c slurm -f", *_places("slurm")]
    for before, flags in words.subcommands().items():
        lines += [_option("slurm", flag, f"__slurm_py_behind -m {' '.join(before)}") for flag in flags]
    found = {"fish/slurm.fish": head + "\n" + "\n".join(lines) + "\n"}
    for name, flags in commands.items():
        lines = [*(_option(name, flag) for flag in flags), *_places(name)]
        found[f"fish/{name}.fish"] = (
            f"{_HEAD}functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish\n\n" + "\n".join(lines) + "\n")
    return found


def _taking() -> Iterator[str]:
    for command, flags in words.commands().items():
        yield from (f"{command} {name}" for flag in flags if flag.metavar and not flag.optional for name in flag.names)


def _keys() -> Iterator[str]:
    for key, takes in words.VALUES.items():
        yield f"        case {key.lower()}"
        yield f"            {_source(takes)} | string replace -r '^' \"$key=\""


def _source(takes: str | tuple[str, ...]) -> str:
    return f"__slurm_py_ask {takes}" if isinstance(takes, str) else "printf '%s\\n' " + " ".join(map(_quoted, takes))


def _option(command: str, flag: Flag, condition: str = "") -> str:
    pieces = ["complete", "-c", command]
    if condition:
        pieces += ["-n", _quoted(condition)]
    for name in flag.names:
        bare = name.lstrip("-")
        pieces += ["-l" if name.startswith("--") else "-s" if len(bare) == 1 else "-o", bare]
    takes = words.of_option(command, flag)
    if flag.metavar and not flag.optional:
        pieces.append("-r" if takes in (words.FILES, words.FOLDERS) else "-x")
    if flag.metavar and takes not in (words.FILES, words.FOLDERS, ()):
        pieces += ["-a", _quoted(f"({_source(takes)} | __slurm_py_listed)")]
    if takes == words.FOLDERS:
        pieces += ["-a", _quoted("(__fish_complete_directories)")]
    return " ".join([*pieces, "-d", _quoted(flag.help)])


def _places(command: str) -> Iterator[str]:
    places = [place for place in words.places() if place.command == command]
    if not any(place.takes in (words.FILES, words.COMMANDS) for place in places) and command != "slurm":
        yield f"complete -c {command} -f"
    for place in places:
        before = [word.lower() for word in place.before]
        behind = f"__slurm_py_behind {'-m ' if place.many else ''}{' '.join(_quoted_word(word) for word in before)}".rstrip()
        if place.takes == words.COMMANDS:
            yield f"complete -c {command} -n {_quoted('__slurm_py_behind')} -a '(__fish_complete_command)'"
        elif place.takes != words.FILES:
            yield f"complete -c {command} -n {_quoted(behind)} -a {_quoted(f'({_source(place.takes)})')}"
    if command in ("scontrol", "sacctmgr"):
        yield f"complete -c {command} -a '(__slurm_py_key)'"


def _quoted_word(word: str) -> str:
    return f'"{word}"' if "*" in word else word


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
