"""Options of scancel."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there are no federations"

OPTIONS: tuple[Option, ...] = (
    Option("account", "A", "list", commands="scancel", metavar="NAME", env="SCANCEL_ACCOUNT", help="jobs of this account"),
    Option("admin-comment", "", "text", commands="scancel", metavar="TEXT", help="a remark for the accounting record"),
    Option("batch", "b", commands="scancel", env="SCANCEL_BATCH", help="signal the batch shell only"),
    Option("clusters", "M", "text", commands="scancel", metavar="NAMES", env="SLURM_CLUSTERS", help="which cluster to ask"),
    Option("cron", "c", commands="scancel", env="SCANCEL_CRON",
           help="jobs of scrontab too, where ScronParameters=explicit_scancel keeps them from being cancelled by mistake"),
    Option("ctld", commands="scancel", env="SCANCEL_CTLD", harmless="signals always go through slurmctld", help="signal through slurmctld"),
    Option("full", "f", commands="scancel", env="SCANCEL_FULL", help="signal the batch shell, its children and all steps"),
    Option("help", "", commands="scancel", help="show this help"),
    Option("hurry", "H", commands="scancel", env="SCANCEL_HURRY", harmless="there is no burst buffer to empty",
           help="leave the burst buffer as it is"),
    Option("interactive", "i", commands="scancel", env="SCANCEL_INTERACTIVE", help="ask before each job"),
    Option("jobname", "n", "list", commands="scancel", metavar="NAME", help="the same as --name"),
    Option("me", "", commands="scancel", help="jobs of one's own"),
    Option("name", "n", "list", commands="scancel", metavar="NAME", env="SCANCEL_NAME", help="jobs of this name"),
    Option("nodelist", "w", "hosts", commands="scancel", metavar="HOSTS", help="jobs that use one of these nodes"),
    Option("partition", "p", "list", commands="scancel", metavar="NAME", env="SCANCEL_PARTITION", help="jobs of this partition"),
    Option("qos", "q", "list", commands="scancel", metavar="NAME", env="SCANCEL_QOS",
           help="jobs of this quality of service; with job ids only, -q means --quiet"),
    Option("quiet", "Q", "level", commands="scancel", help="say nothing about jobs that have ended"),
    Option("reservation", "R", "list", commands="scancel", metavar="NAME", help="jobs of this reservation"),
    Option("sibling", "", "text", commands="scancel", metavar="CLUSTER", refused=_NO_FEDERATION, help="a job's sibling in a federation"),
    Option("signal", "s", "text", commands="scancel", metavar="SIGNAL", help="send this signal instead of ending the job"),
    Option("state", "t", "list", commands="scancel", metavar="STATE", env="SCANCEL_STATE",
           help="jobs that are PENDING, RUNNING or SUSPENDED"),
    Option("usage", commands="scancel", help="show the options in short"),
    Option("user", "u", "list", commands="scancel", metavar="NAME", env="SCANCEL_USER", help="jobs of this user"),
    Option("verbose", "v", "level", commands="scancel", env="SCANCEL_VERBOSE", help="say what is done; may be given several times"),
    Option("version", "V", commands="scancel", help="show the version"),
    Option("wckey", "", "list", commands="scancel", metavar="KEY", env="SCANCEL_WCKEY", help="jobs of this workload characterization key"),
)
