"""Options of sstat."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("allsteps", "a", commands="sstat", help="every running step of a job, not only the first"),
    Option("format", "o", "text", commands="sstat", joined=True, metavar="FIELD[%WIDTH],...",
    help="these fields; a negative width justifies left"),
    Option("fields", "", "text", commands="sstat", metavar="FIELD[%WIDTH],...", help="the same as --format"),
    Option("help", "h", commands="sstat", help="show this help"),
    Option("helpformat", "e", commands="sstat", help="list the fields that --format knows"),
    Option("jobs", "j", "text", commands="sstat", joined=True, metavar="JOB[.STEP],...", help="these jobs and steps"),
    Option("noconvert", commands="sstat", help="numbers in the unit they were measured in"),
    Option("noheader", "n", commands="sstat", help="no header lines"),
    Option("parsable", "p", commands="sstat", help="fields with | behind each"),
    Option("parsable2", "P", commands="sstat", help="fields with | between them"),
    Option("pidformat", "i", commands="sstat", help="only JobID, Nodelist and Pids"),
    Option("usage", commands="sstat", help="show the options in short"),
    Option("verbose", "v", "level", commands="sstat", help="name the nodes that did not answer"),
    Option("version", "V", commands="sstat", help="show the version"),
)
