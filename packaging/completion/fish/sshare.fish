# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sshare -s A -l accounts -x -a '(__slurm_py_ask accounts | __slurm_py_listed)' -d 'these accounts only'
complete -c sshare -s a -l all -d 'all users, not only the own one'
complete -c sshare -s M -l clusters -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'which cluster to ask'
complete -c sshare -s o -l format -x -d 'columns, by name'
complete -c sshare -l help -d 'show this help'
complete -c sshare -s e -l helpformat -d 'list the names that --format knows'
complete -c sshare -l json -d 'everything as JSON'
complete -c sshare -s l -l long -d 'more columns'
complete -c sshare -s n -l noheader -d 'no header lines'
complete -c sshare -s p -l parsable -d 'fields with | between and at the end'
complete -c sshare -s P -l parsable2 -d 'fields with | between'
complete -c sshare -s m -l partition -d 'the partitions of associations too'
complete -c sshare -l usage -d 'show the options in short'
complete -c sshare -s u -l users -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'these users'
complete -c sshare -s U -l Users -d 'users only, not the accounts above them'
complete -c sshare -s v -l verbose -d 'say more'
complete -c sshare -s V -l version -d 'show the version'
complete -c sshare -l yaml -d 'everything as YAML'
complete -c sshare -f
