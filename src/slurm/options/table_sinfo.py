"""Options of sinfo."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there is no federation, so every node is local"

OPTIONS: tuple[Option, ...] = (
    Option("all", "a", commands="sinfo", env="SINFO_ALL", help="hidden partitions too"),
    Option("clusters", "M", "text", commands="sinfo", metavar="NAMES", env="SLURM_CLUSTERS", help="which cluster to ask"),
    Option("dead", "d", commands="sinfo", help="only nodes that do not answer"),
    Option("exact", "e", commands="sinfo", help="group only nodes that are equal in every way"),
    Option("federation", commands="sinfo", env="SINFO_FEDERATION", harmless=_NO_FEDERATION, help="nodes of the whole federation"),
    Option("format", "o", "text", commands="sinfo", metavar="FORMAT", env="SINFO_FORMAT", help="columns, as %-letters"),
    Option("Format", "O", "text", commands="sinfo", metavar="FIELDS", help="columns, by name"),
    Option("future", "F", commands="sinfo", env="SCONTROL_FUTURE", help="nodes in state FUTURE too"),
    Option("help", "", commands="sinfo", help="show this help"),
    Option("helpFormat", commands="sinfo", help="list the names that --Format knows"),
    Option("helpformat", commands="sinfo", help="list the names that --Format knows"),
    Option("helpstate", commands="sinfo", help="list the states that --states knows"),
    Option("hide", commands="sinfo", help="no hidden partitions"),
    Option("iterate", "i", "count", commands="sinfo", metavar="SECONDS", help="again every so many seconds"),
    Option("json", "", "text", commands="sinfo", optional="", help="everything as JSON"),
    Option("list-reasons", "R", commands="sinfo", help="why nodes are down, drained or failing"),
    Option("local", commands="sinfo", env="SINFO_LOCAL", harmless=_NO_FEDERATION, help="nodes of this cluster only"),
    Option("long", "l", commands="sinfo", help="more columns"),
    Option("noconvert", commands="sinfo", help="sizes in the unit they were given in"),
    Option("Node", "N", commands="sinfo", help="one line a node"),
    Option("nodes", "n", "hosts", commands="sinfo", metavar="HOSTS", help="these nodes"),
    Option("noheader", "h", commands="sinfo", help="no header line"),
    Option("partition", "p", "list", commands="sinfo", metavar="NAME,...", env="SINFO_PARTITION", help="these partitions"),
    Option("reservation", "T", commands="sinfo", help="reservations instead of nodes"),
    Option("responding", "r", commands="sinfo", help="only nodes that answer"),
    Option("sort", "S", "text", commands="sinfo", metavar="LETTERS", env="SINFO_SORT", help="order, such as -P,t"),
    Option("states", "t", "list", commands="sinfo", metavar="STATE,...", help="nodes in these states"),
    Option("summarize", "s", commands="sinfo", help="one line a partition"),
    Option("usage", commands="sinfo", help="show the options in short"),
    Option("verbose", "v", "level", commands="sinfo", help="say more"),
    Option("version", "V", commands="sinfo", help="show the version"),
    Option("yaml", "", "text", commands="sinfo", optional="", help="everything as YAML"),
)
