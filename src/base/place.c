#include "base/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>
#endif

/* Longest path that is asked of the system. */
#define PLACE_PATH_MAX 4096

/* mkdir -p of at most two levels: ~/.cache and ~/.cache/brume. */
static char *make(const char *parent, const char *name)
{
    br_status status = br_dir_create(parent);
    char *folder = status ? NULL : br_path_join(parent, name);
    if (folder)
        status = br_dir_create(folder);
    if (status) {
        br_status_free(status);
        free(folder);
        return NULL;
    }
    return folder;
}

char *br_place_cache(void)
{
#if defined(_WIN32)
    const char *local = getenv("LOCALAPPDATA");
    return local && local[0] ? make(local, "brume") : NULL;
#else
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return make(cache, "brume");
    if (!home || home[0] != '/')
        return NULL;
    char *parent = br_path_join(home, ".cache");
    char *folder = parent ? make(parent, "brume") : NULL;
    free(parent);
    return folder;
#endif
}

static char *folder_of(char *path, char separator)
{
    char *slash = strrchr(path, separator);
    if (!slash)
        return NULL;
    *slash = '\0';
    return strdup(path);
}

char *br_place_program(void)
{
    char path[PLACE_PATH_MAX];
#if defined(_WIN32)
    DWORD length = GetModuleFileNameA(NULL, path, sizeof path);
    char separator = '\\';
#else
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char separator = '/';
#endif
    if (length <= 0 || (size_t)length >= sizeof path)
        return NULL;
    path[length] = '\0';
    return folder_of(path, separator);
}

char *br_place_library(void)
{
#if defined(_WIN32)
    return NULL; /* there is only the static library */
#else
    /* Any object of this file serves as the address. For a program, dli_fname is only what it was called by. */
    static const char here;
    Dl_info info;
    if (!dladdr(&here, &info) || !info.dli_fname || !strchr(info.dli_fname, '/'))
        return NULL;
    char *path = realpath(info.dli_fname, NULL);
    char *folder = path ? folder_of(path, '/') : NULL;
    free(path);
    return folder;
#endif
}

/* FOLDER/RELATIVE/NAME or FOLDER/NAME, NULL when it is not there. `folder` is consumed and may be NULL. */
static char *find_asset(char *folder, const char *relative, const char *name)
{
    char below[PLACE_PATH_MAX];
    snprintf(below, sizeof below, "%s%s%s", relative, relative[0] ? "/" : "", name);
    char *path = folder ? br_path_join(folder, below) : NULL;
    free(folder);
    if (path && br_file_exists(path))
        return path;
    free(path);
    return NULL;
}

char *br_place_asset(const char *name)
{
    char *path = find_asset(br_place_program(), BRUME_INSTALLED_ASSETS, name);
    if (!path)
        path = find_asset(br_place_library(), BRUME_INSTALLED_ASSETS_FROM_LIBRARY, name);
    if (!path)
        path = find_asset(strdup(BRUME_ASSETS_DIR), "", name);
    return path;
}
