#include "base/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#if defined(_WIN32)
#include <windows.h>
#else
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
    char *slash = strrchr(path, separator);
    if (!slash)
        return NULL;
    *slash = '\0';
    return strdup(path);
}

char *br_place_model(const char *name)
{
    char relative[PLACE_PATH_MAX];
    char *program = br_place_program();
    if (program) {
        snprintf(relative, sizeof relative, "%s/models/%s", BRUME_INSTALLED_ASSETS, name);
        char *installed = br_path_join(program, relative);
        free(program);
        if (installed && br_file_is_dir(installed))
            return installed;
        free(installed);
    }
    snprintf(relative, sizeof relative, "models/%s", name);
    char *source = br_path_join(BRUME_ASSETS_DIR, relative);
    if (source && br_file_is_dir(source))
        return source;
    free(source);
    return NULL;
}
