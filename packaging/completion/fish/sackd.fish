# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sackd -s h -l help -d 'show this help message and exit'
complete -c sackd -s D -d 'stay in the foreground and log to standard error'
complete -c sackd -l systemd -d 'for systemd units: stay in the foreground, log to the file that slurm.conf names, else to standard error'
complete -c sackd -s f -x -d 'the slurm.conf to use'
complete -c sackd -s L -x -d 'the log file to use'
complete -c sackd -l admin -d 'this machine administrates the cluster: speak for root and SlurmUser too (needs slurm.key here)'
complete -c sackd -s v -d 'log more; twice: still more'
complete -c sackd -s V -l version -d 'show program\'s version number and exit'
complete -c sackd -f
