/* Preloaded by doors.py: a machine on which libvulkan is not installed. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

__attribute__((visibility("default"))) void *dlopen(const char *name, int flags)
{
    if (name && strstr(name, "libvulkan"))
        return NULL;
    void *(*next)(const char *, int);
    *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    return next(name, flags);
}
