# Completion of Slurm's commands for fish: written by `python -m slurm.manual`.

set -g __slurm_py_taking 'sbatch -A' 'sbatch --account' 'sbatch --comment' 'sbatch --extra' 'sbatch -J' 'sbatch --job-name' 'sbatch -L' 'sbatch --licenses' 'sbatch -p' 'sbatch --partition' 'sbatch -q' 'sbatch --qos' 'sbatch --reservation' 'sbatch --wckey' 'sbatch -N' 'sbatch --nodes' 'sbatch -n' 'sbatch --ntasks' 'sbatch -c' 'sbatch --cpus-per-task' 'sbatch --ntasks-per-node' 'sbatch --ntasks-per-socket' 'sbatch --ntasks-per-core' 'sbatch --ntasks-per-gpu' 'sbatch --mincpus' 'sbatch --sockets-per-node' 'sbatch --cores-per-socket' 'sbatch --threads-per-core' 'sbatch -B' 'sbatch --extra-node-info' 'sbatch --hint' 'sbatch --mem' 'sbatch --mem-per-cpu' 'sbatch --mem-per-gpu' 'sbatch --tmp' 'sbatch --gres' 'sbatch -G' 'sbatch --gpus' 'sbatch --gpus-per-node' 'sbatch --gpus-per-socket' 'sbatch --gpus-per-task' 'sbatch --cpus-per-gpu' 'sbatch --tres-per-task' 'sbatch --gpu-bind' 'sbatch --tres-bind' 'sbatch -S' 'sbatch --core-spec' 'sbatch --thread-spec' 'sbatch -C' 'sbatch --constraint' 'sbatch --prefer' 'sbatch -w' 'sbatch --nodelist' 'sbatch -F' 'sbatch --nodefile' 'sbatch -x' 'sbatch --exclude' 'sbatch --switches' 'sbatch --segment' 'sbatch -m' 'sbatch --distribution' 'sbatch -t' 'sbatch --time' 'sbatch --time-min' 'sbatch -b' 'sbatch --begin' 'sbatch --deadline' 'sbatch -d' 'sbatch --dependency' 'sbatch --priority' 'sbatch -a' 'sbatch --array' 'sbatch --kill-on-invalid-dep' 'sbatch --signal' 'sbatch -D' 'sbatch --chdir' 'sbatch -i' 'sbatch --input' 'sbatch -o' 'sbatch --output' 'sbatch -e' 'sbatch --error' 'sbatch --open-mode' 'sbatch --mail-type' 'sbatch --mail-user' 'sbatch --acctg-freq' 'sbatch --delay-boot' 'sbatch --network' 'sbatch --power' 'sbatch --wait-all-nodes' 'sbatch --gres-flags' 'sbatch --mem-bind' 'sbatch --profile' 'sbatch --cpu-freq' 'sbatch --gpu-freq' 'sbatch -M' 'sbatch --clusters' 'sbatch --container' 'sbatch --gid' 'sbatch --uid' 'sbatch --wrap' 'sbatch --export-file' 'sbatch --container-image' 'sbatch --container-mounts' 'sbatch --container-workdir' 'sbatch --container-name' 'sbatch --container-save' 'sbatch --container-env' 'srun -A' 'srun --account' 'srun --comment' 'srun --extra' 'srun -J' 'srun --job-name' 'srun -L' 'srun --licenses' 'srun -p' 'srun --partition' 'srun -q' 'srun --qos' 'srun --reservation' 'srun --wckey' 'srun -N' 'srun --nodes' 'srun -n' 'srun --ntasks' 'srun -c' 'srun --cpus-per-task' 'srun --ntasks-per-node' 'srun --ntasks-per-socket' 'srun --ntasks-per-core' 'srun --ntasks-per-gpu' 'srun --mincpus' 'srun --sockets-per-node' 'srun --cores-per-socket' 'srun --threads-per-core' 'srun -B' 'srun --extra-node-info' 'srun --hint' 'srun --mem' 'srun --mem-per-cpu' 'srun --mem-per-gpu' 'srun --tmp' 'srun --gres' 'srun -G' 'srun --gpus' 'srun --gpus-per-node' 'srun --gpus-per-socket' 'srun --gpus-per-task' 'srun --cpus-per-gpu' 'srun --tres-per-task' 'srun --gpu-bind' 'srun --tres-bind' 'srun -S' 'srun --core-spec' 'srun --thread-spec' 'srun -C' 'srun --constraint' 'srun --prefer' 'srun -w' 'srun --nodelist' 'srun -F' 'srun --nodefile' 'srun -x' 'srun --exclude' 'srun --switches' 'srun --segment' 'srun -m' 'srun --distribution' 'srun -t' 'srun --time' 'srun --time-min' 'srun -b' 'srun --begin' 'srun --deadline' 'srun -d' 'srun --dependency' 'srun --priority' 'srun --signal' 'srun -D' 'srun --chdir' 'srun -i' 'srun --input' 'srun -o' 'srun --output' 'srun -e' 'srun --error' 'srun --open-mode' 'srun --mail-type' 'srun --mail-user' 'srun --acctg-freq' 'srun --delay-boot' 'srun --network' 'srun --power' 'srun --gres-flags' 'srun --mem-bind' 'srun --profile' 'srun --cpu-freq' 'srun --gpu-freq' 'srun --container' 'srun --jobid' 'srun -r' 'srun --relative' 'srun -W' 'srun --wait' 'srun --mpi' 'srun --cpu-bind' 'srun -T' 'srun --threads' 'srun --treewidth' 'srun --msg-timeout' 'srun --slurmd-debug' 'srun --epilog' 'srun --prolog' 'srun --task-epilog' 'srun --task-prolog' 'srun --het-group' 'srun --ignore-signals' 'srun --container-image' 'srun --container-mounts' 'srun --container-workdir' 'srun --container-name' 'srun --container-save' 'srun --container-env' 'salloc -A' 'salloc --account' 'salloc --comment' 'salloc --extra' 'salloc -J' 'salloc --job-name' 'salloc -L' 'salloc --licenses' 'salloc -p' 'salloc --partition' 'salloc -q' 'salloc --qos' 'salloc --reservation' 'salloc --wckey' 'salloc -N' 'salloc --nodes' 'salloc -n' 'salloc --ntasks' 'salloc -c' 'salloc --cpus-per-task' 'salloc --ntasks-per-node' 'salloc --ntasks-per-socket' 'salloc --ntasks-per-core' 'salloc --ntasks-per-gpu' 'salloc --mincpus' 'salloc --sockets-per-node' 'salloc --cores-per-socket' 'salloc --threads-per-core' 'salloc -B' 'salloc --extra-node-info' 'salloc --hint' 'salloc --mem' 'salloc --mem-per-cpu' 'salloc --mem-per-gpu' 'salloc --tmp' 'salloc --gres' 'salloc -G' 'salloc --gpus' 'salloc --gpus-per-node' 'salloc --gpus-per-socket' 'salloc --gpus-per-task' 'salloc --cpus-per-gpu' 'salloc --tres-per-task' 'salloc --gpu-bind' 'salloc --tres-bind' 'salloc -S' 'salloc --core-spec' 'salloc --thread-spec' 'salloc -C' 'salloc --constraint' 'salloc --prefer' 'salloc -w' 'salloc --nodelist' 'salloc -F' 'salloc --nodefile' 'salloc -x' 'salloc --exclude' 'salloc --switches' 'salloc --segment' 'salloc -m' 'salloc --distribution' 'salloc -t' 'salloc --time' 'salloc --time-min' 'salloc -b' 'salloc --begin' 'salloc --deadline' 'salloc -d' 'salloc --dependency' 'salloc --priority' 'salloc --signal' 'salloc -D' 'salloc --chdir' 'salloc --mail-type' 'salloc --mail-user' 'salloc --acctg-freq' 'salloc --delay-boot' 'salloc --network' 'salloc --power' 'salloc --wait-all-nodes' 'salloc --gres-flags' 'salloc --mem-bind' 'salloc --profile' 'salloc --cpu-freq' 'salloc --gpu-freq' 'salloc --container' 'salloc --container-image' 'salloc --container-mounts' 'salloc --container-workdir' 'salloc --container-name' 'salloc --container-save' 'salloc --container-env' 'squeue -A' 'squeue --account' 'squeue --at' 'squeue -M' 'squeue --clusters' 'squeue -o' 'squeue --format' 'squeue -O' 'squeue --Format' 'squeue -i' 'squeue --iterate' 'squeue -j' 'squeue --job' 'squeue -L' 'squeue --licenses' 'squeue -n' 'squeue --name' 'squeue -w' 'squeue --nodelist' 'squeue -p' 'squeue --partition' 'squeue -q' 'squeue --qos' 'squeue -R' 'squeue --reservation' 'squeue --running-over' 'squeue --running-under' 'squeue -S' 'squeue --sort' 'squeue -t' 'squeue --states' 'squeue -s' 'squeue --step' 'squeue -u' 'squeue --user' 'sinfo -M' 'sinfo --clusters' 'sinfo -o' 'sinfo --format' 'sinfo -O' 'sinfo --Format' 'sinfo -i' 'sinfo --iterate' 'sinfo -n' 'sinfo --nodes' 'sinfo -p' 'sinfo --partition' 'sinfo -S' 'sinfo --sort' 'sinfo -t' 'sinfo --states' 'scancel -A' 'scancel --account' 'scancel --admin-comment' 'scancel -M' 'scancel --clusters' 'scancel -n' 'scancel --jobname' 'scancel -n' 'scancel --name' 'scancel -w' 'scancel --nodelist' 'scancel -p' 'scancel --partition' 'scancel -q' 'scancel --qos' 'scancel -R' 'scancel --reservation' 'scancel -s' 'scancel --signal' 'scancel -t' 'scancel --state' 'scancel -u' 'scancel --user' 'scancel --wckey' 'scontrol -M' 'scontrol --cluster' 'scontrol -M' 'scontrol --clusters' 'sdiag -M' 'sdiag --cluster' 'sacct -A' 'sacct --accounts' 'sacct -x' 'sacct --associations' 'sacct -M' 'sacct --clusters' 'sacct -C' 'sacct --constraints' 'sacct --delimiter' 'sacct -E' 'sacct --endtime' 'sacct -f' 'sacct --file' 'sacct -F' 'sacct --flags' 'sacct -o' 'sacct --format' 'sacct -g' 'sacct --gid' 'sacct --group' 'sacct -j' 'sacct --jobs' 'sacct --name' 'sacct -I' 'sacct --ncpus' 'sacct -i' 'sacct --nnodes' 'sacct -N' 'sacct --nodelist' 'sacct -r' 'sacct --partition' 'sacct -q' 'sacct --qos' 'sacct -R' 'sacct --reason' 'sacct -S' 'sacct --starttime' 'sacct -s' 'sacct --state' 'sacct -K' 'sacct --timelimit-max' 'sacct -k' 'sacct --timelimit-min' 'sacct -u' 'sacct --uid' 'sacct --user' 'sacct --units' 'sacct -W' 'sacct --wckeys' 'sstat -o' 'sstat --format' 'sstat --fields' 'sstat -j' 'sstat --jobs' 'sreport -M' 'sreport --cluster' 'sreport -t' 'sreport --time' 'sreport -T' 'sreport --tres' 'seff -M' 'seff --clusters' 'sshare -A' 'sshare --accounts' 'sshare -M' 'sshare --clusters' 'sshare -o' 'sshare --format' 'sshare -u' 'sshare --users' 'sprio --cluster' 'sprio -M' 'sprio --clusters' 'sprio -o' 'sprio --format' 'sprio -p' 'sprio --partition' 'sprio -S' 'sprio --sort' 'sprio -u' 'sprio --user' 'sbcast -F' 'sbcast --fanout' 'sbcast -j' 'sbcast --jobid' 'sbcast -w' 'sbcast --nodelist' 'sbcast -s' 'sbcast --size' 'sbcast -t' 'sbcast --timeout' 'sbcast --treewidth' 'sgather -F' 'sgather --fanout' 'sgather -t' 'sgather --timeout' 'scrontab -u' 'scrontab --user' 'sattach --error-filter' 'sattach --input-filter' 'sattach --output-filter' 'strigger --flags' 'strigger -i' 'strigger --id' 'strigger -j' 'strigger --jobid' 'strigger -o' 'strigger --offset' 'strigger -p' 'strigger --program' 'strigger --user' 'slurmctld -f' 'slurmctld -L' 'slurmctld -n' 'slurmd -f' 'slurmd -L' 'slurmd -n' 'slurmd -N' 'slurmd --conf' 'slurmdbd -f' 'slurmdbd -L' 'slurmdbd -n' 'slurmrestd -a' 'slurmrestd -d' 'slurmrestd -f' 'slurmrestd -g' 'slurmrestd -L' 'slurmrestd --pid-file' 'slurmrestd --max-connections' 'slurmrestd -s' 'slurmrestd -t' 'slurmrestd -u' 'slurmrestd --user-rate' 'sackd -f' 'sackd -L'

# The words behind the command that are neither options nor what these take, in lower case.
function __slurm_py_operands
    set -l typed (commandline -opc)
    set -l command (path basename -- $typed[1])
    set -l skip 0
    for word in $typed[2..]
        if test $skip = 1
            set skip 0
        else if string match -qr '^-.' -- $word
            contains -- "$command $word" $__slurm_py_taking; and set skip 1
        else
            string lower -- $word
        end
    end
end

# Whether exactly these words stand there; with -m also more behind them.
function __slurm_py_behind
    set -l there (__slurm_py_operands)
    if test "$argv[1]" = -m
        set -e argv[1]
        test (count $there) -gt (count $argv); and set -e there[(math (count $argv) + 1)..]
    end
    test (count $there) = (count $argv); or return 1
    for place in (seq (count $argv))
        string match -q -- $argv[$place] $there[$place]; or return 1
    end
end

# Of a list with commas the last is completed: whatever stands before it comes before each line.
function __slurm_py_listed
    set -l token (string replace -r '^(-[^=]*|\w+)=' '' -- (commandline -ct))
    set -l before (string match -r '^.*,' -- $token; or echo)
    while read -l line
        echo -- $before$line
    end
end

# KEY= for words of scontrol and sacctmgr, with the values of the key that stands there.
function __slurm_py_key
    set -l token (commandline -ct)
    string match -q '*=*' -- $token; or return
    set -l key (string replace -r '=.*' '' -- $token)
    switch (string lower -- $key)
        case jobid
            __slurm_py_ask jobs | string replace -r '^' "$key="
        case nodename
            __slurm_py_ask nodes | string replace -r '^' "$key="
        case partitionname
            __slurm_py_ask partitions | string replace -r '^' "$key="
        case reservationname
            __slurm_py_ask reservations | string replace -r '^' "$key="
        case partition
            __slurm_py_ask partitions | string replace -r '^' "$key="
        case account
            __slurm_py_ask accounts | string replace -r '^' "$key="
        case qos
            __slurm_py_ask qos | string replace -r '^' "$key="
        case nodes
            __slurm_py_ask nodes | string replace -r '^' "$key="
        case reservation
            __slurm_py_ask reservations | string replace -r '^' "$key="
        case user
            __slurm_py_ask users | string replace -r '^' "$key="
        case users
            __slurm_py_ask users | string replace -r '^' "$key="
        case accounts
            __slurm_py_ask accounts | string replace -r '^' "$key="
        case cluster
            __slurm_py_ask clusters | string replace -r '^' "$key="
        case clusters
            __slurm_py_ask clusters | string replace -r '^' "$key="
        case qoslevel
            __slurm_py_ask qos | string replace -r '^' "$key="
        case defaultqos
            __slurm_py_ask qos | string replace -r '^' "$key="
        case defaultaccount
            __slurm_py_ask accounts | string replace -r '^' "$key="
        case parent
            __slurm_py_ask accounts | string replace -r '^' "$key="
        case partitions
            __slurm_py_ask partitions | string replace -r '^' "$key="
        case state
            printf '%s\n' 'CANCEL_REBOOT' 'DOWN' 'DRAIN' 'FUTURE' 'IDLE' 'POWER_DOWN' 'POWER_DOWN_ASAP' 'POWER_DOWN_FORCE' 'POWER_UP' 'RESUME' 'UNDRAIN' | string replace -r '^' "$key="
        case adminlevel
            printf '%s\n' 'None' 'Operator' 'Admin' | string replace -r '^' "$key="
        case reqnodelist
            __slurm_py_ask nodes | string replace -r '^' "$key="
        case excnodelist
            __slurm_py_ask nodes | string replace -r '^' "$key="
    end
end

# What the cluster is asked for; a second is the longest that anybody waits.
function __slurm_py_ask
    switch $argv[1]
        case jobs
            command timeout 1 squeue -h -o "%i"\t"%j, %T, %u" 2>/dev/null | string replace -r '_\[[^]]*\]' ''
        case steps
            command timeout 1 squeue -h -s -o "%i"\t"%j" 2>/dev/null
        case past_jobs
            command timeout 1 sacct -nXP -o jobid 2>/dev/null
        case partitions
            command timeout 1 sinfo -h -o %R 2>/dev/null
        case nodes
            command timeout 1 sinfo -h -N -o %N 2>/dev/null
        case features
            command timeout 1 sinfo -h -o %f 2>/dev/null | string split , | string match -v '(null)'
        case reservations
            command timeout 1 scontrol -o show reservation 2>/dev/null | string replace -rf '^ReservationName=(\S*).*' '$1'
        case licenses
            command timeout 1 scontrol -o show license 2>/dev/null | string replace -rf '^LicenseName=(\S*).*' '$1'
        case users
            command timeout 1 sacctmgr -nP show user format=user 2>/dev/null; or __fish_complete_users
        case accounts
            command timeout 1 sacctmgr -nP show account format=account 2>/dev/null
        case qos
            command timeout 1 sacctmgr -nP show qos format=name 2>/dev/null
        case clusters
            command timeout 1 sacctmgr -nP show cluster format=cluster 2>/dev/null
        case wckeys
            command timeout 1 sacctmgr -nP show wckey format=wckey 2>/dev/null
        case groups
            __fish_complete_groups
    end
end

complete -c slurm -f
complete -c slurm -n '__slurm_py_behind -m cert rotate' -a '(printf \'%s\\n\' \'begin\' \'switch\' \'finish\')'
complete -c slurm -n '__slurm_py_behind -m jobs show' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m explain' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m history' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m report' -a '(__slurm_py_ask jobs)'
complete -c slurm -n '__slurm_py_behind -m completion' -a '(printf \'%s\\n\' \'bash\' \'zsh\' \'fish\')'
complete -c slurm -n '__slurm_py_behind cert' -a '(printf \'%s\\n\' \'make\' \'show\' \'revoke\' \'rotate\')'
complete -c slurm -n '__slurm_py_behind image' -a '(printf \'%s\\n\' \'import\' \'list\' \'rm\')'
complete -c slurm -n '__slurm_py_behind state' -a '(printf \'%s\\n\' \'copy\' \'export\' \'import\')'
complete -c slurm -n '__slurm_py_behind mcp' -a '(printf \'%s\\n\' \'run\' \'status\')'
complete -c slurm -n '__slurm_py_behind jobs' -a '(printf \'%s\\n\' \'list\' \'show\' \'logs\' \'tail\' \'cancel\' \'watch\' \'connect\' \'debug\' \'cleanup\')'
complete -c slurm -n '__slurm_py_behind cluster' -a '(printf \'%s\\n\' \'list\' \'show\' \'watch\' \'connect\')'
complete -c slurm -n '__slurm_py_behind' -a '(printf \'%s\\n\' \'up\' \'down\' \'status\' \'setup\' \'doctor\' \'adopt\' \'audit\' \'support\' \'web\' \'explain\' \'history\' \'plan\' \'report\' \'sim\' \'top\' \'demo\' \'dash\' \'completion\' \'cert\' \'image\' \'state\' \'mcp\' \'jobs\' \'cluster\')'
complete -c slurm -n '__slurm_py_behind -m up' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m up' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m up' -l nodes -x -d 'emulate N nodes on this machine'
complete -c slurm -n '__slurm_py_behind -m up' -l cpus -x -d 'CPUs that each node claims to have'
complete -c slurm -n '__slurm_py_behind -m up' -l memory -x -d 'memory that each node claims to have (64G)'
complete -c slurm -n '__slurm_py_behind -m up' -l gpus -x -d 'GPUs that each node claims to have (2, h100:8)'
complete -c slurm -n '__slurm_py_behind -m up' -l rest -d 'with a REST API on a unix socket of yours'
complete -c slurm -n '__slurm_py_behind -m up' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m down' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m down' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m down' -l keep-jobs -d 'let running jobs go on without daemons; the next `slurm up` finds them'
complete -c slurm -n '__slurm_py_behind -m down' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m status' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m status' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m status' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m setup' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m setup' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m setup' -l cluster -x -a '(__slurm_py_ask clusters | __slurm_py_listed)' -d 'the cluster\'s name'
complete -c slurm -n '__slurm_py_behind -m setup' -l head -x -d 'the machine of slurmctld and slurmdbd: this one'
complete -c slurm -n '__slurm_py_behind -m setup' -l nodes -x -d 'machines that run jobs, such as nd[01-04]; this one, if it is none of many'
complete -c slurm -n '__slurm_py_behind -m setup' -l login -x -d 'machines from which people submit and that run no jobs'
complete -c slurm -n '__slurm_py_behind -m setup' -l address -x -d 'where a machine is reached, if not by its name'
complete -c slurm -n '__slurm_py_behind -m setup' -l database -x -d 'where accounting goes: sqlite, postgresql, mariadb, none'
complete -c slurm -n '__slurm_py_behind -m setup' -l database-host -x -d ''
complete -c slurm -n '__slurm_py_behind -m setup' -l database-name -x -d ''
complete -c slurm -n '__slurm_py_behind -m setup' -l database-user -x -d 'its password: $SLURM_SETUP_STORAGE_PASS, else by socket or peer'
complete -c slurm -n '__slurm_py_behind -m setup' -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'SlurmUser; made where it is not there (default: slurm, without root yourself)'
complete -c slurm -n '__slurm_py_behind -m setup' -l prefix -x -d 'have every file below DIR, also without being root'
complete -c slurm -n '__slurm_py_behind -m setup' -l root -x -d 'write into the image of a machine below DIR; nothing is started'
complete -c slurm -n '__slurm_py_behind -m setup' -l controller-port -x -d ''
complete -c slurm -n '__slurm_py_behind -m setup' -l node-port -x -d ''
complete -c slurm -n '__slurm_py_behind -m setup' -l database-port -x -d ''
complete -c slurm -n '__slurm_py_behind -m setup' -l no-start -d 'write only'
complete -c slurm -n '__slurm_py_behind -m setup' -l dry-run -d 'show what would be written, and write nothing'
complete -c slurm -n '__slurm_py_behind -m setup' -s y -l yes -d 'ask nothing; write'
complete -c slurm -n '__slurm_py_behind -m setup' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m doctor' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m doctor' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m doctor' -l nodes -d 'look at the machines of these nodes too, by ssh; without a list, and without checks before it, at all of the cluster\'s'
complete -c slurm -n '__slurm_py_behind -m doctor' -s f -l conf -x -d 'the slurm.conf, also one of a real Slurm'
complete -c slurm -n '__slurm_py_behind -m doctor' -l strict -d 'exit status 1 for warnings too'
complete -c slurm -n '__slurm_py_behind -m doctor' -s v -l verbose -d 'tell also what was found to be well'
complete -c slurm -n '__slurm_py_behind -m doctor' -l list -d 'say what each check looks at, and look at nothing'
complete -c slurm -n '__slurm_py_behind -m doctor' -l facts -d 'print what is known of this machine, as JSON'
complete -c slurm -n '__slurm_py_behind -m doctor' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m adopt' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m adopt' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m adopt' -s f -l conf -x -d 'the slurm.conf (default: $SLURM_CONF except for PAM, /etc/slurm/slurm.conf)'
complete -c slurm -n '__slurm_py_behind -m adopt' -s N -l node -x -a '(__slurm_py_ask nodes | __slurm_py_listed)' -d 'the node (default: those of this machine)'
complete -c slurm -n '__slurm_py_behind -m adopt' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'whose login it is (default: $PAM_USER)'
complete -c slurm -n '__slurm_py_behind -m adopt' -l pid -x -d 'the process to adopt (default: the one that started this program)'
complete -c slurm -n '__slurm_py_behind -m adopt' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m audit' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m audit' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m audit' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'only what this user did'
complete -c slurm -n '__slurm_py_behind -m audit' -s a -l act -x -d 'only acts of this kind, such as UpdateNode'
complete -c slurm -n '__slurm_py_behind -m audit' -s S -l since -x -d 'only from then on: 2026-11-30, 2026-11-30T12:00'
complete -c slurm -n '__slurm_py_behind -m audit' -s n -l lines -x -d 'the last N of them (default: 50; 0: all)'
complete -c slurm -n '__slurm_py_behind -m audit' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m support' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m support' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m support' -s o -l output -r -d 'where it goes (default: slurm-support-CLUSTER-TIME.tar.gz here)'
complete -c slurm -n '__slurm_py_behind -m support' -s f -l conf -x -d 'the slurm.conf of the cluster'
complete -c slurm -n '__slurm_py_behind -m support' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m web' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m web' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m web' -l port -x -d 'the port of 127.0.0.1 to serve it at (default: a free one, kept)'
complete -c slurm -n '__slurm_py_behind -m web' -l no-browser -d 'only print the link'
complete -c slurm -n '__slurm_py_behind -m web' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m explain' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m explain' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m explain' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m explain' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m explain' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m explain' -l priority -d 'tell also what the priority is made of, factor by factor'
complete -c slurm -n '__slurm_py_behind -m explain' -l at -x -d 'as it was then: 14:05, 2026-11-30T14:05, now-2hours'
complete -c slurm -n '__slurm_py_behind -m history' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m history' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m history' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m history' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m history' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m plan' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m plan' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m plan' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m plan' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m plan' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m plan' -l conf -x -d 'plan the present queue as if this were the configuration (administrators)'
complete -c slurm -n '__slurm_py_behind -m plan' -s o -l output -r -d 'write a drawing, a row a node'
complete -c slurm -n '__slurm_py_behind -m plan' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'jobs of these users only, with commas between'
complete -c slurm -n '__slurm_py_behind -m plan' -s p -l partition -x -a '(__slurm_py_ask partitions | __slurm_py_listed)' -d 'jobs in these partitions only'
complete -c slurm -n '__slurm_py_behind -m plan' -l until -x -d 'where the chart ends: now+1day, 18:00 (default: with the last job)'
complete -c slurm -n '__slurm_py_behind -m plan' -l shadow -d 'compare the waits of jobs that ran with those that our planner would give them'
complete -c slurm -n '__slurm_py_behind -m plan' -l since -x -d 'jobs since then, with --shadow (default: now-1days)'
complete -c slurm -n '__slurm_py_behind -m plan' -s a -l all -d 'all jobs, not only the first 40'
complete -c slurm -n '__slurm_py_behind -m report' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m report' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m report' -l by -x -a '(printf \'%s\\n\' \'job\' \'array\' \'user\' \'day\' | __slurm_py_listed)' -d 'put jobs together by job, array, user or day of their end (default: job)'
complete -c slurm -n '__slurm_py_behind -m report' -l since -x -d 'jobs that ran after this: now-1day, 2026-11-01 (default: now-1week)'
complete -c slurm -n '__slurm_py_behind -m report' -l until -x -d 'jobs that ran before this (default: now)'
complete -c slurm -n '__slurm_py_behind -m report' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'this user\'s jobs; several with commas'
complete -c slurm -n '__slurm_py_behind -m report' -s a -l all -d 'everybody\'s jobs'
complete -c slurm -n '__slurm_py_behind -m report' -l plot -x -d 'draw it: FILE.svg a picture, FILE.html a page with picture and table'
complete -c slurm -n '__slurm_py_behind -m report' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m sim' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m sim' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m sim' -s f -l conf -x -d 'the cluster (default: equal nodes, see --nodes)'
complete -c slurm -n '__slurm_py_behind -m sim' -l nodes -x -d 'without --conf: so many nodes (default: what the trace says)'
complete -c slurm -n '__slurm_py_behind -m sim' -l cpus -x -d 'without --conf: CPUs of each node (default: 1)'
complete -c slurm -n '__slurm_py_behind -m sim' -l set -x -d 'a line of slurm.conf for every run; BackfillOrder=shortest tries short jobs first'
complete -c slurm -n '__slurm_py_behind -m sim' -l versus -x -d 'a run to compare with: KEY=VALUE of slurm.conf, several with ; between. May be repeated'
complete -c slurm -n '__slurm_py_behind -m sim' -l exact -d 'users know how long their jobs run: time limits are the run times'
complete -c slurm -n '__slurm_py_behind -m sim' -l jobs -x -a '(__slurm_py_ask jobs | __slurm_py_listed)' -d 'the first so many jobs only'
complete -c slurm -n '__slurm_py_behind -m sim' -l seeds -x -d 'each configuration so many times, with other chances each time'
complete -c slurm -n '__slurm_py_behind -m sim' -l jitter -x -d 'with --seeds: submissions are moved by up to this (10:00)'
complete -c slurm -n '__slurm_py_behind -m sim' -l failures -x -d 'a node fails so many times a day (0)'
complete -c slurm -n '__slurm_py_behind -m sim' -l repair -x -d 'and is away for so long (4:00:00)'
complete -c slurm -n '__slurm_py_behind -m sim' -s o -l output -r -d 'draw utilisation, queue, waits and slowdowns'
complete -c slurm -n '__slurm_py_behind -m sim' -l outcomes -x -d 'write every job of the first run as lines of NAME|VALUE columns'
complete -c slurm -n '__slurm_py_behind -m sim' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m top' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m top' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m top' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m top' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m top' -s i -l interval -l refresh-interval -x -d 'how often to ask (1; 5 over ssh or when you are logged in by it)'
complete -c slurm -n '__slurm_py_behind -m top' -s m -l mine -d 'begin with your own jobs only'
complete -c slurm -n '__slurm_py_behind -m top' -l json -d 'print one snapshot as JSON instead'
complete -c slurm -n '__slurm_py_behind -m demo' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m demo' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m demo' -l keep -x -d 'keep outputs and models in FOLDER, which is made (default: they are removed at the end)'
complete -c slurm -n '__slurm_py_behind -m demo' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m dash' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m dash' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m dash' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m dash' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m dash' -s i -l interval -l refresh-interval -x -d 'how often to ask (1; 5 over ssh or when you are logged in by it)'
complete -c slurm -n '__slurm_py_behind -m dash' -s m -l mine -d 'begin with your own jobs only'
complete -c slurm -n '__slurm_py_behind -m dash' -l json -d 'print one snapshot as JSON instead'
complete -c slurm -n '__slurm_py_behind -m completion' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m completion' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m completion' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cert' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cert make' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cert make' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cert make' -s o -l output -r -d 'where the files go (default: ./ROLE-NAME); - prints them as one text'
complete -c slurm -n '__slurm_py_behind -m cert make' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cert show' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cert show' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cert show' -l authorities -d 'print the ca_cert.pem of machines that have certificates, and nothing else'
complete -c slurm -n '__slurm_py_behind -m cert show' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cert revoke' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cert revoke' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cert revoke' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cert rotate' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cert rotate' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cert rotate' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m image' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m image import' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m image import' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m image import' -s o -l output -r -d 'the squashfs file (default: NAME+TAG.sqsh here)'
complete -c slurm -n '__slurm_py_behind -m image import' -s f -l force -d 'replace a file that is there'
complete -c slurm -n '__slurm_py_behind -m image import' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m image list' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m image list' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m image list' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m image rm' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m image rm' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m image rm' -l all -d 'all of them, named containers too'
complete -c slurm -n '__slurm_py_behind -m image rm' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m state' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m state copy' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m state copy' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m state copy' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m state export' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m state export' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m state export' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m state import' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m state import' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m state import' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m mcp' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m mcp run' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s t -l transport -x -a '(printf \'%s\\n\' \'stdio\' \'http\' | __slurm_py_listed)' -d 'how a client talks to it (stdio)'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s H -l host -x -d 'address to listen on, for http (127.0.0.1: this machine only)'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s p -l port -x -d 'port to listen on, for http (8000; 0: a free one)'
complete -c slurm -n '__slurm_py_behind -m mcp run' -l token-file -x -d 'file with the token that clients must show, for http (default: $SLURM_MCP_TOKEN, else a new one)'
complete -c slurm -n '__slurm_py_behind -m mcp run' -l read-only -d 'offer only tools that look: none that submits or cancels'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m mcp run' -s f -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m mcp status' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m mcp status' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m mcp status' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m mcp status' -s f -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m mcp status' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs list' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs list' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s a -l all -d 'everybody\'s jobs'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'this user\'s jobs; several with commas'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s t -l state -x -a '(printf \'%s\\n\' \'PENDING\' \'RUNNING\' \'SUSPENDED\' \'COMPLETED\' \'CANCELLED\' \'FAILED\' \'TIMEOUT\' \'NODE_FAIL\' \'PREEMPTED\' \'BOOT_FAIL\' \'DEADLINE\' \'OUT_OF_MEMORY\' \'COMPLETING\' \'CONFIGURING\' \'EXPEDITING\' \'RESIZING\' \'RESV_DEL_HOLD\' \'REQUEUED\' \'REQUEUE_FED\' \'REQUEUE_HOLD\' \'REVOKED\' \'SIGNALING\' \'SPECIAL_EXIT\' \'STAGE_OUT\' \'STOPPED\' | __slurm_py_listed)' -d 'jobs in this state, such as pending, failed or all; several with commas'
complete -c slurm -n '__slurm_py_behind -m jobs list' -s p -l partition -x -a '(__slurm_py_ask partitions | __slurm_py_listed)' -d 'jobs in this partition; several with commas'
complete -c slurm -n '__slurm_py_behind -m jobs show' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs show' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs show' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs show' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs show' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -l json -d 'print JSON: with -f an object for each piece of text'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -s f -l follow -d 'go on until the job has ended'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -s n -l lines -x -d 'begin with the last N lines (default: all)'
complete -c slurm -n '__slurm_py_behind -m jobs logs' -l stderr -d 'standard error, where it goes to a file of its own'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -l json -d 'print JSON: an object for each piece of text'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -l no-follow -d 'end with what is there'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -s n -l lines -x -d 'begin with the last N lines (10)'
complete -c slurm -n '__slurm_py_behind -m jobs tail' -l stderr -d 'standard error, where it goes to a file of its own'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -l all-mine -d 'every job of yours'
complete -c slurm -n '__slurm_py_behind -m jobs cancel' -s y -s f -l yes -l force -d 'do not ask'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -l json -d 'print JSON: an object for each change'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s a -l account -x -a '(__slurm_py_ask accounts | __slurm_py_listed)' -d 'jobs of this account'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s u -l user -x -a '(__slurm_py_ask users | __slurm_py_listed)' -d 'this user\'s jobs'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -l all -d 'everybody\'s jobs'
complete -c slurm -n '__slurm_py_behind -m jobs watch' -s i -l poll-interval -x -d 'how often to look (1, over ssh 5)'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -l json -d 'print as JSON what would be run, and do not run it'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -s n -l node -x -a '(__slurm_py_ask nodes | __slurm_py_listed)' -d 'which of its nodes, when it has several'
complete -c slurm -n '__slurm_py_behind -m jobs connect' -l no-container -d 'the node itself, also when the job runs in a container'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -s p -l port -x -d 'the port of this machine to use (5678; 0: any)'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -l remote-port -x -d 'the DebugCallback\'s port (5678)'
complete -c slurm -n '__slurm_py_behind -m jobs debug' -s w -l wait -d 'wait for the job to begin'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -l older-than -x -d 'those in which nothing was written for this long: 30d, 12h, 90m, 0 (7d)'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -l keep-failed -d 'keep the folders of jobs that have no result'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -l cache -d 'remove cached results too'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -s n -l dry-run -d 'say what would be removed, and remove nothing'
complete -c slurm -n '__slurm_py_behind -m jobs cleanup' -s y -l yes -d 'do not ask'
complete -c slurm -n '__slurm_py_behind -m cluster' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cluster list' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cluster list' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cluster list' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m cluster list' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m cluster list' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cluster show' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cluster show' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cluster show' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m cluster show' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m cluster show' -l json -d 'print JSON'
complete -c slurm -n '__slurm_py_behind -m cluster show' -l nodes -d 'list every node, also when there are more than 32'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -l json -d 'print JSON: what `slurm cluster show --json` prints, after each change'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -s a -l account -x -a '(__slurm_py_ask accounts | __slurm_py_listed)' -d 'count only the jobs of this account'
complete -c slurm -n '__slurm_py_behind -m cluster watch' -s i -l poll-interval -x -d 'how often to look (1, over ssh 5)'
complete -c slurm -n '__slurm_py_behind -m cluster connect' -s h -l help -d 'show this help message and exit'
complete -c slurm -n '__slurm_py_behind -m cluster connect' -l name -x -d 'which embedded cluster'
complete -c slurm -n '__slurm_py_behind -m cluster connect' -s e -l env -x -d 'environment of the Slurmfile (default: $SLURM_ENV, else `default`)'
complete -c slurm -n '__slurm_py_behind -m cluster connect' -s f -s s -l slurmfile -x -d 'the Slurmfile (default: $SLURMFILE, else Slurmfile.toml here or above)'
complete -c slurm -n '__slurm_py_behind -m cluster connect' -l json -d 'print as JSON where it would log in, and do not'
