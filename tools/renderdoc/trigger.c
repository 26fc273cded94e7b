/* Makes RenderDoc capture a program that shows no frames: preloaded together with librenderdoc.so, it begins a capture a while after the program
 * started and ends it a while later. See README.md beside it.
 *
 * RENDERDOC_GetAPI and the order of the functions behind it are those of RenderDoc's in-application API, version 1.4.0. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define API_VERSION 10400
#define SUCCESS 1

typedef void (*unused)(void);

typedef struct renderdoc_api {
    unused before_path[11];
    void (*set_path)(const char *path_template);
    unused get_path;
    uint32_t (*capture_count)(void);
    uint32_t (*capture)(uint32_t index, char *out_path, uint32_t *length, uint64_t *out_time);
    unused before_start[4];
    void (*start)(void *device, void *window);
    uint32_t (*is_capturing)(void);
    uint32_t (*end)(void *device, void *window);
} renderdoc_api;

/* From the environment, in milliseconds. */
static void wait_for(const char *name, long fallback)
{
    const char *text = getenv(name);
    long ms = text ? atol(text) : fallback;
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void *capture(void *user)
{
    (void)user;
    renderdoc_api *api = NULL;
    void *library = dlopen("librenderdoc.so", RTLD_NOW | RTLD_NOLOAD);
    int (*get_api)(int, void **) = library ? (int (*)(int, void **))dlsym(library, "RENDERDOC_GetAPI") : NULL;
    if (!get_api || get_api(API_VERSION, (void **)&api) != SUCCESS) {
        fputs("renderdoc trigger: librenderdoc.so is not loaded\n", stderr);
        return NULL;
    }
    const char *path = getenv("CAPTURE_PATH");
    api->set_path(path ? path : "brume");
    wait_for("CAPTURE_AFTER_MS", 3000);
    api->start(NULL, NULL);
    wait_for("CAPTURE_FOR_MS", 1000);
    char file[4096] = "nothing";
    uint32_t length = sizeof file;
    if (api->end(NULL, NULL) && api->capture_count() > 0)
        api->capture(0, file, &length, NULL);
    fprintf(stderr, "renderdoc trigger: captured %s\n", file);
    return NULL;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, capture, NULL) == 0)
        pthread_detach(thread);
}
