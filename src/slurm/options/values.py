"""What the arguments of options mean: one reader for each kind of value, and the table that names them.

Notations are imported by the readers that need them, so that a command pays only for the options it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from slurm.model.errors import NotationError, Unsupported
from slurm.options.errors import OptionError
from slurm.options.option import HINT, Option

_MAX_NUMBER = 2**31 - 4
_LONGEST = 20  # digits that are read of a number that is too big anyway
_YES = frozenset({"yes", "y", "1", "true", "on"})
_NO = frozenset({"no", "n", "0", "false", "off"})
_MAIL = frozenset((
    "NONE", "BEGIN", "END", "FAIL", "REQUEUE", "ALL", "INVALID_DEPEND", "STAGE_OUT", "TIME_LIMIT", "TIME_LIMIT_90", "TIME_LIMIT_80",
    "TIME_LIMIT_50", "ARRAY_TASKS",
))
_NO_SUCH_WORD = {"gres-flags": "Invalid --{name} specification", "profile": "invalid --{name}={text} option"}
"""What Slurm says of a word that an option does not know, where it does not say "unrecognized"."""
_LIMITS = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "RSS", "STACK")


class Reading:
    """What readers may look at and leave behind: the present moment, `notes` for standard error, and `hints`, option → why it is not
    followed."""

    __slots__ = ("hints", "notes", "now")

    def __init__(self, now: float) -> None:
        self.now = now
        self.notes: list[str] = []
        self.hints: dict[str, str] = {}


Fields = dict[str, object]


def read(option: Option, text: str | None, reading: Reading) -> Fields:
    """The fields that an option sets, by name; OptionError or Unsupported where the text stands for nothing."""
    reading.hints.pop(option.name, None)
    fields = READERS[option.value](option, text or "", reading)
    if option.status == HINT and not (text and option.plain.issuperset(_words(text, option.plain))):
        reading.hints[option.name] = option.note
    return fields


def unsupported(option: Option, text: str, why: str) -> Unsupported:
    """The sentence that refuses one value of an option that is otherwise known."""
    return Unsupported(message=f"--{option.name}={text} is not supported by slurm-py yet: {why}")


def _target(option: Option) -> str:
    return option.sets or option.key


def _invalid(option: Option, text: str, error: NotationError | None = None, valid: str = "") -> OptionError:
    hint = error.message if error else f'"{text}" is not valid; valid: {valid}'
    return OptionError(f"Invalid --{option.name} specification", hints=[*_misspelled(option, text), hint])


def _misspelled(option: Option, text: str) -> list[str]:
    """`-time=5` is read as `-t ime=5`; whoever wrote it wants to hear that."""
    word, equals, rest = (option.short + text).partition("=")
    return [f"did you mean --{option.name}={rest}?"] if equals and option.name.startswith(word) and len(word) > 2 else []


def _number(option: Option, text: str, lowest: int, what: str = "") -> int:
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and len(digits) < 11 and lowest <= int(digits) <= _MAX_NUMBER:
        return int(digits)
    name = what or "--" + option.name
    if digits.isascii() and digits.isdigit() and int(digits[:_LONGEST]) > _MAX_NUMBER:
        message = f"Numeric argument ({min(int(digits[:_LONGEST]), 2**63 - 1)}) to big for {name}."  # as Slurm spells it
    else:
        message = f'Invalid numeric value "{text}" for {name}.'
    raise OptionError(message, exit_code=1, hints=[f"give a whole number from {lowest} to {_MAX_NUMBER}"])


def _flag(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): option.constant}


def _text(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): text}


def _list(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): [item.strip() for item in text.split(",") if item.strip()]}


def _count(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): _number(option, text, 1)}


def _number_from_zero(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): _number(option, text, 0)}


def _ports(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): _number(option, text, 0) if text else -1}


def _nodes(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import nodecount

    low, dash, high = text.partition("-")
    if dash and low.isdigit() and high.isdigit() and int(high) < int(low):
        raise OptionError(f"Maximum node count {high} is less than minimum node count {low}", hints=[f"write --nodes={high}-{low}"])
    try:
        count = nodecount.parse(text)
    except NotationError as error:
        raise OptionError(f'"{text}" is not a valid node count', hints=[error.message]) from error
    if count.sizes:
        raise unsupported(option, text, "give one number or one range of nodes")
    return {"nodes_min": count.low, "nodes_max": count.high}


def _memory(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import size

    try:
        return {_target(option): size.parse_mb(text)}
    except NotationError as error:
        raise _invalid(option, text, error) from error


def _duration(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import duration

    try:
        return {_target(option): duration.parse(text) or duration.INFINITE}
    except NotationError as error:
        raise _invalid(option, text, error) from error


def _moment(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import moment

    try:
        return {_target(option): moment.parse(text, reading.now)}
    except NotationError as error:
        refusal = _invalid(option, text, valid="16:00, now+1hour, 2026-12-24, 2026-12-24T08:30, tomorrow, midnight ...")
        refusal.before = (error.message.partition("; valid")[0],)
        raise refusal from error


def _gres(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import gres

    try:
        return {"gres": "none" if text.strip().lower() == "none" else gres.show(gres.parse(text))}
    except NotationError as error:
        raise OptionError("Invalid generic resource (gres) specification", exit_code=1, hints=[error.message]) from error


def _gpus(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import gres

    try:
        return {_target(option): ",".join(request.show().removeprefix("gpu:") for request in gres.parse_gpus(text))}
    except NotationError as error:
        raise OptionError("Invalid generic resource (gres) specification", exit_code=1, hints=[error.message]) from error


def _tres_per_task(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import tres

    try:
        amounts = tres.parse_each(text)
    except NotationError as error:
        raise _invalid(option, text, error) from error
    fields: Fields = {}
    for name, amount in amounts.items():
        if name == "cpu":
            fields["cpus_per_task"] = amount
        elif name.startswith("gres/gpu"):
            kind = name.partition(":")[2]
            fields["gpus_per_task"] = f"{kind}:{amount}" if kind else str(amount)
        else:
            raise unsupported(option, text, f"a task cannot ask for {name}, only for cpu and gres/gpu")
    return fields


def _hosts(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import hostlist

    if "/" not in text:  # with a slash it names a file of hosts
        try:
            hostlist.count(text)
        except NotationError as error:
            raise _invalid(option, text, error) from error
    return {_target(option): text}


def _node_info(option: Option, text: str, reading: Reading) -> Fields:
    fields: Fields = {}
    for field, place, part in zip(option.sets.split(), ("first", "second", "third"), text.split(":"), strict=False):
        if part != "*":
            fields[field] = _number(option, part, 1, f"{place} arg of -B")
    return fields


def _hint(option: Option, text: str, reading: Reading) -> Fields:
    if text not in ("compute_bound", "memory_bound", "nomultithread", "multithread", "none"):
        message = f'unrecognized --hint argument "{text}", see --hint=help'
        raise OptionError(message, exit_code=1, hints=["valid: compute_bound, memory_bound, nomultithread, multithread"])
    if text == "memory_bound":
        reading.hints[option.name] = "one thread a core is used, but not just one core of each socket: --ntasks-per-socket=1 asks for that"
    return {"threads_per_core": 1} if text in ("nomultithread", "compute_bound", "memory_bound") else {}


def _exclusive(option: Option, text: str, reading: Reading) -> Fields:
    if text in ("mcs", "topo"):
        raise unsupported(option, text, "nodes are kept for one job, or with =user for one user")
    if text not in ("", "node", "user") and text.lower() not in _YES:
        raise _invalid(option, text, valid='nothing, or "user"')
    return {"exclusive": "user" if text == "user" else "node"}


def _distribution(option: Option, text: str, reading: Reading) -> Fields:
    nodes, comma, pack = text.lower().partition(",")
    if nodes in ("pack", "nopack"):
        nodes, comma, pack = "*", ",", nodes
    first, *inner = nodes.split(":")
    name, equals, size = first.partition("=")
    if name == "arbitrary":
        raise unsupported(option, text, "tasks are dealt out as block, cyclic or plane=N")
    if pack == "pack":
        reading.hints[option.name] = "nodes are filled one after another as block says; pack changes nothing more"
    known = name in ("block", "cyclic", "*") if not equals else name == "plane" and size.isdigit() and int(size) > 0
    inner_known = len(inner) < 3 and all(word in ("block", "cyclic", "fcyclic", "*") for word in inner)
    if not (known and inner_known) or (comma and pack not in ("pack", "nopack")):
        raise _invalid(option, text, valid="block, cyclic, plane=N")
    while inner and inner[-1] == "*":
        inner.pop()
    return {"distribution": ":".join(["block" if first == "*" else first, *inner]) if inner else "" if first == "*" else first}


def _nice(option: Option, text: str, reading: Reading) -> Fields:
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit()):
        reading.notes.append(f'--nice={text}: "{text}" is no number, so the priority stays as it is')
        return {"nice": 0}
    if len(digits) > 10 or int(digits) > 2147483645:
        raise OptionError("Invalid --nice value, out of range (+/- 2147483645)")
    return {"nice": sign * int(digits)}


def _priority(option: Option, text: str, reading: Reading) -> Fields:
    sign, digits = text[:1] == "-", text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise _invalid(option, text, valid="a number from 0 to 4294967294")
    if sign or len(digits) > 10 or int(digits) >= 2**32 - 1:
        raise OptionError("Priority must be >= 0" if sign else "Priority must be < 4294967294")
    return {"priority": int(text)}


def _yesno(option: Option, text: str, reading: Reading) -> Fields:
    word = text.lower()
    if word not in _YES and word not in _NO:
        raise _invalid(option, text, valid=option.metavar.replace("|", " or ") or "yes or no")
    return {_target(option): word in _YES}


def _no_kill(option: Option, text: str, reading: Reading) -> Fields:
    if text not in ("", "on", "off") and text.lower() not in _YES:
        raise _invalid(option, text, valid='nothing, or "off"')
    return {"no_kill": text != "off"}


def _step_ends(option: Option, text: str, reading: Reading) -> Fields:
    return {_target(option): _number(option, text, 0) > 0}


def _requeue(option: Option, text: str, reading: Reading) -> Fields:
    if text.lower() in ("", "0") or text.lower() in _YES:
        return {"requeue": True}
    raise unsupported(option, text, "a job that is put back waits as any other")


def _signal(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import signal

    try:
        return {"signal": signal.show_request(signal.parse_request(text))}
    except NotationError as error:
        raise _invalid(option, text, error) from error


def _acctg_freq(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import gather_frequency

    try:
        frequencies = gather_frequency.parse(text)
    except NotationError as error:
        raise _invalid(option, text, error) from error
    if any(seconds for kind, seconds in frequencies.items() if kind != "task"):
        reading.hints[option.name] = ("of a job's own frequencies only task= counts: energy is read with its tasks, network and "
                                      "filesystem are not measured")
    return {"sample_seconds": frequencies["task"]} if "task" in frequencies else {}


def _gpu_bind(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import gpu_bind

    try:
        gpu_bind.parse(text)
    except NotationError as error:
        raise OptionError(f"Invalid --gpu-bind argument: gpu:{text}", hints=error.lines()) from error
    return {"gpu_bind": text}


def _cpu_bind(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import cpu_bind

    try:
        cpu_bind.parse(text)
    except NotationError as error:
        raise OptionError(f'unrecognized --cpu-bind argument "{text}"', hints=error.lines()) from error
    return {option.key: text}


def _open_mode(option: Option, text: str, reading: Reading) -> Fields:
    for mode in ("append", "truncate"):
        if text and mode.startswith(text.lower()):
            return {"open_mode": mode}
    raise _invalid(option, text, valid="append or truncate")


def _mail_type(option: Option, text: str, reading: Reading) -> Fields:
    words = [word.strip().upper() for word in text.split(",")]
    if not _MAIL.issuperset(words):
        raise _invalid(option, text, valid=", ".join(sorted(_MAIL)))
    return {"mail_type": ",".join(words)}


def _hint_words(option: Option, text: str, reading: Reading) -> Fields:
    """Words that say how to do it: "verbose,map_cpu:0,2", "low-high:performance"; none is followed, all must exist."""
    words = _words(text, option.choices)
    takes_amounts = option.name.endswith("-freq") or any(word.startswith(("map_", "mask_")) for word in words)
    for word in words:
        if not (word in option.choices or _is_amount(word, takes_amounts)):
            message = _NO_SUCH_WORD.get(option.name, 'unrecognized --{name} argument "{text}"').format(name=option.name, text=text)
            raise OptionError(message, hints=[*_meant(word, option.choices), f"valid: {', '.join(sorted(option.choices))}"])
    return {option.key: text}


def _words(text: str, known: frozenset[str]) -> list[str]:
    """The words of a hint; one that has a dash itself, such as enforce-binding, is one word."""
    pieces = text.strip().lower().replace(":", ",").replace("=", ",").split(",")
    return [word for piece in pieces for word in ([piece] if piece in known else piece.split("-"))]


def _is_amount(word: str, takes_amounts: bool) -> bool:
    return word == "" or takes_amounts and (word == "*" or set(word.removeprefix("0x")) <= set("0123456789abcdef"))


def _meant(word: str, known: Iterable[str]) -> list[str]:
    from slurm.notation.nearest import nearest

    meant = nearest(word, list(known))
    return [f"did you mean {meant}?"] if meant else []


def _tres_bind(option: Option, text: str, reading: Reading) -> Fields:
    for one in text.split("+"):
        kind, colon, bind = one.partition(":")
        if kind.lower() != "gres/gpu":
            raise unsupported(option, text, "tasks are given GPUs, no other devices of their own")
        if not colon:
            raise _invalid(option, text, valid="gres/gpu:TYPE, such as gres/gpu:single:1")
    return _gpu_bind(option, bind, reading)


def _span(option: Option, text: str, part: str) -> int:
    from slurm.notation import duration

    try:
        return max(0, duration.parse(part))
    except NotationError as error:
        raise _invalid(option, text, error) from error


def _boot_delay(option: Option, text: str, reading: Reading) -> Fields:
    _span(option, text, text)
    return {option.key: text}


def _switches(option: Option, text: str, reading: Reading) -> Fields:
    count, at, wait = text.partition("@")
    return {"switches": _number(option, count, 1), **({"switch_wait": _span(option, text, wait)} if at else {})}


def _propagate(option: Option, text: str, reading: Reading) -> Fields:
    names = [word.strip().upper().removeprefix("RLIMIT_") for word in text.split(",")]
    for name in names:
        if name not in _LIMITS and names not in (["ALL"], ["NONE"]):
            raise OptionError(
                f"--propagate={text} is not valid.",
                exit_code=1,
                preface=[f"Bad rlimit name: {name}"],
                hints=["valid: ALL, NONE, " + ", ".join(_LIMITS)],
            )
    return {option.key: names}


def _job(option: Option, text: str, reading: Reading) -> Fields:
    from slurm.notation import jobref

    try:
        jobref.parse(text)
    except NotationError as error:
        raise _invalid(option, text, error) from error
    return {option.key: text}


READERS: dict[str, Callable[[Option, str, Reading], Fields]] = {
    "flag": _flag, "level": _count, "text": _text, "list": _list, "count": _count, "number": _number_from_zero, "nodes": _nodes,
    "memory": _memory, "size": _memory, "duration": _duration, "moment": _moment, "gres": _gres, "gpus": _gpus,
    "tres_per_task": _tres_per_task, "hosts": _hosts, "node_info": _node_info, "hint": _hint, "exclusive": _exclusive,
    "distribution": _distribution, "nice": _nice, "priority": _priority, "yesno": _yesno, "no_kill": _no_kill, "requeue": _requeue,
    "signal": _signal, "open_mode": _open_mode, "mail_type": _mail_type, "hint_words": _hint_words, "gpu_bind": _gpu_bind, "cpu_bind": _cpu_bind,
    "acctg_freq": _acctg_freq, "tres_bind": _tres_bind, "ports": _ports,
    "step_ends": _step_ends, "boot_delay": _boot_delay, "switches": _switches, "propagate": _propagate, "job": _job, "immediate": _count,
}
"""Kind of value → its reader. The one place that knows the kinds."""
