"""`scontrol show assoc_mgr`: users, associations and QOS as slurmctld knows them, with what they use and may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from slurm.core import tres
from slurm.core.policy.book import Book
from slurm.core.policy.fairshare import Share
from slurm.core.policy.tally import Counts, Key
from slurm.core.policy.usage import WALL
from slurm.model import limits as rows
from slurm.model.errors import InvalidRequest
from slurm.model.policy import Association, Limits, Qos, User
from slurm.notation import tres as notation
from slurm.render.view import View

HEADER = "Current Association Manager state\n"
USERS, ASSOCIATIONS, QUALITIES = "users", "assoc", "qos"
FLAGS = (USERS, ASSOCIATIONS, QUALITIES)
_OPTIONS = ("accounts", "flags", "qos", "users")


class Wanted:
    """Which records are meant; what is empty does not restrict."""

    def __init__(self, words: Sequence[str]) -> None:
        """Reads `users=a,b accounts=c qos=d flags=users,assoc,qos`; InvalidRequest for anything else."""
        found: dict[str, frozenset[str]] = {}
        for word in words:
            name, equals, value = word.partition("=")
            key = next((one for one in _OPTIONS if len(name) >= 3 and one.startswith(name.lower())), "")
            if not key or not equals:
                raise InvalidRequest(message=f"invalid option:{word} for keyword:show assoc_mgr",
                    hints=["valid: accounts=, flags=, qos=, users="])
            found[key] = found.get(key, frozenset()) | {one.strip().lower() for one in value.split(",") if one.strip()}
        self.accounts, self.users, self.qos = (found.get(key, frozenset()) for key in ("accounts", "users", "qos"))
        asked = found.get("flags", frozenset(FLAGS))
        self.flags = frozenset(flag for flag in FLAGS if any(flag.startswith(one) for one in asked))
        if not all(any(flag.startswith(one) for flag in FLAGS) for one in asked):
            raise InvalidRequest(message=f"invalid flags:{','.join(sorted(asked))} for keyword:show assoc_mgr",
                hints=[f"valid: {', '.join(FLAGS)}"])


class Report:
    """One answer: what is meant, at one moment."""

    def __init__(self, view: View, wanted: Wanted) -> None:
        settings = view.settings
        self.view, self.wanted, self.book = view, wanted, view.policy.book
        self._shares = view.policy.shares(view.now, settings.priority_flags,
            settings.fair_share_dampening) if ASSOCIATIONS in wanted.flags else {}
        there = tres.configured(view.nodes.values())
        self._names = [*notation.ORDER, *sorted(name for name in there if name not in notation.ORDER)]

    def text(self, between: str = "\n    ") -> str:
        """All of it; `between` stands between the parts of a record."""
        sections = ((USERS, "User", self._users()), (ASSOCIATIONS, "Association", self._associations()),
            (QUALITIES, "QOS", self._qualities()))
        return HEADER + "".join(
            f"\n{title} Records\n\n" + "".join(f"{between.join(record)}\n" for record in records)
            for flag, title, records in sections if flag in self.wanted.flags)

    # --- users -----------------------------------------------------------------------------------------------------------

    def _users(self) -> Iterator[list[str]]:
        for user in sorted(self.book.users.values(), key=lambda one: one.name):
            if (not self.wanted.users or user.name.lower() in self.wanted.users) and self.view.sees(user.name, ""):
                yield [self._user(user)]

    def _user(self, user: User) -> str:
        return (f"UserName={self._named(user.name)} DefAccount={self.book.default_account(user.name) or '(null)'} "
                f"DefWckey={user.default_wckey} AdminLevel={user.admin_level}")

    def _named(self, user: str) -> str:
        uid = self.view.uid_of(user)
        return f"{user}({uid})" if uid is not None else user

    # --- associations ----------------------------------------------------------------------------------------------------

    def _associations(self) -> Iterator[list[str]]:
        wanted = self.wanted
        for one in in_tree(self.book):
            if wanted.accounts and one.account.lower() not in wanted.accounts:
                continue
            if wanted.users and one.user and one.user.lower() not in wanted.users:
                continue
            if self.view.sees(one.user, one.account):
                yield self._association(one)

    def _association(self, one: Association) -> list[str]:
        share = self._shares.get(one.id)
        key: Key = ("association", one.id, "")
        counts = self.view.policy.tally.of(key)
        standing = self.book.standing(one.id)
        above = self.book.associations.get(one.parent)
        parent = f"{above.account}({above.id})" if above is not None and not one.user else ""
        own, job = one.limits, standing.limits
        return [
            f"ClusterName={one.cluster} Account={one.account} UserName={self._named(one.user) if one.user else ''} "
            f"Partition={one.partition} "
            f"Priority={standing.priority} ID={one.id}",
            *(self._share(one, share) if share is not None else ()),
            f"ParentAccount={parent} Lineage={self._lineage(one)} DefAssoc={'Yes' if one.is_default else 'No'}",
            f"GrpJobs={_used(own, 'GrpJobs', counts.running)} GrpJobsAccrue={_used(own, 'GrpJobsAccrue', counts.accruing)}",
            f"GrpSubmitJobs={_used(own, 'GrpSubmitJobs', counts.submitted)} GrpWall={self._wall(own, one.id)}",
            *self._groups(own, counts, one.id, key),
            f"MaxJobs={_set(job, 'MaxJobs', counts.running)} MaxJobsAccrue={_set(job, 'MaxJobsAccrue', counts.accruing)} "
            f"MaxSubmitJobs={_set(job, 'MaxSubmitJobs', counts.submitted)} MaxWallPJ={_set(job, 'MaxWallDurationPerJob')}",
            f"MaxTRESPJ={_list(job, 'MaxTRESPerJob')}", f"MaxTRESPN={_list(job, 'MaxTRESPerNode')}",
            f"MaxTRESMinsPJ={_list(job, 'MaxTRESMinsPerJob')}",
            f"MinPrioThresh={_set(job, 'MinPrioThreshold')}", f"Comment={one.comment or '(null)'}"]

    def _share(self, one: Association, share: Share) -> Iterator[str]:
        siblings = [other for other in self.book.children(one.parent) if other.shares > 0] if one.parent in self.book.associations else [
            one]
        level = sum(other.shares for other in siblings)
        raw = "parent" if share.raw_shares < 0 else str(share.raw_shares)
        yield f"SharesRaw/Norm/Level/Factor={raw}/{share.shares:.2f}/{level}/{share.factor or 0.0:.2f}"
        yield f"UsageRaw/Norm/Efctv={share.usage:.2f}/{share.norm_usage:.2f}/{share.effective_usage:.2f}"

    def _lineage(self, one: Association) -> str:
        """ "/research/0-alice/", the root's is "/"."""
        path = [above for key in reversed(self.book.standing(one.id).lineage) if (above := self.book.associations.get(key)) is not None]
        names = [f"0-{each.user}" if each.user else each.account for each in path if each.user or each.parent]
        return "/" + "".join(f"{name}/" for name in names) + (f"{one.partition}/" if one.partition else "")

    # --- QOS -------------------------------------------------------------------------------------------------------------

    def _qualities(self) -> Iterator[list[str]]:
        for qos in sorted(self.book.qos.values(), key=lambda one: one.id):
            if not self.wanted.qos or qos.name.lower() in self.wanted.qos:
                yield self._quality(qos)

    def _quality(self, qos: Qos) -> list[str]:
        name, own = qos.name.lower(), qos.limits
        key: Key = ("qos", name, "")
        counts = self.view.policy.tally.of(key)
        mode = qos.preempt_mode.upper()
        return [
            f"QOS={qos.name}({qos.id})", f"UsageRaw={self.view.policy.usage.of(name, 'billing', self.view.now):.6f}",
            f"GrpJobs={_used(own, 'GrpJobs', counts.running)} GrpJobsAccrue={_used(own, 'GrpJobsAccrue', counts.accruing)} "
            f"GrpSubmitJobs={_used(own, 'GrpSubmitJobs', counts.submitted)} GrpWall={self._wall(own, name)}",
            *self._groups(own, counts, name, key),
            f"MaxWallPJ={_set(own, 'MaxWallDurationPerJob')}", f"MaxTRESPJ={_list(own, 'MaxTRESPerJob')}",
            f"MaxTRESPN={_list(own, 'MaxTRESPerNode')}",
            f"MaxTRESMinsPJ={_list(own, 'MaxTRESMinsPerJob')}", f"MinPrioThresh={_set(own, 'MinPrioThreshold')} ",
            f"MinTRESPJ={_list(own, 'MinTRESPerJob')}",
            f"PreemptMode={'OFF' if mode in ('', 'CLUSTER') else mode}", f"Priority={qos.priority}",
            "Account Limits", *self._within(qos, "account", "PerAccount", "PA"), "User Limits", *self._within(qos, "user", "PerUser", "PU")]

    def _within(self, qos: Qos, kind: str, per: str, short: str) -> Iterator[str]:
        """What each account or user has of a QOS that has jobs in it."""
        own = qos.limits
        tally = self.view.policy.tally
        for key in sorted(one for one in tally.counted() if one[0] == kind and one[1] == qos.name.lower()):
            name = str(key[2])
            if not self.view.sees(name if kind == "user" else "", name if kind == "account" else ""):
                continue
            counts = tally.of(key)
            yield f"  {self._named(name) if kind == 'user' else name}"
            yield (f"    MaxJobs{short}={_used(own, f'MaxJobs{per}', counts.running)} "
                   f"MaxJobsAccrue{short}={_used(own, f'MaxJobsAccrue{per}', counts.accruing)} "
                   f"MaxSubmitJobs{short}={_used(own, f'MaxSubmitJobs{per}', counts.submitted)}")
            yield f"    MaxTRES{short}={self._amounts(own.get(f'MaxTRES{per}', {}), counts.tres)}"
            minutes = {tres_name: tally.minutes_left(key, tres_name, self.view.now) for tres_name in self._names}
            yield f"    MaxTRESRunMins{short}={self._amounts(own.get(f'MaxTRESRunMins{per}', {}), minutes)}"

    # --- what is used ----------------------------------------------------------------------------------------------------

    def _groups(self, own: Limits, counts: Counts, usage: int | str, key: Key) -> Iterator[str]:
        policy, now = self.view.policy, self.view.now
        yield f"GrpTRES={self._amounts(own.get('GrpTRES', {}), counts.tres)}"
        yield (f"GrpTRESMins={self._amounts(own.get('GrpTRESMins', {}), {name: policy.usage.of(usage, name, now) / 60 for name in self._names})}")
        yield (f"GrpTRESRunMins={self._amounts(own.get('GrpTRESRunMins', {}), {name: policy.tally.minutes_left(key, name, now) for name in self._names})}")

    def _amounts(self, limits: Mapping[str, int], used: Mapping[str, float]) -> str:
        return ",".join(f"{name}={limits.get(name, 'N')}({int(used.get(name, 0))})" for name in self._names)

    def _wall(self, own: Limits, usage: int | str) -> str:
        minutes = self.view.policy.usage.of(usage, WALL, self.view.now) / 60
        return f"{own.get('GrpWall', {}).get('', 'N')}({minutes:.2f})"


def in_tree(book: Book) -> Iterator[Association]:
    """Associations from the root down: each account, its users, then the accounts below it, by name."""
    waiting = sorted(book.roots(), key=lambda one: one.account, reverse=True)
    while waiting:
        one = waiting.pop()
        yield one
        waiting += sorted(book.children(one.id), key=lambda each: (not each.user, each.user, each.account, each.partition), reverse=True)


def _used(own: Limits, key: str, used: int) -> str:
    """ "5(2)": of 5 two are in use, "N(2)" without a limit."""
    return f"{own.get(key, {}).get('', 'N')}({used})"


def _set(limits: Limits, key: str, used: int | None = None) -> str:
    """A limit where one is set, with what is in use."""
    value = limits.get(key, {}).get("")
    return "" if value is None else f"{value}" if used is None else f"{value}({used})"


def _list(limits: Limits, key: str) -> str:
    known = (rows.AT_ASSOCIATION.get(key) or rows.AT_QOS[key]).key
    return ",".join(f"{name}={value}" for name, value in limits.get(known, {}).items())
