"""THE table of what sshare shows: columns, and the text of each for an association. Lines are made as sacct's (`accounting_table`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from slurm.model.priority import ShareNow
from slurm.notation import tres
from slurm.render.fields import Field, Table


class Shown(NamedTuple):
    """An association, how deep it stands among those that are shown, and what belongs to its cluster."""

    share: ShareNow
    depth: int
    is_root: bool
    cluster: str
    tres: tuple[str, ...]


def _field(name: str, width: int, doc: str) -> Field:
    return Field(name, "", name, doc, width=width)


SHARE = Table(
    _field("Account", -20, "The account; those below it stand further right."),
    _field("Cluster", 10, "The cluster."),
    _field("EffectvUsage", 13, "Its part of what its level used; with the classic formula blended with the accounts above."),
    _field("FairShare", 10, "The factor of the user's priority, from 0 to 1."),
    _field("GrpTRESMins", 30, "TRES-minutes that may be used here in all."),
    _field("GrpTRESRaw", 30, "TRES-minutes that were used here, decayed."),
    _field("ID", 6, "Id of the association."),
    _field("LevelFS", 10, "Shares over usage among its siblings: above 1 is less than its share."),
    _field("NormShares", 11, "Its part of what its siblings share."),
    _field("NormUsage", 11, "Its part of what the cluster used."),
    _field("Partition", 12, "The partition of the association."),
    _field("RawShares", 10, "Shares as they were given."),
    _field("RawUsage", 11, "Seconds of billing that were used, decayed."),
    _field("TRESRunMins", 30, "TRES-minutes of what runs, to the limits of the jobs."),
    _field("User", 10, "The user."),
)
DEFAULT = "account,user,rawshares,normshares,rawusage,effectvusage,fairshare"
LONG = "account,user,rawshares,normshares,rawusage,normusage,effectvusage,fairshare,levelfs,grptresmins,tresrunmins"


def _level(shown: Shown) -> str:
    if shown.is_root:
        return ""
    return "inf" if shown.share.level_fs is None else f"{shown.share.level_fs:.6f}"


_TEXTS: dict[str, Callable[[Shown], str]] = {
    "Account": lambda shown: " " * shown.depth + shown.share.account, "Cluster": lambda shown: shown.cluster,
    "EffectvUsage": lambda shown: f"{shown.share.effective_usage:.6f}",
    "FairShare": lambda shown: "" if shown.share.factor is None else f"{shown.share.factor:.6f}",
    "GrpTRESMins": lambda shown: tres.show(shown.share.limits, convert=False),
    "GrpTRESRaw": lambda shown: ",".join(f"{name}={shown.share.used.get(name, 0)}" for name in shown.tres),
    "ID": lambda shown: str(shown.share.id), "LevelFS": _level, "NormShares": lambda shown: f"{shown.share.norm_shares:.6f}",
    "NormUsage": lambda shown: "" if shown.is_root else f"{shown.share.norm_usage:.6f}", "Partition": lambda shown: shown.share.partition,
    "RawShares": lambda shown: "" if shown.is_root else "parent" if shown.share.raw_shares < 0 else str(shown.share.raw_shares),
    "RawUsage": lambda shown: str(int(shown.share.raw_usage)),
    "TRESRunMins": lambda shown: ",".join(f"{name}={shown.share.running.get(name, 0)}" for name in shown.tres),
    "User": lambda shown: shown.share.user}


def shown(shares: Sequence[ShareNow], cluster: str, names: Sequence[str]) -> list[Shown]:
    """Each association with its depth below those that are shown too."""
    depths: dict[int, int] = {}
    found = []
    for share in shares:
        depths[share.id] = depths[share.parent] + 1 if share.parent in depths else 0
        found.append(Shown(share, depths[share.id], not share.parent, cluster, tuple(names)))
    return found


def cells(fields: Sequence[Field], one: Shown) -> list[str]:
    """The texts of one line."""
    return [_TEXTS[field.name](one) for field in fields]
