# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sdiag -s a -l all -d 'everything'
complete -c sdiag -s M -l cluster -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'which cluster to ask'
complete -c sdiag -l help -d 'show this help'
complete -c sdiag -l json -d 'everything as JSON'
complete -c sdiag -l no-trunc -d 'do not cut lists of nodes'
complete -c sdiag -s r -l reset -d 'begin again at nothing, for operators'
complete -c sdiag -s i -l sort-by-id -d 'requests by their number, users by uid'
complete -c sdiag -s t -l sort-by-time -d 'requests by the time they took together'
complete -c sdiag -s T -l sort-by-time2 -d 'requests by the time one took on average'
complete -c sdiag -l usage -d 'show the options in short'
complete -c sdiag -s V -l version -d 'show the version'
complete -c sdiag -l yaml -d 'everything as YAML'
complete -c sdiag -f
