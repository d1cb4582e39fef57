"""Accounting between machines: slurmdbd on one of its own, records over the secured channel, users who ask from compute nodes, a cable that is cut."""

from __future__ import annotations

import pytest

from slurm.model.accounting import JobFilter
from slurm.store.accounting.database import Database
from slurm.store.accounting.storage import SQLITE, Storage
from tests.system.machines import ALICE, BOB, LOGIN_HOST, NETWORK, Machine, Machines, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
CONF = f"AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost={NETWORK}{LOGIN_HOST}\nMinJobAge=300\n"
DBD = """AuthType=auth/slurm
DbdHost=login
SlurmUser=root
PidFile=/run/slurmdbd.pid
StorageType=accounting_storage/sqlite
StorageLoc=/run/accounting.db
PrivateData=jobs
"""


def past(machine: Machine, user: int) -> list[str]:
    """What sacct says there to this user: id, user and state of every job he may see."""
    words = ("-c", "import sys; from slurm.commands.sacct import main; sys.exit(main())", "-a", "-n", "-X", "-P", "-o", "JobID,UID,State")
    return machine.ok(machine.python, *words, user=user).split()


def test_jobs_are_recorded_by_a_slurmdbd_of_another_machine_and_a_cut_cable_costs_nothing() -> None:
    with Machines(nodes=1, login=True, conf=CONF, key=lambda name: True) as machines:
        head, node, keeper = machines["head"], machines["nd1"], machines["login"]
        (keeper.run_folder / "slurm" / "slurmdbd.conf").write_text(DBD)
        keeper.start("slurmdbd")
        machines.up()
        first = head.ok("sbatch", "--parsable", "-W", "--wrap", "true", user=ALICE).strip()
        second = head.ok("sbatch", "--parsable", "-W", "--wrap", "true", user=BOB).strip()
        machines.until(lambda: past(head, 0) == [f"{first}|{ALICE}|COMPLETED", f"{second}|{BOB}|COMPLETED"], why="the jobs are not recorded")
        # A compute node speaks for users who have a job on it, and for no one else.
        held = head.ok("sbatch", "--parsable", "--wrap", "sleep 1000", user=ALICE).strip()
        machines.until(lambda: past(node, ALICE) == [f"{first}|{ALICE}|COMPLETED", f"{held}|{ALICE}|RUNNING"], why="alice does not see her own jobs only")
        keeper.cut()
        more = [head.ok("sbatch", "--parsable", "--wrap", "exit 3", user=BOB).strip() for _ in range(20)]
        machines.until(lambda: head.ok("squeue", "-h", "-u", str(BOB)) == "", why="jobs wait for slurmdbd")
        keeper.mend()
        head.ok("scancel", held, user=ALICE)
        expected = {f"{job}|{BOB}|FAILED" for job in more} | {f"{first}|{ALICE}|COMPLETED", f"{second}|{BOB}|COMPLETED"}
        machines.until(lambda: expected <= set(past(head, 0)) and not any("RUNNING" in line for line in past(head, 0)),
                       why="what happened meanwhile is not recorded", seconds=120)
        database = Database(Storage(SQLITE, str(keeper.run_folder / "accounting.db")))
        found = [(row.job.id, row.job.restarts) for row in database.jobs(JobFilter(all_clusters=True, duplicates=True))]
        database.close()
        assert len(found) == len(set(found)) == 23
