/* torch's checkpoints: the tensors of files that torch.save wrote, what is refused, and a thousand files that lie. Fixtures: tools/reference/ckpt_fixtures.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "support/test.h"
#include "weights/ckpt.h"
#include "weights/safetensors.h"

#define DATA "tests/data/ckpt/"
#define MUTATIONS 1000

static const char *data_path(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, DATA "%s", name);
    return br_test_path(path);
}

/* All tensors of `name` are those of expected.safetensors, bit for bit. */
static void check_same(const char *name)
{
    br_weights *found, *expected;
    assert_status_ok(br_ckpt_open(data_path(name), &found));
    assert_status_ok(br_safetensors_open(data_path("expected.safetensors"), &expected));
    assert_int_equal(br_weights_count(found), br_weights_count(expected));
    assert_true(br_weights_count(found) >= 11);
    for (int i = 0; i < br_weights_count(expected); i++) {
        const br_tensor_view *want = br_weights_at(expected, i), *have = br_weights_find(found, want->name);
        assert_non_null(have);
        assert_int_equal(have->dtype, want->dtype);
        assert_int_equal(have->rank, want->rank);
        assert_memory_equal(have->shape, want->shape, sizeof want->shape);
        assert_int_equal(have->size, want->size);
        if (want->size)
            assert_memory_equal(have->data, want->data, want->size);
    }
    br_weights_destroy(found);
    br_weights_destroy(expected);
}

static void test_same_as_torch(void **state)
{
    (void)state;
    check_same("plain.pt");
    check_same("protocol4.pt");
    check_same("training.ckpt"); /* "state_dict" without its prefix; optimizer, numpy and settings left alone */
}

static void test_inversion(void **state)
{
    (void)state;
    br_weights *weights;
    assert_status_ok(br_ckpt_open(data_path("inversion.pt"), &weights));
    const br_tensor_view *view = br_weights_find(weights, "string_to_param.*");
    assert_non_null(view);
    assert_int_equal(view->shape[1], 8);
    assert_non_null(br_weights_find(weights, "string_to_token.*"));
    br_weights_destroy(weights);
}

static void test_refused(void **state)
{
    (void)state;
    br_weights *weights;
    assert_status(br_ckpt_open(data_path("evil.pt"), &weights), BR_ERROR_UNSUPPORTED,
                  "evil.pt names posix.system, which is none of");
    assert_null(weights);
    struct stat ignored;
    assert_int_not_equal(stat("/tmp/brume-was-run", &ignored), 0);
    assert_status(br_ckpt_open(data_path("strided.pt"), &weights), BR_ERROR_UNSUPPORTED, "tensor \"a\" is not stored row by row");
    assert_status(br_ckpt_open(data_path("legacy.pt"), &weights), BR_ERROR_UNSUPPORTED, "was saved by torch before 1.6");
    assert_status(br_ckpt_open(data_path("nowhere.pt"), &weights), BR_ERROR_NOT_FOUND, "nowhere.pt");
}

static void read_all(const br_weights *weights)
{
    for (int i = 0; i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i);
        float value;
        if (view->count) {
            br_weight_to_f32(view, 0, 1, &value);
            br_weight_to_f32(view, view->count - 1, 1, &value);
        }
    }
}

/* xorshift32 (Marsaglia 2003) */
static uint32_t next(uint32_t *rng)
{
    *rng ^= *rng << 13;
    *rng ^= *rng >> 17;
    return *rng ^= *rng << 5;
}

/* A few bytes of the pickle and of the archive's directory become others; a clear error or tensors that can be read. */
static void test_mutations(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    int accepted = 0;
    assert_status_ok(br_file_read(data_path("training.ckpt"), 1 << 20, &bytes, &size));
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    uint32_t rng = 2025;
    for (int n = 0; n < MUTATIONS; n++) {
        memcpy(copy, bytes, size);
        int changes = 1 + (int)(next(&rng) % 8);
        for (int i = 0; i < changes; i++) {
            size_t at = n % 2 ? next(&rng) % 4096 % size : size - 1 - next(&rng) % 4096 % size;
            copy[at] = i % 3 == 2 ? 0xff : (uint8_t)next(&rng);
        }
        size_t cut = n % 7 == 0 ? next(&rng) % size : size;
        br_weights *weights = br_weights_create();
        assert_non_null(weights);
        br_status status = br_ckpt_parse(weights, copy, cut, "input");
        if (!status)
            status = br_weights_seal(weights);
        if (status) {
            br_code code = br_status_code(status);
            assert_true(code == BR_ERROR_FORMAT || code == BR_ERROR_UNSUPPORTED);
            assert_memory_equal(br_status_message(status), "input", 5);
        } else {
            read_all(weights);
            accepted++;
        }
        br_status_free(status);
        br_weights_destroy(weights);
    }
    print_message("%d of %d accepted\n", accepted, MUTATIONS);
    assert_true(accepted > 0 && accepted < MUTATIONS);
    free(copy);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_torch),
        cmocka_unit_test(test_inversion),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
