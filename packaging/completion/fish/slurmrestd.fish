# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c slurmrestd -s h -l help -d 'show this help message and exit'
complete -c slurmrestd -s a -x -d 'how clients prove who they are, by default all: rest_auth/local, rest_auth/jwt; list'
complete -c slurmrestd -s d -x -d 'versions of the API, by default all: v0.0.42 … v0.0.45; list'
complete -c slurmrestd -s f -x -d 'the slurm.conf to use'
complete -c slurmrestd -l background -d 'return once it listens, and go on in the background; with -L'
complete -c slurmrestd -s g -x -d 'become this group, without others, once it listens'
complete -c slurmrestd -l generate-openapi-spec -d 'print the OpenAPI document and end'
complete -c slurmrestd -s L -x -d 'the log file to use instead of standard error'
complete -c slurmrestd -l pid-file -x -d 'where its process number stands while it runs'
complete -c slurmrestd -l max-connections -x -d 'connections at once, others are answered 503; by default 124'
complete -c slurmrestd -s s -x -d 'parts of the API, by default all: slurmctld, slurmdbd, util; web: the page at /; list'
complete -c slurmrestd -s t -x -d 'requests that are carried out at once, by default 20'
complete -c slurmrestd -s u -x -d 'become this user once it listens: one with no rights of his own, never root or SlurmUser'
complete -c slurmrestd -l user-rate -x -d 'requests a second of one user, twice as many at once, others are answered 429; by default any number'
complete -c slurmrestd -s v -d 'log more; twice: still more'
complete -c slurmrestd -s V -l version -d 'show program\'s version number and exit'
complete -c slurmrestd -f
