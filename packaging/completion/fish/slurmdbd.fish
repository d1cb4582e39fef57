# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c slurmdbd -s h -l help -d 'show this help message and exit'
complete -c slurmdbd -s D -d 'stay in the foreground and log to standard error'
complete -c slurmdbd -s f -x -d 'the slurmdbd.conf to use'
complete -c slurmdbd -s L -x -d 'the log file to use'
complete -c slurmdbd -s n -x -d 'run at this nice value'
complete -c slurmdbd -s R -d '(associations carry their lineage: there is nothing to reset)'
complete -c slurmdbd -s s -d 'work in the folder of the log file, else in /var/tmp'
complete -c slurmdbd -l systemd -d 'for systemd units: stay in the foreground, log to the file that slurmdbd.conf names, else to standard error'
complete -c slurmdbd -s v -d 'log more; twice: still more'
complete -c slurmdbd -s V -l version -d 'show program\'s version number and exit'
complete -c slurmdbd -f
