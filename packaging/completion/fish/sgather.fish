# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.
functions -q __slurm_py_ask; or source (path dirname -- (status filename))/slurm.fish

complete -c sgather -s C -l compress -d 'compress what is sent'
complete -c sgather -s F -l fanout -x -d 'fan-out of messages'
complete -c sgather -s f -l force -d 'a file that is missing on a node is no error'
complete -c sgather -s h -l help -d 'show this help'
complete -c sgather -s k -l keep -d 'leave the file on its node (it is removed without)'
complete -c sgather -s p -l preserve -d 'keep mode and times'
complete -c sgather -s r -l recursive -d 'gather a folder and what is in it'
complete -c sgather -s t -l timeout -x -d 'how long to wait for a message'
complete -c sgather -l usage -d 'show the options in short'
complete -c sgather -s v -l verbose -d 'say more'
complete -c sgather -s V -l version -d 'show the version'
