# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sstat -s a -l allsteps -d 'every running step of a job, not only the first'
complete -c sstat -s o -l format -x -a '(printf \'%s\\n\' \'AllocTRES\' \'AveCPU\' \'AveCPUFreq\' \'AveDiskRead\' \'AveDiskWrite\' \'AvePages\' \'AveRSS\' \'AveVMSize\' \'ConsumedEnergy\' \'ConsumedEnergyRaw\' \'JobID\' \'MaxDiskRead\' \'MaxDiskReadNode\' \'MaxDiskReadTask\' \'MaxDiskWrite\' \'MaxDiskWriteNode\' \'MaxDiskWriteTask\' \'MaxPages\' \'MaxPagesNode\' \'MaxPagesTask\' \'MaxRSS\' \'MaxRSSNode\' \'MaxRSSTask\' \'MaxVMSize\' \'MaxVMSizeNode\' \'MaxVMSizeTask\' \'MinCPU\' \'MinCPUNode\' \'MinCPUTask\' \'Nodelist\' \'NTasks\' \'Pids\' \'ReqCPUFreq\' \'ReqCPUFreqMin\' \'ReqCPUFreqMax\' \'ReqCPUFreqGov\' \'SLUID\' \'TRESUsageInAve\' \'TRESUsageInMax\' \'TRESUsageInMaxNode\' \'TRESUsageInMaxTask\' \'TRESUsageInMin\' \'TRESUsageInMinNode\' \'TRESUsageInMinTask\' \'TRESUsageInTot\' \'TRESUsageOutAve\' \'TRESUsageOutMax\' \'TRESUsageOutMaxNode\' \'TRESUsageOutMaxTask\' \'TRESUsageOutMin\' \'TRESUsageOutMinNode\' \'TRESUsageOutMinTask\' \'TRESUsageOutTot\' | __slurm_py_listed)' -d 'these fields; a negative width justifies left'
complete -c sstat -l fields -x -a '(printf \'%s\\n\' \'AllocTRES\' \'AveCPU\' \'AveCPUFreq\' \'AveDiskRead\' \'AveDiskWrite\' \'AvePages\' \'AveRSS\' \'AveVMSize\' \'ConsumedEnergy\' \'ConsumedEnergyRaw\' \'JobID\' \'MaxDiskRead\' \'MaxDiskReadNode\' \'MaxDiskReadTask\' \'MaxDiskWrite\' \'MaxDiskWriteNode\' \'MaxDiskWriteTask\' \'MaxPages\' \'MaxPagesNode\' \'MaxPagesTask\' \'MaxRSS\' \'MaxRSSNode\' \'MaxRSSTask\' \'MaxVMSize\' \'MaxVMSizeNode\' \'MaxVMSizeTask\' \'MinCPU\' \'MinCPUNode\' \'MinCPUTask\' \'Nodelist\' \'NTasks\' \'Pids\' \'ReqCPUFreq\' \'ReqCPUFreqMin\' \'ReqCPUFreqMax\' \'ReqCPUFreqGov\' \'SLUID\' \'TRESUsageInAve\' \'TRESUsageInMax\' \'TRESUsageInMaxNode\' \'TRESUsageInMaxTask\' \'TRESUsageInMin\' \'TRESUsageInMinNode\' \'TRESUsageInMinTask\' \'TRESUsageInTot\' \'TRESUsageOutAve\' \'TRESUsageOutMax\' \'TRESUsageOutMaxNode\' \'TRESUsageOutMaxTask\' \'TRESUsageOutMin\' \'TRESUsageOutMinNode\' \'TRESUsageOutMinTask\' \'TRESUsageOutTot\' | __slurm_py_listed)' -d 'the same as --format'
complete -c sstat -s h -l help -d 'show this help'
complete -c sstat -s e -l helpformat -d 'list the fields that --format knows'
complete -c sstat -s j -l jobs -x -a '(__slurm_py_ask jobs | __slurm_py_listed)' -d 'these jobs and steps'
complete -c sstat -l noconvert -d 'numbers in the unit they were measured in'
complete -c sstat -s n -l noheader -d 'no header lines'
complete -c sstat -s p -l parsable -d 'fields with | behind each'
complete -c sstat -s P -l parsable2 -d 'fields with | between them'
complete -c sstat -s i -l pidformat -d 'only JobID, Nodelist and Pids'
complete -c sstat -l usage -d 'show the options in short'
complete -c sstat -s v -l verbose -d 'name the nodes that did not answer'
complete -c sstat -s V -l version -d 'show the version'
complete -c sstat -f
complete -c sstat -n '__slurm_py_behind -m' -a '(__slurm_py_ask jobs)'
