/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/results/fault_vfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

/* An open file: ours in front, the real one behind it in the same block. */
struct fault_file {
    sqlite3_file base;
    struct fault *fault;
    sqlite3_file *real;
};

/* The VFS; `base.pAppData` is the real one. */
struct fault_vfs {
    sqlite3_vfs base;
    struct fault *fault;
};

static sqlite3_file *real(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}

static sqlite3_vfs *real_vfs(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

/** The result code of a write of `bytes` at `offset`; SQLITE_OK to go on. */
static int strike(struct fault_file *file, int bytes, sqlite3_int64 offset)
{
    struct fault *fault = file->fault;
    sqlite3_int64 size = 0;

    if (fault->kind == FAULT_NONE)
        return SQLITE_OK;
    if (fault->countdown > 0) {
        fault->countdown--;
        return SQLITE_OK;
    }
    file->real->pMethods->xFileSize(file->real, &size);
    if (fault->kind == FAULT_FULL && offset + bytes <= size)
        return SQLITE_OK;
    fault->struck = true;
    return fault->kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int fault_close(sqlite3_file *file)
{
    return real(file)->pMethods->xClose(real(file));
}

static int fault_read(sqlite3_file *file, void *to, int bytes,
                      sqlite3_int64 offset)
{
    return real(file)->pMethods->xRead(real(file), to, bytes, offset);
}

static int fault_write(sqlite3_file *file, const void *from, int bytes,
                       sqlite3_int64 offset)
{
    int code = strike((struct fault_file *)file, bytes, offset);

    if (code != SQLITE_OK)
        return code;
    return real(file)->pMethods->xWrite(real(file), from, bytes, offset);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real(file)->pMethods->xTruncate(real(file), size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    return real(file)->pMethods->xSync(real(file), flags);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int fault_lock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xLock(real(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int fault_check_lock(sqlite3_file *file, int *reserved)
{
    return real(file)->pMethods->xCheckReservedLock(real(file), reserved);
}

static int fault_control(sqlite3_file *file, int operation, void *argument)
{
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int fault_sector_size(sqlite3_file *file)
{
    return real(file)->pMethods->xSectorSize(real(file));
}

static int fault_characteristics(sqlite3_file *file)
{
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 1, /* no shared memory, no memory mapping */
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector_size,
    .xDeviceCharacteristics = fault_characteristics,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file,
                      int flags, int *out_flags)
{
    struct fault_file *ours = (struct fault_file *)file;
    int code;

    ours->fault = ((struct fault_vfs *)vfs)->fault;
    ours->real = (sqlite3_file *)(ours + 1);
    code =
        real_vfs(vfs)->xOpen(real_vfs(vfs), name, ours->real, flags, out_flags);
    ours->base.pMethods = code == SQLITE_OK ? &fault_methods : NULL;
    return code;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    return real_vfs(vfs)->xDelete(real_vfs(vfs), name, sync);
}

static int fault_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return real_vfs(vfs)->xAccess(real_vfs(vfs), name, flags, out);
}

static int fault_full_path(sqlite3_vfs *vfs, const char *name, int bytes,
                           char *out)
{
    return real_vfs(vfs)->xFullPathname(real_vfs(vfs), name, bytes, out);
}

void fault_vfs_install(struct fault *fault)
{
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    struct fault_vfs *vfs = calloc(1, sizeof(*vfs));

    CHECK(vfs != NULL);
    vfs->base = *below; /* all that has nothing to do with writing */
    vfs->base.szOsFile = below->szOsFile + (int)sizeof(struct fault_file);
    vfs->base.pNext = NULL;
    vfs->base.zName = "fault";
    vfs->base.pAppData = below;
    vfs->base.xOpen = fault_open;
    vfs->base.xDelete = fault_delete;
    vfs->base.xAccess = fault_access;
    vfs->base.xFullPathname = fault_full_path;
    vfs->fault = fault;
    CHECK(sqlite3_vfs_register(&vfs->base, 1) == SQLITE_OK);
}
