"""What state a node is in as users see it: the base state with what lies over it, in sinfo's words, scontrol's and JSON's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slurm.model.errors import InvalidRequest
from slurm.model.node import Node
from slurm.model.states import NodeState, Power
from slurm.render.view import View

_COMPACT = {"unknown": "unk", "down": "down", "idle": "idle", "allocated": "alloc", "error": "err", "mixed": "mix", "future": "futr"}
_BASE_RANK = {"unknown": 0, "down": 1, "idle": 2, "allocated": 3, "error": 4, "mixed": 5, "future": 6}
_FLAG_RANK = {
    "reserved": 1 << 3, "drain": 1 << 4, "completing": 1 << 5, "not_responding": 1 << 6, "maintenance": 1 << 7, "planned": 1 << 8,
    "cloud": 1 << 9, "dynamic_norm": 1 << 10, "power_down": 1 << 11, "power_up": 1 << 12, "powered_down": 1 << 13,
    "powering_down": 1 << 14, "powering_up": 1 << 15, "reboot_requested": 1 << 16, "reboot_issued": 1 << 17}
_POWER = {Power.GOING_DOWN: "powering_down", Power.COMING_UP: "powering_up"}
_SUFFIX = (
    ("maintenance", "$"), ("reboot_requested", "@"), ("reboot_issued", "^"), ("powering_up", "#"), ("power_up", "#"),
    ("powering_down", "%"), ("power_down", "!"), ("powered_down", "~"), ("not_responding", "*"), ("planned", "-"))
"""What stands behind a state, the first that is so. Source: sinfo(1), NODE STATE CODES."""
_WORDS: dict[str, str] = {
    **{word: word for word in _COMPACT}, **{short: word for word, short in _COMPACT.items()},
    "drain": "drain", "drained": "drained", "draining": "draining", "drng": "draining", "comp": "completing", "completing": "completing",
    "planned": "planned", "plnd": "planned", "no_respond": "not_responding", "not_responding": "not_responding", "all": "all",
    "fail": "fail", "failing": "fail", "maint": "maintenance", "resv": "reserved", "reserved": "reserved", "reboot": "reboot",
    "power_down": "power_down", "powered_down": "powered_down", "power_up": "power_up", "powering_down": "powering_down",
    "powering_up": "powering_up", "boot": "reboot", "reboot_requested": "reboot_requested", "reboot_issued": "reboot_issued",
    "inval": "inval", "blocked": "blocked", "cloud": "cloud", "dynamic_norm": "dynamic_norm",
}
STATE_WORDS: tuple[str, ...] = (
    "all", "alloc", "allocated", "blocked", "boot", "cloud", "comp", "completing", "down", "drain", "drained", "draining", "drng", "fail",
    "future",
    "futr", "idle", "inval", "maint", "mix", "mixed", "no_respond", "planned", "power_down", "power_up", "powered_down", "powering_down",
    "powering_up", "reboot",
    "reboot_issued", "reboot_requested", "reserved", "resv", "unk", "unknown",
)
"""What `sinfo --states` takes, besides combinations with `&` or `+` and negations with `~` or `!`."""
_NOT = "~!"


class NodeStatus(NamedTuple):
    """`base` is a word of NodeState; `flags` lie over it: drain, completing, not_responding, planned, maintenance, reserved, those of
    power and reboots."""

    base: str
    flags: tuple[str, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether jobs hold it or are leaving it."""
        return self.base in ("allocated", "mixed") or "completing" in self.flags

    @property
    def available(self) -> bool:
        """Whether its free resources count as idle."""
        return self.base in ("idle", "allocated", "mixed") and "drain" not in self.flags

    @property
    def word(self) -> str:
        """sinfo's %T: "mixed-", "draining", "down*"."""
        return self._plain() + self._mark()

    @property
    def short(self) -> str:
        """sinfo's %t: "mix-", "drng", "down*"."""
        plain = self._plain()
        return {"draining": "drng", "drained": "drain", "completing": "comp", "reserved": "resv", "reboot": "boot"}.get(plain,
            _COMPACT.get(plain, plain)) + self._mark()

    @property
    def parts(self) -> list[str]:
        """As JSON lists it: MIXED, PLANNED."""
        return [self.base.upper(), *(flag.upper() for flag in self.flags)]

    @property
    def complete(self) -> str:
        """As scontrol shows it: "MIXED+PLANNED"."""
        return "+".join(self.parts)

    @property
    def rank(self) -> int:
        """Orders states as sinfo does."""
        return _BASE_RANK[self.base] + sum(_FLAG_RANK[flag] for flag in self.flags)

    def _plain(self) -> str:
        if "reboot_issued" in self.flags:
            return "reboot"
        if "drain" in self.flags:
            return "draining" if self.busy else "drained"
        if "completing" in self.flags and self.base == "idle":
            return "completing"
        if self.base == "idle" and ("maintenance" in self.flags or "reserved" in self.flags):
            return "maint" if "maintenance" in self.flags else "reserved"
        return self.base

    def _mark(self) -> str:
        plain = self._plain()
        return next((sign for flag, sign in _SUFFIX if flag in self.flags and (flag != "maintenance" or plain != "maint")), "")


def status(node: Node, view: View) -> NodeStatus:
    """The state of a node."""
    base = node.state.value
    if node.state is NodeState.IDLE and node.cpus_used:
        base = "allocated" if len(node.cpus_used) >= node.job_cpu_count else "mixed"
    flags = ["cloud"] if node.cloud else []
    if node.drain:
        flags.append("drain")
    if node.completing:
        flags.append("completing")
    if node.line:
        flags.append("dynamic_norm")
    if node.power_asked:
        flags.append("power_up" if node.power_asked == "up" else "power_down")
    if node.power is Power.OFF:
        flags.append("powered_down")
    if not node.responding and node.state is not NodeState.FUTURE and node.power not in (Power.OFF, Power.GOING_DOWN):
        flags.append("not_responding")
    if node.power in _POWER:
        flags.append(_POWER[node.power])
    if node.reboot:
        flags.append("reboot_issued" if node.reboot == "issued" else "reboot_requested")
    if node.name in view.reserved and node.state is not NodeState.FUTURE:
        flags += ["maintenance", "reserved"] if "MAINT" in view.reserved[node.name].flags else ["reserved"]
    if base in ("idle", "mixed") and not flags and node.name in view.planned:
        flags.append("planned")
    return NodeStatus(base, tuple(flags))


def parse_filter(words: Iterable[str]) -> list[list[str]]:
    """sinfo's --states: each element is a combination, all of whose states a node must have; "~drain" and "!drain": must not."""
    combinations = []
    for word in words:
        combination = []
        for part in word.lower().replace("+", "&").split("&"):
            bare = part.strip().lstrip(_NOT)
            name = _WORDS.get(bare.rstrip("*"))
            if name is None:
                raise InvalidRequest("ESLURM_INVALID_NODE_STATE", f"Bad state string: \"{word}\"",
                    hints=[f"valid: {','.join(STATE_WORDS)}"])
            sign = "~" if part.strip()[0] in _NOT else ""
            combination.append(sign + name)
            if bare.endswith("*"):
                combination.append(sign + "not_responding")
        combinations.append(combination)
    return combinations


def passes(state: NodeStatus, combinations: list[list[str]]) -> bool:
    """Whether a state is one of those asked for; no combinations: every state is."""
    return not combinations or any(all(_has(state, word) for word in combination) for combination in combinations)


def _has(state: NodeStatus, word: str) -> bool:
    if word.startswith("~"):
        return not _has(state, word[1:])
    if word == "all":
        return True
    if word == "reboot":
        return "reboot_requested" in state.flags or "reboot_issued" in state.flags
    if word in ("drained", "draining"):
        return "drain" in state.flags and state.busy == (word == "draining")
    if word == "allocated":  # in part or in whole
        return state.base in ("allocated", "mixed")
    return word == state.base or word in state.flags
