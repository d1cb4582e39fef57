"""The fields of sacct and sstat about what a step used, one function a row: of a job they are empty, and where nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slurm.model.accounting import Extreme, TresUsage
from slurm.notation import duration
from slurm.render import accounting_entry as facts
from slurm.render.accounting_entry import Entry, Style
from slurm.render.accounting_text import scaled

Getter = Callable[[Entry, Style], str]
_BYTES = frozenset(("mem", "vmem", "fs/disk", "gres/gpumem"))
_FREQUENCY_STEP = 1000
_OF_NODES = "energy"
"""What is measured of nodes, not of tasks."""


def amount(name: str, value: int, style: Style) -> str:
    """What was used of one resource: CPU as a clock of whole seconds, bytes in the largest unit that shows them exactly, all else as a
    number."""
    if name == "cpu":
        return duration.show_clock(value // 1000)
    return scaled(value, "", style.unit, convert=style.convert) if name in _BYTES else str(value)


def frequency(kilohertz: int, style: Style) -> str:
    """A frequency as sstat writes it: of 2,600,000 kHz "2.60M"."""
    return scaled(kilohertz, "", style.unit, convert=style.convert, exact=False, step=_FREQUENCY_STEP)


def _of(entry: Entry, direction: str) -> Mapping[str, TresUsage]:
    """What the step used, by name; nothing of a job."""
    usage = entry.step.usage if entry.step is not None else None
    if usage is None:
        return {}
    return usage.taken if direction == "In" else usage.given


def _average(name: str, direction: str) -> Getter:
    def text(entry: Entry, style: Style) -> str:
        used = _of(entry, direction).get(name)
        return amount(name, used.total // max(1, used.tasks), style) if used is not None else ""

    return text


def _extreme(name: str, direction: str, which: str, part: str) -> Getter:
    def text(entry: Entry, style: Style) -> str:
        used = _of(entry, direction).get(name)
        return _part(name, used.most if which == "Max" else used.least, part, style) if used is not None else ""

    return text


def _part(name: str, extreme: Extreme, part: str, style: Style) -> str:
    if part == "Node":
        return extreme.node
    return str(extreme.task) if part == "Task" else amount(name, extreme.value, style)


def _list(direction: str, which: str, part: str = "") -> Getter:
    def of_one(name: str, used: TresUsage, style: Style) -> str:
        if which == "Tot":
            return amount(name, used.total, style)
        if which == "Ave":
            return amount(name, used.total // max(1, used.tasks), style)
        return _part(name, used.most if which == "Max" else used.least, part, style)

    def text(entry: Entry, style: Style) -> str:
        found = _of(entry, direction)
        return ",".join(f"{name}={of_one(name, found[name], style)}" for name in sorted(found) if part != "Task" or name != _OF_NODES)

    return text


def _average_frequency(entry: Entry, style: Style) -> str:
    step = entry.step
    return frequency(step.average_frequency, style) if step is not None and step.average_frequency else ""


def _asked_frequency(entry: Entry, style: Style) -> str:
    step = entry.step
    if step is None or not (step.cpu_freq_min or step.cpu_freq_max):
        return step.cpu_freq_governor if step is not None and step.cpu_freq_governor else "Unknown"
    limits = [frequency(each, style) for each in (step.cpu_freq_min, step.cpu_freq_max) if each]
    return "-".join(limits) + (f":{step.cpu_freq_governor}" if step.cpu_freq_governor else "")


def _energy(entry: Entry, style: Style) -> str:
    joules = facts.energy(entry)
    return scaled(joules, "", style.unit, convert=style.convert, exact=False, step=1000) if joules is not None else ""


def _raw_energy(entry: Entry, style: Style) -> str:
    joules = facts.energy(entry)
    return str(joules) if joules is not None else ""


def _of_one_resource(field: str, name: str, direction: str, which: str) -> dict[str, Getter]:
    return {
        f"{which}{field}": _extreme(name, direction, which, ""),
        f"{which}{field}Node": _extreme(name, direction, which, "Node"),
        f"{which}{field}Task": _extreme(name, direction, which, "Task"),
        f"Ave{field}": _average(name, direction),
    }


GETTERS: dict[str, Getter] = {
    **_of_one_resource("CPU", "cpu", "In", "Min"),
    **_of_one_resource("RSS", "mem", "In", "Max"),
    **_of_one_resource("VMSize", "vmem", "In", "Max"),
    **_of_one_resource("Pages", "pages", "In", "Max"),
    **_of_one_resource("DiskRead", "fs/disk", "In", "Max"),
    **_of_one_resource("DiskWrite", "fs/disk", "Out", "Max"),
    **{f"TRESUsage{direction}{which}{part}": _list(direction, which, part)
       for direction in ("In", "Out") for which in ("Max", "Min") for part in ("", "Node", "Task")},
    **{f"TRESUsage{direction}{which}": _list(direction, which) for direction in ("In", "Out") for which in ("Ave", "Tot")},
    "AveCPUFreq": _average_frequency,
    "ConsumedEnergy": _energy,
    "ConsumedEnergyRaw": _raw_energy,
    "ReqCPUFreq": _asked_frequency,
    "ReqCPUFreqMin": lambda entry, style: frequency(entry.step.cpu_freq_min, style) if entry.step and entry.step.cpu_freq_min
    else "Unknown",
    "ReqCPUFreqMax": lambda entry, style: frequency(entry.step.cpu_freq_max, style) if entry.step and entry.step.cpu_freq_max
    else "Unknown",
    "ReqCPUFreqGov": lambda entry, style: (entry.step.cpu_freq_governor if entry.step else "") or "Unknown",
}
"""Field name → its text."""
