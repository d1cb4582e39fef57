"""THE protocol between slurmctld and slurmdbd, MessagePack on one connection that slurmctld keeps open: records leave, once each and in
order.

    slurmctld → slurmdbd    RegisterCluster; then TakeRecords, one at a time, the next when the one before was answered
    slurmdbd → slurmctld    ClusterRegistered; RecordsTaken once they are committed; Failure: nothing of the message holds, it comes again
    later

Policy comes the other way on the same connection, from when slurmctld says that it wants it: whole first, in parts, then each change.

    slurmctld → slurmdbd    FollowPolicy; PolicyTaken for each version, once it is in the journal; neither is answered
    slurmdbd → slurmctld    TakePolicy

Records of one journal are numbered from 1 without gaps. slurmdbd keeps the last number it has of each (cluster, journal) in the transaction
that keeps the records, so that what comes twice, after a lost answer or a kill, changes nothing: numbers up to that one are passed over. A
record whose number is more than one above it is refused whole: something is missing in between. Records are not bounded field by field:
what was acknowledged once is never refused afterwards, and who may send them has proved to be the cluster's slurmctld.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.accounting import Outgoing
from slurm.model.bounds import COUNT_MAX, Many, Name, Text, UserId, Whole, Word
from slurm.model.ids import JobId
from slurm.model.policy import Account, Association, Qos, Resource, UsageReset, User, Wckey
from slurm.wire.messages import Failure, Message

SLICE_RECORDS = 1000
"""Records of one TakeRecords at most."""
PART_RECORDS = 500
"""Records of one TakePolicy."""
SLICE_BYTES = 4 * 1024 * 1024
"""A slice ends with the record that makes it longer than this; one record may be as long as a frame."""

Port = Annotated[int, Whole(0, 65_535)]
JournalName = Annotated[str, Text(64)]
TresCounts = Annotated[dict[Name, Annotated[int, Whole(0, 2**63 - 1)]], Many(10_000)]


class RegisterCluster(Message):
    """First message of a slurmctld → ClusterRegistered or Failure.

    `journal` names the state folder (made once with it, for ever another): sequence numbers count within it. `time_zone` is an IANA name,
    as "Europe/Berlin", by which days and months of this cluster are counted. A database that has less than what comes before `first` has
    lost records that it once had: it takes those from `first` on, and what of the others is still known comes once more.
    """

    cluster: Name
    journal: JournalName
    control_host: Name = ""
    control_port: Port = 0
    rpc_version: Annotated[int, Whole(0, COUNT_MAX)] = 0
    version: Word = ""
    time_zone: Name = "UTC"
    tres: TresCounts = {}
    nodes: Annotated[str, Text(65_536)] = ""
    first: Annotated[int, Whole(1, 2**63 - 1)] = 1  # the number of the first record that can still come
    flags: Annotated[list[Word], Many(100)] = []


class ClusterRegistered(Message):
    """slurmdbd knows this cluster. `through`: the last sequence number that it had of this journal before, 0: none.

    `highest_job`: the highest job id that any journal of this cluster brought, 0: none; ids of a new journal begin above it. `going_on`:
    for a new journal, how many jobs of earlier ones have not ended here.
    """

    through: int = 0
    highest_job: JobId = JobId(0)
    cluster_id: int = 0
    version: str = ""
    going_on: int = 0


class TakeRecords(Message):
    """Keep these records, whose sequence numbers rise by one → RecordsTaken or Failure.

    `complete_until`: no record to come tells of anything before this moment (seconds since the epoch; 0: not known): usage may be summed up
    to it. Without records it says just that.
    """

    records: list[Outgoing] = []
    complete_until: float = 0.0


class RecordsTaken(Message):
    """Everything up to this sequence number is committed."""

    through: int


class FollowPolicy(Message):
    """From now on, tell me the policy of this cluster and what changes in it → TakePolicy, again and again."""


class TakePolicy(Message):
    """Policy of the cluster as of change `version` → PolicyTaken.

    `part` of a whole: what is not in its parts is no more; `last` ends it. Otherwise what one change touched, deleted records among them.
    """

    version: Annotated[int, Whole(0, 2**63 - 1)]
    records: list[Account | User | Association | Qos | Wckey | Resource] = []
    resets: list[UsageReset] = []
    part: bool = False
    last: bool = False


class PolicyTaken(Message):
    """Everything up to this version holds in the controller, after a restart too."""

    version: Annotated[int, Whole(0, 2**63 - 1)]


FromController = RegisterCluster | TakeRecords | FollowPolicy | PolicyTaken
"""What slurmdbd hears from a slurmctld. Questions of commands are in another union."""
ToController = ClusterRegistered | RecordsTaken | TakePolicy | Failure


class EncodedRecords(msgspec.Struct, kw_only=True, omit_defaults=True, tag="TakeRecords"):
    """A TakeRecords whose records are MessagePack already (Outgoing), as they lie in the controller's store."""

    records: list[msgspec.Raw] = []
    complete_until: float = 0.0


class AskFor(Message):
    """A slurmctld passes on what a command asked: `request` is that JSON, `uid` who the command's user has proved to be → Told.

    On a connection of its own, so that no answer waits behind records; answers come as they are ready, each with its `number`.
    `unelevated`: the question came from a compute node, which speaks for its users but not for their rights over others: AdminLevel and
    coordination do not count.
    """

    number: Annotated[int, Whole(0, 2**63 - 1)]
    uid: UserId
    cluster: Name
    request: Annotated[bytes, Text(2**20)]
    unelevated: bool = False


class Told(Message):
    """The JSON reply to the request of this number, a Failure among them."""

    number: int
    reply: bytes
