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

uint64_t disk_written_bytes(const struct disk *disk)
{
    return disk->written_bytes;
}
