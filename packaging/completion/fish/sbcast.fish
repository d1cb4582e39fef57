# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sbcast -s C -l compress -d 'compress what is sent'
complete -c sbcast -s F -l fanout -x -d 'fan-out of messages'
complete -c sbcast -s f -l force -d 'replace a file that is there'
complete -c sbcast -l help -d 'show this help'
complete -c sbcast -s j -l jobid -x -a '(__slurm_py_ask jobs | __slurm_py_listed)' -d 'the nodes of this job'
complete -c sbcast -s w -l nodelist -x -a '(__slurm_py_ask nodes | __slurm_py_listed)' -d 'copy to these nodes of the job only'
complete -c sbcast -s p -l preserve -d 'keep mode and times'
complete -c sbcast -s s -l size -x -d 'size of a block'
complete -c sbcast -s t -l timeout -x -d 'how long to wait for a message'
complete -c sbcast -l treewidth -x -d 'fan-out of messages'
complete -c sbcast -l usage -d 'show the options in short'
complete -c sbcast -s v -l verbose -d 'say more'
complete -c sbcast -s V -l version -d 'show the version'
