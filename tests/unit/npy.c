#include "support/scratch.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/npy.h"

/* A version 1 file with this header text and `size` bytes of data. */
static const char *make(const char *header, const void *data, size_t size)
{
    static uint8_t bytes[8192];
    size_t length = strlen(header);
    memcpy(bytes, "\x93NUMPY\x01", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, header, length);
    if (size)
        memcpy(bytes + 10 + length, data, size);
    return br_scratch_file("made.npy", bytes, 10 + length + size);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        int rank;
        int64_t shape[8];
    } cases[] = {{0, {0}}, {1, {13}}, {2, {3, 5}}, {3, {0, 4, 2}}, {8, {1, 2, 1, 3, 1, 1, 2, 1}}};
    float values[16];
    for (int i = 0; i < 16; i++)
        values[i] = (float)i * 0.37f - 2;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const char *path = br_scratch_path("t.npy");
        assert_status_ok(br_npy_write(path, BR_NPY_F32, cases[c].shape, cases[c].rank, values));
        br_npy npy;
        assert_status_ok(br_npy_read(path, &npy));
        int64_t count = 1;
        for (int i = 0; i < cases[c].rank; i++)
            count *= cases[c].shape[i];
        assert_int_equal(npy.type, BR_NPY_F32);
        assert_int_equal(npy.rank, cases[c].rank);
        assert_int_equal(npy.count, count);
        assert_memory_equal(npy.shape, cases[c].shape, (size_t)cases[c].rank * sizeof(int64_t));
        if (count)
            assert_memory_equal(npy.data, values, (size_t)count * 4);
        br_npy_finish(&npy);
    }
    int32_t ids[3] = {1, -2, 2147483647};
    assert_status_ok(br_npy_write(br_scratch_path("i.npy"), BR_NPY_I32, &(int64_t){3}, 1, ids));
    br_npy npy;
    assert_status_ok(br_npy_read(br_scratch_path("i.npy"), &npy));
    assert_int_equal(npy.type, BR_NPY_I32);
    assert_memory_equal(npy.data, ids, sizeof ids);
    br_npy_finish(&npy);
}

static void test_written_by_numpy(void **state)
{
    (void)state;
    br_npy npy;
    assert_status_ok(br_npy_read(br_test_path("tests/data/reference/latents_0.npy"), &npy));
    assert_int_equal(npy.rank, 3);
    assert_int_equal(npy.count, 4 * 16 * 16);
    br_npy_finish(&npy);
}

static void test_conversions(void **state)
{
    (void)state;
    br_npy npy;
    uint16_t halves[2] = {0x3c00, 0xc100}; /* 1, -2.5 */
    assert_status_ok(br_npy_read(make("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }\n", halves, 4), &npy));
    assert_true(((float *)npy.data)[0] == 1 && ((float *)npy.data)[1] == -2.5f);
    br_npy_finish(&npy);
    double doubles[2] = {0.5, -1e10};
    assert_status_ok(br_npy_read(make("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }\n", doubles, 16), &npy));
    assert_true(((float *)npy.data)[0] == 0.5f && ((float *)npy.data)[1] == -1e10f);
    br_npy_finish(&npy);
    int64_t wide[2] = {-2147483648, 5};
    const char *header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n";
    assert_status_ok(br_npy_read(make(header, wide, 16), &npy));
    assert_int_equal(((int32_t *)npy.data)[0], INT32_MIN);
    br_npy_finish(&npy);
    wide[1] = 2147483648;
    assert_status(br_npy_read(make(header, wide, 16), &npy), BR_ERROR_FORMAT, "element 1 is 2147483648");
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"", "elements are missing"},
        {"{'descr'", "elements are missing"},
        {"{'descr': ", "elements are"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "elements are '>f4'"},
        {"{'descr': '<f44', 'fortran_order': False, 'shape': (1,), }", "elements are '<f44'"},
        {"{'descr': '<f4', 'fortran_order': False, }", "no shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1", "malformed shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "malformed shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", "malformed shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1,1), }", "C order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "4 bytes of npy data, expected 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", "4 bytes of npy data, expected 0"},
    };
    br_npy npy;
    float value = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(br_npy_read(make(cases[i].header, &value, 4), &npy), BR_ERROR_FORMAT, cases[i].message);
        assert_null(npy.data);
    }
    assert_status(br_npy_read(br_scratch_file("x.npy", "hello, world", 12), &npy), BR_ERROR_FORMAT, "not a .npy file");
    assert_status(br_npy_read(br_scratch_file("x.npy", "\x93NUMPY\x04\0\0\0", 10), &npy), BR_ERROR_FORMAT, "npy version 4");
    assert_status(br_npy_read(br_scratch_file("x.npy", "\x93NUMPY\x01\0\xff\x01", 10), &npy), BR_ERROR_FORMAT, "does not fit");
    assert_status(br_npy_read(br_scratch_file("x.npy", "\x93NUMPY\x02\0\x01\0\0", 11), &npy), BR_ERROR_FORMAT, "does not fit");
    assert_status(br_npy_read(br_scratch_file("x.npy", "\x93NUMPY\x02\0\x01\0\0\x80", 12), &npy), BR_ERROR_FORMAT, "does not fit");
    assert_status(br_npy_read(br_scratch_path("none.npy"), &npy), BR_ERROR_NOT_FOUND, "none.npy");
    assert_status(br_npy_write(br_scratch_path("o.npy"), BR_NPY_F32, &(int64_t){-1}, 1, &value), BR_ERROR_ARGUMENT,
                  "dimension 0 is -1");
    const char *full = br_scratch_full_device();
    if (full)
        assert_status(br_npy_write(full, BR_NPY_F32, &(int64_t){1}, 1, &value), BR_ERROR_IO, "No space left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_written_by_numpy),
                                       cmocka_unit_test(test_conversions), cmocka_unit_test(test_malformed)};
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
