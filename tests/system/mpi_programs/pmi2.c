/* PMI-2 through libpmi2: each rank says whom it is, what its neighbour put, and what is refused. With an argument rank 1 aborts. */
#include <slurm/pmi2.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    int spawned, size, rank, number, length, found;
    char value[1024], key[64], job[64];
    if (PMI2_Init(&spawned, &size, &rank, &number)) return 1;
    if (PMI2_Job_GetId(job, sizeof job)) return 2;
    snprintf(key, sizeof key, "key-%d", rank);
    snprintf(value, sizeof value, "value;of=%d", rank);
    if (PMI2_KVS_Put(key, value) || PMI2_KVS_Fence()) return 3;
    snprintf(key, sizeof key, "key-%d", (rank + 1) % size);
    if (PMI2_KVS_Get(job, PMI2_ID_NULL, key, value, sizeof value, &length)) return 4;
    printf("rank %d of %d got %s\n", rank, size, value);
    if (PMI2_Info_PutNodeAttr("node", "shared") || PMI2_Info_GetNodeAttr("node", value, sizeof value, &found, 1) || !found) return 5;
    if (PMI2_Info_GetJobAttr("PMI_process_mapping", value, sizeof value, &found)) return 6;
    if (rank == 0) {
        printf("mapping %s\n", value);
        printf("publishing is %s\n", PMI2_Nameserv_publish("service", NULL, "port") ? "refused" : "done");
    }
    if (argc > 1 && rank == 1) PMI2_Abort(1, "enough");
    if (argc > 1) PMI2_KVS_Fence();
    PMI2_Finalize();
    return 0;
}
