/* Weight files written and read back, in both formats; what cannot be written leaves nothing. */
#include "support/scratch.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/gguf.h"
#include "weights/safetensors.h"
#include "weights/weights_writer.h"

/* The tensors of `weights`, which the plan borrows; br_plan's tensors and metadata are to be freed. */
static br_weights_plan plan_of(const br_weights *weights, br_weights_format format)
{
    br_weights_plan plan = {
        .format = format, .count = br_weights_count(weights), .metadata_count = br_weights_metadata_count(weights)};
    br_tensor_view *tensors = malloc(((size_t)plan.count + 1) * sizeof *tensors);
    br_metadata *metadata = malloc(((size_t)plan.metadata_count + 1) * sizeof *metadata);
    assert_true(tensors && metadata);
    for (int i = 0; i < plan.count; i++)
        tensors[i] = *br_weights_at(weights, i);
    for (int i = 0; i < plan.metadata_count; i++)
        metadata[i] = *br_weights_metadata_at(weights, i);
    plan.tensors = tensors;
    plan.metadata = metadata;
    return plan;
}

static void free_plan(br_weights_plan *plan)
{
    free((void *)(uintptr_t)plan->tensors);
    free((void *)(uintptr_t)plan->metadata);
}

/* All tensors' bytes in pieces of `piece`. */
static br_status write_plan(const br_weights_plan *plan, const char *path, size_t piece)
{
    br_weights_writer *writer;
    br_status status = br_weights_writer_create(plan, path, &writer);
    if (status)
        return status;
    for (int i = 0; i < plan->count && !status; i++)
        for (size_t at = 0; at < plan->tensors[i].size && !status; at += piece) {
            size_t rest = plan->tensors[i].size - at;
            status = br_weights_writer_add(writer, (const uint8_t *)plan->tensors[i].data + at, rest < piece ? rest : piece);
        }
    if (!status)
        status = br_weights_writer_commit(writer);
    br_weights_writer_destroy(writer);
    return status;
}

static void check_equal(const br_weights *a, const br_weights *b)
{
    assert_int_equal(br_weights_count(a), br_weights_count(b));
    for (int i = 0; i < br_weights_count(a); i++) {
        const br_tensor_view *x = br_weights_at(a, i), *y = br_weights_at(b, i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->shape, y->shape, (size_t)x->rank * sizeof x->shape[0]);
        assert_int_equal(x->size, y->size);
        if (x->size)
            assert_memory_equal(x->data, y->data, x->size);
    }
}

static void test_gguf(void **state)
{
    (void)state;
    br_weights *weights, *again;
    assert_status_ok(br_gguf_open(br_test_path("tests/data/quant/tiny.gguf"), &weights));
    br_weights_plan plan = plan_of(weights, BR_FORMAT_GGUF);
    /* The writer aligns to 32 and keeps shapes as they are given: both are for its caller to say. */
    br_metadata *kept = (br_metadata *)(uintptr_t)plan.metadata;
    int count = 0;
    for (int i = 0; i < plan.metadata_count; i++)
        if (strcmp(kept[i].key, "general.alignment") != 0)
            kept[count++] = kept[i];
    plan.metadata_count = count;
    for (int i = 0; i < plan.count; i++)
        if (strcmp(plan.tensors[i].name, "flat") == 0) {
            br_tensor_view *flat = (br_tensor_view *)(uintptr_t)&plan.tensors[i];
            flat->rank = 2;
            flat->shape[0] = 9;
            flat->shape[1] = 256;
        }
    static const size_t pieces[] = {1, 37, 1 << 20};
    for (int p = 0; p < 3; p++) {
        const char *path = br_scratch_path("again.gguf");
        assert_status_ok(write_plan(&plan, path, pieces[p]));
        assert_status_ok(br_gguf_open(path, &again));
        check_equal(again, weights);
        assert_int_equal(br_weights_metadata_count(again), count);
        for (int i = 0; i < count; i++) {
            const br_metadata *entry = br_weights_metadata_at(again, i);
            assert_string_equal(entry->key, kept[i].key);
            assert_int_equal(entry->gguf_type, kept[i].gguf_type);
            assert_int_equal(entry->size, kept[i].size);
            assert_memory_equal(entry->value, kept[i].value, entry->size);
        }
        br_weights_destroy(again);
    }
    free_plan(&plan);
    br_weights_destroy(weights);
}

static void test_safetensors(void **state)
{
    (void)state;
    br_weights *weights, *again;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/quant/blocks.safetensors"), &weights));
    br_weights_plan plan = plan_of(weights, BR_FORMAT_SAFETENSORS);
    const br_metadata said[] = {{.key = "format", .text = "pt"}, {.key = "a \"key\"", .text = "\xc3\xa4\n"}};
    free((void *)(uintptr_t)plan.metadata);
    plan.metadata = said;
    plan.metadata_count = 2;
    const char *path = br_scratch_path("again.safetensors");
    assert_status_ok(write_plan(&plan, path, 4099));
    assert_status_ok(br_safetensors_open(path, &again));
    check_equal(again, weights);
    assert_int_equal(br_weights_metadata_count(again), 2);
    assert_string_equal(br_weights_metadata_at(again, 1)->text, "\xc3\xa4\n");
    br_weights_destroy(again);
    plan.metadata = NULL;
    free_plan(&plan);
    br_weights_destroy(weights);
}

static const uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8};

/* A scalar, nothing at all, and an odd number of bytes between two aligned tensors. */
static void test_edges(void **state)
{
    (void)state;
    const br_tensor_view tensors[] = {
        {.name = "scalar", .dtype = BR_WEIGHT_F32, .count = 1, .data = bytes, .size = 4},
        {.name = "nothing", .dtype = BR_WEIGHT_F16, .rank = 2, .shape = {0, 5}, .data = bytes},
        {.name = "odd", .dtype = BR_WEIGHT_I8, .rank = 1, .shape = {13}, .count = 13, .data = bytes, .size = 13},
        {.name = "none", .dtype = BR_WEIGHT_F32, .rank = 1, .data = bytes},
    };
    for (int f = 0; f < 2; f++) {
        br_weights *weights;
        br_weights_plan plan = {.format = f ? BR_FORMAT_GGUF : BR_FORMAT_SAFETENSORS, .tensors = tensors, .count = 4};
        const char *path = br_scratch_path("edges");
        assert_status_ok(write_plan(&plan, path, 5));
        assert_status_ok(f ? br_gguf_open(path, &weights) : br_safetensors_open(path, &weights));
        assert_int_equal(br_weights_count(weights), 4);
        assert_memory_equal(br_weights_find(weights, "odd")->data, bytes, 13);
        assert_memory_equal(br_weights_find(weights, "scalar")->data, bytes, 4);
        assert_int_equal(br_weights_find(weights, "scalar")->rank, f ? 1 : 0);
        assert_int_equal(br_weights_find(weights, "nothing")->count, 0);
        br_weights_destroy(weights);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    br_tensor_view tensor = {
        .name = "t", .dtype = BR_WEIGHT_Q8_0, .rank = 1, .shape = {32}, .count = 32, .data = bytes, .size = 34};
    br_weights_plan plan = {.format = BR_FORMAT_SAFETENSORS, .tensors = &tensor, .count = 1};
    const char *path = br_scratch_path("refused");
    int files = br_scratch_count();
    assert_status(write_plan(&plan, path, 64), BR_ERROR_UNSUPPORTED, "tensor \"t\" is Q8_0, which this format does not have");
    plan.format = BR_FORMAT_GGUF;
    tensor = (br_tensor_view){.name = "t", .dtype = BR_WEIGHT_U8, .rank = 1, .shape = {32}, .count = 32, .data = bytes, .size = 32};
    assert_status(write_plan(&plan, path, 64), BR_ERROR_UNSUPPORTED, "is U8");
    tensor = (br_tensor_view){.name = "t", .rank = 5, .shape = {1, 1, 1, 1, 1}, .count = 1, .data = bytes, .size = 8};
    assert_status(write_plan(&plan, path, 64), BR_ERROR_UNSUPPORTED, "has 5 dimensions, and GGUF files at most 4");
    tensor.rank = 1;
    br_weights_writer *writer;
    assert_status_ok(br_weights_writer_create(&plan, path, &writer));
    assert_status_ok(br_weights_writer_add(writer, bytes, 7));
    assert_status(br_weights_writer_commit(writer), BR_ERROR_ARGUMENT, "the bytes end inside tensor 0 of 1");
    assert_status(br_weights_writer_add(writer, bytes, 2), BR_ERROR_ARGUMENT, "1 bytes more than its tensors have");
    br_weights_writer_destroy(writer);
    br_weights_writer_destroy(NULL);
    assert_int_equal(br_scratch_count(), files);
    assert_status(write_plan(&plan, br_scratch_path("none/file"), 64), BR_ERROR_IO, "none/file");
}

static void test_full_disk(void **state)
{
    (void)state;
    const char *full = br_scratch_full_device();
    if (!full) {
        print_message("no device without room here: not checked\n");
        return;
    }
    size_t size = 1 << 20;
    uint8_t *large = calloc(size, 1);
    assert_non_null(large);
    const br_tensor_view tensor = {
        .name = "t", .dtype = BR_WEIGHT_I8, .rank = 1, .shape = {1 << 20}, .count = size, .data = large, .size = size};
    for (int f = 0; f < 2; f++)
        assert_status(
            write_plan(&(br_weights_plan){.format = f ? BR_FORMAT_GGUF : BR_FORMAT_SAFETENSORS, .tensors = &tensor, .count = 1},
                       full, 4096),
            BR_ERROR_IO, "cannot write: No space left on device");
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf),     cmocka_unit_test(test_safetensors), cmocka_unit_test(test_edges),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
