"""Options of sprio."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there is no federation, so every job is local"

OPTIONS: tuple[Option, ...] = (
    Option("cluster", "", "text", commands="sprio", metavar="NAMES",
    help="as --clusters"),
    Option("clusters", "M", "text", commands="sprio", metavar="NAMES", env="SLURM_CLUSTERS", help="which cluster to ask"),
    Option("federation", commands="sprio", env="SPRIO_FEDERATION", harmless=_NO_FEDERATION, help="jobs of the whole federation"),
    Option("format", "o", "text", commands="sprio", metavar="FORMAT", env="SPRIO_FORMAT", help="columns, as %-letters"),
    Option("help", "", commands="sprio", help="show this help"),
    Option("helpformat", commands="sprio", help="list the letters that --format knows"),
    Option("jobs", "j", "text", commands="sprio", optional="", metavar="ID,...", help="these jobs"),
    Option("local", commands="sprio", env="SPRIO_LOCAL", harmless=_NO_FEDERATION, help="jobs of this cluster only"),
    Option("long", "l", commands="sprio", help="more columns"),
    Option("noheader", "h", commands="sprio", help="no header line"),
    Option("norm", "n", commands="sprio", help="factors from 0 to 1, without their weights"),
    Option("partition", "p", "list", commands="sprio", metavar="NAME,...", help="jobs of these partitions"),
    Option("sibling", commands="sprio", env="SPRIO_SIBLING", harmless=_NO_FEDERATION, help="sibling jobs apart"),
    Option("sort", "S", "text", commands="sprio", metavar="LETTERS", help="order, such as -Y,u"),
    Option("usage", commands="sprio", help="show the options in short"),
    Option("user", "u", "list", commands="sprio", metavar="NAME,...", help="jobs of these users"),
    Option("verbose", "v", "level", commands="sprio", harmless="everything is said anyway", help="say more"),
    Option("version", "V", commands="sprio", help="show the version"),
    Option("weights", "w", commands="sprio", help="the weights instead of jobs"),
)
