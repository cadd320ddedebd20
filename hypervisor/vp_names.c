/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/vp_names.h"

#include <stdlib.h>

#define ROOM_LEAST 64u

bool vp_names_add(struct vp_names *names, struct vp_name name)
{
    if (names->count == names->room) {
        uint32_t room = names->room ? names->room * 2 : ROOM_LEAST;
        struct vp_name *more =
            room > names->room ? reallocarray(names->names, room, sizeof(*more))
                               : NULL;

        if (!more)
            return false;
        names->names = more;
        names->room = room;
    }
    names->names[names->count++] = name;
    return true;
}

void vp_names_free(struct vp_names *names)
{
    free(names->names);
}
