# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sattach -l error-filter -x -d 'standard error of this task only'
complete -c sattach -s h -l help -d 'show this help'
complete -c sattach -l input-filter -x -d 'input goes to this task only'
complete -c sattach -s l -l label -d 'put the task\'s number before each line of output'
complete -c sattach -l layout -d 'show on which nodes the tasks are, and attach to none'
complete -c sattach -l output-filter -x -d 'standard output of this task only'
complete -c sattach -l pty -d 'the terminal of task 0 of a step that has one (srun --pty)'
complete -c sattach -s Q -l quiet -d 'say nothing but errors'
complete -c sattach -s u -l usage -d 'show the options in short'
complete -c sattach -s v -l verbose -d 'say what is going on'
complete -c sattach -s V -l version -d 'show the version'
complete -c sattach -f
complete -c sattach -n '__slurm_py_behind' -a '(__slurm_py_ask steps)'
