"""Options of sshare."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("accounts", "A", "list", commands="sshare", metavar="NAME,...", help="these accounts only"),
    Option("all", "a", commands="sshare", help="all users, not only the own one"),
    Option("clusters", "M", "text", commands="sshare", metavar="NAMES", env="SLURM_CLUSTERS", help="which cluster to ask"),
    Option("format", "o", "text", commands="sshare", metavar="NAME,...", help="columns, by name"),
    Option("help", "", commands="sshare", help="show this help"),
    Option("helpformat", "e", commands="sshare", help="list the names that --format knows"),
    Option("json", "", "text", commands="sshare", optional="", help="everything as JSON"),
    Option("long", "l", commands="sshare", help="more columns"),
    Option("noheader", "n", commands="sshare", help="no header lines"),
    Option("parsable", "p", commands="sshare", help="fields with | between and at the end"),
    Option("parsable2", "P", commands="sshare", help="fields with | between"),
    Option("partition", "m", commands="sshare", help="the partitions of associations too"),
    Option("usage", commands="sshare", help="show the options in short"),
    Option("users", "u", "list", commands="sshare", metavar="NAME,...", help="these users"),
    Option("Users", "U", commands="sshare", help="users only, not the accounts above them"),
    Option("verbose", "v", "level", commands="sshare", harmless="everything is said anyway", help="say more"),
    Option("version", "V", commands="sshare", help="show the version"),
    Option("yaml", "", "text", commands="sshare", optional="", help="everything as YAML"),
)
