#include <errno.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/clock.h"

void disk_working(struct disk *disk, bool working)
{
    disk->working_since_us = working ? clock_now_us() : 0;
}

uint64_t disk_busy_us(const struct disk *disk, uint64_t now_us)
{
    uint64_t since_us = disk->working_since_us;
    return since_us && now_us > since_us ? now_us - since_us : 0;
}

void disk_waited(struct disk *disk, uint64_t since_us)
{
    uint64_t us = clock_now_us() - since_us;
    if (disk->durability != DURABILITY_FSYNC)
        return; /* it waited for nothing */
    disk->sync_counts[histogram_bucket(us)]++;
    disk->sync_sum_us += us;
}

int disk_sync(struct disk *disk, int (*sync)(int fd), int fd)
{
    if (disk->durability != DURABILITY_FSYNC)
        return 0;
    uint64_t since_us = clock_now_us();
    int number = sync(fd) ? errno : 0;
    disk_waited(disk, since_us);
    return number;
}

void disk_sync_times(const struct disk *disk, struct histogram *out)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        out->counts[i] = disk->sync_counts[i];
    out->sum_us = disk->sync_sum_us;
}

uint64_t disk_written_bytes(const struct disk *disk)
{
    return disk->written_bytes;
}
