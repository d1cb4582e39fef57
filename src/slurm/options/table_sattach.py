"""Options of sattach."""

from __future__ import annotations

from slurm.options.option import Option

OPTIONS: tuple[Option, ...] = (
    Option("error-filter", "", "number", commands="sattach", metavar="TASK", help="standard error of this task only"),
    Option("help", "h", commands="sattach", help="show this help"),
    Option("input-filter", "", "number", commands="sattach", metavar="TASK", help="input goes to this task only"),
    Option("label", "l", commands="sattach", help="put the task's number before each line of output"),
    Option("layout", commands="sattach", help="show on which nodes the tasks are, and attach to none"),
    Option("output-filter", "", "number", commands="sattach", metavar="TASK", help="standard output of this task only"),
    Option("pty", commands="sattach", help="the terminal of task 0 of a step that has one (srun --pty)"),
    Option("quiet", "Q", "level", commands="sattach", help="say nothing but errors"),
    Option("usage", "u", commands="sattach", help="show the options in short"),
    Option("verbose", "v", "level", commands="sattach", help="say what is going on"),
    Option("version", "V", commands="sattach", help="show the version"),
)
