# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c slurmctld -s h -l help -d 'show this help message and exit'
complete -c slurmctld -s D -d 'stay in the foreground and log to standard error'
complete -c slurmctld -s c -d 'forget all jobs and node states of the last run (kept as a backup beside it)'
complete -c slurmctld -s f -x -d 'the slurm.conf to use'
complete -c slurmctld -s i -d '(nothing is ever dropped: a state that cannot be read is named and left as it is)'
complete -c slurmctld -s L -x -d 'the log file to use'
complete -c slurmctld -s n -x -d 'run at this nice value'
complete -c slurmctld -s r -d 'recover jobs and what became of nodes (they always are); partitions are as slurm.conf has them'
complete -c slurmctld -s R -d 'recover partitions too, as scontrol made and changed them'
complete -c slurmctld -s s -d 'work in the folder of the log file, else in StateSaveLocation, else in /var/tmp'
complete -c slurmctld -l systemd -d 'for systemd units: stay in the foreground, log to the file that slurm.conf names, else to standard error'
complete -c slurmctld -s t -d 'check the configuration and say what is wrong with it'
complete -c slurmctld -s v -d 'log more; twice: still more'
complete -c slurmctld -s V -l version -d 'show program\'s version number and exit'
complete -c slurmctld -f
