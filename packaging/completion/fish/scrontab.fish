# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c scrontab -s e -l edit -d 'change the crontab in an editor: VISUAL, else EDITOR, else vi'
complete -c scrontab -s h -l help -d 'show this help'
complete -c scrontab -s l -l list -d 'show the crontab'
complete -c scrontab -s r -l remove -d 'remove the crontab: what runs goes on, and nothing runs again'
complete -c scrontab -l usage -d 'show the options in short'
complete -c scrontab -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'the crontab of this user, for operators and root'
complete -c scrontab -s v -l verbose -d 'say more'
complete -c scrontab -s V -l version -d 'show the version'
