/* The device's clock: counters that wrap around, and the same moment on both clocks. */
#include "vk/clock.h"

#include "base/clock.h"
#include "support/device.h"

static void counters_wrap(void **state)
{
    (void)state;
    const br_vk_caps narrow = {.timestamp_bits = 36, .timestamp_period = 52.08},
                     wide = {.timestamp_bits = 64, .timestamp_period = 1};
    const uint64_t top = (UINT64_C(1) << 36) - 1;
    assert_true(br_vk_ticks_between(&narrow, top - 4, 5) == 10 * 52.08 * 1e-9);
    assert_true(br_vk_ticks_between(&narrow, 5, top - 4) == -10 * 52.08 * 1e-9);
    assert_true(br_vk_ticks_between(&wide, UINT64_MAX, 1) == 2 * 1e-9);
    /* The bits above are not valid, whatever they hold. */
    assert_true(br_vk_ticks_between(&narrow, 7 | UINT64_C(0xabc) << 36, 17) == 10 * 52.08 * 1e-9);

    uint64_t ticks[6] = {top - 10, top - 3, 2, 1, (UINT64_C(1) << 34), (UINT64_C(3) << 34)};
    br_vk_ticks_unwrap(&narrow, ticks, 6);
    assert_int_equal(ticks[0], top - 10);
    assert_int_equal(ticks[1] - ticks[0], 7);
    assert_int_equal(ticks[2] - ticks[1], 6);
    assert_int_equal(ticks[2] - ticks[3], 1); /* a step back stays one */
    assert_int_equal(ticks[5] - ticks[0], (UINT64_C(3) << 34) + 11);
    br_vk_ticks_unwrap(&narrow, ticks, 0);
}

static void moments(void **state)
{
    br_test_device *test = *state;
    br_vk_moment first, second;
    double before = br_clock_seconds();
    if (!br_vk_device_moment(test->device, &first)) {
        print_message("no calibrated timestamps on %s\n", test->caps->name);
        return;
    }
    assert_true(br_vk_device_moment(test->device, &second));
    double after = br_clock_seconds(), device = br_vk_ticks_between(test->caps, first.ticks, second.ticks);
    assert_true(first.deviation >= 0 && first.deviation < 1);
    double slack = 1e-3 + first.deviation + second.deviation;
    assert_true(first.seconds >= before - slack && second.seconds <= after + slack);
    assert_true(device >= -slack && device <= after - before + slack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_wrap),
        cmocka_unit_test(moments),
    };
    return cmocka_run_group_tests(tests, br_test_device_setup, br_test_device_teardown);
}
