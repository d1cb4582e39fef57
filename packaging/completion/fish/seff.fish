# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c seff -s M -l clusters -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'the job of this cluster'
complete -c seff -s h -l help -d 'show this help'
complete -c seff -l usage -d 'show the options in short'
complete -c seff -s V -l version -d 'show the version'
complete -c seff -f
complete -c seff -n '__slurm_py_behind -m' -a '(__slurm_py_ask past_jobs)'
