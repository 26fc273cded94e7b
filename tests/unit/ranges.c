/* Range sets and the hazard record against plain bitmaps. */
#include "vk/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"
#include "vk/hazards.h"

#define SIZE 97

static uint32_t next(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* The set holds exactly the bytes of the bitmap, sorted, disjoint and not touching. */
static void expect_bitmap(const br_vk_ranges *ranges, const bool *bitmap)
{
    bool found[SIZE] = {false};
    for (size_t i = 0; i < ranges->count; i++) {
        br_vk_range range = ranges->items[i];
        assert_true(range.begin < range.end && range.end <= SIZE);
        assert_true(i == 0 || ranges->items[i - 1].end < range.begin);
        for (uint64_t b = range.begin; b < range.end; b++)
            found[b] = true;
    }
    assert_memory_equal(found, bitmap, sizeof found);
}

static bool any(const bool *bitmap, uint64_t begin, uint64_t end)
{
    for (uint64_t b = begin; b < end; b++)
        if (bitmap[b])
            return true;
    return false;
}

static void unions(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (int round = 0; round < 113; round++) {
        br_vk_ranges ranges = {0};
        bool bitmap[SIZE] = {false};
        for (int i = 0; i < 13; i++) {
            uint64_t begin = next(&random) % SIZE, end = begin + next(&random) % 11;
            end = end > SIZE ? SIZE : end;
            assert_int_equal(br_vk_ranges_overlap(&ranges, begin, end), any(bitmap, begin, end));
            assert_true(br_vk_ranges_add(&ranges, begin, end));
            memset(bitmap + begin, true, end - begin);
            expect_bitmap(&ranges, bitmap);
        }
        br_vk_ranges_finish(&ranges);
    }
}

static void cuts(void **state)
{
    (void)state;
    uint32_t random = 11;
    br_vk_ranges ranges = {0};
    bool bitmap[SIZE];
    memset(bitmap, true, sizeof bitmap);
    assert_true(br_vk_ranges_add(&ranges, 0, SIZE));
    for (int i = 0; i < 1009; i++) {
        uint64_t begin = next(&random) % SIZE, end = begin + 1 + next(&random) % 7;
        if (end > SIZE)
            continue;
        if (next(&random) % 2) {
            assert_true(br_vk_ranges_add(&ranges, begin, end));
            memset(bitmap + begin, true, end - begin);
        } else {
            for (size_t r = 0; r < ranges.count; r++)
                if (ranges.items[r].begin <= begin && end <= ranges.items[r].end) {
                    assert_true(br_vk_ranges_cut(&ranges, r, begin, end));
                    memset(bitmap + begin, false, end - begin);
                    break;
                }
        }
        expect_bitmap(&ranges, bitmap);
    }
    br_vk_ranges_finish(&ranges);
}

static void hazards(void **state)
{
    (void)state;
    enum { BUFFERS = 89 }; /* more than the table starts with */
    static bool read[BUFFERS][SIZE], written[BUFFERS][SIZE];
    static char buffers[BUFFERS];
    br_vk_hazards record = {0};
    uint32_t random = 13, barriers = 0, passed = 0;
    memset(read, false, sizeof read);
    memset(written, false, sizeof written);
    for (int i = 0; i < 20011; i++) {
        size_t b = next(&random) % BUFFERS;
        uint32_t kind = 1 + next(&random) % 3;
        br_vk_touch touch = {.buffer = &buffers[b], .offset = next(&random) % SIZE, .read = kind & 1, .write = kind & 2};
        touch.size = 1 + next(&random) % (SIZE - touch.offset);
        uint64_t end = touch.offset + touch.size;
        bool expected = any(written[b], touch.offset, end) || (touch.write && any(read[b], touch.offset, end));
        assert_int_equal(br_vk_hazards_conflict(&record, &touch), expected);
        if (expected) {
            br_vk_hazards_barrier(&record);
            memset(read, false, sizeof read);
            memset(written, false, sizeof written);
            barriers++;
        } else {
            passed++;
        }
        assert_true(br_vk_hazards_add(&record, &touch));
        if (touch.read)
            memset(read[b] + touch.offset, true, touch.size);
        if (touch.write)
            memset(written[b] + touch.offset, true, touch.size);
    }
    assert_true(barriers > 100 && passed > 100);
    br_vk_hazards_finish(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unions), cmocka_unit_test(cuts), cmocka_unit_test(hazards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
