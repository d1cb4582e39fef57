"""Options of sreport; what stands behind a report's name is read by the command."""

from __future__ import annotations

from slurm.options.option import Option

_NO_FEDERATION = "there is no federation, so every job is local"

OPTIONS: tuple[Option, ...] = (
    Option("all_clusters", "a", commands="sreport", help="every cluster in the database"),
    Option("all", "", commands="sreport", help="the same as --all_clusters"),
    Option("cluster", "M", "list", commands="sreport", metavar="NAME,...", env="SREPORT_CLUSTER SLURM_CLUSTERS", help="these clusters"),
    Option("federation", "", commands="sreport", env="SREPORT_FEDERATION", harmless=_NO_FEDERATION, help="the clusters of the federation"),
    Option("help", "h", commands="sreport", help="show this help"),
    Option("local", "", commands="sreport", env="SREPORT_LOCAL", harmless=_NO_FEDERATION, help="this cluster only"),
    Option("noheader", "n", commands="sreport", help="no headings"),
    Option("parsable", "p", commands="sreport", help="fields with | behind each"),
    Option("parsable2", "P", commands="sreport", help="fields with | between them"),
    Option("quiet", "Q", commands="sreport", help="print no warnings"),
    Option("time", "t", "text", commands="sreport", metavar="FORMAT", help="Seconds, Minutes, Hours, Percent, SecPer, MinPer or HourPer"),
    Option("tres", "T", "list", commands="sreport", metavar="NAME,...", env="SREPORT_TRES",
    help="report these resources, or all, instead of cpu"),
    Option("usage", "", commands="sreport", help="show the options in short"),
    Option("verbose", "v", "level", commands="sreport", help="say more"),
    Option("version", "V", commands="sreport", help="show the version"),
)
