/* A task's birth by vfork and exec: what forking a Python process costs (copied pages, their teardown at exec) is most of a short job's price.
 *
 * The child runs on its parent's memory while the parent's thread waits, so it calls nothing of libc that keeps state or speaks to other threads:
 * user and groups are changed by plain system calls, which concern this process alone. What goes wrong is told by stage and errno; the child then
 * exits with the errno as its status and is reaped like any other task.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In step with spawn.py: the stages in their order, and the fields of Birth. */
enum { STARTED, SESSION, STREAMS, TERMINAL, CGROUP, AFFINITY, LIMIT, GROUPS, GID, UID, PARENT, WORK_DIR, EXEC, FORK };

struct limit { long long resource; unsigned long long soft, hard; };

struct birth {
    char **paths;            /* programs to try, in order, as execvp would */
    char **argv;
    char **environment;
    char *pid_digits;        /* where in the environment the child writes its own pid, 11 bytes; NULL: nowhere */
    const char *work_dir;    /* NULL: stay */
    const char *mask;        /* CPUs as sched_setaffinity takes them; NULL: all */
    long mask_size;
    const struct limit *limits;
    long limit_count;
    const gid_t *groups;
    long group_count;        /* -1: the user stays as he is */
    long uid, gid;
    int streams[3];
    int terminal;            /* 0 is to be the controlling terminal */
    const int *cgroups;      /* open cgroup.procs files, one a hierarchy */
    long cgroup_count;
    int death_signal;        /* sent to the child when its parent ends, 0: none */
    volatile int stage, error;
};

static int run(struct birth *b, pid_t parent)
{
    if (setsid() < 0) return SESSION;
    for (int i = 0; i < 3; i++)
        if (dup2(b->streams[i], i) < 0) return STREAMS;
    if (b->terminal && ioctl(0, TIOCSCTTY, 0) < 0) return TERMINAL;
    for (long i = 0; i < b->cgroup_count; i++)
        if (write(b->cgroups[i], "0", 1) < 0) return CGROUP;
    if (b->mask && syscall(SYS_sched_setaffinity, 0, b->mask_size, b->mask) < 0) return AFFINITY;
    for (long i = 0; i < b->limit_count; i++) {
        struct rlimit wanted = { b->limits[i].soft, b->limits[i].hard };
        if (syscall(SYS_prlimit64, 0, (int)b->limits[i].resource, &wanted, NULL) < 0) return LIMIT;
    }
    if (b->group_count >= 0) {
        if (syscall(SYS_setgroups, b->group_count, b->groups) < 0) return GROUPS;
        if (syscall(SYS_setresgid, b->gid, b->gid, b->gid) < 0) return GID;
        if (syscall(SYS_setresuid, b->uid, b->uid, b->uid) < 0) return UID;
    }
    /* After the change of user, which resets it. */
    if (b->death_signal) {
        if (prctl(PR_SET_PDEATHSIG, b->death_signal, 0, 0, 0) < 0) return PARENT;
        if (getppid() != parent) _exit(128 + b->death_signal);
    }
    if (b->work_dir && chdir(b->work_dir) < 0) return WORK_DIR;
    if (b->pid_digits) {
        char digits[12];
        int length = 0, at = 0;
        for (long pid = getpid(); pid > 0; pid /= 10) digits[length++] = '0' + pid % 10;
        while (length > 0) b->pid_digits[at++] = digits[--length];
        b->pid_digits[at] = 0;
    }
    /* Handlers are the parent's functions; ignored ones would stay ignored through exec, also those that whoever started slurmd ignored.
       Asked of the kernel, whose struct sigaction of zeros is SIG_DFL: the C library's call leaves out the two that it uses itself. */
    static const unsigned long plain[8];
    for (int number = 1; number < NSIG; number++) syscall(SYS_rt_sigaction, number, plain, NULL, (NSIG - 1) / 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int error = ENOENT;
    for (char **path = b->paths; *path; path++) {
        execve(*path, b->argv, b->environment);
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return EXEC;
        if (errno == EACCES) error = EACCES;
    }
    errno = error;
    return EXEC;
}

/* Whoever fills a struct of another size was not written for this library. */
const long slurm_spawn_size = sizeof(struct birth);

/* The child's pid, with b->stage STARTED, or what it could not do and why; -1 with b->stage FORK when there is none. */
int slurm_spawn(struct birth *b)
{
    sigset_t all, before;
    pid_t parent = getpid();
    b->stage = STARTED;
    b->error = 0;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = vfork();
    if (child == 0) {
        int stage = run(b, parent);
        b->error = errno;
        b->stage = stage;
        _exit(b->error & 0xff ? b->error & 0xff : 1);
    }
    if (child < 0) {
        b->stage = FORK;
        b->error = errno;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child;
}
