"""Options of strigger."""

from __future__ import annotations

from slurm.options.option import Option

_DATABASE = "slurmctld does not hear of the database behind slurmdbd"
_CLUSTER = "a command speaks to one cluster, the one of SLURM_CONF"


def _row(name: str, short: str = "", value: str = "flag", *, help: str, metavar: str = "", refused: str = "", harmless: str = "",
        optional: str | None = None) -> Option:
    return Option(name, short, value, commands="strigger", help=help, metavar=metavar, refused=refused, harmless=harmless,
        optional=optional)


OPTIONS: tuple[Option, ...] = (
    _row("backup_slurmctld_assumed_control", "C", help="the backup controller took over"),
    _row("backup_slurmctld_failure", "B", help="the backup controller failed"),
    _row("backup_slurmctld_resumed_operation", "c", help="the backup controller is back"),
    _row("burst_buffer", refused="there are no burst buffers", help="a burst buffer failed"),
    _row("clear", help="remove triggers, named by --id, --jobid or --user"),
    _row("cluster", "M", "text", metavar="NAME", refused=_CLUSTER, help="the same as --clusters"),
    _row("clusters", "M", "text", metavar="NAMES", refused=_CLUSTER, help="which cluster to ask"),
    _row("down", "d", help="a node goes down"),
    _row("drained", "D", help="a node is drained"),
    _row("draining", help="a node begins to drain"),
    _row("fail", "F", refused="no node gets the state FAIL", help="a node is failing"),
    _row("fini", "f", help="the job is over"),
    _row("flags", "", "list", metavar="PERM", help="PERM: the trigger stays when it was pulled"),
    _row("get", help="show triggers"),
    _row("help", help="show this help"),
    _row("id", "i", "number", metavar="ID", help="the trigger of this number"),
    _row("idle", "I", help="a node is idle, for --offset seconds"),
    _row("jobid", "j", "text", metavar="ID", help="the job, or its nodes"),
    _row("node", "n", "text", metavar="HOSTS", optional="*", help="nodes, any when none is named"),
    _row("noheader", "N", help="no heading"),
    _row("offset", "o", "text", metavar="SECONDS", help="run the program so long after it happened, or with a minus before a time limit"),
    _row("primary_database_failure", "h", refused=_DATABASE, help="the database failed"),
    _row("primary_database_resumed_operation", "H", refused=_DATABASE, help="the database is back"),
    _row("primary_slurmctld_acct_buffer_full", "e", refused="records wait on disk: there is no buffer that could be full",
    help="records wait for slurmdbd"),
    _row("primary_slurmctld_failure", "a", help="slurmctld failed, and a backup took over"),
    _row("primary_slurmctld_resumed_control", "b", help="slurmctld has control again"),
    _row("primary_slurmctld_resumed_operation", "A", help="slurmctld is back"),
    _row("primary_slurmdbd_failure", "g", help="slurmdbd does not answer"),
    _row("primary_slurmdbd_resumed_operation", "G", help="slurmdbd is back"),
    _row("program", "p", "text", metavar="PATH", help="what is run, with what it happened to behind its arguments"),
    _row("quiet", "Q", "level", help="a trigger that is not there is no error"),
    _row("reconfig", "r", help="the configuration was read"),
    _row("resume", "R", help="a node does not drain any more"),
    _row("set", help="set a trigger"),
    _row("time", "t", help="the job's time limit is reached"),
    _row("up", "u", help="a node is back in service"),
    _row("usage", help="show the options in short"),
    _row("user", "", "text", metavar="NAME", help="triggers of this user"),
    _row("verbose", "v", "level", help="say what is done"),
    _row("version", "V", help="show the version"),
)
