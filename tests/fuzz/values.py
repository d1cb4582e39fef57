"""What an attacker would write into a field: values at, within and beyond its bounds, of other kinds, and texts that mean something there.

Strategies follow from the types of the messages (slurm.model.bounds), so that a new field is attacked as soon as it exists.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from slurm.model import bounds
from slurm.model.cpu_set import CpuSet

MEANT: dict[str, list[str]] = {
    "partition": ["debug", "", "debug,debug", "nosuch", ",", "all"], "dependency": [
        "afterok:1", "afterany:1:2,after:3+5", "singleton", "afterok:1?afterany:2", "aftercorr:4_1", "after:", "afterok:999999999", "expand:1", ":"],
    "array": ["1-3", "0-10:2%2", "1,2,5-7", "0", "5-1", "1-", "%", "1-1000", "[1-3]", "2147483647"], "nodelist": [
        "cn01", "cn[01-02]", "cn[1-99999]", "cn[", "nosuch", "cn01,cn01", "x[0-999999]", "cn[01-02]x[1-900]"],
    "features": ["a", "a&b", "a|b", "[a*2&b*1]", "((((", "a*0", "!a", "&"], "gres": ["gpu:1", "gpu:a100:2", "gpu:0", "gpu:-1", "x", "gpu:99999999999", ":", "none"],
    "gpus": ["1", "a100:2", "0", "-1", "a:b:c", "9999999999999"], "signal": ["USR1@60", "B:15", "R:9", "@", "99", "TERM@99999", "R:B:1"],
    "distribution": ["block", "cyclic", "plane=4", "plane=x", "plane=", "plane=-1", "plane=999999999999", "block:cyclic", "*", "arbitrary"],
    "ids": ["1", "2_1", "2_[1-3]", "1.0", "1.batch", "2_*", "1,2", "x", "-1", "99999999", "_", "1_", "2_[1-99999999]", "\u00b2", "\u0661", "1.99999999999"],
    "gpu_bind": ["closest", "single:1", "map_gpu:0,1", "mask_gpu:0x1", "per_task:", "x"], "exclude": ["cn02", "cn[01-02]"], "mail_type": ["ALL", "END,FAIL", "x"],
    "sort": ["i", "-t,i", "+", "-", "P,t,-p", "zz", "-"], "fields": ["jobid", "name", "statecompact", "nodelist", "starttime", "reason", "nosuch", ""],
    "time_format": ["%c", "relative", "standard", "%Y-%m", "%", "%9999999d", "%E", "%-", "%s" * 40], "what": [
        "job", "step", "node", "partition", "config", "jobs_json", "nodes_json", "partitions_json", "sinfo_json", "completing", "daemons", "topology", "x", ""],
    "format": ["", "json", "yaml", "xml"], "names": ["1", "2_1", "cn01", "cn[01-02]", "debug", "nosuch", "1.0", "cn["], "states": [
        "pending", "RUNNING", "all", "idle", "down", "nosuch", "completing", ""],
    "users": ["0", "alice", "1001", "\u00b2", "-1"], "changes": [], "credential": ["", "x", "a.b", "////"], "endpoint": ["unix:/x", "tcp://h:1", "x"],
    "licenses": ["", "matlab:2", "a:b:c", ","], "nodes": ["cn01", "cn[01-02]", "ALL", "cn[", ""], "reservation": ["", "x"], "qos": ["", "normal", "high"],
    "work_dir": ["/tmp", "relative", "", "/" * 50], "stdout": ["slurm-%j.out", "%999999j", "%", "%A_%a_%N_%t", "/dev/null"]}
UPDATE_KEYS = [
    "TimeLimit", "StartTime", "Deadline", "JobName", "Partition", "Priority", "Nice", "Dependency", "ArrayTaskThrottle", "Comment", "AdminComment",
    "Features", "NumNodes", "NumTasks", "MinMemoryNode", "Gres", "ReqNodeList", "StdOut", "State", "Reason", "MaxTime", "Nodes", "Weight", "Default", "Shared",
    "OverSubscribe", "AllowGroups", "MaxNodes", "bogus", ""]
UPDATE_TEXTS = [
    "5", "-1", "1-0", "UNLIMITED", "+10", "-10", "now", "2099-01-01", "99999999999999", "debug", "none", "afterok:1", "cn01", "yes", "no", "DRAIN", "RESUME",
    "DOWN", "UP", "FORCE:4", "FORCE:99999999999999", "\u0661", "\u00b2", "1e5", "0x10", "INFINITE", "a" * 2000, "x\x1b[2J", "x\0y", ""]
EVIL = ["\0", "a\0b", "\x1b[2J\x1b]0;x\x07", "a\nb", "\x9b", "\u202e", "\ufeff", "\uffff", "%s%n%j", "'; rm -rf /", "../" * 100, "x" * 1024, "x" * 1025, "x" * 5000]
NUMBERS = [0, 1, 2, 3, 7, 64, 1001, -1, -2, -(2**31), 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64, 10**40]
REALS = [0.0, 1.0, -1.0, 1e9, 4102444800.0, 1e15, 1e300, -1e300, 0.1, float(2**63)]
OTHERS = st.sampled_from([None, True, [], {}, "", "x", 0, -1, 1.5, [[]], [None], {"a": None}, {"": ""}])


def _often(usual: st.SearchStrategy[Any], seldom: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 11).flatmap(lambda chance: seldom if chance == 0 else usual)


def _text(name: str, bound: bounds.Text) -> st.SearchStrategy[str]:
    meant = MEANT.get(name) or MEANT.get(name.rstrip("s")) or ["", "a", "job", "x,y", "a b"]
    if name.startswith("gpus"):
        meant = MEANT["gpus"]
    words = list(bound.words) or meant
    beyond = [] if bound.setting or not 0 < bound.most < 70_000 else ["x" * bound.most, "x" * (bound.most + 1)]
    return _often(st.sampled_from(words), st.one_of(st.sampled_from([*EVIL, *beyond]), st.text(max_size=40)))


def _numbers(bound: bounds.Whole) -> st.SearchStrategy[int]:
    near = [bound.least, bound.least + 1, min(bound.least + 2, bound.most), min(4, bound.most)]
    return _often(st.sampled_from(near), st.sampled_from([*NUMBERS, bound.least - 1, bound.most, bound.most + 1]))


def value_of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    """Values for a field of this type and name, as JSON has them."""
    extras = [extra for extra in (hint.__metadata__ if get_origin(hint) is Annotated else ()) if isinstance(extra, bounds.Bound)]
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    plain = plain.__supertype__ if isinstance(plain, NewType) else plain
    if get_origin(plain) in (Union, types.UnionType):
        parts = [part for part in get_args(plain) if part is not type(None)]
        inner = st.one_of([value_of(Annotated[part, *extras] if extras else part, name) for part in parts])
        return st.one_of(st.none(), inner) if len(parts) < len(get_args(plain)) else inner
    if plain is bool:
        return st.booleans()
    if isinstance(plain, type) and issubclass(plain, Enum):
        return st.sampled_from([*(each.value for each in plain), -1, "x", 2**40])
    if hasattr(plain, "__struct_fields__"):
        return fields_of(plain)
    kind = get_origin(plain) or plain
    if kind is str:
        return _text(name, next(extra for extra in extras if isinstance(extra, bounds.Text)))
    if kind is bytes:  # only nodes send them, in MessagePack
        return st.sampled_from([b"", b"x", b"SP\x01J\0\0\0\2{}", b"x" * 40_000]) | st.binary(max_size=40)
    if kind is CpuSet:  # only nodes send them, in MessagePack
        return st.sampled_from([b"", b"\x01", 3, -1, 2**64 - 1, b"\xff" * 8_193]) | st.binary(max_size=40)
    if kind is int:
        return _numbers(next(extra for extra in extras if isinstance(extra, bounds.Whole)))
    if kind is float:
        return _often(st.sampled_from([0.0, 1.0, 4102444800.0]), st.sampled_from(REALS))
    if kind is tuple:
        return st.tuples(*(value_of(part, name) for part in get_args(plain))).map(list)
    if kind is list:
        one = value_of(get_args(plain)[0], name)
        return _often(st.lists(one, max_size=3), one.flatmap(lambda item: st.just([item] * 300)))
    if kind is dict and name == "changes":
        return st.dictionaries(st.sampled_from(UPDATE_KEYS), st.sampled_from(UPDATE_TEXTS), max_size=3)
    if kind is dict:
        parts = get_args(plain)
        keys = value_of(parts[0], "word") if get_origin(parts[0]) is Annotated else st.sampled_from(["A", "PATH", "", "A=B", "x\0", "SLURM_JOB_ID"])
        values = value_of(parts[1], name) if get_origin(parts[1]) is Annotated else st.sampled_from(["", "x", "\0", "x" * 200_000, "\x1b"])
        return st.dictionaries(keys, values, max_size=3)
    raise AssertionError(f"no values for {name}: {hint}")


def fields_of(kind: type[msgspec.Struct], leave_out: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Some fields of a struct with values good and bad; those without a default nearly always."""
    hints = get_type_hints(kind, include_extras=True)
    rows: list[tuple[str, st.SearchStrategy[Any], bool]] = []
    for field in msgspec.structs.fields(kind):
        needed = field.required
        if field.name not in leave_out:
            rows.append((field.name, _often(value_of(hints[field.name], field.name), OTHERS), needed))
    needed_rows = [row for row in rows if row[2]]
    optional = [row for row in rows if not row[2]]

    @st.composite
    def made(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
        found = {name: draw(values) for name, values, _ in needed_rows}
        if optional:
            for index in draw(st.lists(st.integers(0, len(optional) - 1), max_size=6, unique=True)):
                found[optional[index][0]] = draw(optional[index][1])
        return found

    return made()


def messages(union: Any, leave_out: frozenset[str] = frozenset()) -> st.SearchStrategy[dict[str, Any]]:
    """Messages of a union's types, as JSON objects."""
    kinds = [kind for kind in typing.get_args(union) if kind.__name__ not in leave_out]
    return st.one_of([fields_of(kind).map(lambda fields, tag=kind.__name__: {"type": tag, **fields}) for kind in kinds])  # type: ignore[misc]
