"""Options of sbcast and sgather."""

from __future__ import annotations

from slurm.options.option import Option

_ONE_STEP = "the copy travels as the input of one step, to all nodes at once"

SBCAST: tuple[Option, ...] = (
    Option("compress", "C", "text", commands="sbcast", optional="", metavar="LIB", env="SBCAST_COMPRESS", harmless=_ONE_STEP,
    help="compress what is sent"),
    Option("exclude", "", "text", commands="sbcast", metavar="PATHS", env="SBCAST_EXCLUDE", refused="libraries are not sent",
    help="libraries that are not to be sent"),
    Option("fanout", "F", "text", commands="sbcast", metavar="N", env="SBCAST_FANOUT", harmless=_ONE_STEP, help="fan-out of messages"),
    Option("force", "f", commands="sbcast", env="SBCAST_FORCE", help="replace a file that is there"),
    Option("help", commands="sbcast", help="show this help"),
    Option("jobid", "j", "job", commands="sbcast", metavar="ID[.STEP]", env="SLURM_JOB_ID", help="the nodes of this job"),
    Option("no-allocation", "Z", commands="sbcast", refused="a copy needs a job on its nodes", help="copy without a job"),
    Option("nodelist", "w", "text", commands="sbcast", metavar="NODES", help="copy to these nodes of the job only"),
    Option("preserve", "p", commands="sbcast", env="SBCAST_PRESERVE", help="keep mode and times"),
    Option("send-libs", "", "text", commands="sbcast", optional="yes", env="SBCAST_SEND_LIBS", refused="libraries are not sent",
    help="send the libraries of a program too"),
    Option("size", "s", "text", commands="sbcast", metavar="SIZE", env="SBCAST_SIZE", harmless=_ONE_STEP, help="size of a block"),
    Option("timeout", "t", "number", commands="sbcast", metavar="SECONDS", env="SBCAST_TIMEOUT",
    harmless="connections stay open; no single message is waited for",
           help="how long to wait for a message"),
    Option("treewidth", "", "text", commands="sbcast", metavar="N", harmless=_ONE_STEP, help="fan-out of messages"),
    Option("usage", commands="sbcast", help="show the options in short"),
    Option("verbose", "v", "level", commands="sbcast", harmless="a copy that succeeds has nothing to tell", help="say more"),
    Option("version", "V", commands="sbcast", help="show the version"),
)

SGATHER: tuple[Option, ...] = (
    Option("compress", "C", "text", commands="sgather", optional="", metavar="LIB", harmless=_ONE_STEP, help="compress what is sent"),
    Option("fanout", "F", "text", commands="sgather", metavar="N", harmless="one node is asked after the other",
    help="fan-out of messages"),
    Option("force", "f", commands="sgather", help="a file that is missing on a node is no error"),
    Option("help", "h", commands="sgather", help="show this help"),
    Option("keep", "k", commands="sgather", help="leave the file on its node (it is removed without)"),
    Option("preserve", "p", commands="sgather", help="keep mode and times"),
    Option("recursive", "r", commands="sgather", help="gather a folder and what is in it"),
    Option("timeout", "t", "number", commands="sgather", metavar="SECONDS", harmless="connections stay open",
    help="how long to wait for a message"),
    Option("usage", commands="sgather", help="show the options in short"),
    Option("verbose", "v", "level", commands="sgather", harmless="a copy that succeeds has nothing to tell", help="say more"),
    Option("version", "V", commands="sgather", help="show the version"),
)
