/* What labels, traces and tables nest by. */
#include "base/scope.h"

#include "support/test.h"

static void lengths(void **state)
{
    (void)state;
    assert_int_equal(br_scope_length(""), 0);
    assert_int_equal(br_scope_length("conv"), 0);
    assert_int_equal(br_scope_length("unet/down.1/to_q"), 12);
    assert_int_equal(br_scope_length("unet/"), 5);
}

static void common_parts(void **state)
{
    (void)state;
    assert_int_equal(br_scope_common("unet/down.1/conv", "unet/down.1/attn.0/to_q"), 12);
    assert_int_equal(br_scope_common("unet/down.1/conv", "unet/down.11/conv"), 5); /* a part is whole or not shared */
    assert_int_equal(br_scope_common("unet/conv", "vae/conv"), 0);
    assert_int_equal(br_scope_common("conv", "conv"), 0); /* the last part is the dispatch's own */
    assert_int_equal(br_scope_common("unet/", "unet/conv"), 5);
    assert_int_equal(br_scope_common("", "unet/conv"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(common_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
