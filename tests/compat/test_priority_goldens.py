"""sshare and sprio beside what the real ones printed, from the numbers that the recorded cluster had."""

import io
import shlex
from types import ModuleType

import msgspec
import pytest

from slurm.commands import sprio, sshare
from slurm.commands.shell import Message, Shell
from slurm.model.priority import JobPriority, ShareNow
from slurm.wire.messages import PrioritiesListed, SharesListed
from tests.compat.transcript import Entry, transcript

TRES = ["cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages", "gres/gpu"]


def share(number: int, parent: int, account: str, user: str, raw: int, norm: float, usage: int, norm_usage: float, effective: float, factor: float | None,
          level: float | None, cpu: int = 0, mem: int = 0) -> ShareNow:
    return ShareNow(
        id=number, parent=parent, account=account, user=user, raw_shares=raw, norm_shares=norm, raw_usage=usage, norm_usage=norm_usage, effective_usage=effective,
        factor=factor, level_fs=level, running={"cpu": cpu, "mem": mem})


SHARES = [
    share(1, 0, "root", "", 1, 0.0, 5222, 1.0, 1.0, None, 0.0, 173, 400980),
    share(2, 1, "root", "root", 1, 1 / 13, 324, 0.046517, 0.046517, 0.5, 1.653652, 15, 7500),
    share(3, 1, "research", "", 10, 10 / 13, 130, 0.025503, 0.025503, None, 30.162652, 158, 393480),
    share(4, 3, "research", "alice", 5, 5 / 6, 130, 0.025503, 1.0, 0.75, 0.833333, 158, 393480),
    share(5, 3, "research", "root", 1, 1 / 6, 0, 0.0, 0.0, 1.0, None),
    share(6, 1, "students", "", 2, 2 / 13, 4766, 0.927980, 0.927980, None, 0.165786),
    share(7, 6, "students", "bob", 1, 1.0, 4766, 0.927980, 1.0, 0.25, 1.0)]
WEIGHTS = {"age": 1000, "assoc": 0, "fairshare": 10000, "jobsize": 500, "partition": 2000, "qos": 5000}


def job(number: int, partition: str, user: str, account: str, priority: int, age: float, fair: float, size: float) -> JobPriority:
    factors = {"age": age, "assoc": 0.0, "fairshare": fair, "jobsize": size, "partition": 1.0, "qos": 0.0}
    return JobPriority(job=str(number), partition=partition, user=user, account=account, qos="normal", priority=priority, factors=factors, weighted={
        name: factor * WEIGHTS[name] for name, factor in factors.items()})


JOBS = [
    job(92, "gpu", "alice", "research", 9699, 0.0000231, 0.75, 0.3984375), job(94, "gpu", "alice", "research", 9566, 0.0000231, 0.75, 0.1328125),
    job(97, "debug", "bob", "students", 5000, 0.0000165, 0.25, 1.0), job(101, "debug", "root", "root", 7500, 0.0, 0.5, 1.0),
    job(102, "batch", "root", "root", 7500, 0.0, 0.5, 1.0), job(103, "debug", "root", "root", 7066, 0.0, 0.5, 0.1328125),
    job(111, "debug", "root", "root", 7332, 0.0, 0.5, 0.6640625), job(117, "debug", "root", "root", 7500, 0.0, 0.5, 1.0)]
ENTRIES = [entry for entry in transcript("accounting") if entry.program in ("sshare", "sprio")]


class Cluster:
    """Answers as slurmctld does, from the recorded numbers."""

    def call(self, message: Message) -> Message:
        if message["type"] == "ListShares":
            users, accounts = message["users"], message["accounts"]
            assert isinstance(users, list) and isinstance(accounts, list)
            found = [one for one in SHARES if (not users or not one.user or one.user in users) and (not accounts or one.account in accounts)]
            reply: object = SharesListed(cluster="lab", shares=found, tres=TRES)
        else:
            reply = PrioritiesListed(cluster="lab", priority_type="multifactor", jobs=JOBS, weights=WEIGHTS)
        told: Message = msgspec.json.decode(msgspec.json.encode(reply))
        return told

    def send(self, message: Message) -> None:
        raise AssertionError("they only ask")

    def receive(self, timeout: float | None = None) -> Message:
        raise AssertionError("they only ask")

    def close(self) -> None:
        """Nothing is open."""


PROGRAMS: dict[str, ModuleType] = {"sshare": sshare, "sprio": sprio}


def run(command: str) -> tuple[list[str], list[str], int]:
    out, error = io.StringIO(), io.StringIO()
    name, *argv = shlex.split(command)
    status = PROGRAMS[name].main(Shell(name, argv, {}, io.BytesIO(), out, error, connect=lambda _: Cluster(), now=lambda: 1.8e9))
    return out.getvalue().splitlines(), error.getvalue().splitlines(), status


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.where)
def test_they_print_what_slurms_print(entry: Entry) -> None:
    command = entry.command if entry.program != "sshare" or "-a" in entry.command else f"{entry.command} -u root"
    assert run(command) == (list(entry.stdout), list(entry.stderr), entry.status)


def test_the_recorded_commands_are_here() -> None:
    assert {entry.command for entry in ENTRIES} >= {"sshare", "sshare -a", "sshare -l -a", "sprio", "sprio -l", "sprio -w", "sprio -n"}


def test_other_forms_of_sshare() -> None:
    assert run("sshare --all --noheader --parsable --format=user%4,account -u bob")[0][-1] == "bob|  students|"
    assert run("sshare -a --parsable2 --partition")[0][0].split("|")[:3] == ["Account", "User", "Partition"]
    assert "FairShare" in " ".join(run("sshare --helpformat")[0])
    assert '"account": "research"' in "\n".join(run("sshare -a --json")[0]) and "!!str account: !!str research" in "\n".join(run("sshare -a --yaml")[0])
    assert run("sshare --long --accounts=research --users=alice -P")[0][2].split("|")[:2] == [" research", "alice"]
    assert run("sshare --format=nosuch")[2] == 1


def test_sshare_shows_users_without_the_accounts_above_them() -> None:
    lines = run("sshare -a -U -n -P -o account,user")[0]
    assert lines == [f"{one.account}|{one.user}" for one in SHARES if one.user]


def test_sprio_of_users_has_a_column_of_them_and_says_whom_nobody_knows() -> None:
    out, error, status = run("sprio -u nobody-of-that-name")
    assert out[0].split()[:4] == ["JOBID", "PARTITION", "USER", "PRIORITY"] and status == 0
    assert error == ["sprio: error: Invalid user: nobody-of-that-name"]


def test_other_forms_of_sprio() -> None:
    def order(words: str) -> list[str]:
        return [line.split()[0] for line in run(f"sprio --noheader {words}")[0]]

    assert order("--sort=-Y,i")[:2] == ["92", "94"] and order("--sort=u,-Y") == ["92", "94", "97", "101", "102", "117", "111", "103"]
    assert run("sprio --jobs=92 --user=92 --partition=gpu --format='%i|%u|%o|%n|%N|%c|%T|%t'")[0][1] == "92|alice|research|normal|0|lab||"
    assert run("sprio --weights --norm --long --noheader")[0] and "%Y" in "\n".join(run("sprio --helpformat")[0])
    assert run("sprio -o %z")[2] == 1 and run("sprio -j x")[2] == 1 and run("sprio frob")[2] == 1
