"""Facts of one machine, as `slurm doctor` gathers them there and reads them from the others: plain values that travel as JSON.

Not here: how they are found out (`gather`), what they mean (the checks).
"""

from __future__ import annotations

import msgspec


class File(msgspec.Struct, omit_defaults=True):
    """A file or folder: whose, its mode's last twelve bits, `digest` of what matters in it; `problem` why nothing is known of it."""

    path: str
    purpose: str = ""
    exists: bool = False
    uid: int = -1
    mode: int = 0
    digest: str = ""
    problem: str = ""


class Disk(msgspec.Struct, omit_defaults=True):
    """The file system below `path`: bytes and inodes, its kind as /proc/mounts has it."""

    purpose: str
    path: str
    kind: str = ""
    total: int = 0
    free: int = 0
    inodes: int = 0
    inodes_free: int = 0


class Listener(msgspec.Struct, omit_defaults=True):
    """Who listens at a TCP port: the program's name and file, "" where only root would be told."""

    port: int
    program: str = ""
    executable: str = ""


class Database(msgspec.Struct, omit_defaults=True):
    """The accounting database, asked on the machine of slurmdbd: the schema's version there and the one that is known here."""

    storage: str = ""
    problem: str = ""
    version: int = 0
    known: int = 0


class Facts(msgspec.Struct, omit_defaults=True):
    """One machine. Memory and disk MB, times seconds; `nodes` are the NodeNames whose slurmd belongs here."""

    host: str
    boot_id: str = ""
    time: float = 0.0
    zone: str = ""
    synchronised: bool | None = None
    version: str = ""
    root: bool = False
    controller: bool = False
    database_host: bool = False
    nodes: list[str] = []
    conf: str = ""
    files: list[File] = []  # configuration, with digests
    key: File | None = None
    key_id: str = ""
    certificates: list[File] = []
    folders: list[File] = []
    secrets: list[File] = []
    programs: list[File] = []  # what slurm.conf has daemons run
    slurm_uid: int | None = None
    accounts: dict[str, tuple[int, int]] = {}  # ordinary users, SlurmUser and SlurmdUser: name → uid, gid
    addresses: list[str] = []  # this machine's own
    names: dict[str, list[str]] = {}  # name of the configuration → its addresses as seen here
    listeners: list[Listener] = []
    reached: dict[str, str] = {}  # "host:port" → "" where it answered, else why not
    running: dict[str, int] = {}  # daemon → pid
    disks: list[Disk] = []
    cpus: int = 0
    memory: int = 0
    devices_missing: list[str] = []
    gpu_files: list[str] = []
    cgroup_problems: list[str] = []
    selinux: bool = False
    firewalls: list[str] = []
    commands: dict[str, str] = {}  # srun, sbatch … → the first on PATH
    other_slurm: list[str] = []  # those of them that are another Slurm's
    open_files: int = 0
    units: dict[str, str] = {}  # systemd's unit → enabled, disabled …
    munge: str | None = None  # "" where munged answers, else why not; None where nobody needs it
    database: Database | None = None

    @property
    def where(self) -> str:
        """The machine's short name."""
        return self.host.partition(".")[0]
