/* Hello, a ring of 1 MB messages, and everybody to everybody; the first rank says that all came right. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1 << 18 };

int main(int argc, char **argv)
{
    int rank, size, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    int *to = malloc(size * sizeof(int)), *from = malloc(size * sizeof(int));
    for (int i = 0; i < size; i++) to[i] = rank * 1000 + i;
    MPI_Alltoall(to, 1, MPI_INT, from, 1, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++)
        if (from[i] != i * 1000 + rank) MPI_Abort(MPI_COMM_WORLD, 7);
    int *sent = malloc(COUNT * sizeof(int)), *got = malloc(COUNT * sizeof(int)), before = (rank + size - 1) % size;
    for (int i = 0; i < COUNT; i++) sent[i] = rank;
    MPI_Sendrecv(sent, COUNT, MPI_INT, (rank + 1) % size, 0, got, COUNT, MPI_INT, before, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 0; i < COUNT; i++)
        if (got[i] != before) MPI_Abort(MPI_COMM_WORLD, 8);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) printf("%d ranks, sum %d\n", size, sum);
    MPI_Finalize();
    return 0;
}
