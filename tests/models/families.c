/* Each family's networks (tests/data/tiny, written by tools/reference/tiny_families.py) against what diffusers' pipeline of the family computed with them:
 * text states and pooled vectors of each encoder, with layers left out and with embeddings of textual inversion, the UNet's first evaluation for all of its
 * rows at once, decoder and encoder. Graphs are built from the models' own constructors, so this says nothing about pipelines.
 *
 * Tolerances are relative errors ‖a - b‖ / ‖b‖, fixed by the project: f32 1e-4 a stage; 16-bit storage 2e-3 for text, 5e-3 for one pass of a network. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "common/abi.h"
#include "models/clip_text.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/op.h"
#include "support/test.h"
#include "weights/diffusers_dir.h"
#include "weights/safetensors.h"

#define F32_TOLERANCE 1e-4
#define F16_TEXT_TOLERANCE 2e-3
#define F16_PASS_TOLERANCE 5e-3

static const char *const names[] = {"sdxl",  "sdxl_refiner", "inpaint",  "pix2pix", "lcm",      "taesd",
                                    "ssd1b", "vega",         "small_sd", "tiny_sd", "sd_turbo", "sdxl_turbo"};
#define FAMILY_COUNT (sizeof names / sizeof *names)
/* SwiftShader takes its time over every shader: it draws what has most of them. */
#define SLOW_FAMILY_COUNT 1

#define TOKEN_TABLE "text_model.embeddings.token_embedding.weight"
#define WEIGHT_MAX 1024
#define ROW_MAX 3

typedef struct family {
    const char *name;
    br_checkpoint checkpoint;
    br_weights *expected;
    json_t *about; /* case.json */
} family;

typedef struct vector {
    float *values; /* test_malloc'd */
    size_t count;
} vector;

static struct {
    br_test_device *device;
    int failures;
} shared;

static vector vector_of(size_t count)
{
    return (vector){.values = test_malloc(count * sizeof(float)), .count = count};
}

/* ---- what is expected ---- */

static void open_family(const char *name, family *out)
{
    char path[128];
    *out = (family){.name = name};
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    assert_status_ok(br_diffusers_dir_open(br_test_path(path), &out->checkpoint));
    snprintf(path, sizeof path, "tests/data/tiny/%s/case.json", name);
    assert_status_ok(br_json_read(br_test_path(path), 1 << 20, &out->about));
    snprintf(path, sizeof path, "tests/data/tiny/%s/expected.safetensors", name);
    assert_status_ok(br_safetensors_open(br_test_path(path), &out->expected));
}

static void close_family(family *f)
{
    br_checkpoint_finish(&f->checkpoint);
    br_weights_destroy(f->expected);
    json_decref(f->about);
}

static bool has(const br_weights *file, const char *name)
{
    return br_weights_find(file, name) != NULL;
}

static vector take(const br_weights *file, const char *name)
{
    vector v;
    v.values = br_test_values(file, name, &v.count);
    return v;
}

static int64_t side(const br_weights *file, const char *name, int axis)
{
    const br_tensor_view *view = br_weights_find(file, name);
    assert_true(view && view->rank > axis);
    return view->shape[axis];
}

/* [C, H, W] to [H, W, C] of the same count, and with `back` the other way. */
static void turn(const float *from, float *to, size_t channels, size_t pixels, bool back)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            size_t planes = c * pixels + i, last = i * channels + c;
            if (back)
                to[planes] = from[last];
            else
                to[last] = from[planes];
        }
}

/* Prints every figure; the test fails at its end. */
static void hold(const family *f, const char *what, const float *ours, const vector *theirs, double tolerance)
{
    double error = br_test_relative_error_f32(ours, theirs->values, theirs->count);
    print_message("  %-13s %-16s relative error %.2e (at most %.0e)%s\n", f->name, what, error, tolerance,
                  error <= tolerance ? "" : "  TOO LARGE");
    shared.failures += !(error <= tolerance);
}

/* ---- running a graph ---- */

typedef struct network {
    br_graph graph;
    br_builder builder;
    br_test_tensor inputs[WEIGHT_MAX]; /* the weights' data are ours */
    int input_count;
    size_t extra_count; /* numbers of the token table that are given as extra rows instead */
} network;

static void begin(network *net, br_dtype dtype)
{
    br_graph_init(&net->graph);
    br_builder_init(&net->builder, &net->graph, dtype, dtype);
    net->input_count = 0;
    net->extra_count = 0;
}

static br_value give(network *net, const char *name, br_dtype dtype, br_shape shape, float *data)
{
    br_value value = br_graph_input(&net->graph, name, dtype, shape);
    net->inputs[net->input_count++] = (br_test_tensor){.value = value, .data = data};
    return value;
}

/* One part of a weight, kernels turned. Returns its numbers. */
static size_t load_part(const network *net, const br_value_info *info, const br_weight_part *part, const br_weights *weights,
                        float *out)
{
    vector stored = take(weights, part->name);
    size_t elsewhere = strcmp(part->name, TOKEN_TABLE) == 0 ? net->extra_count : 0;
    size_t count = (size_t)(br_shape_count(info->shape) / info->shape.dim[0] * part->rows);
    assert_int_equal(stored.count, count + elsewhere);
    if (info->layout == BR_WEIGHT_PLAIN) {
        memcpy(out, stored.values, count * sizeof *out);
    } else {
        size_t in = (size_t)info->shape.dim[3], taps = (size_t)(info->shape.dim[1] * info->shape.dim[2]);
        for (size_t o = 0; o < (size_t)part->rows; o++)
            turn(stored.values + o * in * taps, out + o * in * taps, in, taps, false);
    }
    test_free(stored.values);
    return count;
}

static float *load_weight(const network *net, const br_value_info *info, const br_weights *weights)
{
    float *values = test_malloc((size_t)br_shape_count(info->shape) * sizeof *values), *at = values;
    for (int i = 0; i < info->part_count; i++)
        at += load_part(net, info, &info->parts[i], weights, at);
    return values;
}

/* Reads `count` values; outputs[i].data are the caller's. */
static void run(network *net, const br_weights *weights, const br_test_tensor *outputs, int count)
{
    assert_status_ok(br_graph_verify(&net->graph));
    int given = net->input_count;
    for (br_value i = 0; i < net->graph.value_count; i++) {
        const br_value_info *info = br_graph_value(&net->graph, i);
        if (info->kind != BR_VALUE_WEIGHT)
            continue;
        assert_true(net->input_count < WEIGHT_MAX);
        net->inputs[net->input_count++] = (br_test_tensor){.value = i, .data = load_weight(net, info, weights)};
    }
    assert_status_ok(br_test_run(&(br_test_run_params){.device = shared.device,
                                                       .graph = &net->graph,
                                                       .inputs = net->inputs,
                                                       .input_count = net->input_count,
                                                       .outputs = outputs,
                                                       .output_count = count}));
    for (int i = given; i < net->input_count; i++)
        test_free(net->inputs[i].data);
}

/* The one result, as floats. */
static vector run_one(network *net, const br_weights *weights, br_value out)
{
    br_graph_output(&net->graph, out, "result");
    vector v = vector_of((size_t)br_shape_count(br_graph_shape(&net->graph, out)));
    run(net, weights, &(br_test_tensor){.value = out, .data = v.values}, 1);
    return v;
}

/* ---- text ---- */

typedef struct text_case {
    const family *family;
    const br_checkpoint_part *part;
    br_clip_text_config config;
    const char *suffix;       /* of the token ids: "" or "_2" */
    int64_t column, of_width; /* where its states stand among those that the UNet sees */
    bool xl;
    br_dtype dtype;
} text_case;

static bool is_xl(const family *f)
{
    return has(f->expected, "pooled");
}

static double text_tolerance(br_dtype dtype)
{
    return dtype == BR_F32 ? F32_TOLERANCE : F16_TEXT_TOLERANCE;
}

/* Both prompts' ids as one batch; returns the number of prompts. */
static int take_tokens(const text_case *c, int32_t *ids)
{
    static const char *const kinds[] = {"", "_uncond"};
    int prompts = 0, length = c->config.max_position_embeddings;
    for (int k = 0; k < 2; k++) {
        char key[32];
        snprintf(key, sizeof key, "tokens%s%s", c->suffix, kinds[k]);
        const json_t *list = json_object_get(c->family->about, key);
        if (!list)
            continue;
        assert_int_equal(json_array_size(list), length);
        for (int i = 0; i < length; i++)
            ids[prompts * length + i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
        prompts++;
    }
    return prompts;
}

/* This encoder's columns of [T, of_width]. */
static void hold_states(const text_case *c, const char *name, const float *states)
{
    size_t rows = (size_t)c->config.max_position_embeddings, width = (size_t)c->config.hidden_size;
    vector all = take(c->family->expected, name), columns = vector_of(rows * width);
    assert_int_equal(all.count, rows * (size_t)c->of_width);
    for (size_t i = 0; i < rows; i++)
        memcpy(columns.values + i * width, all.values + i * (size_t)c->of_width + c->column, width * sizeof(float));
    char what[32];
    snprintf(what, sizeof what, "%s%s", name, c->suffix);
    hold(c->family, what, states, &columns, text_tolerance(c->dtype));
    test_free(all.values);
    test_free(columns.values);
}

typedef struct text_result {
    vector states, pooled;
} text_result;

/* `clip_skip` as diffusers counts. The last `extra` ids of the vocabulary are taken out of the table and handed over as extra rows. */
static text_result encode(const text_case *c, const int32_t *ids, int prompts, int clip_skip, int extra)
{
    network *net = test_malloc(sizeof *net);
    text_result result = {{0}, {0}};
    int length = c->config.max_position_embeddings;
    int32_t rows[2];
    bool pools = c->config.with_projection && clip_skip == 0;
    begin(net, c->dtype);
    br_clip_text_inputs inputs = {.tokens = br_graph_input(&net->graph, "tokens", BR_I32, br_shape_of(prompts, length)),
                                  .extra = BR_NONE,
                                  .pool_rows = BR_NONE,
                                  .skip = c->xl ? clip_skip + 1 : clip_skip,
                                  .final_norm = !c->xl};
    net->inputs[net->input_count++] = (br_test_tensor){.value = inputs.tokens, .raw = ids};
    for (int i = 0; i < prompts; i++)
        rows[i] = (int32_t)(i * length + br_clip_text_pool_position(&c->config, ids + i * length, length));
    if (pools) {
        inputs.pool_rows = br_graph_input(&net->graph, "rows", BR_I32, br_shape_of(prompts, 1));
        net->inputs[net->input_count++] = (br_test_tensor){.value = inputs.pool_rows, .raw = rows};
    }
    br_clip_text_config config = c->config;
    vector table = {0};
    if (extra) {
        table = take(c->part->weights, TOKEN_TABLE);
        config.vocab_size -= extra;
        net->extra_count = (size_t)(extra * config.hidden_size);
        inputs.extra = give(net, "extra", BR_F32, br_shape_of(extra, config.hidden_size),
                            table.values + (size_t)config.vocab_size * (size_t)config.hidden_size);
    }
    br_clip_text_outputs text;
    br_clip_text_build(&net->builder, &config, &inputs, &text);
    br_test_tensor outputs[2] = {{.value = text.states}, {.value = text.pooled}};
    result.states = vector_of((size_t)(prompts * length * config.hidden_size));
    result.pooled = vector_of((size_t)(prompts * config.projection_dim));
    br_graph_output(&net->graph, text.states, "states");
    outputs[0].data = result.states.values;
    if (pools) {
        br_graph_output(&net->graph, text.pooled, "pooled");
        outputs[1].data = result.pooled.values;
    }
    run(net, c->part->weights, outputs, pools ? 2 : 1);
    test_free(table.values);
    test_free(net);
    return result;
}

static void free_text(text_result *result)
{
    test_free(result->states.values);
    test_free(result->pooled.values);
}

static void check_text(const text_case *c)
{
    static const char *const states[] = {"text", "text_uncond"}, *const pooled[] = {"pooled", "pooled_uncond"};
    int length = c->config.max_position_embeddings;
    int32_t *ids = test_malloc(2 * (size_t)length * sizeof *ids);
    int prompts = take_tokens(c, ids);
    size_t count = (size_t)(length * c->config.hidden_size);
    text_result text = encode(c, ids, prompts, 0, 0);
    for (int i = 0; i < prompts; i++) {
        hold_states(c, states[i], text.states.values + (size_t)i * count);
        if (!c->config.with_projection)
            continue;
        vector expected = take(c->family->expected, pooled[i]);
        hold(c->family, pooled[i], text.pooled.values + i * c->config.projection_dim, &expected, text_tolerance(c->dtype));
        test_free(expected.values);
    }
    if (has(c->family->expected, "text_skip")) {
        text_result skipped = encode(c, ids, 1, 1, 0);
        hold_states(c, "text_skip", skipped.states.values);
        free_text(&skipped);
    }
    free_text(&text);
    test_free(ids);
}

static int text_cases(const family *f, br_dtype dtype, text_case out[2])
{
    const br_checkpoint_part *parts[] = {&f->checkpoint.text_encoder, &f->checkpoint.text_encoder_2};
    int count = 0;
    int64_t column = 0;
    for (int i = 0; i < 2; i++) {
        if (!parts[i]->config)
            continue;
        text_case *c = &out[count++];
        *c = (text_case){.family = f,
                         .part = parts[i],
                         .suffix = i ? "_2" : "",
                         .column = column,
                         .of_width = side(f->expected, "text", 1),
                         .xl = is_xl(f),
                         .dtype = dtype};
        assert_status_ok(br_clip_text_config_read(parts[i]->config, parts[i]->config_path, &c->config));
        assert_int_equal(c->config.with_projection, i == 1);
        column += c->config.hidden_size;
    }
    assert_int_equal(column, side(f->expected, "text", 1));
    return count;
}

/* ---- the UNet ---- */

typedef struct unet_rows {
    const char *names[ROW_MAX]; /* of the text that a row attends to, and of its result: "cond" or "uncond" */
    const char *outs[ROW_MAX];
    int count;
} unet_rows;

static unet_rows rows_of(const family *f)
{
    if (has(f->expected, "eps_image"))
        return (unet_rows){{"", "_uncond", "_uncond"}, {"eps_cond", "eps_image", "eps_uncond"}, 3};
    return (unet_rows){{"", "_uncond"}, {"eps_cond", "eps_uncond"}, has(f->expected, "eps_uncond") ? 2 : 1};
}

/* The rows of `name` one after another, [B, ...]. */
static vector stack(const family *f, const char *name, const unet_rows *rows)
{
    vector all = {0};
    for (int i = 0; i < rows->count; i++) {
        char full[32];
        snprintf(full, sizeof full, "%s%s", name, rows->names[i]);
        vector one = take(f->expected, full);
        if (i == 0)
            all = vector_of(one.count * (size_t)rows->count);
        memcpy(all.values + one.count * (size_t)i, one.values, one.count * sizeof(float));
        test_free(one.values);
    }
    return all;
}

/* What the UNet sees, channels last. The last row of instruct-pix2pix sees no picture. */
static vector stack_samples(const family *f, const unet_rows *rows, size_t channels, size_t pixels)
{
    vector planes = take(f->expected, "unet_in"), all = vector_of(planes.count * (size_t)rows->count);
    assert_int_equal(planes.count, channels * pixels);
    for (int i = 0; i < rows->count; i++) {
        if (i == 2)
            memset(planes.values + channels / 2 * pixels, 0, channels / 2 * pixels * sizeof(float));
        turn(planes.values, all.values + planes.count * (size_t)i, channels, pixels, false);
    }
    test_free(planes.values);
    return all;
}

static void check_unet(const family *f, br_dtype dtype)
{
    const br_checkpoint_part *part = &f->checkpoint.unet;
    br_unet_config config;
    assert_status_ok(br_unet_config_read(part->config, part->config_path, &config));
    unet_rows rows = rows_of(f);
    int64_t height = side(f->expected, "unet_in", 1), width = side(f->expected, "unet_in", 2);
    size_t pixels = (size_t)(height * width), channels = (size_t)config.in_channels,
           out_count = pixels * (size_t)config.out_channels;
    vector sample = stack_samples(f, &rows, channels, pixels), context = stack(f, "text", &rows), pooled = {0}, ids = {0},
           cond = {0};
    br_step step = {.timestep = (float)json_number_value(json_object_get(f->about, "timestep"))};

    network *net = test_malloc(sizeof *net);
    begin(net, dtype);
    br_unet_inputs inputs = {
        .sample = give(net, "sample", dtype, br_shape_of(rows.count, height, width, config.in_channels), sample.values),
        .step = br_graph_step(&net->graph),
        .cross = br_unet_cross_build(&net->builder, &config,
                                     give(net, "context", dtype,
                                          br_shape_of(rows.count, side(f->expected, "text", 0), side(f->expected, "text", 1)),
                                          context.values),
                                     NULL),
        .text_embeds = BR_NONE,
        .time_ids = BR_NONE,
        .timestep_cond = BR_NONE};
    net->inputs[net->input_count++] = (br_test_tensor){.value = inputs.step, .raw = &step};
    assert_true(is_xl(f) == (config.addition_time_embed_dim > 0));
    if (is_xl(f)) {
        pooled = stack(f, "pooled", &rows);
        ids = stack(f, "time_ids", &rows);
        inputs.text_embeds = give(net, "pooled", BR_F32, br_shape_of(rows.count, side(f->expected, "pooled", 0)), pooled.values);
        inputs.time_ids = give(net, "ids", BR_F32, br_shape_of(rows.count, side(f->expected, "time_ids", 0)), ids.values);
    }
    if (config.time_cond_proj_dim) {
        cond = take(f->expected, "timestep_cond");
        inputs.timestep_cond = give(net, "cond", BR_F32, br_shape_of(1, config.time_cond_proj_dim), cond.values);
    }
    vector out = run_one(net, part->weights, br_unet_build(&net->builder, &config, &inputs)), planes = vector_of(out_count);
    for (int i = 0; i < rows.count; i++) {
        vector expected = take(f->expected, rows.outs[i]);
        assert_int_equal(expected.count, out_count);
        turn(out.values + out_count * (size_t)i, planes.values, (size_t)config.out_channels, pixels, true);
        hold(f, rows.outs[i], planes.values, &expected, dtype == BR_F32 ? F32_TOLERANCE : F16_PASS_TOLERANCE);
        test_free(expected.values);
    }
    vector *owned[] = {&sample, &context, &pooled, &ids, &cond, &out, &planes};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        test_free(owned[i]->values);
    test_free(net);
}

/* ---- decoder and encoder ---- */

typedef union any_vae {
    br_vae_config vae;
    br_taesd_config taesd;
} any_vae;

typedef struct vae_case {
    const family *family; /* its name, for messages */
    const br_weights *expected, *weights;
    const json_t *config_json;
    const char *config_path;
    bool tiny;
    any_vae config;
} vae_case;

typedef struct vae_pass {
    const char *from, *to;
    float scale, shift; /* of what comes from the fixture */
    bool decode, clamp;
} vae_pass;

static br_value build_pass(const vae_case *c, const vae_pass *pass, br_builder *builder, br_value x)
{
    if (c->tiny)
        return pass->decode ? br_taesd_decoder_build(builder, &c->config.taesd, x)
                            : br_taesd_encoder_build(builder, &c->config.taesd, x);
    return pass->decode ? br_vae_decoder_build(builder, &c->config.vae, x) : br_vae_encoder_build(builder, &c->config.vae, x);
}

static void check_pass(const vae_case *c, const vae_pass *pass, br_dtype dtype)
{
    size_t channels = (size_t)side(c->expected, pass->from, 0);
    int64_t height = side(c->expected, pass->from, 1), width = side(c->expected, pass->from, 2);
    vector planes = take(c->expected, pass->from), x = vector_of(planes.count), expected = take(c->expected, pass->to);
    for (size_t i = 0; i < planes.count; i++) {
        planes.values[i] = planes.values[i] * pass->scale + pass->shift;
        if (pass->clamp)
            planes.values[i] = fminf(fmaxf(planes.values[i], -1), 1);
    }
    turn(planes.values, x.values, channels, (size_t)(height * width), false);
    network *net = test_malloc(sizeof *net);
    begin(net, dtype);
    br_value in = give(net, "x", dtype, br_shape_of(1, height, width, (int64_t)channels), x.values);
    vector out = run_one(net, c->weights, build_pass(c, pass, &net->builder, in)), turned = vector_of(out.count);
    size_t out_channels = (size_t)side(c->expected, pass->to, 0);
    assert_int_equal(out.count, expected.count);
    turn(out.values, turned.values, out_channels, out.count / out_channels, true);
    hold(c->family, pass->to, turned.values, &expected, dtype == BR_F32 ? F32_TOLERANCE : F16_PASS_TOLERANCE);
    vector *owned[] = {&planes, &x, &expected, &out, &turned};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        test_free(owned[i]->values);
    test_free(net);
}

static void check_vae(vae_case *c, br_dtype dtype)
{
    float scaling, shift;
    if (c->tiny) {
        assert_status_ok(br_taesd_config_read(c->config_json, c->config_path, &c->config.taesd));
        scaling = c->config.taesd.scaling_factor, shift = c->config.taesd.shift_factor;
        assert_int_equal(side(c->expected, "image", 1), side(c->expected, "latents", 1) * (1 << (c->config.taesd.stage_count - 1)));
    } else {
        assert_status_ok(br_vae_config_read(c->config_json, c->config_path, &c->config.vae));
        scaling = c->config.vae.scaling_factor, shift = c->config.vae.shift_factor;
    }
    check_pass(c, &(vae_pass){"latents", "image", 1 / scaling, shift, .decode = true}, dtype);
    check_pass(c, &(vae_pass){"image", c->tiny ? "encoded" : "moments", 1, 0, .clamp = true}, dtype);
}

/* ---- the tests ---- */

static void check_family(const char *name, br_dtype dtype)
{
    family f;
    text_case texts[2];
    open_family(name, &f);
    int count = text_cases(&f, dtype, texts);
    for (int i = 0; i < count; i++)
        check_text(&texts[i]);
    check_unet(&f, dtype);
    const br_checkpoint_part *vae = &f.checkpoint.vae;
    check_vae(&(vae_case){.family = &f,
                          .expected = f.expected,
                          .weights = vae->weights,
                          .config_json = vae->config,
                          .config_path = vae->config_path,
                          .tiny = strcmp(vae->class_name, "AutoencoderTiny") == 0},
              dtype);
    close_family(&f);
}

static size_t family_count(void)
{
    return strstr(shared.device->caps->name, "SwiftShader") ? SLOW_FAMILY_COUNT : FAMILY_COUNT;
}

static void test_f32(void **state)
{
    (void)state;
    shared.failures = 0;
    for (size_t i = 0; i < family_count(); i++)
        check_family(names[i], BR_F32);
    assert_int_equal(shared.failures, 0);
}

/* What the families have of their own in 16-bit storage: pooled text and ids, guidance embedding, ReLU and tanh. */
static void test_f16(void **state)
{
    (void)state;
    static const char *const some[] = {"sdxl", "lcm", "taesd"};
    if (!shared.device->caps->f16_storage) {
        print_message("%s has no 16-bit storage\n", shared.device->caps->name);
        skip();
    }
    shared.failures = 0;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        check_family(some[i], BR_F16);
    assert_int_equal(shared.failures, 0);
}

/* Embeddings of textual inversion: the same rows from the table and from beside it are the same text. */
static void test_extra_embeddings(void **state)
{
    (void)state;
    family f;
    text_case texts[2];
    open_family("sdxl", &f);
    int count = text_cases(&f, BR_F32, texts);
    for (int i = 0; i < count; i++) {
        int length = texts[i].config.max_position_embeddings;
        int32_t *ids = test_malloc(2 * (size_t)length * sizeof *ids);
        int prompts = take_tokens(&texts[i], ids);
        /* The words "re" and above, and the marks. */
        text_result within = encode(&texts[i], ids, prompts, 0, 0), beside = encode(&texts[i], ids, prompts, 0, 12);
        assert_memory_equal(within.states.values, beside.states.values, within.states.count * sizeof(float));
        if (texts[i].config.with_projection)
            assert_memory_equal(within.pooled.values, beside.pooled.values, within.pooled.count * sizeof(float));
        free_text(&within);
        free_text(&beside);
        test_free(ids);
    }
    close_family(&f);
}

/* An AutoencoderTiny that stands in for sdxl's VAE: a folder of its own. */
static void test_taesdxl(void **state)
{
    (void)state;
    family f = {.name = "taesdxl"};
    br_weights *weights;
    json_t *config;
    shared.failures = 0;
    assert_status_ok(br_json_read(br_test_path("tests/data/tiny/taesdxl/config.json"), 1 << 20, &config));
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/taesdxl/diffusion_pytorch_model.safetensors"), &weights));
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/tiny/taesdxl/expected.safetensors"), &f.expected));
    check_vae(&(vae_case){.family = &f,
                          .expected = f.expected,
                          .weights = weights,
                          .config_json = config,
                          .config_path = "config.json",
                          .tiny = true},
              BR_F32);
    assert_int_equal(shared.failures, 0);
    br_weights_destroy(weights);
    br_weights_destroy(f.expected);
    json_decref(config);
}

/* The first mark that ends the text, or with the number that old files have, the first of the largest ids of the vocabulary. */
static void test_pool_position(void **state)
{
    (void)state;
    static const int32_t ids[] = {524, 3, 525, 525, 700, 7, 700, 2};
    br_clip_text_config config = {.eos_token_id = 525, .vocab_size = 701};
    assert_int_equal(br_clip_text_pool_position(&config, ids, 8), 2);
    config.eos_token_id = 7;
    assert_int_equal(br_clip_text_pool_position(&config, ids, 8), 5);
    assert_int_equal(br_clip_text_pool_position(&config, ids, 5), 0);
    config.eos_token_id = 2;
    assert_int_equal(br_clip_text_pool_position(&config, ids, 8), 4);
    config.vocab_size = 526; /* 700 is of textual inversion */
    assert_int_equal(br_clip_text_pool_position(&config, ids, 8), 2);
}

/* What a graph lacks is said before anything is built. */
static void test_refused(void **state)
{
    (void)state;
    family f;
    text_case texts[2];
    open_family("sdxl", &f);
    text_cases(&f, BR_F32, texts);
    network *net = test_malloc(sizeof *net);
    br_clip_text_outputs text;
    begin(net, BR_F32);
    br_clip_text_inputs inputs = {.tokens = br_graph_input(&net->graph, "tokens", BR_I32, br_shape_of(1, 77)),
                                  .extra = BR_NONE,
                                  .pool_rows = br_graph_input(&net->graph, "rows", BR_I32, br_shape_of(1, 1))};
    br_clip_text_build(&net->builder, &texts[0].config, &inputs, &text);
    assert_status(br_graph_verify(&net->graph), BR_ERROR_UNSUPPORTED, "no text_projection");
    br_graph_finish(&net->graph);

    begin(net, BR_F32);
    inputs.tokens = br_graph_input(&net->graph, "tokens", BR_I32, br_shape_of(1, 77));
    inputs.pool_rows = BR_NONE;
    inputs.skip = texts[0].config.num_hidden_layers + 1;
    br_clip_text_build(&net->builder, &texts[0].config, &inputs, &text);
    assert_status(br_graph_verify(&net->graph), BR_ERROR_ARGUMENT, "4 layers left out, expected 0 to 3");
    br_graph_finish(&net->graph);

    br_unet_config unet;
    assert_status_ok(br_unet_config_read(f.checkpoint.unet.config, "unet", &unet));
    begin(net, BR_F32);
    br_unet_inputs unet_inputs = {.sample = br_graph_input(&net->graph, "x", BR_F32, br_shape_of(1, 8, 8, 4)),
                                  .step = br_graph_step(&net->graph),
                                  .cross = BR_NONE,
                                  .text_embeds = BR_NONE,
                                  .time_ids = BR_NONE,
                                  .timestep_cond = BR_NONE};
    assert_int_equal(br_unet_build(&net->builder, &unet, &unet_inputs), BR_NONE);
    assert_status(br_graph_verify(&net->graph), BR_ERROR_UNSUPPORTED, "needs pooled text and time ids");
    br_graph_finish(&net->graph);

    begin(net, BR_F32);
    unet_inputs.sample = br_graph_input(&net->graph, "x", BR_F32, br_shape_of(1, 8, 8, 4));
    unet_inputs.step = br_graph_step(&net->graph);
    unet_inputs.text_embeds = br_graph_input(&net->graph, "p", BR_F32, br_shape_of(1, 12));
    unet_inputs.time_ids = br_graph_input(&net->graph, "t", BR_F32, br_shape_of(1, 5)); /* the refiner's */
    br_unet_build(&net->builder, &unet, &unet_inputs);
    assert_status(br_graph_verify(&net->graph), BR_ERROR_ARGUMENT, "are [1, 42], expected [B, 48]");
    br_graph_finish(&net->graph);
    test_free(net);
    close_family(&f);
}

static int setup(void **state)
{
    (void)state;
    shared.device = br_test_device_open(NULL);
    print_message("device: %s\n", shared.device->caps->name);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    br_test_device_close(shared.device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),     cmocka_unit_test(test_f16),           cmocka_unit_test(test_extra_embeddings),
        cmocka_unit_test(test_taesdxl), cmocka_unit_test(test_pool_position), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
