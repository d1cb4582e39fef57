"""One row of an option table, and the three things that can become of an option. The rows themselves live in the tables."""

from __future__ import annotations

EFFECTIVE = "effective"
HARMLESS = "harmless"  # accepted; leaving it out would change nothing, `note` says why
HINT = "hint"  # it only hints: accepted with one warning, which is `note`; leaving it out makes no wrong result
# the controller refuses every use in Slurm's own words, as on a site that has none of it; `note` says what is missing
DECLINED = "declined"
REFUSED = "refused"  # known to Slurm, not carried out yet; `note` is the sentence

JOB_COMMANDS = ("sbatch", "srun", "salloc")
VARIABLE_OWNERS = {"SBATCH": "sbatch", "SALLOC": "salloc", "SLURM": "srun", "SRUN": "srun", "SLURMD": "srun"}
"""Whose input a variable of the job options is, by the word before its first underscore."""

STEP_FIELDS = frozenset((
    "nodes_min", "nodes_max", "ntasks", "cpus_per_task", "ntasks_per_node", "mem_per_node", "mem_per_cpu", "gres", "gpus",
    "gpus_per_node", "gpus_per_socket", "gpus_per_task", "sockets_per_node", "nodelist", "exclude", "relative", "exact", "overlap",
    "exclusive", "overcommit", "distribution", "resv_ports",
    "time_limit", "immediate", "kill_on_bad_exit", "name", "sample_seconds", "interactive",
))
"""Fields that an option sets in a StepRequest, under the same name as in a JobRequest."""
STEP_ONLY = frozenset({"relative", "exact", "overlap", "interactive", "resv_ports"})


class Option:
    """What one option is called, takes, sets and becomes.

    `value` names a reader in options.values ("flag": takes none). `optional` is the text that stands for a left-out argument; None:
    an argument must follow. `sets` are the JobRequest or StepRequest fields it sets; "" puts its value into the command's own
    settings under `key`. `env` lists input variables, the strongest first. `update` is its key in `scontrol update job`.
    """

    __slots__ = (
        "choices", "commands", "constant", "env", "help", "joined", "metavar", "name", "note", "optional", "plain", "plugin", "sets",
        "short", "status",
        "update", "value",
    )

    def __init__(
        self,
        name: str,
        short: str = "",
        value: str = "flag",
        sets: str = "",
        *,
        help: str,
        metavar: str = "",
        env: str = "",
        commands: str = "sbatch srun salloc",
        optional: str | None = None,
        constant: object = True,
        update: str = "",
        harmless: str = "",
        hint: str = "",
        declined: str = "",
        refused: str = "",
        choices: str = "",
        plain: str = "",
        plugin: str = "",
        joined: bool = False,
    ) -> None:
        self.name = name
        self.short = short
        self.value = value
        self.sets = sets
        self.help = help
        self.metavar = metavar
        self.env = env
        self.commands = commands
        self.optional = optional
        self.constant = constant  # what a flag sets
        self.update = update
        self.status = REFUSED if refused else DECLINED if declined else HINT if hint else HARMLESS if harmless else EFFECTIVE
        self.note = refused or declined or hint or harmless
        self.plain = frozenset(plain.split())  # words of a hint that ask for what is done anyway, so that nothing is to be said
        self.choices = self.plain | frozenset(choices.split())  # every word of a hint's argument
        self.joined = joined  # given again, its texts are read as one with a comma between
        self.plugin = plugin  # what adds the option to Slurm, which by itself has it not

    def __repr__(self) -> str:
        return f"<Option --{self.name}>"

    @property
    def key(self) -> str:
        """Its name as a word of Python: "test_only"."""
        return self.name.replace("-", "_")

    @property
    def takes_argument(self) -> bool:
        """Whether an argument must follow."""
        return self.value not in ("flag", "level") and self.optional is None

    @property
    def allows_argument(self) -> bool:
        """Whether an argument may follow, be it only after `=`."""
        return self.value not in ("flag", "level")

    def of(self, command: str) -> bool:
        """Whether `command` has this option."""
        return command in self.commands.split()

    def variables(self, command: str) -> list[str]:
        """Its input variables for `command`, the strongest first."""
        names = self.env.split()
        if self.commands.split()[0] not in JOB_COMMANDS:
            return names
        return [name for name in names if VARIABLE_OWNERS.get(name.partition("_")[0]) == command]
