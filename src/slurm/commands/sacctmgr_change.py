"""sacctmgr add, modify, delete: says what would be done, asks, does it, and names controllers that do not know it yet."""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from slurm.client.policy import Changed, PolicyDoor
from slurm.commands.sacctmgr_words import Line
from slurm.commands.shell import Shell
from slurm.config.keys import find_conf, read_keys
from slurm.model import limits as rows
from slurm.model.errors import ConfigError, NotPermitted, SlurmError
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    CLUSTER,
    COORDINATOR,
    MODIFY,
    QOS,
    REMOVE,
    RESOURCE,
    USER,
    WCKEY,
    Change,
    ChangeReport,
    Place,
    PolicySettings,
    ResourcePlace,
    WckeyPlace,
)
from slurm.notation import duration
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render.policy_columns import shown_tres

PROMPT = "Would you like to commit changes? (You have 30 seconds to decide)\n(N/y): "
PROMPT_SECONDS = 30.0
_WORDS = {ACCOUNT: "Account(s)", USER: "User(s)", QOS: "QOS(s)", CLUSTER: "Cluster(s)", RESOURCE: "Resource(s)"}
_REMOVED = {ACCOUNT: "accounts", USER: "users", QOS: "QOS(s)", CLUSTER: "clusters", COORDINATOR: "coordinators"}
_LABELS = {"MaxWallDurationPerJob": "MaxWall"}
_WIDE = 24
_NARROW_LABELS = frozenset({"Description", "GrpJobs", "GrpSubmitJobs", "MaxJobsPerUser", "PreemptExemptTime"})


def change(shell: Shell, resolved: Resolved, door: PolicyDoor, verb: str, entity: str, line: Line) -> int:
    """Carry one line out; the exit status."""
    if resolved.flag("readonly"):
        raise OptionError("Can't run this command in readonly mode.", exit_code=1, bare=True)
    _require_sense(verb, entity, line)
    wanted = Change(verb=verb, entity=entity, which=line.which, settings=line.settings)
    immediate = resolved.flag("immediate")
    try:
        done = door.change(wanted, trial=not immediate)
    except SlurmError as error:
        return _refused(shell, verb, entity, error)
    report = done.report
    if not resolved.flag("quiet"):
        for text in reported(verb, entity, report, line):
            shell.stdout.write(text + "\n")
    if report.is_empty:
        return 1
    if not immediate:
        shell.stdout.flush()
        if not committed(shell):
            shell.out(" Changes Discarded")
            return 0
        try:
            done = door.change(wanted)
        except SlurmError as error:
            return _refused(shell, verb, entity, error)
    warn(shell, done)
    if line.settings.limits and verb != REMOVE:
        _note_enforcement(shell)
    return 0


def _note_enforcement(shell: Shell) -> None:
    """Say so where the slurm.conf of this machine lets nobody heed the limits that were set."""
    path = find_conf(shell.environ)
    if path is None:
        return
    try:
        words = {word.lower() for word in read_keys(path).words("AccountingStorageEnforce")}
    except ConfigError:
        return  # the change holds; who has to read that file says what is wrong with it
    if not words & {"limits", "safe", "all"}:
        shell.hints([f"limits are kept, and nobody heeds them: {path} has no AccountingStorageEnforce=limits"])


def warn(shell: Shell, done: Changed) -> None:
    """Name the controllers that do not know a change yet."""
    for cluster, why in done.late:
        shell.say(f"warning: cluster {cluster}: {why}")


def committed(shell: Shell, question: str = PROMPT) -> bool:
    """Whether the user says yes within half a minute; the end of the input is a no."""
    shell.stdout.write(question)
    shell.stdout.flush()
    answer = answered(shell.stdin, PROMPT_SECONDS)
    if answer is None:
        shell.stdout.write("timeout\n")
    return bool(answer) and str(answer).strip()[:1].lower() == "y"


def answered(stream: BinaryIO, seconds: float) -> str | None:
    """The next line of the input, None where none came in time."""
    try:
        ready = select.select([stream.fileno()], [], [], seconds)[0]
    except (OSError, ValueError):  # no file, such as a test's bytes: they are there
        ready = [0]
    return stream.readline().decode(errors="replace") if ready else None


def _require_sense(verb: str, entity: str, line: Line) -> None:
    """What Slurm refuses before it asks anybody."""
    which, settings = line.which, line.settings
    if verb == ADD:
        if entity == USER and not (which.accounts or settings.default_account or which.wckeys or settings.default_wckey):
            raise OptionError(" Need name of account or wckey to add.", exit_code=1, bare=True,
                hints=["sacctmgr add user NAME account=ACCOUNT"])
        if entity == COORDINATOR and not (which.accounts and (which.users or which.names)):
            raise OptionError(" Need account name and user name to add a coordinator.", exit_code=1, bare=True, hints=[
                "sacctmgr add coordinator account=ACCOUNT name=USER"])
        if entity == WCKEY and not which.users:
            raise OptionError(" Need name of user to add a wckey to.", exit_code=1, bare=True, hints=["sacctmgr add wckey NAME user=USER"])
        if not which.names and entity != COORDINATOR:
            raise OptionError(f" Need name of {entity} to add.", exit_code=1, bare=True)
        return
    if verb == MODIFY and settings == PolicySettings():
        raise OptionError(" You didn't give me anything to set", exit_code=1, bare=True,
            hints=["sacctmgr modify ENTITY where NAME=… set KEY=VALUE"])
    nobody = which == type(which)()
    if verb == REMOVE and nobody:
        raise OptionError(" No conditions given to remove, not executing.", exit_code=1, bare=True)
    if verb == MODIFY and nobody and entity != CLUSTER:
        raise OptionError(f" No conditions given: this would change every {entity}, not executing.", exit_code=1, bare=True, hints=[
            f"sacctmgr modify {entity} where name=… set …"])


def _refused(shell: Shell, verb: str, entity: str, error: SlurmError) -> int:
    """What went wrong, in Slurm's lines."""
    if isinstance(error, NotPermitted) and verb == ADD and entity in (USER, ACCOUNT):
        shell.raw(f" error: Problem adding {'user associations' if entity == USER else 'accounts'}: {error.message}")
        shell.error("Getting response to message type: DBD_FINI")
    elif isinstance(error, NotPermitted):
        shell.error("Your user doesn't have privilege to perform this action")
        shell.raw(f" Error with request: {error.message}")
    elif error.message.startswith("You gave a bad qos"):
        shell.error(error.message)
    elif error.message.startswith(" "):
        for text in error.message.split("\n"):
            shell.raw(text)
    else:
        shell.raw(f" Error with request: {error.message}")
    shell.hints(error.hints)
    return 1


def reported(verb: str, entity: str, report: ChangeReport, line: Line) -> Iterator[str]:
    """What a change did, as Slurm says it."""
    if verb == ADD:
        yield from _added(entity, report, line)
    elif verb == MODIFY:
        yield from _modified(entity, report, line)
    elif report.is_empty:
        yield " Nothing deleted"
    elif report.names:
        yield f" Deleting {_REMOVED[entity]}..."
        yield from (f"  {name}" for name in report.names)
    elif report.resources:
        yield " Deleting resource(s)..."
        yield from _resource_places(report.resources)
    elif report.places:
        yield f" Deleting {'account' if entity == ACCOUNT else 'user'} associations..."
        for place in report.places:
            yield _removed_place(place)
    if verb == REMOVE and report.wckeys and not report.names:
        yield " Deleting user WCKeys..."
        yield from (_wckey_place(place) for place in report.wckeys)


def _added(entity: str, report: ChangeReport, line: Line) -> Iterator[str]:
    for account, cluster in report.unknown_accounts:
        yield f"No account {account} on cluster {cluster}, skipping." if cluster else f"No account {account}, skipping."
    if report.is_empty:
        if report.unknown_accounts:
            yield "Nothing added."
            yield "Make sure the accounts requested here have been added to the system/cluster. (sacctmgr add account...)"
        elif entity == CLUSTER:
            yield from (f" This cluster {name.lower()} already exists.  Not adding." for name in [*line.which.names, *line.which.clusters])
        else:
            yield " Nothing new added."
        return
    settings = line.settings
    if entity == COORDINATOR:
        yield " Adding Coordinator User(s)"
        yield from (f"  {name}" for name in report.names)
        yield " To Account(s)"
        yield from (f"  {name}" for name in line.which.accounts)
        return
    if report.names:
        yield f" Adding {_WORDS[entity]}"
        yield from (f"  Name           = {name}" if entity == CLUSTER else f"  {name}" for name in report.names)
        yield from _own_settings(entity, report, line)
    if report.places:
        yield " Associations ="
        yield from (_added_place(place) for place in report.places)
        told = list(_association_settings(settings, 13))
        if entity == ACCOUNT or told:
            yield " Settings"
            yield from told
    if report.resources:
        yield " Adding Resource(s)"
        yield from _resource_places(report.resources)
        yield " Settings"
        yield from (f"  {name:<14} = {text}" for name, text in _resource_texts(line))
    if report.wckeys:
        yield " WCKeys ="
        yield from (_wckey_place(place) for place in report.wckeys)


def _own_settings(entity: str, report: ChangeReport, line: Line) -> Iterator[str]:
    settings = line.settings
    if entity == QOS:
        yield " Settings"
        yield f"  {'Description':<14} = {settings.description if settings.description is not None else line.which.names[0].lower()}"
        yield from (f"  {name:<{14 if name in _NARROW_LABELS else _WIDE}} = {text}" for name, text in qos_texts(settings))
    elif entity == ACCOUNT:
        yield " Settings"
        name = line.which.names[0].lower()
        parent = settings.parent or ""
        yield f"  {'Description':<15} = {settings.description if settings.description is not None else name}"
        yield f"  {'Organization':<15} = {settings.organization if settings.organization is not None else parent or name}"
    elif entity == USER:
        yield " Settings"
        if settings.default_account or line.which.accounts:
            yield f"  {'Default Account':<15} = {(settings.default_account or line.which.accounts[0]).lower()}"
        if settings.default_wckey:
            yield f"  {'Default WCKey':<15} = {settings.default_wckey.lower()}"
        if settings.admin_level not in (None, "None"):
            yield f"  {'Admin Level':<15} = {settings.admin_level}"
    elif entity == CLUSTER:
        yield from _cluster_settings(settings)


def _cluster_settings(settings: PolicySettings) -> Iterator[str]:
    told = list(_association_settings(settings, 13))
    if told:
        yield " Setting"
        yield "  Default Limits:"
        yield from told


def qos_texts(settings: PolicySettings) -> Iterator[tuple[str, str]]:
    """What a QOS is to have, by Slurm's labels."""
    if settings.grace_time is not None:
        yield "GraceTime", str(settings.grace_time)
    if settings.flags is not None:
        yield "Flags", ",".join(settings.flags.names)
    yield from _limit_texts(settings, rows.QOS)
    if settings.preempts is not None:
        yield "Preempt", ",".join(settings.preempts.names)
    if settings.preempt_mode is not None:
        yield "PreemptMode", settings.preempt_mode
    if settings.preempt_exempt_time is not None:
        yield "PreemptExemptTime", duration.show_clock(max(0, settings.preempt_exempt_time))
    if settings.priority is not None:
        yield "Priority", str(settings.priority)
    if settings.usage_factor is not None:
        yield "UsageFactor", f"{settings.usage_factor:.4f}"
    if settings.usage_threshold is not None:
        yield "UsageThreshold", f"{settings.usage_threshold:.4f}"


def _limit_texts(settings: PolicySettings, at: str) -> Iterator[tuple[str, str]]:
    for row in rows.LIMITS:
        values = settings.limits.get(row.key) if row.at == at else None
        if values is None:
            continue
        if "" in values:
            text = "NONE" if values[""] < 0 else duration.show_clock(values[""] * 60) if row.quantity == rows.WALL else str(values[""])
        else:
            text = shown_tres({name: value for name, value in values.items() if value >= 0}) or "NONE"
        yield _LABELS.get(row.key, row.key), text


def _association_settings(settings: PolicySettings, width: int) -> Iterator[str]:
    if settings.shares is not None:
        yield f"  {'Fairshare':<{width}} = {'parent' if settings.shares < 0 else settings.shares}"
    for name, text in _limit_texts(settings, rows.ASSOCIATION):
        yield f"  {name:<{width}} = {text}"
    if settings.priority is not None:
        yield f"  {'Priority':<{width}} = {settings.priority}"
    if settings.qos is not None:
        yield f"  {'QOS':<{width}} = {','.join(settings.qos.names)}"
    if settings.default_qos is not None:
        yield f"  {'DefQOS':<{width}} = {settings.default_qos}"


def _added_place(place: Place) -> str:
    if not place.user:
        return f"  C = {place.cluster:<10.10} A = {place.account:<20.20}"
    return f"  C = {place.cluster:<10.10} A = {place.account:<20.20} U = {place.user:<9.9}" + (f" P = {place.partition:<10.10}"
        if place.partition else "")


def _removed_place(place: Place) -> str:
    user = f" U = {place.user:<9.9}" if place.user else ""
    return f"  C = {place.cluster:<10.10} A = {place.account:<10.10}{user}" + (f" P = {place.partition:<10.10}" if place.partition else "")


def _wckey_place(place: WckeyPlace) -> str:
    return f"  C = {place.cluster:<10.10} W = {place.wckey:<20.20} U = {place.user:<9.9}"


def _resource_places(places: Iterable[ResourcePlace]) -> Iterator[str]:
    named = ""
    for place in places:
        if place.resource != named:
            named = place.resource
            yield f"  {named}"
        if place.cluster:
            yield f"   Cluster - {place.cluster}\t{place.allowed}{'%' if place.is_percent else ''}"


def _resource_texts(line: Line) -> Iterator[tuple[str, str]]:
    """What a resource is to have, by Slurm's labels."""
    settings = line.settings
    yield "Name", ",".join(name.lower() for name in line.which.names)
    yield "Server", ",".join(line.which.servers) or "slurmdb"
    if settings.count is not None:
        yield "Description", settings.description if settings.description is not None else line.which.names[0].lower()
        if settings.server_type:
            yield "ServerType", settings.server_type
        yield "Count", str(settings.count)
        if settings.flags is not None:
            yield "Flags", ",".join(settings.flags.names)
    yield "Type", "License"


def _modified(entity: str, report: ChangeReport, line: Line) -> Iterator[str]:
    if entity == QOS:
        yield " Modified qos..."
        yield from (f"  {name}" for name in report.names)
    elif entity == CLUSTER:
        yield from _cluster_settings(line.settings)
        yield " Modified cluster defaults for associations..."
        yield from (f"  C = {name:<10.10} A = root" for name in report.names)
    elif report.resources:
        yield " Modified server resource ..."
        yield from _resource_places(report.resources)
    elif report.names:
        yield f" Modified {entity}s..."
        yield from (f"  {name}" for name in report.names)
    if entity in (ACCOUNT, USER) and (report.places or not report.names):
        yield f" Modified {entity} associations..."
        yield from (_modified_place(place) for place in report.places)
    if report.is_empty:
        yield "  Nothing modified"


def _modified_place(place: Place) -> str:
    if place.user:
        return _added_place(place)
    above = f" of {place.parent}" if place.parent else ""
    return f"  C = {place.cluster:<10.10} A = {place.account}{above}"
