"""Options of sacct."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there is no federation, so every job is local"


def _option(name: str, short: str = "", value: str = "flag", *, joined: bool = False, **fields: str) -> Option:
    return Option(name, short, value, commands="sacct", joined=joined or value == "list", **fields)


OPTIONS: tuple[Option, ...] = (
    _option("accounts", "A", "list", metavar="NAME,...", help="jobs of these accounts"),
    _option("allclusters", "L", help="jobs of every cluster in the database"),
    _option("allocations", "X", help="jobs without their steps"),
    _option("allusers", "a", help="jobs of all users"),
    _option("array", "", help="one line a task that waits, of an array"),
    _option("associations", "x", "list", metavar="ID,...", help="jobs of these associations, by id"),
    _option("batch-script", "B", help="print the script of the jobs of --jobs"),
    _option("brief", "b", help="only JobID, State and ExitCode"),
    _option("clusters", "M", "list", metavar="NAME,...", env="SLURM_CLUSTERS", help="jobs of these clusters, or all"),
    _option("completion", "c", help="read the job completion log (JobCompType=jobcomp/filetxt) instead"),
    _option("constraints", "C", "list", metavar="NAME,...", help="jobs that asked for these features"),
    _option("delimiter", "", "text", metavar="TEXT", help="what --parsable and --parsable2 put between fields, instead of |"),
    _option("duplicates", "D", help="earlier lives of requeued jobs, and earlier jobs of the same id, too"),
    _option("endtime", "E", "text", metavar="TIME", help="jobs before this time"),
    _option("env-vars", "", help="print the environment of the jobs of --jobs"),
    _option("expand-patterns", "", help="fill the % symbols of file names in"),
    _option("expand-pattern", "", help="the same as --expand-patterns"),
    _option("federation", "", env="SACCT_FEDERATION", harmless=_NO_FEDERATION, help="jobs of the whole federation"),
    _option("file", "f", "text", metavar="FILE", help="with --completion: read this log"),
    _option("flags", "F", "list", metavar="FLAG,...", help="jobs started in one of these ways: SchedSubmit, SchedMain, SchedBackfill"),
    _option("format", "o", "text", joined=True, metavar="FIELD[%WIDTH],...", env="SACCT_FORMAT",
    help="these fields; a negative width justifies left"),
    _option("gid", "g", "list", metavar="GROUP,...", help="jobs of these groups, by name or number"),
    _option("group", "", "list", metavar="GROUP,...", help="the same as --gid"),
    _option("help", "h", help="show this help"),
    _option("helpformat", "e", help="list the fields that --format knows"),
    _option("helpreason", "", help="list the reasons that --reason knows"),
    _option("helpstate", "", help="list the states that --state knows"),
    _option("jobs", "j", "text", joined=True, metavar="JOB[.STEP],...", help="these jobs, tasks and steps: 12, 12_3, 12_[1-4], 12.batch"),
    _option("json", "", "text", optional="", help="everything as JSON"),
    _option("local", "", env="SACCT_LOCAL", harmless=_NO_FEDERATION, help="jobs of this cluster only"),
    _option("long", "l", help="many fields"),
    _option("name", "", "list", metavar="NAME,...", help="jobs of these names"),
    _option("ncpus", "I", "text", metavar="MIN[-MAX]", help="jobs that had so many CPUs"),
    _option("nnodes", "i", "text", metavar="MIN[-MAX]", help="jobs that had so many nodes"),
    _option("noconvert", "", help="numbers in the unit they were recorded in"),
    _option("nodelist", "N", "hosts", joined=True, metavar="HOSTS", help="jobs that ran on one of these nodes"),
    _option("noheader", "n", help="no header lines"),
    _option("parsable", "p", help="fields with | behind each"),
    _option("parsable2", "P", help="fields with | between them"),
    _option("partition", "r", "list", metavar="NAME,...", help="jobs of these partitions"),
    _option("qos", "q", "list", metavar="NAME,...", help="jobs of these qualities of service"),
    _option("reason", "R", "list", metavar="REASON,...", help="jobs that last waited for one of these reasons"),
    _option("starttime", "S", "text", metavar="TIME", help="jobs after this time; otherwise since midnight"),
    _option("state", "s", "list", metavar="STATE,...", help="jobs that were in one of these states in that time"),
    _option("timelimit-max", "K", "text", metavar="TIME", help="jobs with at most this time limit, with --timelimit-min"),
    _option("timelimit-min", "k", "text", metavar="TIME", help="jobs with this time limit, with --timelimit-max at least this"),
    _option("truncate", "T", help="show starts and ends outside --starttime and --endtime as these"),
    _option("uid", "u", "list", metavar="USER,...", help="jobs of these users, by name or number"),
    _option("user", "", "list", metavar="USER,...", help="the same as --uid"),
    _option("units", "", "text", metavar="UNIT", help="numbers in this unit: K, M, G, T or P"),
    _option("usage", "", help="show the options in short"),
    _option("use-local-uid", "", help="uids as this machine has them for the users' names"),
    _option("verbose", "v", "level", help="say which time is looked at"),
    _option("version", "V", help="show the version"),
    _option("wckeys", "W", "list", metavar="NAME,...", help="jobs of these wckeys"),
    _option("whole-hetjob", "", "text", metavar="yes|no", optional="yes",
            help="show all components of a job of which one is named as 12+1 (yes), or of a leader only itself (no)"),
    _option("yaml", "", "text", optional="", help="everything as YAML"),
)
