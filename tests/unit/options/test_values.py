"""What the texts of options mean, kind by kind, and the errors that Slurm prints for the others."""

import pytest

from slurm.model.errors import Unsupported
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved, resolve

NOW = 1_795_000_000.0


def sbatch(*argv: str) -> Resolved:
    return resolve("sbatch", argv, {}, now=NOW)


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        ("-N 4", {"nodes_min": 4, "nodes_max": 4}),
        ("-N 2-8", {"nodes_min": 2, "nodes_max": 8}),
        ("-N 1k", {"nodes_min": 1024, "nodes_max": 1024}),
        ("-n 8 -c 2", {"ntasks": 8, "cpus_per_task": 2}),
        ("--mem=64G", {"mem_per_node": 65536}),
        ("--mem=0", {"mem_per_node": 0}),
        ("--mem-per-cpu=1500", {"mem_per_cpu": 1500}),
        ("--tmp=2T", {"tmp_disk": 2 * 1024 * 1024}),
        ("-t 90", {"time_limit": 5400}),
        ("-t 01:30", {"time_limit": 90}),
        ("-t 0", {"time_limit": -1}),
        ("-t UNLIMITED", {"time_limit": -1}),
        ("-t 1-12:30:10", {"time_limit": 131410}),
        ("--begin=now+60", {"begin": NOW + 60}),
        ("--gres=gpu:h100:1", {"gres": "gpu:h100:1"}),
        ("--gres=gpu", {"gres": "gpu:1"}),
        ("-G a100:2", {"gpus": "a100:2"}),
        ("--gpus-per-node=gpu:2", {"gpus_per_node": "2"}),
        ("--tres-per-task=cpu=2,gres/gpu=1", {"cpus_per_task": 2, "gpus_per_task": "1"}),
        ("-B 2:8:1", {"sockets_per_node": 2, "cores_per_socket": 8, "threads_per_core": 1}),
        ("-B *:4", {"cores_per_socket": 4}),
        ("-S 2", {"core_spec": 2}),
        ("--switches=2", {"switches": 2}),
        ("--switches=1@1:30", {"switches": 1, "switch_wait": 90}),
        ("--segment=4 --spread-segments", {"segment": 4, "spread_segments": True}), ("--reboot", {"reboot": True}),
        ("--core-spec=0 --thread-spec=3", {"core_spec": 0, "thread_spec": 3}),
        ("--hint=nomultithread", {"threads_per_core": 1}),
        ("--exclusive", {"exclusive": "node"}),
        ("--exclusive=user", {"exclusive": "user"}),
        ("-m cyclic:block", {"distribution": "cyclic:block"}),
        ("-m *:block", {"distribution": "block:block"}),
        ("-m *", {"distribution": ""}),
        ("-m plane=4", {"distribution": "plane=4"}),
        ("--nice", {"nice": 100}),
        ("--nice=-5", {"nice": -5}),
        ("--no-requeue", {"requeue": False}),
        ("--requeue", {"requeue": True}),
        ("-k", {"no_kill": True}),
        ("--signal=B:USR1@300", {"signal": "B:USR1@300"}),
        ("--signal=10", {"signal": "USR1@60"}),
        ("--open-mode=a", {"open_mode": "append"}),
        ("--mail-type=end,fail", {"mail_type": "END,FAIL"}),
        ("--kill-on-invalid-dep=yes", {"kill_on_invalid_dep": True}),
        ("-a 1-20%4 -d afterok:1", {"array": "1-20%4", "dependency": "afterok:1"}),
        ("-H -s", {"hold": True, "oversubscribe": True}),
        ("--wckey=thesis --mincpus=8 --overcommit", {"wckey": "thesis", "mincpus": 8, "overcommit": True}),
        ("--extra=a=b", {"extra": "a=b"}),
        ("--sockets-per-node=2 --cores-per-socket=8 --threads-per-core=1",
         {"sockets_per_node": 2, "cores_per_socket": 8, "threads_per_core": 1}),
        ("--cpus-per-gpu=4 --gpus-per-socket=a100:1", {"cpus_per_gpu": 4, "gpus_per_socket": "a100:1"}),
        ("--deadline=now+3600", {"deadline": NOW + 3600}),
    ],
)
def test_a_text_means(argv: str, fields: dict[str, object]) -> None:
    assert sbatch(*argv.split()).request == fields


@pytest.mark.parametrize(
    ("argv", "message", "code"),
    [
        ("-t bogus", "Invalid --time specification", 255),
        ("--mem=bogus", "Invalid --mem specification", 255),
        ("--begin=bogus", "Invalid --begin specification", 255),
        ("--mail-type=BOGUS", "Invalid --mail-type specification", 255),
        ("--signal=BOGUS", "Invalid --signal specification", 255),
        ("-c 0", 'Invalid numeric value "0" for --cpus-per-task.', 1),
        ("-c 99999999999999999999", "Numeric argument (9223372036854775807) to big for --cpus-per-task.", 1),
        ("-c 3000000000", "Numeric argument (3000000000) to big for --cpus-per-task.", 1),
        ("-n -1", 'Invalid numeric value "-1" for --ntasks.', 1),
        ("-N bogus", '"bogus" is not a valid node count', 255),
        ("-N 4-2", "Maximum node count 2 is less than minimum node count 4", 255),
        ("--exclusive=bogus", "Invalid --exclusive specification", 255),
        ("--open-mode=x", "Invalid --open-mode specification", 255),
        ("--nice=99999999999", "Invalid --nice value, out of range (+/- 2147483645)", 255),
        ("-B x", 'Invalid numeric value "x" for first arg of -B.', 1),
        ("-B 2:x", 'Invalid numeric value "x" for second arg of -B.', 1),
        ("-m x", "Invalid --distribution specification", 255),
        ("-m block,x", "Invalid --distribution specification", 255),
        ("--switches=x", 'Invalid numeric value "x" for --switches.', 1),
        ("--hint=x", 'unrecognized --hint argument "x", see --hint=help', 1),
        ("--kill-on-invalid-dep=x", "Invalid --kill-on-invalid-dep specification", 255),
        ("--propagate=x", "--propagate=x is not valid.", 1),
        ("--gres=gpu:x:y:z", "Invalid generic resource (gres) specification", 1),
        ("--gpus=x:y", "Invalid generic resource (gres) specification", 1),
        ("--priority=x", "Invalid --priority specification", 255),
        ("--priority=-1", "Priority must be >= 0", 255),
        ("--priority=99999999999", "Priority must be < 4294967294", 255),
        ("--switches=0", 'Invalid numeric value "0" for --switches.', 1),
        ("--thread-spec=0", 'Invalid numeric value "0" for --thread-spec.', 1),
        ("--delay-boot=x", "Invalid --delay-boot specification", 255),
        ("--gres-flags=7", "Invalid --gres-flags specification", 255),
        ("--profile=7", "invalid --profile=7 option", 255),
        ("--mem-bind=7", 'unrecognized --mem-bind argument "7"', 255),
        ("-w cn[1", "Invalid --nodelist specification", 255),
        ("--no-kill=x", "Invalid --no-kill specification", 255),
        ("--gpu-bind=nearest", "Invalid --gpu-bind argument: gpu:nearest", 255),
        ("--mem=1G --mem-per-cpu=1G", "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.", 1),
    ],
)
def test_a_wrong_text_gets_the_words_and_the_exit_code_of_slurm(argv: str, message: str, code: int) -> None:
    with pytest.raises(OptionError) as caught:
        sbatch(*argv.split())
    assert (caught.value.message, caught.value.exit_code) == (message, code)


@pytest.mark.parametrize(
    "argv",
    ["-N 1,3", "--exclusive=mcs", "-m arbitrary", "--requeue=expedite",
     "--tres-per-task=license/x=1", "--bb=x", "--batch=x"],
)  # fmt: skip
def test_what_is_not_carried_out_is_refused_by_name(argv: str) -> None:
    with pytest.raises(Unsupported) as caught:
        sbatch(*argv.split())
    assert "not supported by slurm-py yet: " in caught.value.message


def test_a_long_option_behind_a_single_dash_is_recognised() -> None:
    with pytest.raises(OptionError) as caught:
        sbatch("-time=5")
    assert caught.value.hints[0] == "did you mean --time=5?"


def test_the_line_of_a_wrong_moment_stands_above_the_error() -> None:
    with pytest.raises(OptionError) as caught:
        sbatch("--begin=bogus")
    assert caught.value.before == ("Invalid time specification (pos=0): bogus",)


def test_nice_that_is_no_number_is_taken_as_slurm_does_but_said() -> None:
    resolved = sbatch("--nice=bogus")
    assert resolved.request == {"nice": 0}
    assert resolved.notes
