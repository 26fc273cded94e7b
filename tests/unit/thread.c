/* Jobs shared out among threads: every index once, none of two at the same time with the same worker. */
#include "base/thread.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_index_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
