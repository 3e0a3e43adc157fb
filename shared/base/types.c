#include "shared/base/types.h"

const char *plane_name(enum plane plane)
{
    static const char *const names[PLANE_COUNT] = {
        [PLANE_CONTROL] = "control",       [PLANE_CHANNEL] = "channel",
        [PLANE_CHECKPOINT] = "checkpoint", [PLANE_HEARTBEAT] = "heartbeat",
        [PLANE_VALUE] = "value",
    };
    return (unsigned)plane < PLANE_COUNT ? names[plane] : "unknown";
}
