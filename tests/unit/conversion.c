/* br_convert: which tensors become what, values against the encoders themselves, folders, refusals that leave nothing. */
#include "support/scratch.h"
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "brume/convert.h"
#include "models/checkpoint_open.h"
#include "pipeline/convert_types.h"
#include "weights/gguf.h"
#include "weights/names.h"
#include "weights/quant.h"
#include "weights/safetensors.h"
#include "weights/weight_file.h"

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool fits;
    } cases[] = {
        {"", "a", true},
        {"b", "abc", true},
        {"d", "abc", false},
        {"^b", "abc", false},
        {"^a", "abc", true},
        {"c$", "abc", true},
        {"b$", "abc", false},
        {"^abc$", "abc", true},
        {"a*c", "abbc", true},
        {"^a*c$", "abcbc", true},
        {"a.*c", "abbc", true},
        {"a.c", "abc", false},
        {"a.c", "a.c", true},
        {"a\\.c", "a.c", true},
        {"a\\*c", "a*c", true},
        {"a\\*c", "abc", false},
        {"*", "", true},
        {"$", "abc", true},
        {"^$", "a", false},
        {"*b*d", "abcbd", true},
        {"*x", "abc", false},
        {"aab", "aaab", true},
        {"^a*ab$", "aaab", true},
        {"^a*b$", "aab.", false},
        {"attn2", "x.attn2.y", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (br_convert_matches(cases[i].pattern, cases[i].name) != cases[i].fits)
            fail_msg("\"%s\" in \"%s\"", cases[i].pattern, cases[i].name);
}

static void test_choices(void **state)
{
    (void)state;
    const br_convert_rule rules[] = {{"^vae.", "f16"}, {"attn2", "q6_k"}};
    static const struct {
        const char *name;
        br_weight_dtype from;
        int rank;
        int64_t rows, row;
        const char *type;
        br_weights_format format;
        br_weight_dtype to;
        bool fallback;
    } cases[] = {
        {"m.weight", BR_WEIGHT_F32, 2, 5, 64, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_Q8_0},
        {"m.weight", BR_WEIGHT_F32, 2, 5, 48, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"m.weight", BR_WEIGHT_BF16, 2, 5, 48, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_BF16},
        {"m.weight", BR_WEIGHT_F16, 2, 5, 512, "q4_k", BR_FORMAT_GGUF, BR_WEIGHT_Q4_K},
        {"m.weight", BR_WEIGHT_F16, 2, 5, 320, "q4_k", BR_FORMAT_GGUF, BR_WEIGHT_Q8_0, true},
        {"m.weight", BR_WEIGHT_F16, 2, 5, 3, "q4_k", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"m.bias", BR_WEIGHT_F32, 1, 1, 256, "q4_k", BR_FORMAT_GGUF, BR_WEIGHT_F32},
        {"norm.weight", BR_WEIGHT_F32, 1, 1, 256, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_F32},
        {"m.bias", BR_WEIGHT_F32, 1, 1, 256, "f16", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"time_embed.0.weight", BR_WEIGHT_F16, 2, 64, 64, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"token_embedding.weight", BR_WEIGHT_F32, 2, 64, 64, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"x.attn2.k.weight", BR_WEIGHT_F32, 2, 8, 256, "q4_0", BR_FORMAT_GGUF, BR_WEIGHT_Q6_K},
        {"vae.x.weight", BR_WEIGHT_F32, 2, 8, 256, "q4_0", BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"ids", BR_WEIGHT_I64, 1, 1, 77, "q8_0", BR_FORMAT_GGUF, BR_WEIGHT_I64},
        {"m.weight", BR_WEIGHT_F64, 2, 5, 3, NULL, BR_FORMAT_GGUF, BR_WEIGHT_F32},
        {"m.weight", BR_WEIGHT_F8_E4M3, 2, 5, 3, NULL, BR_FORMAT_GGUF, BR_WEIGHT_F16},
        {"m.weight", BR_WEIGHT_F8_E4M3, 2, 5, 3, NULL, BR_FORMAT_SAFETENSORS, BR_WEIGHT_F8_E4M3},
        {"m.weight", BR_WEIGHT_Q5_1, 2, 5, 32, NULL, BR_FORMAT_SAFETENSORS, BR_WEIGHT_F16},
        {"m.weight", BR_WEIGHT_Q5_1, 2, 5, 32, NULL, BR_FORMAT_GGUF, BR_WEIGHT_Q5_1},
        {"m.weight", BR_WEIGHT_Q4_K, 2, 256, 9, NULL, BR_FORMAT_GGUF, BR_WEIGHT_F16}, /* flattened before */
        {"m.weight", BR_WEIGHT_Q8_0, 2, 5, 256, "f32", BR_FORMAT_SAFETENSORS, BR_WEIGHT_F32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const br_convert_params params = {.type = cases[i].type, .rules = rules, .rule_count = 2};
        br_tensor_view tensor = {.name = cases[i].name, .dtype = cases[i].from, .rank = cases[i].rank};
        tensor.shape[0] = cases[i].rank == 2 ? cases[i].rows : cases[i].row;
        tensor.shape[1] = cases[i].row;
        br_convert_choice choice;
        assert_status_ok(br_convert_choose(&params, cases[i].format, &tensor, &choice));
        if (choice.dtype != cases[i].to || choice.fallback != cases[i].fallback)
            fail_msg("case %zu: %s became %s, expected %s", i, cases[i].name, br_weight_dtype_name(choice.dtype),
                     br_weight_dtype_name(cases[i].to));
    }
    const br_tensor_view words = {.name = "words", .dtype = BR_WEIGHT_U8, .rank = 1, .shape = {3}};
    br_convert_choice choice;
    assert_status(br_convert_choose(&(br_convert_params){.type = "f16"}, BR_FORMAT_GGUF, &words, &choice), BR_ERROR_UNSUPPORTED,
                  "tensor \"words\" is U8, which GGUF files do not have");
}

/* ---- a small model under LDM's names ---- */

#define MATRIX "model.diffusion_model.middle_block.1.attn2.to_k.weight"
#define NARROW "model.diffusion_model.input_blocks.1.1.proj_in.weight"
#define CONV "model.diffusion_model.input_blocks.0.0.weight"
#define BIAS "model.diffusion_model.out.0.bias"

enum { ROWS = 1409, LARGE = ROWS * 768 }; /* more than one chunk, and no whole number of them */

static float *values; /* [LARGE] */

static int make_values(void **state)
{
    values = malloc(LARGE * sizeof *values);
    assert_non_null(values);
    for (uint32_t i = 0, random = 1; i < LARGE; i++) {
        random = random * 1664525u + 1013904223u;
        values[i] = ((float)(random >> 8) * 0x1p-23f - 1) * 0.1f;
    }
    return br_scratch_setup(state);
}

static int free_values(void **state)
{
    free(values);
    return br_scratch_teardown(state);
}

static br_tensor_view view_of(const char *name, br_weight_dtype dtype, int64_t rows, int64_t row)
{
    br_tensor_view view = {.name = name, .dtype = dtype, .rank = rows ? 2 : 1, .data = values};
    view.shape[0] = rows ? rows : row;
    view.shape[1] = row;
    view.count = (size_t)(rows ? rows * row : row);
    view.size = view.count * br_weight_dtype_size(dtype);
    return view;
}

static const char *make_model(void)
{
    br_tensor_view tensors[] = {
        view_of(MATRIX, BR_WEIGHT_F32, ROWS, 768),
        view_of(NARROW, BR_WEIGHT_F32, 13, 320),
        view_of(CONV, BR_WEIGHT_F32, 0, 0),
        view_of(BIAS, BR_WEIGHT_F32, 0, 89),
        view_of("model_ema.decay", BR_WEIGHT_F32, 0, 1),
        view_of("betas", BR_WEIGHT_F32, 0, 1000),
        view_of("cond_stage_model.transformer.text_model.embeddings.position_ids", BR_WEIGHT_I64, 0, 77),
    };
    tensors[2] = (br_tensor_view){
        .name = CONV, .dtype = BR_WEIGHT_F32, .rank = 4, .shape = {7, 4, 3, 3}, .count = 252, .data = values, .size = 1008};
    const br_metadata said[] = {{.key = "format", .text = "pt"}, {.key = "modelspec.title", .text = "made"}};
    const char *path = br_scratch_path("model.safetensors");
    br_weights_writer *writer;
    assert_status_ok(br_weights_writer_create(
        &(br_weights_plan){.tensors = tensors, .count = sizeof tensors / sizeof tensors[0], .metadata = said, .metadata_count = 2},
        path, &writer));
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        assert_status_ok(br_weights_writer_add(writer, tensors[i].data, tensors[i].size));
    assert_status_ok(br_weights_writer_commit(writer));
    br_weights_writer_destroy(writer);
    return path;
}

typedef struct watch {
    int calls, last, steps, stop_at;
} watch;

static bool watching(void *user, const br_progress *progress)
{
    watch *w = user;
    assert_string_equal(progress->stage, "convert");
    assert_true(progress->step >= w->last && progress->step <= progress->steps && progress->seconds >= 0);
    w->last = progress->step;
    w->steps = progress->steps;
    return ++w->calls != w->stop_at;
}

static const br_metadata *entry(const br_weights *weights, const char *key)
{
    for (int i = 0; i < br_weights_metadata_count(weights); i++)
        if (strcmp(br_weights_metadata_at(weights, i)->key, key) == 0)
            return br_weights_metadata_at(weights, i);
    return NULL;
}

static void test_quantize(void **state)
{
    (void)state;
    watch w = {0};
    br_convert_result result;
    const char *in = make_model(), *out = br_scratch_path("model.gguf");
    assert_status_ok(br_convert(
        &(br_convert_params){.input = in, .output = out, .type = "q4_k", .progress = watching, .progress_user = &w}, &result));
    assert_int_equal(result.tensor_count, 4);
    assert_int_equal(result.converted_count, 3);
    assert_int_equal(result.fallback_count, 1);
    assert_int_equal(result.left_out_count, 3);
    assert_int_equal(result.input_bytes, 4 * (LARGE + 13 * 320 + 252 + 89));
    assert_int_equal(result.output_bytes, LARGE / 256 * 144 + 13 * 10 * 34 + 252 * 2 + 89 * 4);
    assert_true(w.calls > 4 && w.last == 4 && w.steps == 4);

    br_weights *weights;
    assert_status_ok(br_gguf_open(out, &weights));
    assert_int_equal(br_weights_count(weights), 4);
    const br_tensor_view *matrix = br_weights_find(weights, MATRIX), *narrow = br_weights_find(weights, NARROW);
    assert_int_equal(matrix->dtype, BR_WEIGHT_Q4_K);
    assert_int_equal(matrix->shape[0], ROWS);
    assert_int_equal(narrow->dtype, BR_WEIGHT_Q8_0);
    assert_int_equal(br_weights_find(weights, CONV)->dtype, BR_WEIGHT_F16);
    assert_int_equal(br_weights_find(weights, CONV)->rank, 4);
    assert_memory_equal(br_weights_find(weights, BIAS)->data, values, 89 * 4);
    uint8_t *blocks = malloc(LARGE / 256 * 144);
    float *decoded = malloc(LARGE * sizeof *decoded);
    assert_true(blocks && decoded);
    br_quant_encode(BR_WEIGHT_Q4_K, values, LARGE / 256, blocks);
    assert_memory_equal(matrix->data, blocks, matrix->size);
    br_quant_decode(BR_WEIGHT_Q4_K, blocks, LARGE / 256, decoded);
    /* The two other converted tensors are a 240th of the values and hardly changed. */
    double error = br_test_relative_error_f32(decoded, values, LARGE);
    assert_true(fabs(result.relative_error - error) < 0.01 * error);
    assert_string_equal(entry(weights, "general.architecture")->text, "sd1");
    assert_string_equal(entry(weights, "modelspec.title")->text, "made");
    assert_int_equal(entry(weights, "general.file_type")->value[0], 14);
    assert_null(entry(weights, "format"));
    free(blocks);
    free(decoded);
    br_weights_destroy(weights);

    /* And back: as f32, the blocks' values; as stored, the same bytes again. */
    const char *back = br_scratch_path("back.safetensors"), *same = br_scratch_path("same.gguf");
    br_weights *a, *b;
    assert_status_ok(br_convert(&(br_convert_params){.input = out, .output = back, .type = "f32"}, &result));
    assert_true(result.relative_error == 0);
    assert_status_ok(br_convert(&(br_convert_params){.input = out, .output = same}, &result));
    assert_int_equal(result.converted_count, 0);
    assert_status_ok(br_gguf_open(same, &a));
    assert_status_ok(br_safetensors_open(back, &b));
    assert_int_equal(br_weights_find(a, MATRIX)->dtype, BR_WEIGHT_Q4_K);
    assert_string_equal(entry(b, "format")->text, "pt");
    assert_string_equal(entry(b, "modelspec.title")->text, "made");
    for (size_t i = 0; i < 13 * 320; i += 7) {
        float x, y;
        br_weight_to_f32(br_weights_find(a, NARROW), i, 1, &x);
        br_weight_to_f32(br_weights_find(b, NARROW), i, 1, &y);
        assert_true(x == y && fabsf(x - values[i]) < 0.001f);
    }
    br_weights_destroy(a);
    br_weights_destroy(b);
}

static void test_refusals(void **state)
{
    (void)state;
    br_convert_result result;
    const char *in = make_model(), *out = br_scratch_path("refused.gguf");
    int files = br_scratch_count();
    watch w = {.stop_at = 2};
    assert_status(
        br_convert(&(br_convert_params){.input = in, .output = out, .type = "q8_0", .progress = watching, .progress_user = &w},
                   &result),
        BR_ERROR_CANCELLED, "interrupted at tensor");
    assert_status(br_convert(&(br_convert_params){.input = in, .output = out, .type = "q9"}, &result), BR_ERROR_ARGUMENT,
                  "there is no type q9");
    assert_status(
        br_convert(&(br_convert_params){.input = in, .output = br_scratch_path("x.safetensors"), .type = "q8_0"}, &result),
        BR_ERROR_ARGUMENT, "q8_0 is a type of GGUF files only");
    assert_status(br_convert(&(br_convert_params){.input = in, .output = br_scratch_path("x.bin"), .type = "f16"}, &result),
                  BR_ERROR_ARGUMENT, "expected a name that ends with .safetensors or .gguf");
    assert_status(br_convert(&(br_convert_params){.input = br_scratch_path("none"), .output = out}, &result), BR_ERROR_NOT_FOUND,
                  "none: cannot open");
    static const float bad[] = {1e5f, INFINITY, NAN};
    for (int i = 0; i < 3; i++) {
        out = br_scratch_path("refused.gguf"); /* these paths live for eight calls */
        float before = values[LARGE - 5];
        values[LARGE - 5] = bad[i];
        in = make_model();
        values[LARGE - 5] = before;
        assert_status(br_convert(&(br_convert_params){.input = in, .output = out, .type = i ? "q8_0" : "f16"}, &result),
                      BR_ERROR_UNSUPPORTED, "to_k.weight\": element 1082107 is ");
    }
    assert_status_ok(
        br_convert(&(br_convert_params){.input = in, .output = br_scratch_path("wide.gguf"), .type = "bf16"}, &result));
    assert_int_equal(br_scratch_count(), files + 1);
}

static void test_folder(void **state)
{
    (void)state;
    br_convert_result result;
    const char *out = br_scratch_path("folder.gguf");
    br_weights *weights;
    assert_status_ok(
        br_convert(&(br_convert_params){.input = br_test_path("assets/models/emoji"), .output = out, .type = "q8_0"}, &result));
    assert_true(result.relative_error > 0.004 && result.relative_error < 0.006); /* of 8 bits and normal weights */
    assert_status_ok(br_gguf_open(out, &weights));
    assert_int_equal(br_weights_find(weights, "unet.conv_in.weight")->dtype, BR_WEIGHT_F16);
    assert_int_equal(br_weights_find(weights, "te.text_model.encoder.layers.0.mlp.fc1.weight")->dtype, BR_WEIGHT_Q8_0);
    assert_non_null(br_weights_find(weights, "vae.decoder.conv_in.weight"));
    br_weights_destroy(weights);
}

static void convert_folder(const char *folder, const char *output)
{
    br_convert_result result;
    assert_status_ok(br_convert(&(br_convert_params){.input = folder, .output = br_scratch_path(output), .type = "f16"}, &result));
}

static void hold_markers(const char *folder, const char *output, bool v_prediction, bool zero_snr)
{
    br_weights *file;
    br_names names;
    const char *format;
    convert_folder(folder, output);
    assert_status_ok(br_weight_file_open(br_scratch_path(output), &file, &format));
    assert_status_ok(br_names_init(file, &names));
    assert_int_equal(names.v_prediction, v_prediction);
    assert_int_equal(names.zero_snr, zero_snr);
    assert_int_equal(names.unplaced_count, 0);
    br_names_finish(&names);
    br_weights_destroy(file);
}

/* The model of tests/data/tiny/sd2 with another scheduler, as "zero". */
static void make_zero_snr(void)
{
    static const char *const parts[] = {"model_index.json", "text_encoder", "tokenizer", "unet", "vae"};
    static const char config[] =
        "{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"v_prediction\", \"rescale_betas_zero_snr\": true}";
    br_scratch_file("zero/scheduler/scheduler_config.json", config, sizeof config - 1);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char from[1024], to[1024];
        snprintf(from, sizeof from, "%s/%s", br_test_path("tests/data/tiny/sd2"), parts[i]);
        snprintf(to, sizeof to, "%s/%s", br_scratch_path("zero"), parts[i]);
        assert_int_equal(symlink(from, to), 0);
    }
}

/* What tensors do not tell of a folder its markers do. */
static void test_markers(void **state)
{
    (void)state;
    static const char *const outputs[] = {"v.safetensors", "v.gguf"};
    make_zero_snr();
    for (int i = 0; i < 2; i++) {
        hold_markers(br_test_path("tests/data/tiny/sd1"), outputs[i], false, false);
        hold_markers(br_test_path("tests/data/tiny/sd2"), outputs[i], true, false);
        hold_markers(br_scratch_path("zero"), outputs[i], true, true);
    }
}

/* Every number of `ours` is that of `theirs`. */
static void same_part(const br_checkpoint_part *ours, const br_checkpoint_part *theirs)
{
    assert_int_equal(br_weights_count(ours->weights), br_weights_count(theirs->weights));
    for (int i = 0; i < br_weights_count(theirs->weights); i++) {
        const br_tensor_view *expected = br_weights_at(theirs->weights, i);
        const br_tensor_view *view = br_weights_find(ours->weights, expected->name);
        if (!view || view->dtype != expected->dtype || view->size != expected->size ||
            memcmp(view->data, expected->data, view->size) != 0)
            fail_msg("%s of %s", expected->name, expected->file);
    }
}

/* Both text encoders ("te.", "te.1.") come back as they were, so that what is drawn does too. */
static void test_sdxl_folder(void **state)
{
    (void)state;
    static const char *const outputs[] = {"xl.safetensors", "xl.gguf"};
    br_checkpoint folder, file;
    assert_status_ok(br_checkpoint_open(&(br_checkpoint_params){.path = br_test_path("tests/data/tiny/sdxl")}, &folder));
    for (int i = 0; i < 2; i++) {
        convert_folder(folder.path, outputs[i]);
        assert_status_ok(
            br_checkpoint_open(&(br_checkpoint_params){.path = br_scratch_path(outputs[i]), .config_path = folder.path}, &file));
        same_part(&file.text_encoder, &folder.text_encoder);
        same_part(&file.text_encoder_2, &folder.text_encoder_2);
        same_part(&file.unet, &folder.unet);
        same_part(&file.vae, &folder.vae);
        br_checkpoint_finish(&file);
    }
    br_checkpoint_finish(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),    cmocka_unit_test(test_choices), cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_folder),  cmocka_unit_test(test_markers),
        cmocka_unit_test(test_sdxl_folder),
    };
    return cmocka_run_group_tests(tests, make_values, free_values);
}
