/* Bytes into and out of buffers, three ways: unified memory, resizable BAR, staging. And where memory ends. */
#include "vk/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "support/device.h"

#define MIB (UINT64_C(1) << 20)

static uint8_t byte_at(uint64_t i, uint32_t seed)
{
    uint64_t x = (i + seed) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(x >> 56 ^ x >> 33);
}

static uint8_t *pattern(uint64_t size, uint32_t seed)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = byte_at(i, seed);
    return bytes;
}

/* Every odd piece that is written changes those bytes and no others. */
static void odd_offsets_and_sizes(br_vk_device *device)
{
    static const struct {
        uint64_t offset, size;
    } pieces[] = {{0, 1}, {1, 1}, {13, 89}, {50, 113}, {3, 7}, {0, 0}, {997, 12}, {1008, 1}, {64, 64}, {1, 1007}, {200, 3}};
    enum { SIZE = 1009 };
    br_vk_buffer *buffer = NULL;
    uint8_t expected[SIZE], found[SIZE];
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, SIZE, "odd", &buffer));
    assert_int_equal(br_vk_buffer_size(buffer), SIZE);
    memset(expected, 0xa5, SIZE);
    assert_status_ok(br_vk_upload(device, buffer, 0, SIZE, expected));
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        uint8_t *bytes = pattern(pieces[i].size + 1, (uint32_t)i);
        assert_status_ok(br_vk_upload(device, buffer, pieces[i].offset, pieces[i].size, bytes));
        memcpy(expected + pieces[i].offset, bytes, pieces[i].size);
        free(bytes);
        if (i % 3 == 2) { /* else the next one is staged in the same chunk */
            assert_status_ok(br_vk_download(device, buffer, 0, SIZE, found));
            assert_memory_equal(found, expected, SIZE);
        }
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        memset(found, 0x5a, SIZE);
        assert_status_ok(br_vk_download(device, buffer, pieces[i].offset, pieces[i].size, found));
        assert_memory_equal(found, expected + pieces[i].offset, pieces[i].size);
        assert_true(pieces[i].size == SIZE || found[pieces[i].size] == 0x5a);
    }
    br_vk_buffer_destroy(buffer);
}

typedef struct fill_log {
    const uint8_t *bytes;
    uint64_t at; /* where the next chunk must begin */
    uint64_t total;
    int calls;
    uint64_t fail_at;
} fill_log;

static br_status fill(void *user, void *dst, uint64_t at, uint64_t size)
{
    fill_log *log = user;
    assert_int_equal(at, log->at);
    assert_true(size > 0 && at + size <= log->total);
    assert_true(size % 64 == 0 || at + size == log->total);
    log->calls++;
    log->at += size;
    if (log->at > log->fail_at)
        return br_fail(BR_ERROR_FORMAT, "a tensor went wrong");
    memcpy(dst, log->bytes + at, size);
    return NULL;
}

/* More than the ring holds, so that chunks are reused. `whole`: no ring is needed, fill is called once. */
static void large_uploads(br_vk_device *device, bool whole)
{
    const uint64_t size = 37 * MIB + 13, offset = 5;
    br_vk_buffer *buffer = NULL;
    uint8_t *bytes = pattern(size, 3), *found = malloc(size);
    assert_non_null(found);
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, size + offset, "large", &buffer));
    assert_status_ok(br_vk_upload(device, buffer, 0, 5, "12345")); /* the ring is not empty when the large one begins */
    fill_log log = {.bytes = bytes, .total = size, .fail_at = UINT64_MAX};
    br_vk_upload_params params = {.buffer = buffer, .offset = offset, .size = size, .fill = fill, .user = &log};
    assert_status_ok(br_vk_upload_fill(device, &params));
    assert_int_equal(log.at, size);
    assert_true(!whole || log.calls == 1);
    assert_status_ok(br_vk_download(device, buffer, offset, size, found));
    assert_memory_equal(found, bytes, size);
    assert_status_ok(br_vk_download(device, buffer, 0, 5, found));
    assert_memory_equal(found, "12345", 5);

    /* A fill that fails ends the upload; the device stays usable. */
    log = (fill_log){.bytes = bytes, .total = size, .fail_at = 9 * MIB};
    assert_status(br_vk_upload_fill(device, &params), BR_ERROR_FORMAT, "a tensor went wrong");
    assert_status_ok(br_vk_upload(device, buffer, 0, size, bytes));
    assert_status_ok(br_vk_download(device, buffer, 0, size, found));
    assert_memory_equal(found, bytes, size);
    br_vk_buffer_destroy(buffer);
    free(found);
    free(bytes);
}

static void ranges_are_checked(br_vk_device *device)
{
    br_vk_buffer *buffer = NULL;
    uint8_t bytes[200] = {0};
    assert_status(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 0, "nothing", &buffer), BR_ERROR_ARGUMENT,
                  "buffer nothing: size 0");
    assert_null(buffer);
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 113, "small", &buffer));
    assert_status(br_vk_upload(device, buffer, 1, 113, bytes), BR_ERROR_ARGUMENT,
                  "buffer small: bytes 1 + 113 are outside of its 113");
    assert_status(br_vk_upload(device, buffer, UINT64_MAX, 2, bytes), BR_ERROR_ARGUMENT, "outside");
    assert_status(br_vk_download(device, buffer, 114, 0, bytes), BR_ERROR_ARGUMENT, "outside");
    assert_status(br_vk_download(device, buffer, 2, UINT64_MAX, bytes), BR_ERROR_ARGUMENT, "outside");
    assert_status_ok(br_vk_upload(device, buffer, 113, 0, bytes));
    br_vk_buffer_destroy(buffer);
    br_vk_buffer_destroy(NULL);
}

static void kinds(br_vk_device *device, bool shared)
{
    br_vk_buffer *buffers[3];
    for (int kind = 0; kind < 3; kind++) {
        assert_status_ok(br_vk_buffer_create(device, (br_vk_buffer_kind)kind, 89, "kind", &buffers[kind]));
        assert_int_equal(br_vk_buffer_mapped(buffers[kind]) != NULL, kind != BR_VK_BUFFER_DEVICE || shared);
        uint8_t *bytes = pattern(89, 5), found[89];
        assert_status_ok(br_vk_upload(device, buffers[kind], 0, 89, bytes));
        assert_status_ok(br_vk_download(device, buffers[kind], 0, 89, found));
        assert_memory_equal(found, bytes, 89);
        free(bytes);
    }
    for (int kind = 0; kind < 3; kind++)
        br_vk_buffer_destroy(buffers[kind]);
}

static void all_of(const br_vk_device_params *params)
{
    br_test_device *test = br_test_device_open(params);
    bool pretended = params->force_bar || params->force_staging;
    assert_false(pretended && test->caps->unified_memory);
    uint64_t before = br_vk_device_counters(test->device)->recorded_commands;
    odd_offsets_and_sizes(test->device);
    large_uploads(test->device,
                  test->caps->unified_memory || (params->force_bar && test->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU));
    ranges_are_checked(test->device);
    kinds(test->device, test->caps->unified_memory);
    /* The way taken is the one that was asked for. */
    uint64_t copies = br_vk_device_counters(test->device)->recorded_commands - before;
    if (test->caps->unified_memory)
        assert_int_equal(copies, 0);
    else if (params->force_staging)
        assert_true(copies > 40);
    else
        assert_true(copies > 0);
    br_test_device_close(test);
}

static void unified(void **state)
{
    (void)state;
    all_of(&(br_vk_device_params){0});
}

static void resizable_bar(void **state)
{
    (void)state;
    all_of(&(br_vk_device_params){.force_bar = true});
}

static void staging(void **state)
{
    (void)state;
    all_of(&(br_vk_device_params){.force_staging = true});
}

/* Small buffers come and go in an order that leaves holes; nothing overlaps, holes are reused, and in the end one block is left. */
static void fragmentation(void **state)
{
    enum { COUNT = 211, ROUNDS = 5003 };
    br_vk_device *device = ((br_test_device *)*state)->device;
    const br_vk_counters *counters = br_vk_device_counters(device);
    static br_vk_buffer *buffers[COUNT];
    static uint64_t sizes[COUNT];
    uint32_t random = 17;
    uint64_t allocations = 0;
    memset(buffers, 0, sizeof buffers);
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525u + 1013904223u;
        size_t at = (random >> 8) % COUNT;
        if (buffers[at]) { /* nobody wrote into it meanwhile */
            const uint8_t *bytes = br_vk_buffer_mapped(buffers[at]);
            for (uint64_t b = 0; bytes && b < sizes[at]; b++)
                if (bytes[b] != (uint8_t)at)
                    fail_msg("buffer %zu, byte %llu", at, (unsigned long long)b);
            br_vk_buffer_destroy(buffers[at]);
            buffers[at] = NULL;
        } else {
            sizes[at] = 1 + (random >> 12) % 90001;
            assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, sizes[at], "piece", &buffers[at]));
            if (br_vk_buffer_mapped(buffers[at]))
                memset(br_vk_buffer_mapped(buffers[at]), (int)at, sizes[at]);
        }
        if (i == ROUNDS / 2)
            allocations = counters->memory_allocations;
    }
    assert_int_equal(counters->memory_allocations, allocations); /* all fits into what the first half took */
    assert_true(allocations <= 2);
    for (size_t i = 0; i < COUNT; i++)
        br_vk_buffer_destroy(buffers[i]);

    /* Every hole was closed: most of the block is one piece again. */
    br_vk_buffer *whole = NULL;
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 31 * MIB, "whole", &whole));
    assert_int_equal(counters->memory_allocations, allocations);
    br_vk_buffer_destroy(whole);
}

static void large_buffers_give_their_memory_back(void **state)
{
    br_test_device *test = *state;
    const br_vk_counters *counters = br_vk_device_counters(test->device);
    uint64_t before = counters->memory_bytes;
    for (int i = 0; i < 3; i++) {
        br_vk_buffer *buffer = NULL;
        assert_status_ok(br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, 97 * MIB, "large", &buffer));
        assert_true(counters->memory_bytes >= before + 97 * MIB);
        assert_true(counters->memory_peak_bytes >= counters->memory_bytes);
        br_vk_buffer_destroy(buffer);
        assert_true(counters->memory_bytes <= before + 64 * MIB);
    }
}

static void out_of_device_memory(void **state)
{
    br_test_device *test = *state;
    br_vk_buffer *buffer = NULL;
    uint64_t terabyte = UINT64_C(1) << 40;
    assert_status(br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, terabyte, "weights", &buffer),
                  BR_ERROR_OUT_OF_DEVICE_MEMORY, "weights");
    assert_null(buffer);
    br_status status = br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, terabyte, "weights", &buffer);
    assert_non_null(strstr(br_status_message(status), "1099511627776"));
    assert_non_null(strstr(br_status_message(status), "in use"));
    br_status_free(status);
    /* And life goes on. */
    assert_status_ok(br_vk_buffer_create(test->device, BR_VK_BUFFER_DEVICE, 13, "after", &buffer));
    br_vk_buffer_destroy(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unified),
        cmocka_unit_test(resizable_bar),
        cmocka_unit_test(staging),
        cmocka_unit_test_setup_teardown(fragmentation, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test_setup_teardown(large_buffers_give_their_memory_back, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test_setup_teardown(out_of_device_memory, br_test_device_setup, br_test_device_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
