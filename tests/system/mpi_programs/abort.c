/* The last rank ends the program: abort.c abort CODE by MPI_Abort, abort.c kill by SIGKILL; the others wait for it. */
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == size - 1) {
        if (strcmp(argv[1], "kill") == 0) kill(getpid(), SIGKILL);
        MPI_Abort(MPI_COMM_WORLD, atoi(argv[2]));
    }
    for (;;) pause();
}
