/* A few threads that share out one job at a time: the loops over weights while a model loads. */
#ifndef BR_BASE_THREAD_H
#define BR_BASE_THREAD_H

#include "base/status.h"

/* Processors that this process may run on, at least 1. */
int br_cpu_count(void);

typedef struct br_workers br_workers;

/* `threads` threads, the caller of br_workers_run among them. Where the system gives fewer there are fewer. Errors: BR_ERROR_OUT_OF_HOST_MEMORY. */
BR_MUST_CHECK br_status br_workers_create(int threads, br_workers **out_workers);
/* Takes NULL. */
void br_workers_destroy(br_workers *workers);
/* How many there are. */
int br_workers_count(const br_workers *workers);

/* `worker` is below br_workers_count; two calls at the same time have different ones. */
typedef void br_workers_task(void *user, int index, int worker);
/* Calls task(user, i, worker) once for each i below `count`, in no order; returns when all calls have. From one thread at a time. */
void br_workers_run(br_workers *workers, int count, br_workers_task *task, void *user);

#endif
