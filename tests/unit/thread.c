/* Jobs shared out among threads: every index once, none of two at the same time with the same worker. Errands: each once, and done when it is needed. */
#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "support/test.h"

#define WORKERS 5
#define ITEMS 1031

typedef struct job {
    int calls[ITEMS];
    int busy[WORKERS]; /* calls under way of each worker: touched by that worker alone */
    int overlaps[WORKERS];
} job;

static void count_call(void *user, int index, int worker)
{
    job *it = user;
    it->overlaps[worker] += it->busy[worker];
    it->busy[worker] = 1;
    for (volatile int spin = 0; spin < 1000; spin++)
        ;
    it->calls[index]++;
    it->busy[worker] = 0;
}

static void check_job(br_workers *workers, int count)
{
    job it;
    memset(&it, 0, sizeof it);
    br_workers_run(workers, count, count_call, &it);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(it.calls[i], i < count);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(it.overlaps[i], 0);
}

static void test_every_index_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= WORKERS; threads++) {
        br_workers *workers;
        assert_status_ok(br_workers_create(threads, &workers));
        assert_in_range(br_workers_count(workers), 1, threads);
        for (int round = 0; round < 20; round++) {
            check_job(workers, ITEMS);
            check_job(workers, 1);
            check_job(workers, 2);
            check_job(workers, 0);
        }
        br_workers_destroy(workers);
    }
    br_workers_destroy(NULL);
    assert_true(br_cpu_count() >= 1);
}

typedef struct errand {
    br_errand base;
    int calls; /* touched by whoever runs it; read after br_errands_finish_one */
} errand;

static void run_errand(br_errand *base)
{
    for (volatile int spin = 0; spin < 3000; spin++)
        ;
    ((errand *)base)->calls++;
}

/* Needed in the order of adding, backwards, and crosswise; one in seven was never added, and one in five is needed twice. */
static void test_errands_once(void **state)
{
    (void)state;
    static errand list[ITEMS];
    for (int threads = 0; threads <= WORKERS; threads++)
        for (int order = 0; order < 3; order++) {
            br_errands *errands;
            assert_status_ok(br_errands_create(threads, &errands));
            for (int i = 0; i < ITEMS; i++) {
                list[i] = (errand){.base.run = run_errand};
                if (i % 7)
                    br_errands_add(errands, &list[i].base);
            }
            for (int i = 0; i < ITEMS; i++) {
                int index = order == 0 ? i : order == 1 ? ITEMS - 1 - i : i * 89 % ITEMS; /* 1031 is a prime */
                for (int times = index % 5 ? 1 : 2; times > 0; times--) {
                    br_errands_finish_one(errands, &list[index].base);
                    assert_int_equal(list[index].calls, 1);
                }
            }
            br_errands_destroy(errands);
        }
    br_errands_destroy(NULL);
}

typedef struct rendezvous {
    br_errand base;
    atomic_int *arrived;
    bool met;
} rendezvous;

static void run_rendezvous(br_errand *base)
{
    rendezvous *it = (rendezvous *)base;
    atomic_fetch_add(it->arrived, 1);
    for (int wait = 0; wait < 10000 && atomic_load(it->arrived) < 2; wait++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    it->met = atomic_load(it->arrived) == 2;
}

/* Whoever waits for an errand that is run in the background runs the next one meanwhile: with one thread two run at a time. */
static void test_errands_waiting_helps(void **state)
{
    (void)state;
    atomic_int arrived = 0;
    br_errands *errands;
    assert_status_ok(br_errands_create(1, &errands));
    rendezvous first = {{.run = run_rendezvous}, &arrived, false}, second = first;
    br_errands_add(errands, &first.base);
    while (atomic_load(&arrived) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    br_errands_add(errands, &second.base);
    br_errands_finish_one(errands, &first.base);
    br_errands_finish_one(errands, &second.base);
    assert_true(first.met && second.met);
    br_errands_destroy(errands);
}

/* Those that nobody needed are given up: none is run afterwards, none twice. */
static void test_errands_given_up(void **state)
{
    (void)state;
    static errand list[ITEMS];
    br_errands *errands;
    assert_status_ok(br_errands_create(2, &errands));
    memset(list, 0, sizeof list);
    for (int i = 0; i < ITEMS; i++) {
        list[i].base.run = run_errand;
        br_errands_add(errands, &list[i].base);
    }
    br_errands_destroy(errands);
    for (int i = 0; i < ITEMS; i++) {
        int calls = list[i].calls;
        assert_in_range(calls, 0, 1);
        list[i].calls = -1;
    }
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(list[i].calls, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_index_once), cmocka_unit_test(test_errands_once),
                                       cmocka_unit_test(test_errands_waiting_helps), cmocka_unit_test(test_errands_given_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
