"""The file that sacctmgr dump writes and load reads: a line each for QOS, cluster, account and user, `Account - 'cs':Fairshare=399:…`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from slurm.model import limits as rows
from slurm.model.errors import InvalidRequest
from slurm.model.policy import Account, Limits, Qos, User, Wckey
from slurm.render.policy_columns import Entry, effective_qos

HEADER = (
    "# To edit this file start with a cluster line for the new cluster", "# Cluster - 'cluster_name':MaxTRESPerJob=node=50",
    "# Followed by Accounts you want in this fashion (root is created by default)...", "# Parent - 'root'",
    "# Account - 'cs':MaxTRESPerJob=node=5:MaxJobs=4:MaxTRESMinsPerJob=cpu=20:FairShare=399:MaxWallDurationPerJob=40:Description='Computer Science':"
    "Organization='LC'",
    "# Any of the options after a ':' can be left out and they can be in any order.",
    "# If you want to add any sub accounts just list the Parent THAT HAS ALREADY", "# BEEN CREATED before the account line in this "
        "fashion...",
    "# Parent - 'cs'",
    "# Account - 'test':MaxTRESPerJob=node=1:MaxJobs=1:MaxTRESMinsPerJob=cpu=1:FairShare=1:MaxWallDurationPerJob=1:Description='Test "
    "Account':"
    "Organization='Test'",
    "# To add users to a account add a line like this after a Parent - 'line'",
    "# User - 'lipari':MaxTRESPerJob=node=2:MaxJobs=3:MaxTRESMinsPerJob=cpu=4:FairShare=1:MaxWallDurationPerJob=1")
ROOT = "root"
KINDS = ("QOS", "Cluster", "Parent", "Account", "User")
_LINE = re.compile(r"(?P<kind>\w+)\s*-\s*'?(?P<name>[^':]*)'?(?P<rest>(:.*)?)$")
_OPTION = re.compile(r":(?P<key>\w+)=(?P<value>'[^']*'|[^:]*)")


class FileLine(NamedTuple):
    """One line of the file: Account, its name, its options as they are written without quotes; `number` counts from 1."""

    number: int
    kind: str
    name: str
    options: dict[str, str]


def parse(text: str) -> list[FileLine]:
    """The lines that say something; InvalidRequest names the one that does not read."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        kind = next((one for one in KINDS if match is not None and one.lower() == match["kind"].lower()), "")
        if match is None or not kind or _OPTION.sub("", match["rest"]).strip(":"):
            raise InvalidRequest(message=f" error: line {number} is not as it should be: {line}",
                hints=["such as: Account - 'cs':Fairshare=10:Description='Computer Science'"])
        options = {option["key"]: option["value"].strip("'") for option in _OPTION.finditer(match["rest"])}
        found.append(FileLine(number, kind, match["name"], options))
    return found


def qos_line(one: Qos) -> str:
    """A QOS."""
    parts = [f"Description='{one.description}'"]
    if one.flags:
        parts.append(f"Flags='{','.join(one.flags)}'")
    if one.grace_time:
        parts.append(f"GraceTime={one.grace_time}")
    parts += _limits(one.limits, rows.QOS)
    if one.preempts:
        parts.append(f"Preempt='{','.join(one.preempts)}'")
    if one.preempt_mode not in ("", "cluster"):
        parts.append(f"PreemptMode='{one.preempt_mode}'")
    if one.priority:
        parts.append(f"Priority={one.priority}")
    if one.usage_factor != 1.0:
        parts.append(f"UsageFactor={one.usage_factor:.6f}")
    if one.usage_threshold is not None:
        parts.append(f"UsageThreshold={one.usage_threshold:.6f}")
    if one.limit_factor is not None:
        parts.append(f"LimitFactor={one.limit_factor:.6f}")
    return ":".join([f"QOS - '{one.name}'", *parts])


def cluster_line(name: str, root: Entry) -> str:
    """A cluster: what its root association says."""
    return ":".join([f"Cluster - '{name}'", *_association(root)])


def account_line(account: Account, entry: Entry) -> str:
    """An account below the parent of the line before."""
    return ":".join([
        f"Account - '{account.name}'", f"Description='{account.description}'", f"Organization='{account.organization}'",
        *_association(entry)])


def user_line(user: User, default_account: str, coordinated: Sequence[str], wckeys: Sequence[Wckey], entry: Entry) -> str:
    """A user of the parent of the line before. What holds for him below an account other than root is written out."""
    parts = [f"DefaultAccount='{default_account}'"]
    default_wckey = next((key.name for key in wckeys if key.is_default), "")
    if default_wckey:
        parts.append(f"DefaultWCKey='{default_wckey}'")
    if user.admin_level != "None":
        parts.append(f"AdminLevel='{user.admin_level}'")
    if coordinated:
        parts.append(f"Coordinator='{','.join(coordinated)}'")
    if wckeys:
        parts.append(f"WCKeys='{','.join(key.name for key in wckeys)}'")
    one = entry.association
    assert one is not None
    if one.partition:
        parts.append(f"Partition='{one.partition}'")
    return ":".join([f"User - '{user.name}'", *parts, *_association(entry, effective=one.account != ROOT)])


def _association(entry: Entry, *, effective: bool = False) -> Iterator[str]:
    one = entry.association
    assert one is not None
    if one.default_qos:
        yield f"DefaultQOS='{one.default_qos}'"
    yield f"Fairshare={'parent' if one.shares < 0 else one.shares}"
    yield from _limits(one.limits, rows.ASSOCIATION)
    if one.priority is not None:
        yield f"Priority={one.priority}"
    names = effective_qos(entry) if effective else effective_qos(entry._replace(inherits=False))
    if names:
        yield f"QOS='{','.join(names)}'"


def _limits(limits: Limits, at: str) -> Iterator[str]:
    for row in sorted((row for row in rows.LIMITS if row.at == at and row.key in limits), key=lambda row: _name(row)):
        values = limits[row.key]
        yield (f"{_name(row)}={values['']}" if "" in values
            else f"{_name(row)}={','.join(f'{name}={amount}' for name, amount in values.items())}")


def _name(row: rows.Limit) -> str:
    return row.short if row.short.endswith(("PU", "PA")) else row.key
