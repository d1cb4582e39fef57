"""gres.conf: which devices stand behind the Gres= of a node.

Not here: what a job asks for (`notation.gres`), which device a job gets (`sched`), what a machine has and how that goes together with
what is written (`slurmd.gpus`). Source: gres.conf(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from slurm.config import values
from slurm.config.nodes import NodeConf, expand
from slurm.config.reader import Origin, Problem, Record
from slurm.model.cpu_set import CpuSet
from slurm.model.node import GresPool

SHARED = ("mps", "shard")
"""Resources that are parts of a device: their Count is a count for each file."""

MAX_DIGITS = 15
MAX_GPUS = 1024
"""GPUs are told apart one by one; Slurm has the same bound for devices with files."""

MAX_DEVICES = 65536
"""Resources are given out one by one; a node with more of a kind (bandwidth:4G) would need a set of that many for each job."""

VARIABLES = {
    "nvidia_gpu_env": "CUDA_VISIBLE_DEVICES", "amd_gpu_env": "ROCR_VISIBLE_DEVICES", "intel_gpu_env": "ZE_AFFINITY_MASK",
    "opencl_env": "GPU_DEVICE_ORDINAL"}
"""Word of Flags → the variable by which programs learn which GPUs are theirs."""

DETECTED_VARIABLES = {
    "nvml": "CUDA_VISIBLE_DEVICES", "nvidia": "CUDA_VISIBLE_DEVICES", "rsmi": "ROCR_VISIBLE_DEVICES", "oneapi": "ZE_AFFINITY_MASK",
    "nrt": "NEURON_RT_VISIBLE_CORES"}
"""Value of AutoDetect → the variable that its GPUs are announced by where no Flags say otherwise."""

NOT_CARRIED_OUT = frozenset({"explicit", "one_sharing", "all_sharing"})
"""Words of Flags that change nothing here yet."""

_FLAGS = {*VARIABLES, *NOT_CARRIED_OUT, "no_gpu_env", "countonly"}

_SCALE = {"K": 10, "M": 20, "G": 30, "T": 40, "P": 50}


class GresDevice:
    """One device of a node, or one uncounted heap of a resource without files.

    `index` numbers the devices of this name on the node from 0; `file` is "" where there is none, several files of one device are
    joined by commas; `cores` are the core numbers near it, empty for all; `count` is 1 but for a heap and for shared resources; `consumed`
    False: it is there for every job that asks (no_consume). `links`: connections to each device, -1 for itself. `seen_as`: how programs
    name it in CUDA_VISIBLE_DEVICES and its kin where that is not its number ("" for that).
    """

    __slots__ = ("consumed", "cores", "count", "file", "index", "links", "name", "seen_as", "type")

    def __init__(self, name: str, type: str, file: str, cores: list[int], index: int, count: int) -> None:
        self.name = name
        self.type = type
        self.file = file
        self.cores = cores
        self.index = index
        self.count = count
        self.consumed = True
        self.links: list[int] = []
        self.seen_as = ""

    def __repr__(self) -> str:
        return f"GresDevice({self.name!r}, {self.type!r}, {self.file!r}, {self.cores!r}, {self.index}, {self.count})"


class GresLine(NamedTuple):
    """One line of gres.conf. `nodes` is None where the line is for every node; `number` None where Count is not written; `ignored`: its
    files are not this cluster's to give."""

    nodes: frozenset[str] | None
    name: str
    type: str
    files: list[str]
    cores: list[int]
    number: int | None
    origin: Origin
    links: list[int]
    flags: frozenset[str]
    ignored: bool

    def is_for(self, node: str) -> bool:
        """Whether it holds for the node of that name."""
        return self.nodes is None or node in self.nodes


class Detection(NamedTuple):
    """What AutoDetect says: for every node, and for those that are named."""

    everywhere: str = "off"
    nodes: Mapping[str, str] = {}

    def of(self, node: str) -> str:
        """nvml, nvidia, rsmi, oneapi, nrt or off."""
        return self.nodes.get(node, self.everywhere)


class Wanted(NamedTuple):
    """One part of a node's Gres=: "gpu:a100:2" is name gpu, type a100, number 2."""

    name: str
    type: str
    number: int
    consumed: bool = True


def read_gres(records: list[Record], problems: list[Problem]) -> list[GresLine]:
    """The lines of a gres.conf that name a resource, in order; what is wrong is added to `problems`."""
    lines: list[GresLine] = []
    for record in records:
        name = record.get("Name")
        if name is None:
            if not any(entry.row.name == "AutoDetect" for entry in record.entries):
                problems.append(Problem(record.origin, "a line of gres.conf without Name",
                    "begin it with Name=gpu, or NodeName=… Name=gpu"))
            continue
        lines.append(_line(record, name, problems))
    return lines


def read_detection(records: list[Record], problems: list[Problem]) -> Detection:
    """Which nodes look for their GPUs themselves, and how; a node that is told two ways is added to `problems`."""
    everywhere = "off"
    nodes: dict[str, str] = {}
    for record in records:
        text, hosts = record.get("AutoDetect"), record.get("NodeName")
        if text is None:
            continue
        if not hosts:
            everywhere = text.lower()
            continue
        for host in expand(hosts, record.origin, problems):
            if nodes.setdefault(host, text.lower()) != text.lower():
                problems.append(Problem(record.origin, f"AutoDetect={text} for {host}, which has AutoDetect={nodes[host]} already",
                    "write one of them, once for each node"))
    return Detection(everywhere, nodes)


def _line(record: Record, name: str, problems: list[Problem]) -> GresLine:
    found: dict[str, values.Value] = {}
    for entry in record.entries:
        try:
            found[entry.row.name] = values.read(entry.row, entry.text)
        except ValueError as error:
            problems.append(Problem(entry.origin, f"{entry.row.name}={entry.text} is no value for {entry.row.name}", str(error)))
    hosts, single, several = record.get("NodeName"), record.get("File"), record.get("MultipleFiles")
    files = expand(single or "", record.origin, problems)
    if several:
        if single:
            problems.append(Problem(record.origin, "File and MultipleFiles are mutually exclusive", "write one of them"))
        files = [",".join(expand(several, record.origin, problems))]
    count = found.get("Count")
    number = count if isinstance(count, int) else None
    if number is not None and files and number != len(files) and name not in SHARED:
        problems.append(Problem(record.origin, f"Count={number}, but File names {len(files)}",
            "leave Count out, or make it the number of files"))
    nodes = frozenset(expand(hosts, record.origin, problems)) if hosts else None
    cores = record.get("Cores")
    return GresLine(nodes, name, record.get("Type") or "", files, values.read_cores(cores) if cores and "Cores" in found else [], number,
        record.origin, _links(record, files, problems), _flags(record, problems), bool(found.get("Ignore")))


def _links(record: Record, files: list[str], problems: list[Problem]) -> list[int]:
    words = [word.strip() for word in (record.get("Links") or "").split(",") if word.strip()]
    if any(word != "-1" and not (word.isascii() and word.isdecimal() and len(word) < MAX_DIGITS) for word in words):
        problems.append(Problem(record.origin, f"Links={record.get('Links')} is no list of numbers of connections",
            "one number for each device, -1 for the device itself: Links=-1,16,16,16"))
        return []
    if words and len(files) > 1:
        problems.append(Problem(record.origin, "Links of a line with several files", "write a line for each file"))
    return [int(word) for word in words]


def _flags(record: Record, problems: list[Problem]) -> frozenset[str]:
    flags = frozenset(word.strip().lower() for word in (record.get("Flags") or "").split(",") if word.strip())
    if strange := sorted(flags - _FLAGS):
        problems.append(Problem(record.origin, f"Flags={strange[0]} is no flag of gres.conf", f"valid: {', '.join(sorted(_FLAGS))}"))
    if "no_gpu_env" in flags and flags & VARIABLES.keys():
        problems.append(Problem(record.origin, "Flags=no_gpu_env and a flag that wants a variable", "write the one or the other"))
    return flags


def variables_of(node: str, lines: list[GresLine], detection: str) -> list[str]:
    """The variables by which the GPUs of this node are announced: as Flags of its lines say, else those of what detected them, else all."""
    flags = frozenset[str]().union(*(line.flags for line in lines if line.name == "gpu" and line.is_for(node)))
    if "no_gpu_env" in flags:
        return []
    if chosen := [VARIABLES[flag] for flag in VARIABLES if flag in flags]:
        return chosen
    return [DETECTED_VARIABLES[detection]] if detection in DETECTED_VARIABLES else list(VARIABLES.values())


def pools_of(devices: list[GresDevice]) -> list[GresPool]:
    """Devices as a node's record has them, `cores` in core numbers: neighbours that differ in nothing are one pool.

    What is more than MAX_DEVICES of a kind is left out.
    """
    pools: list[GresPool] = []
    counted: dict[str, int] = {}
    for device in devices:
        if device.count > MAX_DEVICES:
            continue
        last = pools[-1] if pools else None
        cores = CpuSet.of(device.cores)
        if last is None or (last.name, last.type, last.cores, bool(last.files)) != (device.name, device.type, cores, bool(device.file)):
            last = GresPool(
                name=device.name, type=device.type, count=0, first=counted.get(device.name, 0), cores=cores, consumed=device.consumed)
            pools.append(last)
        last.count += device.count
        if device.file:
            last.files.extend([device.file] * device.count)
        counted[device.name] = counted.get(device.name, 0) + device.count
    return pools

def read_wanted(text: str) -> list[Wanted]:
    """The parts of a node's Gres=; ValueError says what would be valid."""
    parts: list[Wanted] = []
    for part in text.split(",") if text else []:
        words = [word for word in part.strip().split(":") if word != "no_consume"]
        if not words[0] or len(words) > 3:
            raise ValueError(f'"{part}" is not NAME:TYPE:COUNT, NAME:COUNT or NAME')
        count = 1
        if len(words) > 1 and (len(words) == 3 or words[-1][:1].isdecimal()):
            count = _count(words.pop(), part)
        parts.append(Wanted(words[0], words[1] if len(words) > 1 else "", count, "no_consume" not in part.split(":")))
    return parts


def _count(word: str, part: str) -> int:
    digits, suffix = (word[:-1], word[-1].upper()) if word[-1:].upper() in _SCALE else (word, "")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > MAX_DIGITS:
        raise ValueError(f'"{part}" does not end in a count such as 2 or 4G')
    return int(digits) << _SCALE.get(suffix, 0)


def devices_of(node: NodeConf, lines: list[GresLine], warnings: list[str], detection: str = "off") -> list[GresDevice]:
    """The devices behind a node's Gres=, in its order and then that of the lines, without a look at the machine.

    A line counts for a part of the Gres= when it is for this node, has its name, and has its type or none. Fewer files than the
    count are a warning, unless the node will look for them itself; the rest of the count gets devices without a file.
    """
    devices: list[GresDevice] = []
    used: dict[str, int] = {}
    for wanted in read_wanted(node.gres):
        matching = [line for line in lines if _serves(line, wanted, node.name)]
        found = _found(wanted, matching)
        have = sum(device.count for device in found)
        if matching and have < wanted.number and (detection == "off" or wanted.name != "gpu"):
            warnings.append(f"{matching[0].origin}: gres/{wanted.name} count of {node.name} lower than configured ({have} < "
                            f"{wanted.number})")
        if have < wanted.number:
            found.extend(_without_files(wanted, wanted.number - have))
        for device in found:
            device.consumed = wanted.consumed
            device.index = used.get(wanted.name, 0)
            used[wanted.name] = device.index + 1
            devices.append(device)
    return devices


def _serves(line: GresLine, wanted: Wanted, node: str) -> bool:
    if line.name != wanted.name or line.ignored or not line.is_for(node):
        return False
    return not wanted.type or line.type in ("", wanted.type)


def _found(wanted: Wanted, lines: list[GresLine]) -> list[GresDevice]:
    """Devices of the lines, as many as are wanted; a file serves once."""
    found: list[GresDevice] = []
    seen: set[str] = set()
    room = wanted.number
    for line in lines:
        kind = wanted.type or line.type
        for file in line.files:
            share = min(room, (line.number or 1) if wanted.name in SHARED else 1)
            if share and file not in seen:
                seen.add(file)
                room -= share
                found.append(GresDevice(wanted.name, kind, file, line.cores, 0, share))
                found[-1].links = line.links
        if not line.files and room:
            count = min(room, line.number if line.number is not None else 1)
            room -= count
            found.extend(GresDevice(wanted.name, kind, "", line.cores, 0, each.count) for each in _without_files(wanted, count))
    return found


def _without_files(wanted: Wanted, count: int) -> list[GresDevice]:
    """Devices nobody has named: one each for GPUs, which jobs tell apart, else one heap."""
    if wanted.name == "gpu":
        return [GresDevice("gpu", wanted.type, "", [], 0, 1) for _ in range(count)]
    return [GresDevice(wanted.name, wanted.type, "", [], 0, count)]
