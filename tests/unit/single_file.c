/* Single files hold what the folders hold that they were made of (tests/support/single_files.py): every tensor, bit for bit, under its name in the folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint_open.h"
#include "support/test.h"

static const char *file_path(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    const char *folder = getenv("BRUME_SINGLE_FILES");
    if (!folder) {
        print_message("skipped: BRUME_SINGLE_FILES names no folder\n");
        exit(BR_TEST_SKIP);
    }
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *folder_path(const char *model)
{
    char path[64];
    snprintf(path, sizeof path, "tests/data/tiny/%s", model);
    return br_test_path(path);
}

static int64_t rank_without_ones(const br_tensor_view *view)
{
    int rank = view->rank;
    while (rank > 0 && view->shape[rank - 1] == 1)
        rank--;
    return rank;
}

/* A 1×1 convolution may stand for a linear layer. */
static void check_tensor(const br_tensor_view *have, const br_tensor_view *want)
{
    if (!have)
        fail_msg("%s is missing", want->name);
    if (have->dtype != want->dtype || have->size != want->size || rank_without_ones(have) != rank_without_ones(want) ||
        memcmp(have->shape, want->shape, (size_t)rank_without_ones(want) * sizeof *want->shape) != 0)
        fail_msg("%s has another type or shape", want->name);
    if (want->size && memcmp(have->data, want->data, want->size) != 0)
        fail_msg("%s has other values", want->name);
}

static void check_part(const br_checkpoint_part *file, const br_checkpoint_part *folder)
{
    assert_int_equal(file->weights != NULL, folder->weights != NULL);
    if (!folder->weights)
        return;
    assert_string_equal(file->class_name, folder->class_name);
    assert_true(json_equal(file->config, folder->config));
    for (int i = 0; i < br_weights_count(folder->weights); i++) {
        const br_tensor_view *want = br_weights_at(folder->weights, i);
        check_tensor(br_weights_find(file->weights, want->name), want);
    }
}

static void check_same(const char *name, const char *model, const char *family)
{
    br_checkpoint file, folder;
    print_message("  %s\n", name);
    assert_status_ok(br_checkpoint_open(&(br_checkpoint_params){.path = folder_path(model)}, &folder));
    assert_status_ok(
        br_checkpoint_open(&(br_checkpoint_params){.path = file_path(name), .config_path = folder_path(model)}, &file));
    check_part(&file.text_encoder, &folder.text_encoder);
    check_part(&file.text_encoder_2, &folder.text_encoder_2);
    check_part(&file.unet, &folder.unet);
    check_part(&file.vae, &folder.vae);
    assert_true(json_equal(file.scheduler, folder.scheduler));
    assert_string_equal(file.family, family);
    for (int i = 0; i < file.odd_count; i++)
        if (strstr(file.odd[i], "no place"))
            fail_msg("%s", file.odd[i]);
    br_checkpoint_finish(&file);
    br_checkpoint_finish(&folder);
}

static void test_families(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"sd1", "Stable Diffusion 1"},
        {"sd2", "Stable Diffusion 2, v-prediction"},
        {"odd", "Stable Diffusion 1"},
        {"bare", "Stable Diffusion 1, sample prediction"},
        {"sdxl", "Stable Diffusion XL"},
        {"sdxl_refiner", "Stable Diffusion XL refiner"},
        {"inpaint", "Stable Diffusion 1, inpainting"},
        {"pix2pix", "Stable Diffusion 1, instruct-pix2pix"},
        {"lcm", "Stable Diffusion 1, LCM"},
        {"ssd1b", "Stable Diffusion XL"},
        {"vega", "Stable Diffusion XL"},
        {"small_sd", "Stable Diffusion 1"},
        {"tiny_sd", "Stable Diffusion 1"},
    };
    char name[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(name, sizeof name, "%s.safetensors", cases[i][0]);
        check_same(name, cases[i][0], cases[i][1]);
    }
}

static void test_other_forms(void **state)
{
    (void)state;
    check_same("sd1.ckpt", "sd1", "Stable Diffusion 1");
    check_same("sdxl.ckpt", "sdxl", "Stable Diffusion XL");
    check_same("names.safetensors", "sdxl", "Stable Diffusion XL");
    check_same("unet.safetensors", "sd1", "Stable Diffusion 1"); /* the folder stands in for the rest */
}

/* fp8 read as the numbers that the same file holds in float32. */
static void test_fp8(void **state)
{
    (void)state;
    static const char *const types[] = {"e4m3", "e5m2"};
    for (int t = 0; t < 2; t++) {
        char names[2][64];
        br_checkpoint narrow, wide;
        snprintf(names[0], sizeof names[0], "%s.safetensors", types[t]);
        snprintf(names[1], sizeof names[1], "%s_wide.safetensors", types[t]);
        const char *config = folder_path("small_sd");
        assert_status_ok(br_checkpoint_open(&(br_checkpoint_params){.path = file_path(names[0]), .config_path = config}, &narrow));
        assert_status_ok(br_checkpoint_open(&(br_checkpoint_params){.path = file_path(names[1]), .config_path = config}, &wide));
        int different = 0, count = br_weights_count(narrow.unet.weights);
        assert_true(count > 100);
        for (int i = 0; i < count; i++) {
            const br_tensor_view *a = br_weights_at(narrow.unet.weights, i), *b = br_weights_find(wide.unet.weights, a->name);
            assert_non_null(b);
            float *values = malloc((a->count + b->count) * sizeof *values);
            assert_non_null(values);
            br_weight_to_f32(a, 0, a->count, values);
            br_weight_to_f32(b, 0, b->count, values + a->count);
            different += memcmp(values, values + a->count, a->count * sizeof *values) != 0;
            free(values);
        }
        assert_int_equal(different, 0);
        br_checkpoint_finish(&narrow);
        br_checkpoint_finish(&wide);
    }
}

static void test_parts(void **state)
{
    (void)state;
    br_checkpoint checkpoint;
    br_checkpoint_part part;
    assert_status(br_checkpoint_open(&(br_checkpoint_params){.path = file_path("vae.safetensors")}, &checkpoint),
                  BR_ERROR_UNSUPPORTED, "vae.safetensors has a VAE but no UNet: give a model with -m, and this file with --vae");
    assert_status(br_checkpoint_open(&(br_checkpoint_params){.path = file_path("unet.safetensors")}, &checkpoint),
                  BR_ERROR_UNSUPPORTED, "block 0 of the UNet has 8 channels, no multiple of 32");
    assert_status(br_checkpoint_open_vae(file_path("unet.safetensors"), 0.18215, &part), BR_ERROR_UNSUPPORTED, "has no VAE");
    assert_status(
        br_checkpoint_open(&(br_checkpoint_params){.path = file_path("sdxl.safetensors"), .config_path = folder_path("sd1")},
                           &checkpoint),
        BR_ERROR_FORMAT, "has a text_encoder_2, which ");
    assert_status(
        br_checkpoint_open(&(br_checkpoint_params){.path = folder_path("sd1"), .config_path = folder_path("sd1")}, &checkpoint),
        BR_ERROR_ARGUMENT, "is a folder with its own configurations");
    assert_status_ok(br_checkpoint_open(&(br_checkpoint_params){.path = folder_path("sd1"), .prediction = "sample"}, &checkpoint));
    assert_string_equal(json_string_value(json_object_get(checkpoint.scheduler, "prediction_type")), "sample");
    assert_string_equal(checkpoint.family, "Stable Diffusion 1, sample prediction");
    br_checkpoint_finish(&checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_fp8),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
