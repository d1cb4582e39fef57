# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sprio -l cluster -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'as --clusters'
complete -c sprio -s M -l clusters -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'which cluster to ask'
complete -c sprio -l federation -d 'jobs of the whole federation'
complete -c sprio -s o -l format -x -d 'columns, as %-letters'
complete -c sprio -l help -d 'show this help'
complete -c sprio -l helpformat -d 'list the letters that --format knows'
complete -c sprio -s j -l jobs -a '(__slurm_py_ask jobs | __slurm_py_listed)' -d 'these jobs'
complete -c sprio -l local -d 'jobs of this cluster only'
complete -c sprio -s l -l long -d 'more columns'
complete -c sprio -s h -l noheader -d 'no header line'
complete -c sprio -s n -l norm -d 'factors from 0 to 1, without their weights'
complete -c sprio -s p -l partition -x -a '(__slurm_py_ask partitions | __slurm_py_listed)' -d 'jobs of these partitions'
complete -c sprio -l sibling -d 'sibling jobs apart'
complete -c sprio -s S -l sort -x -d 'order, such as -Y,u'
complete -c sprio -l usage -d 'show the options in short'
complete -c sprio -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'jobs of these users'
complete -c sprio -s v -l verbose -d 'say more'
complete -c sprio -s V -l version -d 'show the version'
complete -c sprio -s w -l weights -d 'the weights instead of jobs'
complete -c sprio -f
