# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c slurmd -s b -d 'report that the machine has just been started (for tests)'
complete -c slurmd -s c -d 'clear what a crashed slurmd left (nothing is needed for that: accepted)'
complete -c slurmd -s C -d 'print this machine\'s hardware as a NodeName line and exit'
complete -c slurmd -s D -d 'run in the foreground, log to standard error'
complete -c slurmd -s f -x -d 'the configuration to read'
complete -c slurmd -s G -d 'print the GRES of this node (with AutoDetect: those that it finds) and exit'
complete -c slurmd -s h -l help -d 'this text'
complete -c slurmd -s L -x -d 'log to this file'
complete -c slurmd -s n -x -d 'run at this nice value'
complete -c slurmd -s N -x -d 'which node of the configuration this slurmd is'
complete -c slurmd -l systemd -d 'for systemd units: stay in the foreground, log where slurm.conf says, else to standard error'
complete -c slurmd -s s -d 'work in the folder of the log file, else in SlurmdSpoolDir, else in /var/tmp'
complete -c slurmd -s v -d 'log more; may be repeated'
complete -c slurmd -s V -l version -d 'print the version'
complete -c slurmd -s Z -d 'be a node that slurm.conf does not have: slurmctld makes it (MaxNodeCount)'
complete -c slurmd -l conf -x -d 'what the NodeName line of such a node says other than what was found'
complete -c slurmd -f
