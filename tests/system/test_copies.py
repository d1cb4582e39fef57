"""Files on their way to and from a job's nodes: sbcast, sgather and srun --bcast."""

from __future__ import annotations

import os

from tests.system.harness import Cluster


def test_a_file_is_copied_to_every_node_with_its_mode_and_is_not_replaced_unasked(cluster: Cluster) -> None:
    source = cluster.work / "source"
    source.write_bytes(os.urandom(300_000))
    source.chmod(0o750)
    cluster.script("other", "something else\n")
    cluster.script("copies", "#!/bin/bash\nsbcast source $PWD/there && cmp source there && stat -c %a there\nsbcast other $PWD/there || echo kept\ncmp source there\n"
                   "sbcast source $PWD/there || echo kept though equal\n"
                   "sbcast -f -p other $PWD/there && cmp other there && [ $(stat -c %Y other) = $(stat -c %Y there) ] && echo replaced\n"
                   "sbcast missing there || echo missing\nls $PWD | grep -c part\n")
    _, status = cluster.finish("-N2", "-o", "copies.out", "copies")
    assert status == 1, "grep finds no part of a copy"
    said = cluster.output("copies.out").splitlines()
    assert [line for line in said if "error" not in line] == ["750", "kept", "kept though equal", "replaced", "missing", "0"]
    assert "sbcast: error: Can't open `missing`: No such file or directory" in said
    assert sum(line.endswith("): File exists") for line in said) == 4


def test_files_are_gathered_under_the_names_of_their_nodes(cluster: Cluster) -> None:
    cluster.script("gathers", "#!/bin/bash\nsrun -N2 -n2 sh -c 'echo $SLURMD_NODENAME >$TMPDIR/of.$SLURM_JOB_ID.$SLURMD_NODENAME'\n"
                   "cp source.txt to.be.gathered; sgather -k to.be.gathered got; echo $?; sgather nothing.there got2; echo $?; sgather --force nothing.there got3; echo $?; sgather to.be.gathered last; ls to.be.gathered; ls got*\n")
    (cluster.work / "source.txt").write_text("text\n")
    cluster.finish("-N2", "-w", "cn01,cn02", "-o", "gathers.out", "gathers")
    said = [line for line in cluster.output("gathers.out").splitlines() if "rror" not in line and "No such" not in line]
    assert said == ["0", "1", "0", "got.cn01", "got.cn02"]
    assert (cluster.work / "got.cn02").read_text() == "text\n"


def test_srun_copies_its_program_and_runs_the_copy(cluster: Cluster) -> None:
    cluster.script("tool", "#!/bin/sh\necho ran $0 $1\n")
    target = cluster.work / "copy-of-tool"
    assert cluster.ok("srun", "-N2", f"--bcast={target}", "./tool", "well").splitlines() == [f"ran {target} well"] * 2
    named = cluster.ok("srun", "-n1", "--bcast", "./tool", "too").split()
    assert named[1].startswith(f"{cluster.work}/slurm_bcast_") and os.path.exists(named[1])
    missing = cluster.run("srun", "--bcast", "no-such-tool")
    assert missing.status == 1 and "no-such-tool: command not found" in missing.err


def test_a_copy_without_a_job_says_what_it_needs(cluster: Cluster) -> None:
    other = cluster.run("sbcast", "--jobid=999999", "/etc/passwd", "/tmp/x")
    assert other.status == 1 and "Invalid job id" in other.err
    alone = cluster.run("sbcast", "a", "b")
    assert alone.status == 1 and "Need a job id to run this command" in alone.err
    assert "Need two file names" in cluster.run("sbcast", "a").err
    assert "Need a job to run this command" in cluster.run("sgather", "a", "b").err


def test_a_copy_may_go_to_some_nodes_of_the_job_only(cluster: Cluster) -> None:
    (cluster.work / "some.txt").write_text("text\n")
    job = cluster.sbatch("-N2", "--wrap", "sleep 60")
    cluster.until_state(job, "RUNNING")
    nodes = cluster.field(job, "NodeList")
    last = cluster.ok("scontrol", "show", "hostnames", nodes).split()[-1]
    step = cluster.run("sbcast", "-f", "-w", last, "--jobid", job, "some.txt", str(cluster.work / "copied.txt"))
    assert step.status == 0, step
    assert (cluster.work / "copied.txt").read_text() == "text\n"
    assert cluster.run("sbcast", "-f", "--nodelist=nowhere", "--jobid", job, "some.txt", "x").status == 1
    cluster.ok("scancel", job)


def test_folders_are_gathered_and_modes_and_times_kept_where_that_is_asked_for(cluster: Cluster) -> None:
    cluster.script("trees", "#!/bin/bash\nmkdir -p tree/sub; echo deep >tree/sub/file; chmod 640 tree/sub/file; touch -d 2020-02-02 tree/sub/file\n"
                   "sgather -k tree alone; echo $?; sgather -k -r -p tree whole; echo $?; sgather -r tree fresh; echo $?; ls -d tree*\n")
    cluster.finish("-N1", "-w", "cn01", "-o", "trees.out", "trees")
    said = cluster.output("trees.out").splitlines()
    assert [line for line in said if line.isdigit()] == ["1", "0", "0"]
    assert any("Is a directory" in line for line in said)
    kept, fresh = (cluster.work / name / "sub" / "file" for name in ("whole.cn01", "fresh.cn01"))
    assert kept.read_text() == fresh.read_text() == "deep\n"
    assert kept.stat().st_mode & 0o777 == 0o640 and kept.stat().st_mtime < 1.6e9 < fresh.stat().st_mtime
    assert not (cluster.work / "tree").exists()
    assert not list(cluster.work.glob("*.tar*"))
