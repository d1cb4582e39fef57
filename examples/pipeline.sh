#!/bin/bash
# Submits a chain of jobs, each waiting for the one before it to succeed, and one that waits for all of them.
set -euo pipefail
cd "$(dirname "$0")"

job1=$(sbatch --parsable single_gpu_job.slurm)
job2=$(sbatch --parsable --dependency=afterok:$job1 post_process_job.slurm $job1)
job3=$(sbatch --parsable --dependency=afterok:$job2 final_analysis.slurm $job2)
job4=$(sbatch --parsable --dependency=afterok:$job1:$job2:$job3 --partition=gpu --output=final_job_%j.out --wrap "echo all done")

echo "training $job1, post-processing $job2, analysis $job3, final job $job4"
squeue --jobs=$job1,$job2,$job3,$job4
