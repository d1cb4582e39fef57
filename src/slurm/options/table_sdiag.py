"""Options of sdiag."""

from __future__ import annotations

from slurm.options.option import Option

_EVERYTHING = "everything is shown anyway"

OPTIONS: tuple[Option, ...] = (
    Option("all", "a", commands="sdiag", harmless=_EVERYTHING, help="everything"),
    Option("cluster", "M", "text", commands="sdiag", metavar="NAME", env="SLURM_CLUSTERS", help="which cluster to ask"),
    Option("help", "", commands="sdiag", help="show this help"),
    Option("json", "", "text", commands="sdiag", optional="", help="everything as JSON"),
    Option("no-trunc", commands="sdiag", harmless="no list is cut", help="do not cut lists of nodes"),
    Option("reset", "r", commands="sdiag", help="begin again at nothing, for operators"),
    Option("sort-by-id", "i", commands="sdiag", help="requests by their number, users by uid"),
    Option("sort-by-time", "t", commands="sdiag", help="requests by the time they took together"),
    Option("sort-by-time2", "T", commands="sdiag", help="requests by the time one took on average"),
    Option("usage", commands="sdiag", help="show the options in short"),
    Option("version", "V", commands="sdiag", help="show the version"),
    Option("yaml", "", "text", commands="sdiag", optional="", help="everything as YAML"),
)
