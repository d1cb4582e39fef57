# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sreport -s a -l all_clusters -d 'every cluster in the database'
complete -c sreport -l all -d 'the same as --all_clusters'
complete -c sreport -s M -l cluster -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'these clusters'
complete -c sreport -l federation -d 'the clusters of the federation'
complete -c sreport -s h -l help -d 'show this help'
complete -c sreport -l local -d 'this cluster only'
complete -c sreport -s n -l noheader -d 'no headings'
complete -c sreport -s p -l parsable -d 'fields with | behind each'
complete -c sreport -s P -l parsable2 -d 'fields with | between them'
complete -c sreport -s Q -l quiet -d 'print no warnings'
complete -c sreport -s t -l time -x -a '(printf \'%s\\n\' \'Seconds\' \'Minutes\' \'Hours\' \'Percent\' \'SecPer\' \'MinPer\' \'HourPer\' | __slurm_py_listed)' -d 'Seconds, Minutes, Hours, Percent, SecPer, MinPer or HourPer'
complete -c sreport -s T -l tres -x -a '(printf \'%s\\n\' \'all\' \'cpu\' \'mem\' \'node\' \'energy\' \'billing\' \'gres/gpu\' | __slurm_py_listed)' -d 'report these resources, or all, instead of cpu'
complete -c sreport -l usage -d 'show the options in short'
complete -c sreport -s v -l verbose -d 'say more'
complete -c sreport -s V -l version -d 'show the version'
complete -c sreport -f
complete -c sreport -n '__slurm_py_behind cluster' -a '(printf \'%s\\n\' \'AccountUtilizationByUser\' \'UserUtilizationByAccount\' \'UserUtilizationByWckey\' \'Utilization\' \'WCKeyUtilizationByUser\')'
complete -c sreport -n '__slurm_py_behind job' -a '(printf \'%s\\n\' \'SizesByAccount\' \'SizesByAccountAndWckey\' \'SizesByWckey\')'
complete -c sreport -n '__slurm_py_behind reservation' -a '(printf \'%s\\n\' \'Utilization\')'
complete -c sreport -n '__slurm_py_behind user' -a '(printf \'%s\\n\' \'TopUsage\')'
complete -c sreport -n '__slurm_py_behind' -a '(printf \'%s\\n\' \'cluster\' \'job\' \'reservation\' \'user\')'
