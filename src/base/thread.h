/* A few threads that share out one job at a time, the loops over weights while a model loads; and threads that run errands in the background. */
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

/* What somebody will need later: done in the order of adding by threads in the background, or by the one who needs it when none has begun. */
typedef struct br_errand {
    void (*run)(struct br_errand *errand); /* the errand is the first member of something larger */
    struct br_errand *next;                /* private, as is all below; zero before it is added */
    int state;
} br_errand;

typedef struct br_errands br_errands;

/* Threads begin when the first errand is added. Errors: BR_ERROR_OUT_OF_HOST_MEMORY. */
BR_MUST_CHECK br_status br_errands_create(int threads, br_errands **out_errands);
/* Waits for errands that have begun and gives up the others. Takes NULL. */
void br_errands_destroy(br_errands *errands);
/* `errand` is borrowed until it is done. From one thread at a time, as br_errands_finish_one. */
void br_errands_add(br_errands *errands, br_errand *errand);
/* When this returns the errand has been run, here or in the background; while it is run in the background, the caller runs others that wait. Nothing is done for
 * one that was run already. */
void br_errands_finish_one(br_errands *errands, br_errand *errand);

#endif
