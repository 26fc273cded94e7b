#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct helper {
    br_workers *workers; /* borrowed */
    int index;           /* the caller is worker 0 */
    pthread_t thread;
} helper;

struct br_workers {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t begun, ended;
    br_workers_task *task;
    void *user;
    int next, count; /* the job's indices: not yet given out, and all */
    int running;     /* calls of the task */
    bool stopping;
    int helper_count;
    helper helpers[]; /* owned */
};

int br_cpu_count(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

/* Takes indices until none is left. Called and returns with the lock held. */
static void work(br_workers *workers, int worker)
{
    while (workers->next < workers->count) {
        int index = workers->next++;
        workers->running++;
        pthread_mutex_unlock(&workers->lock);
        workers->task(workers->user, index, worker);
        pthread_mutex_lock(&workers->lock);
        workers->running--;
    }
    if (workers->running == 0)
        pthread_cond_signal(&workers->ended);
}

static void *help(void *user)
{
    helper *self = user;
    br_workers *workers = self->workers;
    pthread_mutex_lock(&workers->lock);
    while (!workers->stopping) {
        if (workers->next < workers->count)
            work(workers, self->index);
        else
            pthread_cond_wait(&workers->begun, &workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

br_status br_workers_create(int threads, br_workers **out_workers)
{
    size_t helpers = threads > 1 ? (size_t)threads - 1 : 0;
    *out_workers = NULL;
    br_workers *workers = calloc(1, sizeof *workers + helpers * sizeof workers->helpers[0]);
    if (!workers)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d threads", threads);
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->begun, NULL);
    pthread_cond_init(&workers->ended, NULL);
    for (size_t i = 0; i < helpers; i++) {
        helper *it = &workers->helpers[i];
        *it = (helper){.workers = workers, .index = (int)i + 1};
        if (pthread_create(&it->thread, NULL, help, it))
            break;
        workers->helper_count++;
    }
    *out_workers = workers;
    return NULL;
}

void br_workers_destroy(br_workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->begun);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->helper_count; i++)
        pthread_join(workers->helpers[i].thread, NULL);
    pthread_cond_destroy(&workers->begun);
    pthread_cond_destroy(&workers->ended);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

int br_workers_count(const br_workers *workers)
{
    return workers->helper_count + 1;
}

void br_workers_run(br_workers *workers, int count, br_workers_task *task, void *user)
{
    pthread_mutex_lock(&workers->lock);
    workers->task = task;
    workers->user = user;
    workers->next = 0;
    workers->count = count;
    if (count > 1)
        pthread_cond_broadcast(&workers->begun);
    work(workers, 0);
    while (workers->running > 0)
        pthread_cond_wait(&workers->ended, &workers->lock);
    pthread_mutex_unlock(&workers->lock);
}

/* ---- errands ---- */

typedef enum errand_state { ERRAND_NEW, ERRAND_WAITING, ERRAND_RUNNING, ERRAND_DONE } errand_state;

struct br_errands {
    pthread_mutex_t lock; /* of everything below, and of what is private in errands */
    pthread_cond_t added, done;
    br_errand *first, *last; /* those that wait */
    bool stopping;
    int wanted, thread_count;
    pthread_t threads[]; /* owned */
};

/* Called and returns with the lock held. */
static void run_errand(br_errands *errands, br_errand *errand)
{
    errand->state = ERRAND_RUNNING;
    pthread_mutex_unlock(&errands->lock);
    errand->run(errand);
    pthread_mutex_lock(&errands->lock);
    errand->state = ERRAND_DONE;
    pthread_cond_broadcast(&errands->done);
}

static void run_first(br_errands *errands)
{
    br_errand *errand = errands->first;
    errands->first = errand->next;
    run_errand(errands, errand);
}

static void *run_errands(void *user)
{
    br_errands *errands = user;
    pthread_mutex_lock(&errands->lock);
    while (!errands->stopping) {
        if (errands->first)
            run_first(errands);
        else
            pthread_cond_wait(&errands->added, &errands->lock);
    }
    pthread_mutex_unlock(&errands->lock);
    return NULL;
}

br_status br_errands_create(int threads, br_errands **out_errands)
{
    *out_errands = NULL;
    br_errands *errands = calloc(1, sizeof *errands + (size_t)threads * sizeof errands->threads[0]);
    if (!errands)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d threads", threads);
    pthread_mutex_init(&errands->lock, NULL);
    pthread_cond_init(&errands->added, NULL);
    pthread_cond_init(&errands->done, NULL);
    errands->wanted = threads;
    *out_errands = errands;
    return NULL;
}

void br_errands_destroy(br_errands *errands)
{
    if (!errands)
        return;
    pthread_mutex_lock(&errands->lock);
    errands->stopping = true;
    pthread_cond_broadcast(&errands->added);
    pthread_mutex_unlock(&errands->lock);
    for (int i = 0; i < errands->thread_count; i++)
        pthread_join(errands->threads[i], NULL);
    pthread_cond_destroy(&errands->added);
    pthread_cond_destroy(&errands->done);
    pthread_mutex_destroy(&errands->lock);
    free(errands);
}

void br_errands_add(br_errands *errands, br_errand *errand)
{
    pthread_mutex_lock(&errands->lock);
    errand->state = ERRAND_WAITING;
    errand->next = NULL;
    if (errands->first)
        errands->last->next = errand;
    else
        errands->first = errand;
    errands->last = errand;
    /* One more thread for each errand, as far as they go: where the system gives fewer, the one who needs an errand runs it. */
    if (errands->thread_count < errands->wanted &&
        !pthread_create(&errands->threads[errands->thread_count], NULL, run_errands, errands))
        errands->thread_count++;
    pthread_cond_signal(&errands->added);
    pthread_mutex_unlock(&errands->lock);
}

static void take_out(br_errands *errands, const br_errand *errand)
{
    br_errand **link = &errands->first, *before = NULL;
    while (*link != errand) {
        before = *link;
        link = &before->next;
    }
    *link = errand->next;
    if (errands->last == errand)
        errands->last = before;
}

void br_errands_finish_one(br_errands *errands, br_errand *errand)
{
    pthread_mutex_lock(&errands->lock);
    if (errand->state == ERRAND_WAITING)
        take_out(errands, errand);
    if (errand->state == ERRAND_NEW || errand->state == ERRAND_WAITING)
        run_errand(errands, errand);
    /* While others are at it, the caller does what it would wait for next. */
    while (errand->state != ERRAND_DONE) {
        if (errands->first)
            run_first(errands);
        else
            pthread_cond_wait(&errands->done, &errands->lock);
    }
    pthread_mutex_unlock(&errands->lock);
}
