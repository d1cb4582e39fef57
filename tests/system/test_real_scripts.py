"""Job scripts and submission idioms as the pages of computing centres teach them, each typed as a user would and read by what it prints.

A session is a bash text; everything it prints must be what stands beside it. Not here: single options, which test_batch and its neighbours cover.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.harness import Cluster


class Session(NamedTuple):
    """What is typed, and what it prints."""

    typed: str
    printed: str


SESSIONS = {
    "a script from a heredoc, its variables filled in by the shell that submits": Session(
        "greeting=hello\nsbatch -W -o here.out <<EOF >/dev/null\n#!/bin/bash\n#SBATCH -J here\necho $greeting \\$SLURM_JOB_NAME\nEOF\ncat here.out",
        "hello here\n"),
    "a quoted heredoc, filled in by the job": Session(
        "sbatch -W -o quoted.out <<'EOF' >/dev/null\n#!/bin/bash\n#SBATCH --ntasks=2\necho \"$SLURM_NTASKS\" $(hostname | wc -l)\nEOF\ncat quoted.out",
        "2 1\n"),
    "directives with odd spacing, comments and quotes": Session(
        """cat > odd.sh <<'EOF'
#!/bin/bash

# A comment
#SBATCH   --job-name="two words"    # what it is called
#SBATCH\t-n\t2
#SBATCH --output=odd.out --time=1-00
##SBATCH --mem=9999G
# SBATCH --mem=9999G
#SBATCH --comment='it is quoted'
#SBATCH --constraint=""

echo "$SLURM_JOB_NAME:$SLURM_NTASKS"; squeue -h -j $SLURM_JOB_ID -o '%l|%k'
EOF
sbatch -W odd.sh >/dev/null; cat odd.out""",
        "two words:2\n1-00:00:00|it is quoted\n"),
    "set -euo pipefail with a trap that cleans up": Session(
        """cat > strict.sh <<'EOF'
#!/bin/bash
#SBATCH -o strict.out
set -euo pipefail
scratch=$(mktemp -d); trap 'echo cleaned $?; rm -rf "$scratch"' EXIT
echo work > "$scratch/file"; cat "$scratch/file"
false | true
echo never
EOF
sbatch -W strict.sh >/dev/null; echo "status $?"; cat strict.out""",
        "status 1\nwork\ncleaned 1\n"),
    "an array that reads its line of a file": Session(
        """printf 'ant\\nbee\\ncow\\n' > inputs.txt
cat > lines.sh <<'EOF'
#!/bin/bash
#SBATCH --array=1-3 --output=lines_%A_%a.out
animal=$(sed -n "${SLURM_ARRAY_TASK_ID}p" inputs.txt)
echo "$SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT: $animal"
EOF
sbatch -W lines.sh >/dev/null; cat lines_*_{1,2,3}.out""",
        "1 of 3: ant\n2 of 3: bee\n3 of 3: cow\n"),
    "an array of lists, ranges with steps and a limit": Session(
        "sbatch -W --array=1,3,5-9:2%2 -o 'list_%a.out' --wrap 'echo $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT' >/dev/null; cat list_{1,3,5,7,9}.out",
        "1 5\n3 5\n5 5\n7 5\n9 5\n"),
    "variables given along with --export=ALL": Session(
        "export INHERITED=yes\nsbatch -W -o e.out --export=ALL,FOO=bar,BAZ --wrap 'echo $INHERITED $FOO [$BAZ]' >/dev/null; cat e.out",
        "yes bar []\n"),
    "a whole node with all of its memory": Session(
        "sbatch -W -o whole.out --exclusive --mem=0 --wrap 'echo $SLURM_CPUS_ON_NODE $SLURM_MEM_PER_NODE' >/dev/null; cat whole.out",
        "16 65536\n"),
    "as many nodes as there are of a range": Session(
        "sbatch -W -o range.out -N 1-2 --wrap 'echo $SLURM_JOB_NUM_NODES' >/dev/null; cat range.out", "2\n"),
    "singletons, one after another": Session(
        """for i in 1 2 3; do last=$(sbatch --parsable -J one_by_one -d singleton -o s.out --open-mode=append --wrap "echo $i; sleep 0.2"); done
sbatch -W -o /dev/null -d afterany:$last --wrap true >/dev/null; cat s.out""",
        "1\n2\n3\n"),
    "one GPU of a kind": Session(
        "sbatch -W -o g.out --gres=gpu:h100:1 --wrap 'echo $CUDA_VISIBLE_DEVICES $SLURM_GPUS_ON_NODE' >/dev/null; cat g.out", "0 1\n"),
    "names with blanks and letters beyond ASCII": Session(
        "sbatch -W -J 'größe ☃' -o 'out %x.txt' --wrap 'squeue -h -j $SLURM_JOB_ID -o %j' >/dev/null; cat 'out größe ☃.txt'", "größe ☃\n"),
    "a folder that is named after the job and made once its id is known": Session(
        "id=$(sbatch --parsable -o 'logs/%j/out.txt' --wrap 'echo here'); mkdir -p logs/$id; sbatch -W -o /dev/null -d afterany:$id --wrap true >/dev/null; "
        "cat logs/$id/out.txt",
        "here\n"),
    "a task farm of background steps": Session(
        """cat > farm.sh <<'EOF'
#!/bin/bash
#SBATCH -n 4 -o farm.out
for i in 1 2 3 4 5 6; do
    srun --ntasks=1 --nodes=1 --exclusive -c1 bash -c "echo unit $i >> farm.done" &
done
wait
sort farm.done
EOF
sbatch -W farm.sh >/dev/null; grep unit farm.out""",
        "unit 1\nunit 2\nunit 3\nunit 4\nunit 5\nunit 6\n"),
    "different programs for the tasks of one step": Session(
        """printf '0 echo master\\n1-2 echo worker %%t\\n' > multi.conf
sbatch -W -n3 -o multi.out --wrap 'srun --multi-prog multi.conf | sort' >/dev/null; cat multi.out""",
        "master\nworker 1\nworker 2\n"),
    "the first host of a job": Session(
        """sbatch -W -N2 -o hosts.out --wrap 'scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n1; scontrol show hostnames | wc -l' >/dev/null
cat hosts.out""",
        "cn01\n2\n"),
    "a job that submits the next one": Session(
        """cat > chain.sh <<'EOF'
#!/bin/bash
#SBATCH --open-mode=append -o chain.out
echo "step $1"
if (( $1 < 3 )); then sbatch -W chain.sh $(( $1 + 1 )) >/dev/null; fi
EOF
sbatch -W chain.sh 1 >/dev/null; cat chain.out""",
        "step 1\nstep 2\nstep 3\n"),
    "wrapped commands with quotes in quotes": Session(
        """sbatch -W -o w.out --wrap="python3 -c \\"print('it is', 1+1)\\"; awk 'BEGIN { print \\"a b\\" }'" >/dev/null; cat w.out""", "it is 2\na b\n"),
    "a job that has itself requeued": Session(
        """cat > again.sh <<'EOF'
#!/bin/bash
#SBATCH --requeue --open-mode=append -o again.out
echo "restart ${SLURM_RESTART_COUNT:-0}"
if [ "${SLURM_RESTART_COUNT:-0}" = 0 ]; then scontrol requeue $SLURM_JOB_ID; sleep 60; fi
EOF
id=$(sbatch --parsable again.sh)
until squeue -h -j $id -t pending -o %r | grep -q BeginTime; do sleep 0.1; done
scontrol update JobId=$id StartTime=now; sbatch -W -o /dev/null -d afterany:$id --wrap true >/dev/null
grep restart again.out""",
        "restart 0\nrestart 1\n"),
    "a loop that waits until few enough jobs are left": Session(
        """for i in 1 2 3; do sbatch -Q -o /dev/null --wrap 'sleep 0.3' >/dev/null; done
while [ $(squeue -u $USER -h -t pending,running -r | wc -l) -gt 0 ]; do sleep 0.1; done; echo idle""",
        "idle\n"),
    "a signal for the batch shell that saves its work": Session(
        """cat > save.sh <<'EOF'
#!/bin/bash
#SBATCH -o save.out
trap 'echo saved; exit 0' USR1
touch ready; while :; do sleep 0.1; done
EOF
id=$(sbatch --parsable save.sh); until [ -e ready ]; do sleep 0.1; done
scancel --signal=USR1 --batch $id; while squeue -h -j $id | grep -q .; do sleep 0.1; done; cat save.out""",
        "saved\n"),
    "a warning before the time limit": Session(
        """cat > warned.sh <<'EOF'
#!/bin/bash
#SBATCH --time=0:03 --signal=B:USR1@2 -o warned.out
trap 'echo warned; exit 0' USR1
sleep 60 & wait
EOF
sbatch -W warned.sh >/dev/null; cat warned.out""",
        "warned\n"),
    "the id alone, cut from what --parsable prints": Session(
        """first=$(sbatch --parsable -o /dev/null --wrap true | cut -d';' -f1)
sbatch -W --dependency=afterok:$first -o after.out --wrap 'echo after' >/dev/null; cat after.out""",
        "after\n"),
    "the id taken from the sentence, as older scripts do": Session(
        """first=$(sbatch -o /dev/null --wrap true | awk '{print $4}'); second=$(sbatch -o /dev/null --wrap true | grep -Eo '[0-9]+$')
sbatch -W -d afterok:$first:$second -o both.out --wrap 'echo both' >/dev/null; cat both.out""",
        "both\n"),
    "a shell function that is exported": Session(
        "greet() { echo \"hello $1\"; }\nexport -f greet\nsbatch -W -o f.out <<'EOF' >/dev/null\n#!/bin/bash\ngreet job\nsrun bash -c 'greet step'\nEOF\ncat f.out",
        "hello job\nhello step\n"),
    "a variable of several lines, and one that is no text and is said to stay behind": Session(
        "export LINES_OF=$'one\\ntwo' BYTES=$'\\xff\\xfe'\n"
        "sbatch -W -o v.out --wrap 'echo \"$LINES_OF\"; echo ${BYTES-unset}' 2>&1 >/dev/null; cat v.out",
        "sbatch: warning: variable BYTES is no UTF-8 text, the job does not get it\none\ntwo\nunset\n"),
    "a wish for mail, which keeps nothing from running where no mail can be sent": Session(
        "sbatch -W -o m.out --mail-type=END,FAIL --mail-user=me@example.org --wrap 'echo ran' >/dev/null 2>&1; cat m.out",
        "ran\n"),
    "a Python program with directives, from standard input": Session(
        "sbatch -W -o p.out <<'EOF' >/dev/null\n#!/usr/bin/env python3\n#SBATCH --job-name=snake\nimport os\nprint(os.environ['SLURM_JOB_NAME'])\nEOF\ncat p.out",
        "snake\n"),
    "a Perl program with directives": Session(
        "printf '#!/usr/bin/perl\\n#SBATCH -J camel -o perl.out\\nprint \"$ENV{SLURM_JOB_NAME}\\\\n\";\\n' > job.pl; sbatch -W job.pl >/dev/null; cat perl.out",
        "camel\n"),
    "what PyTorch's launchers are given in every task": Session(
        """cat > torch.sh <<'EOF'
#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=2 --gpus-per-node=2 -o torch.out
export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1) MASTER_PORT=$((10000 + SLURM_JOB_ID % 50000))
srun bash -c 'echo $MASTER_ADDR $SLURM_PROCID/$SLURM_NTASKS $SLURM_LOCALID $SLURM_NODEID/$SLURM_NNODES $CUDA_VISIBLE_DEVICES' | sort
EOF
sbatch -W torch.sh >/dev/null; cat torch.out""",
        "cn01 0/4 0 0/2 0,1\ncn01 1/4 1 0/2 0,1\ncn01 2/4 0 1/2 0,1\ncn01 3/4 1 1/2 0,1\n"),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_prints_what_it_would_elsewhere(cluster: Cluster, name: str) -> None:
    session = SESSIONS[name]
    folder = cluster.work / f"session{list(SESSIONS).index(name)}"
    folder.mkdir()
    result = cluster.run("bash", "-c", f"cd {folder.name}\n{session.typed}", env={"USER": os.environ.get("USER", "root")}, timeout=40)
    left = "\n".join(f"{path.name}: {path.read_text(errors='replace')}" for path in Path(folder).rglob("*.out"))
    assert (result.out, result.err) == (session.printed, ""), f"{result}\n{left}\n{cluster.logs()}"


def test_a_script_of_four_megabytes_is_the_largest(cluster: Cluster) -> None:
    limit = 4 * 1024 * 1024
    start = "#!/bin/bash\necho large\nexit\n"
    cluster.script("large.sh", start + "#" * (limit - len(start) - 1) + "\n")
    job, status = cluster.finish("-o", "large.out", "large.sh")
    assert (status, cluster.output("large.out")) == (0, "large\n"), job
    cluster.script("larger.sh", start + "#" * limit + "\n")
    result = cluster.run("sbatch", "larger.sh")
    assert result.status == 1
    assert result.out == ""
    assert result.err.startswith("sbatch: error: Batch job submission failed: Job script exceeds the size limit\n")
    assert f"{limit:,}" in result.err


def test_ten_thousand_variables_come_along(cluster: Cluster) -> None:
    many = {f"VARIABLE_{number}": "x" * 50 for number in range(10_000)}
    job, status = cluster.finish("-o", "many.out", "--wrap", "env | grep -c ^VARIABLE_", env=many)
    assert (status, cluster.output("many.out")) == (0, "10000\n"), job
