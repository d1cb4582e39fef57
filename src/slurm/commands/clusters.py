"""--clusters (-M): the clusters that slurmdbd knows, and one command's work on each of those that are named.

Their slurmctlds are reached at the machine and port that they registered with slurmdbd, which the own slurmctld is asked for: by MUNGE, or
with SLURM_JWT. A daemon of this machine relays to its own cluster only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from slurm.commands.shell import Channel, Message, Shell
from slurm.model.errors import SlurmError, Unsupported
from slurm.options.errors import OptionError

ALL = "all"
_HINTS = ("their slurmctld must be connected to slurmdbd", "sacctmgr show clusters lists those that are")


class Known:
    """A cluster as slurmdbd has it; `host` "" while its slurmctld is not connected."""

    __slots__ = ("host", "name", "port")

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port


def each(shell: Shell, names: str, body: Callable[[Shell], int], *, heading: bool = False) -> int:
    """Carry `body` out on each of the clusters named (with commas between, or `all`); here where none is. The highest exit status.

    `heading`: a line that names it stands before what each shows, as Slurm has it. OptionError where one cannot be reached.
    """
    if not names:
        return body(shell)
    code = 0
    for number, (name, there) in enumerate(shells(shell, names)):
        if heading:
            shell.out(f"{chr(10) if number else ''}CLUSTER: {name}")
        code = max(code, body(there))
    return code


def shells(shell: Shell, names: str) -> list[tuple[str, Shell]]:
    """The same call on each of these clusters, by name; OptionError where there is no such one, as Slurm says it."""
    own, known = _known(shell)
    wanted = list(known) if names.strip().lower() == ALL else [word for word in names.split(",") if word]
    found = []
    for name in wanted:
        one = known.get(name)
        if one is None or (name != own and not one.host):
            raise OptionError(
                f"'{name}' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available "
                "clusters.", exit_code=1, hints=[f"clusters that can be reached: {', '.join(_there(own, known)) or 'none'}", *_HINTS[:1]])
        found.append((name, shell if name == own else _on(shell, one)))
    return found


def one(shell: Shell, names: str) -> tuple[str, Shell]:
    """The call on the one cluster that is named, ("", here) where none is; OptionError for several."""
    if not names:
        return "", shell
    found = shells(shell, names)
    if len(found) != 1:
        raise OptionError("Only one cluster can be used at a time with this command", exit_code=1, hints=[f"{names} names {len(found)}"])
    return found[0]


def once(seconds: int, names: str) -> None:
    """Unsupported where several clusters are to be shown again and again."""
    if seconds and (names.lower() == ALL or "," in names):
        raise Unsupported(message="--iterate with several --clusters is not supported by slurm-py yet",
            hints=["watch(1) repeats any command"])


def soonest(shell: Shell, names: str, requests: Sequence[Message]) -> tuple[str, Shell]:
    """The call on that of the clusters named on which this job would start first; the first named of those that are alike.

    Clusters that would not take it are passed over; where none would, the refusal of the first is raised.
    """
    found = shells(shell, names)
    if len(found) == 1:
        return found[0]
    if len(requests) > 1:
        raise Unsupported(message="several --clusters for a heterogeneous job are not supported by slurm-py yet",
            hints=["name one of them"])
    starts: list[tuple[float, int]] = []
    refusals: list[SlurmError] = []
    for number, (_, there) in enumerate(found):
        channel = None
        try:
            channel = there.channel()
            start = channel.call({"type": "TestJob", "request": requests[0]}).get("start", 0.0)
            starts.append((start if isinstance(start, int | float) and start > 0 else float("inf"), number))
        except SlurmError as error:
            refusals.append(error)
        finally:
            if channel is not None:
                channel.close()
    if not starts:
        raise refusals[0]
    return found[min(starts)[1]]


def _there(own: str, known: Mapping[str, Known]) -> list[str]:
    return [name for name, each in known.items() if each.host or name == own]


def _known(shell: Shell) -> tuple[str, dict[str, Known]]:
    """The own cluster's name, and all that slurmdbd knows."""
    channel = shell.channel()
    try:
        reply = channel.call({"type": "ListPolicy", "entity": "cluster", "which": {}})
    except SlurmError as error:
        raise OptionError("Problem talking to database", exit_code=1, hints=[error.message, *error.hints, *_HINTS]) from error
    finally:
        channel.close()
    lines = reply.get("clusters")
    found = {}
    for line in lines if isinstance(lines, list) else []:
        port = line.get("control_port", 0)
        found[str(line["name"])] = Known(str(line["name"]), str(line.get("control_host", "")), port if isinstance(port, int) else 0)
    return str(reply.get("cluster", "")), found


def _on(shell: Shell, cluster: Known) -> Shell:
    """The same call of a command, whose connections lead to another cluster."""
    def connect(environ: Mapping[str, str]) -> Channel:
        return shell.connect_to(environ, cluster.name, cluster.host, cluster.port)

    return Shell(shell.name, shell.argv, shell.environ, shell.stdin, shell.stdout, shell.stderr, connect=connect, now=shell.now,
                 sleep=shell.sleep, connect_to=shell.connect_to)
