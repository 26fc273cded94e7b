/* torch's checkpoints: the tensors of files that torch.save wrote, what is refused, and a thousand files that lie. Fixtures: tools/reference/ckpt_fixtures.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "support/archive.h"
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

/* ---- archives made here ---- */

#define STORAGE_BYTES 64 /* of the storage "0": 16 floats */
#define PICKLE_MAX 4096

/* Pickles of protocol 2, in pieces. */
#define STORAGE                                         \
    "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" \
    "0X\3\0\0\0cpuK\20tQ"
#define TENSOR(offset, shape, stride) "ctorch._utils\n_rebuild_tensor_v2\n" STORAGE offset "(" shape "t(" stride "t\211}tR"
#define KEY(letter) "X\1\0\0\0" letter
#define LARGE "J\377\377\377\177" /* 2^31 - 1 */

/* What is made of the pickle in an archive beside the storage, and beside `other` where that is not NULL. */
static br_status parse_pickle(const void *pickle, size_t size, const br_test_member *other, br_weights **out_weights)
{
    static uint8_t bytes[PICKLE_MAX + STORAGE_BYTES + 4 * BR_TEST_ARCHIVE_ROOM];
    uint8_t storage[STORAGE_BYTES];
    br_test_archive zip = {.bytes = bytes};
    for (int i = 0; i < STORAGE_BYTES; i++)
        storage[i] = (uint8_t)i;
    br_test_archive_add(&zip, &(br_test_member){.name = "a/data.pkl", .data = pickle, .size = size});
    br_test_archive_add(&zip, &(br_test_member){.name = "a/data/0", .data = storage, .size = sizeof storage, .zip64 = true});
    if (other)
        br_test_archive_add(&zip, other);
    br_test_archive_end(&zip);
    *out_weights = br_weights_create();
    assert_non_null(*out_weights);
    br_status status = br_ckpt_parse(*out_weights, bytes, zip.size, "made.pt");
    return status ? status : br_weights_seal(*out_weights);
}

#define PICKLE(text)          \
    {                         \
        text, sizeof text - 1 \
    }

static void test_made_tensors(void **state)
{
    (void)state;
    static const struct {
        struct {
            const char *bytes;
            size_t size;
        } pickle;
        br_code code;
        const char *message;
    } cases[] = {
        {PICKLE("\200\2}" KEY("a") TENSOR("K\12", "K\2K\3", "K\3K\1") "s."), BR_OK, NULL},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\13", "K\2K\3", "K\3K\1") "s."), BR_ERROR_FORMAT,
         "made.pt: tensor \"a\" F32 [2, 3] from element 11 goes beyond its 64 bytes"},
        {PICKLE("\200\2}" KEY("a") TENSOR(LARGE, "K\2", "K\1") "s."), BR_ERROR_FORMAT, "goes beyond its 64 bytes"},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\0", LARGE LARGE LARGE, "K\1K\1K\1") "s."), BR_ERROR_FORMAT,
         "tensor \"a\": the product of its dimensions overflows"},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\0", "J\377\377\377\377", "K\1") "s."), BR_ERROR_FORMAT,
         "is not described as torch does"},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\0", "K\2K\3", "K\3") "s."), BR_ERROR_FORMAT, "is not described as torch does"},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\0", "K\1K\1K\1K\1K\1K\1K\1K\1K\1", "K\1K\1K\1K\1K\1K\1K\1K\1K\1") "s."),
         BR_ERROR_UNSUPPORTED, "a tensor of 9 dimensions, expected at most 8"},
        {PICKLE("\200\2}" KEY("a") TENSOR("K\0", "K\3K\2", "K\1K\3") "s."), BR_ERROR_UNSUPPORTED, "is not stored row by row"},
        {PICKLE("\200\2}" KEY("a") "K\1a."), BR_ERROR_FORMAT, "something is put into what holds nothing"},
        {PICKLE("\200\2}" KEY("a") "h\7s."), BR_ERROR_FORMAT, "its memo has no such entry"},
        {PICKLE("\200\2}" KEY("a") "i."), BR_ERROR_UNSUPPORTED, "has the opcode 0x69"},
        {PICKLE("\200\2}q\0" KEY("a") "h\0s"), BR_ERROR_FORMAT, "it ends too early"},
        {PICKLE("\200\2K\1."), BR_ERROR_UNSUPPORTED, "made.pt holds no dict of tensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_weights *weights;
        br_status status = parse_pickle(cases[i].pickle.bytes, cases[i].pickle.size, NULL, &weights);
        if (cases[i].message) {
            assert_status(status, cases[i].code, cases[i].message);
        } else {
            assert_status_ok(status);
            const br_tensor_view *view = br_weights_find(weights, "a");
            assert_non_null(view);
            assert_int_equal(view->size, 24);
            assert_int_equal(*(const uint8_t *)view->data, 40); /* element 10 of the storage */
        }
        br_weights_destroy(weights);
    }
}

/* Dicts that hold themselves, and few bytes that describe very many items. */
static void test_shared_dicts(void **state)
{
    (void)state;
    static const char around[] = "\200\2}q\0" KEY("a") "h\0s" KEY("b") TENSOR("K\0", "K\2", "K\1") "s.";
    static char many[PICKLE_MAX] = "\200\2}q";
    br_weights *weights;
    assert_status_ok(parse_pickle(around, sizeof around - 1, NULL, &weights));
    assert_true(br_weights_count(weights) > 1 && br_weights_count(weights) < 10);
    assert_non_null(br_weights_find(weights, "a.a.b"));
    br_weights_destroy(weights);
    size_t size = 5; /* an empty dict in place 0 of the memo, and three dicts of 255 references to the one before */
    for (int level = 1; level <= 3; level++) {
        many[size++] = '}';
        for (int i = 0; i < 255; i++) {
            const char item[] = {'K', (char)i, 'h', (char)(level - 1), 's'};
            memcpy(many + size, item, sizeof item);
            size += sizeof item;
        }
        many[size++] = 'q';
        many[size++] = (char)level;
    }
    many[size++] = '.';
    assert_true(size < sizeof many);
    assert_status(parse_pickle(many, size, NULL, &weights), BR_ERROR_FORMAT, "the pickle has too many items");
    br_weights_destroy(weights);
}

static void test_archives(void **state)
{
    (void)state;
    static const char empty[] = "\200\2}.";
    static const struct {
        br_test_member other;
        br_code code;
        const char *message;
    } cases[] = {
        {{.name = "a/data/1", .data = "x", .size = 1, .method = 8},
         BR_ERROR_UNSUPPORTED,
         "member \"a/data/1\" of the archive is compressed"},
        {{.name = "a/data/1", .data = "x", .size = 1, .flags = 1},
         BR_ERROR_UNSUPPORTED,
         "is encrypted, expected it stored as it is"},
        {{.name = "a/data/1", .data = "x", .size = 1, .claimed = 1000}, BR_ERROR_FORMAT, "goes beyond its end (truncated file?)"},
        {{.name = "a/data/1", .data = "x", .size = 1, .claimed = SIZE_MAX, .zip64 = true}, BR_ERROR_FORMAT, "goes beyond its end"},
        {{.name = "a/byteorder", .data = "big", .size = 3}, BR_ERROR_UNSUPPORTED, "made.pt was written on a big-endian machine"},
        {{.name = "a/byteorder", .data = "little", .size = 6}, BR_OK, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_weights *weights;
        br_status status = parse_pickle(empty, sizeof empty - 1, &cases[i].other, &weights);
        if (cases[i].message)
            assert_status(status, cases[i].code, cases[i].message);
        else
            assert_status_ok(status);
        br_weights_destroy(weights);
    }
}

/* ---- files that lie ---- */

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
        cmocka_unit_test(test_same_as_torch), cmocka_unit_test(test_inversion),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_made_tensors),  cmocka_unit_test(test_shared_dicts), cmocka_unit_test(test_archives),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
