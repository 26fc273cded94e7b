#include "support/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "support/test.h"

static char folder[256];

int br_scratch_setup(void **state)
{
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/brume-test-XXXXXX", root && *root ? root : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

int br_scratch_teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *br_scratch_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *br_scratch_file(const char *name, const void *data, size_t size)
{
    char *path = (char *)(uintptr_t)br_scratch_path(name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    if (size)
        assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    return path;
}

const char *br_scratch_full_device(void)
{
    if (geteuid() != 0)
        return access("/dev/full", W_OK) == 0 ? "/dev/full" : NULL;
    const char *path = br_scratch_path("full");
    struct stat info;
    if (stat(path, &info) != 0 && mknod(path, S_IFCHR | 0600, makedev(1, 7)) != 0)
        return NULL;
    FILE *stream = fopen(path, "wb"); /* refused where the folder is mounted without devices */
    if (!stream)
        return NULL;
    fclose(stream);
    return path;
}

int br_scratch_count(void)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}
