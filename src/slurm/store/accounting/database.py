"""The accounting database as slurmdbd uses it: opened, filled, asked. Every call blocks, and may be made on any thread.

    database = Database(Storage(SQLITE, "/var/lib/slurm/accounting.db"))
    database.open()                                   # made, or upgraded; StoreError
    database.register(Registration("cluster", …))     # Registered(through, highest job, id)
    database.take("cluster", journal, outgoing)       # the last sequence number that is kept
    for row in database.jobs(JobFilter(users=["anna"])): …

StoreBusy means that it may be tried again, StoreError that somebody must look; a call that failed has changed nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from slurm.model.accounting import (
    AssociationUsage,
    ClusterUsage,
    EventFilter,
    EventRow,
    JobFilter,
    JobRow,
    Outgoing,
    ReservationFilter,
    ReservationRow,
    UsageFilter,
    WckeyUsage,
)
from slurm.model.errors import NotFound, NotPermitted
from slurm.store.accounting import entities, events, finding, modifying_jobs, reservations, runaways, schema, upgrade, usage
from slurm.store.accounting.engine import Clock, connect, reading, writing
from slurm.store.accounting.finding import Place, Visible
from slurm.store.accounting.policy.tables import PolicyTables
from slurm.store.accounting.purging import Purge
from slurm.store.accounting.rollup import Rolled, RollUp
from slurm.store.accounting.storage import Storage
from slurm.store.accounting.taking import Taking, fresh
from slurm.store.accounting.upsert import insert_missing

log = logging.getLogger("slurmdbd.database")


class Registration(NamedTuple):
    """What a controller says of its cluster when it comes. `owner`: whose embedded cluster it is, "" for any other.

    `first` is the number of the first record that can still come: what the database lacks of those before, it lost, and does not wait for.
    """

    name: str
    journal: str
    time_zone: str = "UTC"
    control_host: str = ""
    control_port: int = 0
    rpc_version: int = 0
    version: str = ""
    flags: str = ""
    owner: str = ""
    first: int = 1
    default_qos: str = ""  # DefaultQOS, of a cluster that is new


class Registered(NamedTuple):
    """What is there of it: the last sequence number of its journal, the highest job id of the cluster (0: none), the cluster's own id, and
    for a new journal how many jobs of earlier ones have not ended."""

    through: int
    highest_job: int
    cluster_id: int
    going_on: int = 0


class ClusterFacts(NamedTuple):
    """A cluster as it registered last. Times are seconds since the epoch; `complete_until`: nothing before it is still to come."""

    id: int
    name: str
    time_zone: str
    control_host: str
    control_port: int
    rpc_version: int
    version: str
    registered: float
    complete_until: float


class Database:
    """One accounting database. `clock` tells the time that new rows are stamped with."""

    def __init__(self, storage: Storage, clock: Clock = time.time) -> None:
        self.storage = storage
        self.clock = clock
        self.engine = connect(storage)
        self.policy = PolicyTables(self.engine, storage, clock)

    def open(self) -> None:
        """Make or upgrade the tables."""
        upgrade.prepare(self.engine, self.storage, lambda connection: entities.begin(connection, self.clock()))

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def register(self, registration: Registration) -> Registered:
        """A controller has come: its cluster is known from now on."""
        now = self.clock()
        with writing(self.engine, self.storage) as connection:
            clusters = schema.clusters.c
            values = {
                "time_zone": registration.time_zone, "control_host": registration.control_host, "control_port": registration.control_port,
                "rpc_version": registration.rpc_version, "version": registration.version, "flags": registration.flags, "registered": now,
                "embedded": int(bool(registration.owner)), "deleted": 0}
            found = connection.execute(sa.select(clusters.id, clusters.highest_job).where(clusters.name == registration.name)).first()
            if found is None:
                result = connection.execute(sa.insert(schema.clusters).values(name=registration.name, **values))
                key = result.inserted_primary_key
                assert key is not None
                cluster, highest = int(key[0]), 0
                entities.add_cluster(connection, cluster, registration.owner, now, qos=registration.default_qos)
            else:
                cluster, highest = found
                connection.execute(sa.update(schema.clusters).where(clusters.id == cluster).values(**values))
            insert_missing(connection, schema.journals, [{"cluster_id": cluster, "journal": registration.journal, "last_sequence": 0}])
            through = connection.execute(sa.select(schema.journals.c.last_sequence).where(
                schema.journals.c.cluster_id == cluster, schema.journals.c.journal == registration.journal)).scalar_one()
            if through < registration.first - 1:
                log.error("cluster %s: records %d to %d of journal %s were acknowledged and are not in %s: was it restored from a backup?",
                          registration.name, through + 1, registration.first - 1, registration.journal, self.storage)
                connection.execute(sa.update(schema.journals).where(
                    schema.journals.c.cluster_id == cluster, schema.journals.c.journal == registration.journal).values(
                        last_sequence=registration.first - 1))
            going_on = runaways.count(connection, cluster) if highest and not through else 0
            return Registered(int(through), int(highest), cluster, going_on)

    def take(self, cluster: str, journal: str, outgoing: Sequence[Outgoing], complete_until: float = 0.0) -> int:
        """Keep the records that did not come before, all or nothing; the last sequence number that is kept. NotFound before `register`."""
        with writing(self.engine, self.storage) as connection:
            clusters, journals = schema.clusters.c, schema.journals.c
            found = connection.execute(sa.select(
                clusters.id, clusters.time_zone, clusters.highest_job, clusters.complete_until, journals.last_sequence).join_from(
                    schema.clusters, schema.journals, journals.cluster_id == clusters.id).where(
                        clusters.name == cluster, journals.journal == journal).with_for_update()).first()
            if found is None:
                raise NotFound("ESLURM_INVALID_OPTION", f"cluster {cluster} has not registered its journal {journal}")
            identity, zone, highest, until, last = found
            records = fresh(last, outgoing)
            if records:
                taking = Taking(connection, identity, zone, entities.Completing(connection, identity).complete, self.clock())
                taking.take(records)
                highest = max(highest, taking.highest_job)
                last = max(last, outgoing[-1].sequence)
                connection.execute(sa.update(schema.journals).where(journals.cluster_id == identity,
                    journals.journal == journal).values(last_sequence=last))
            if records or complete_until > until:
                connection.execute(sa.update(schema.clusters).where(clusters.id == identity).values(
                    highest_job=highest, complete_until=max(until, complete_until)))
            return int(last)

    def clusters(self) -> list[ClusterFacts]:
        """The clusters that have registered, by name."""
        columns = schema.clusters.c
        with reading(self.engine, self.storage) as connection:
            return [ClusterFacts(*row) for row in connection.execute(sa.select(
                columns.id, columns.name, columns.time_zone, columns.control_host, columns.control_port, columns.rpc_version,
                columns.version,
                columns.registered, columns.complete_until).where(columns.deleted == 0).order_by(columns.name))]

    def jobs(
        self, wanted: JobFilter, cluster: str = "", visible: Visible | None = None, after: Place | None = None,
    ) -> Iterator[JobRow]:
        """The jobs that are wanted, by cluster and job id, as they are read; `cluster` is the asking one. Close it to stop before its end.

        `visible`: only what that user may see; `after`: only those behind that place.
        """
        return finding.jobs(self.engine, self.storage, wanted, cluster, visible, after)

    def payload(self, digest: str, visible: Visible | None = None) -> bytes:
        """The script or environment of this digest; NotFound where it is not kept, NotPermitted where it is not his."""
        with reading(self.engine, self.storage) as connection:
            if visible is not None and not finding.may_read(connection, digest, visible):
                raise NotPermitted(hints=["a job's script and environment are for its user and for operators"])
            found = connection.execute(sa.select(schema.payloads.c.content).where(schema.payloads.c.digest == digest)).scalar()
        if found is None:
            raise NotFound("ESLURM_INVALID_OPTION", "no such script or environment is kept",
                hints=["AccountingStoreFlags says what is kept"])
        return bytes(found)

    def roll_up(self, cluster: ClusterFacts, until: float, *, wckeys: bool = True) -> Iterator[Rolled]:
        """Sum up this cluster's usage before `until`, some hours at a time; that of wckeys where it is wanted (TrackWCKey)."""
        return RollUp(self.engine, self.storage, cluster.id, cluster.time_zone, wckeys=wckeys).run(until)

    def usage_of_clusters(self, wanted: UsageFilter, cluster: str = "") -> list[ClusterUsage]:
        """What became of the clusters' TRES, as far as it is rolled up."""
        with reading(self.engine, self.storage) as connection:
            return usage.of_clusters(connection, wanted, cluster)

    def usage_of_associations(self, wanted: UsageFilter, cluster: str = "") -> list[AssociationUsage]:
        """Who had what, by account and user, as far as it is rolled up."""
        with reading(self.engine, self.storage) as connection:
            return usage.of_associations(connection, wanted, cluster)

    def usage_of_wckeys(self, wanted: UsageFilter, cluster: str = "") -> list[WckeyUsage]:
        """Who had what, by wckey and user, as far as it is rolled up."""
        with reading(self.engine, self.storage) as connection:
            return usage.of_wckeys(connection, wanted, cluster)

    def purge(self, folder: str = "") -> Purge:
        """What removes old records, and archives them in this folder."""
        return Purge(self.engine, self.storage, folder)

    def events(self, wanted: EventFilter, cluster: str, after: int, most: int) -> tuple[list[EventRow], int]:
        """What befell clusters and their nodes; at most so many rows, and the one behind which the next part begins (0: none)."""
        with reading(self.engine, self.storage) as connection:
            of_nodes, following = events.of_nodes(connection, wanted, cluster, after, most)
            return [*(events.of_clusters(connection, wanted, cluster) if not after else ()), *of_nodes], following

    def reservations(self, wanted: ReservationFilter, cluster: str) -> list[ReservationRow]:
        """Reservations, and what they and the jobs in them held."""
        with reading(self.engine, self.storage) as connection:
            return reservations.found(connection, wanted, cluster, self.clock())

    def end_runaways(self, cluster: str, jobs: Sequence[tuple[int, int]]) -> int:
        """End jobs (id, restarts) that the controller knows nothing of; how many there were."""
        with writing(self.engine, self.storage) as connection:
            return runaways.end(connection, cluster, jobs)

    def modify_jobs(
        self, cluster: str, jobs: Sequence[tuple[int, int]], changes: dict[str, str | int], actor: str, owner: int | None = None,
    ) -> int:
        """Write fields of the records of jobs (id, restarts) that have ended over; how many. `owner`: whose alone they may be."""
        with writing(self.engine, self.storage) as connection:
            return modifying_jobs.modify(connection, cluster, jobs, changes, actor, self.clock(), owner=owner)

    def admin_level(self, user: str) -> str:
        """The user's AdminLevel: None, Operator or Administrator."""
        with reading(self.engine, self.storage) as connection:
            return entities.admin_level(connection, user)

    def coordinated(self, user: str) -> list[str]:
        """The accounts that this user coordinates."""
        with reading(self.engine, self.storage) as connection:
            return entities.coordinated(connection, user)
