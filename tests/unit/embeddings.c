/* Textual inversion files: every form that people have, folders of them, and those that do not fit. */
#include "pipeline/embeddings.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/model.h"
#include "support/scratch.h"
#include "support/test.h"

#define PROMPTS "tests/data/prompts/"

static br_model *open_model(const char *path)
{
    const br_log silent = {0};
    br_model *model;
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = br_test_path(path)}, &silent, &model));
    return model;
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const files[] = {"forms/webui.pt", "forms/original.pt", "forms/learned_embeds.bin"};
    br_model *model = open_model("tests/data/tiny/sd1");
    char path[128];
    assert_status_ok(br_embeddings_add(model, NULL, br_test_path(PROMPTS "ornament.safetensors")));
    const br_embeddings *all = &model->embeddings;
    assert_string_equal(all->items[0].name, "ornament");
    assert_int_equal(all->items[0].count, 3);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, PROMPTS "%s", files[i]);
        assert_status_ok(br_embeddings_add(model, NULL, br_test_path(path)));
        assert_int_equal(all->items[i + 1].count, 3);
        assert_int_equal(all->items[i + 1].first, 3 * (i + 1));
        assert_memory_equal(all->items[i + 1].vectors[0], all->items[0].vectors[0], 3 * 24 * sizeof(float));
        assert_null(all->items[i + 1].vectors[1]);
    }
    assert_string_equal(all->items[3].name, "learned_embeds");
    /* A vector alone, f16, under a name that is there already. */
    assert_status_ok(br_embeddings_add(model, "webui", br_test_path(PROMPTS "speck.safetensors")));
    assert_int_equal(all->count, 4);
    assert_int_equal(all->items[1].count, 1);
    assert_int_equal(all->items[2].first, 4);
    assert_int_equal(all->vectors, 10);
    br_model_unload(model);
}

static void test_sdxl(void **state)
{
    (void)state;
    br_model *model = open_model("tests/data/tiny/sdxl"), *refiner = open_model("tests/data/tiny/sdxl_refiner");
    assert_status_ok(br_embeddings_add(model, NULL, br_test_path(PROMPTS "forms/xl.safetensors")));
    assert_status_ok(br_embeddings_add(refiner, "it", br_test_path(PROMPTS "forms/xl.safetensors")));
    const br_embedding *both = &model->embeddings.items[0], *one = &refiner->embeddings.items[0];
    assert_int_equal(both->count, 2);
    assert_true(both->vectors[0] && both->vectors[1] && both->ids[0].count && both->ids[1].count);
    assert_true(!one->vectors[0] && !one->ids[0].count);
    assert_memory_equal(one->vectors[1], both->vectors[1], 2 * 20 * sizeof(float));
    br_model_unload(model);
    br_model_unload(refiner);
}

static void test_misfits(void **state)
{
    (void)state;
    br_model *sd1 = open_model("tests/data/tiny/sd1"), *xl = open_model("tests/data/tiny/sdxl"),
             *odd = open_model("assets/models/emoji");
    assert_status(br_embeddings_add(odd, NULL, br_test_path(PROMPTS "ornament.safetensors")), BR_ERROR_FORMAT,
                  "emb_params is [3, 24], vectors of 24 numbers; expected 128, the width of emoji's text_encoder");
    assert_status(br_embeddings_add(xl, NULL, br_test_path(PROMPTS "ornament.safetensors")), BR_ERROR_FORMAT,
                  "has emb_params [3, 24], expected clip_l [n, 16] for sdxl's text_encoder");
    assert_status(br_embeddings_add(sd1, NULL, br_test_path(PROMPTS "forms/xl.safetensors")), BR_ERROR_FORMAT,
                  "has clip_g [2, 20], expected emb_params [n, 24] for sd1's text_encoder");
    assert_status(br_embeddings_add(sd1, NULL, br_test_path(PROMPTS "states.safetensors")), BR_ERROR_FORMAT,
                  "expected emb_params [n, 24]");
    assert_status(br_embeddings_add(sd1, " \t", br_test_path(PROMPTS "ornament.safetensors")), BR_ERROR_ARGUMENT,
                  "no prompt can hold the name");
    assert_status(br_embeddings_add(sd1, NULL, br_test_path(PROMPTS "cases.json")), BR_ERROR_FORMAT, "cases.json");
    assert_status(br_embeddings_add(sd1, NULL, br_scratch_path("nothing.safetensors")), BR_ERROR_NOT_FOUND, "nothing.safetensors");
    assert_int_equal(sd1->embeddings.count, 0);
    br_model_unload(sd1);
    br_model_unload(xl);
    br_model_unload(odd);
}

/* A safetensors file of this header, all zeros. */
static const char *write_file(const char *header, size_t data_size)
{
    static char bytes[16384];
    size_t length = strlen(header);
    assert_true(8 + length + data_size <= sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    return br_scratch_file("made.safetensors", bytes, 8 + length + data_size);
}

static void test_made(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t size;
        const char *message;
    } cases[] = {
        {"{\"emb_params\": {\"dtype\": \"F32\", \"shape\": [76, 24], \"data_offsets\": [0, 7296]}}", 7296,
         "emb_params is [76, 24], expected 1 to 75 vectors"}, /* the tokenizer's 77 less bos and eos */
        {"{\"emb_params\": {\"dtype\": \"F32\", \"shape\": [0, 24], \"data_offsets\": [0, 0]}}", 0,
         "emb_params is [0, 24], expected 1 to 75 vectors"},
        {"{\"emb_params\": {\"dtype\": \"I32\", \"shape\": [1, 24], \"data_offsets\": [0, 96]}}", 96,
         "emb_params is I32 [1, 24], expected floats [n, 24]"},
        {"{\"emb_params\": {\"dtype\": \"F32\", \"shape\": [1, 1, 24], \"data_offsets\": [0, 96]}}", 96,
         "emb_params is F32 [1, 1, 24], expected floats [n, 24]"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [24], \"data_offsets\": [0, 96]}, "
         "\"b\": {\"dtype\": \"F32\", \"shape\": [24], \"data_offsets\": [96, 192]}}",
         192, "made.safetensors has a [24], expected emb_params [n, 24]"},
    };
    br_model *model = open_model("tests/data/tiny/sd1"), *xl = open_model("tests/data/tiny/sdxl");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_status(br_embeddings_add(model, NULL, write_file(cases[i].header, cases[i].size)), BR_ERROR_FORMAT,
                      cases[i].message);
    assert_status_ok(br_embeddings_add(
        model, NULL, write_file("{\"emb_params\": {\"dtype\": \"F32\", \"shape\": [75, 24], \"data_offsets\": [0, 7200]}}", 7200)));
    assert_status(
        br_embeddings_add(xl, NULL,
                          write_file("{\"clip_l\": {\"dtype\": \"F32\", \"shape\": [2, 16], \"data_offsets\": [0, 128]}, "
                                     "\"clip_g\": {\"dtype\": \"F32\", \"shape\": [1, 20], \"data_offsets\": [128, 208]}}",
                                     208)),
        BR_ERROR_FORMAT, "clip_l has 2 vectors and clip_g 1, expected as many");
    assert_int_equal(xl->embeddings.count, 0);
    br_model_unload(model);
    br_model_unload(xl);
}

/* What does not fit, and what is no embedding, is left out. */
static void test_folder(void **state)
{
    (void)state;
    br_model *model = open_model("tests/data/tiny/sd1");
    assert_status_ok(br_embeddings_add_folder(model, br_test_path("tests/data/prompts")));
    static const char *const names[] = {"ornament-2", "ornament", "speck"}; /* as strcmp orders the files */
    assert_int_equal(model->embeddings.count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(model->embeddings.items[i].name, names[i]);
    assert_status(br_embeddings_add_folder(model, br_scratch_path("none")), BR_ERROR_NOT_FOUND, "none: cannot list");
    br_model_unload(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_sdxl),   cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_made),  cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
