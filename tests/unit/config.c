/* Configurations of UNet, VAE, TAESD and CLIP: what the libraries write is taken, every value that would change the picture and is not supported is refused
 * by name, and no value whatever makes the reader or the builder of graphs fall over. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "models/clip_text.h"
#include "models/config.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "support/test.h"

typedef union any_config {
    br_unet_config unet;
    br_vae_config vae;
    br_taesd_config taesd;
    br_clip_text_config text;
} any_config;

typedef struct config_part {
    const char *folder;
    br_status (*read)(const json_t *object, const char *what, any_config *out_config);
    void (*build)(br_graph *graph, const any_config *config);
} config_part;

static br_status read_unet(const json_t *object, const char *what, any_config *out_config)
{
    return br_unet_config_read(object, what, &out_config->unet);
}

static br_status read_vae(const json_t *object, const char *what, any_config *out_config)
{
    return br_vae_config_read(object, what, &out_config->vae);
}

static br_status read_taesd(const json_t *object, const char *what, any_config *out_config)
{
    return br_taesd_config_read(object, what, &out_config->taesd);
}

static br_status read_text(const json_t *object, const char *what, any_config *out_config)
{
    return br_clip_text_config_read(object, what, &out_config->text);
}

/* Two pictures of 5 × 7. */
static br_value picture(br_graph *graph, int64_t channels)
{
    return br_graph_input(graph, "x", BR_F32, br_shape_of(2, 5, 7, channels));
}

static void build_unet(br_graph *graph, const any_config *config)
{
    const br_unet_config *unet = &config->unet;
    br_builder builder;
    br_builder_init(&builder, graph, BR_F32, BR_F32);
    br_unet_inputs inputs = {
        .sample = picture(graph, unet->in_channels),
        .step = br_graph_step(graph),
        .cross = br_unet_cross_build(&builder, unet,
                                     br_graph_input(graph, "context", BR_F32, br_shape_of(2, 13, unet->cross_attention_dim)), NULL),
        .text_embeds = BR_NONE,
        .time_ids = BR_NONE,
        .timestep_cond = BR_NONE};
    if (unet->addition_time_embed_dim) {
        int64_t ids = 6, pooled = unet->addition_input_dim - ids * unet->addition_time_embed_dim;
        inputs.text_embeds = br_graph_input(graph, "pooled", BR_F32, br_shape_of(2, pooled < 1 ? 1 : pooled));
        inputs.time_ids = br_graph_input(graph, "ids", BR_F32, br_shape_of(2, ids));
    }
    if (unet->time_cond_proj_dim)
        inputs.timestep_cond = br_graph_input(graph, "guidance", BR_F32, br_shape_of(1, unet->time_cond_proj_dim));
    br_unet_build(&builder, unet, &inputs);
}

static void build_vae(br_graph *graph, const any_config *config)
{
    br_builder builder;
    br_builder_init(&builder, graph, BR_F32, BR_F32);
    br_vae_decoder_build(&builder, &config->vae, picture(graph, config->vae.latent_channels));
}

static void build_taesd(br_graph *graph, const any_config *config)
{
    br_builder builder;
    br_builder_init(&builder, graph, BR_F32, BR_F32);
    br_value x = br_taesd_decoder_build(&builder, &config->taesd, picture(graph, config->taesd.latent_channels));
    if (config->taesd.in_channels == config->taesd.out_channels)
        br_taesd_encoder_build(&builder, &config->taesd, x);
}

static void build_text(br_graph *graph, const any_config *config)
{
    const br_clip_text_config *text = &config->text;
    br_builder builder;
    br_clip_text_outputs values;
    br_builder_init(&builder, graph, BR_F32, BR_F32);
    br_clip_text_build(&builder, text,
                       &(br_clip_text_inputs){
                           .tokens = br_graph_input(graph, "tokens", BR_I32, br_shape_of(2, text->max_position_embeddings)),
                           .extra = br_graph_input(graph, "extra", BR_F32, br_shape_of(3, text->hidden_size)),
                           .pool_rows = text->with_projection ? br_graph_input(graph, "rows", BR_I32, br_shape_of(2, 1)) : BR_NONE,
                           .skip = 1,
                           .final_norm = true},
                       &values);
}

static const config_part unet_part = {"unet", read_unet, build_unet}, vae_part = {"vae", read_vae, build_vae},
                         taesd_part = {"vae", read_taesd, build_taesd}, text_part = {"text_encoder", read_text, build_text},
                         text_2_part = {"text_encoder_2", read_text, build_text};

static json_t *parse(const char *text)
{
    json_t *object;
    assert_status_ok(br_json_parse(text, strlen(text), "test", &object));
    return object;
}

/* As diffusers 0.39 and transformers 4.57 write it: every key with its default. */
static json_t *load(const config_part *part, const char *model)
{
    char path[128];
    json_t *object;
    snprintf(path, sizeof path, "tests/data/tiny/%s/%s/config.json", model, part->folder);
    assert_status_ok(br_json_read(br_test_path(path), 1 << 20, &object));
    return object;
}

/* ---- refused ---- */

typedef struct refusal {
    const char *key, *value; /* JSON */
    const char *message;     /* a part of it; NULL: the key's name will do */
} refusal;

static void check_refusals(const config_part *part, const char *model, const refusal *refusals)
{
    for (; refusals->key; refusals++) {
        char text[512];
        any_config config;
        json_t *object = load(part, model);
        snprintf(text, sizeof text, "{\"%s\": %s}", refusals->key, refusals->value);
        json_t *change = parse(text);
        assert_int_equal(json_object_update(object, change), 0);
        br_status status = part->read(object, "file.json", &config);
        if (!status)
            print_error("%s: %s was taken\n", part->folder, text);
        assert_non_null(status);
        if (!strstr(br_status_message(status), "file.json") || !strstr(br_status_message(status), refusals->key) ||
            (refusals->message && !strstr(br_status_message(status), refusals->message))) {
            print_error("%s: %s gives \"%s\"\n", part->folder, text, br_status_message(status));
            fail();
        }
        assert_true(br_status_code(status) == BR_ERROR_UNSUPPORTED || br_status_code(status) == BR_ERROR_FORMAT);
        br_status_free(status);
        json_decref(object);
        json_decref(change);
    }
}

/* On the model with blocks (8, 8, 16, 16), 4 groups, 8 heads. */
static void test_unet_refusals(void **state)
{
    (void)state;
    static const refusal refusals[] = {
        {"class_embed_type", "\"timestep\"", NULL},
        {"class_embed_type", "\"projection\"", NULL},
        {"num_class_embeds", "1000", NULL},
        {"projection_class_embeddings_input_dim", "2816", NULL},
        {"class_embeddings_concat", "true", NULL},
        {"addition_embed_type", "\"text\"", "text_time"},
        {"addition_embed_type", "\"text_time\"", "needs addition_time_embed_dim and projection_class_embeddings_input_dim"},
        {"addition_time_embed_dim", "256", NULL},
        {"time_cond_proj_dim", "0", NULL},
        {"time_cond_proj_dim", "[256]", NULL},
        {"time_embedding_type", "\"fourier\"", "positional"},
        {"time_embedding_dim", "64", NULL},
        {"time_embedding_act_fn", "\"gelu\"", NULL},
        {"timestep_post_act", "\"silu\"", NULL},
        {"encoder_hid_dim", "1024", NULL},
        {"encoder_hid_dim_type", "\"text_proj\"", NULL},
        {"only_cross_attention", "true", NULL},
        {"only_cross_attention", "[true, false, false, false]", NULL},
        {"mid_block_only_cross_attention", "true", NULL},
        {"cross_attention_norm", "\"layer_norm\"", NULL},
        {"dual_cross_attention", "true", NULL},
        {"center_input_sample", "true", NULL},
        {"resnet_time_scale_shift", "\"scale_shift\"", "default"},
        {"resnet_skip_time_act", "true", NULL},
        {"resnet_out_scale_factor", "1.4142", NULL},
        {"mid_block_scale_factor", "1.4142", NULL},
        {"mid_block_type", "\"UNetMidBlock2DSimpleCrossAttn\"", "UNetMidBlock2DCrossAttn, UNetMidBlock2D or null"},
        {"mid_block_type", "true", NULL},
        {"attention_type", "\"gated\"", "default"},
        {"act_fn", "\"mish\"", "silu"},
        {"act_fn", "null", NULL},
        {"conv_in_kernel", "1", NULL},
        {"conv_out_kernel", "5", NULL},
        {"downsample_padding", "0", NULL},
        {"reverse_transformer_layers_per_block", "[1, 1, 1]", "a list of 4"},
        {"reverse_transformer_layers_per_block", "[1, [1, 1], 1, 1]", "a list of 3 for block 1"},
        {"reverse_transformer_layers_per_block", "[1, [1, 0, 1], 1, 1]", "at least 1"},
        {"reverse_transformer_layers_per_block", "[1, [1, 1, -1], 1, 1]", "whole numbers from 0 to 64"},
        {"transformer_layers_per_block", "[[1, 1], 1, 1, 1]", "reverse_transformer_layers_per_block"},
        {"transformer_layers_per_block", "0", "at least 1"},
        {"transformer_layers_per_block", "[1, 1, 1, 0]", "at least 1"}, /* the middle block's */
        {"transformer_layers_per_block", "1000000", "whole numbers from 0 to 64"},
        {"transformer_layers_per_block", "[1, 1]", "a list of 4"},
        {"down_block_types", "[\"CrossAttnDownBlock2D\", \"AttnDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]",
         "AttnDownBlock2D"},
        {"down_block_types", "[\"DownBlock2D\", \"DownBlock2D\", \"DownBlock2D\", \"SimpleCrossAttnDownBlock2D\"]", NULL},
        {"down_block_types", "[\"DownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]", "a list of 4"},
        {"down_block_types", "[\"DownBlock2D\", 2, null, {}]", NULL},
        {"up_block_types", "[\"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\", \"ResnetUpsampleBlock2D\"]",
         "UpBlock2D, CrossAttnUpBlock2D"},
        {"up_block_types", "[\"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\"]", "a list of 4"},
        {"up_block_types", "\"UpBlock2D\"", "a list of 4"},
        {"block_out_channels", "[]", "a list of 1 to 8"},
        {"block_out_channels", "[8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]", "a list of 1 to 8"},
        {"block_out_channels", "320", NULL},
        {"block_out_channels", "[8, 8, 16, -16]", NULL},
        {"block_out_channels", "[8, 8, 16, 0]", NULL},
        {"block_out_channels", "[8, 8, 16, 16.5]", NULL},
        {"block_out_channels", "[8, 8, 16, \"16\"]", NULL},
        {"block_out_channels", "[8, 8, 16, 4294967304]", NULL},
        {"layers_per_block", "[2, 2]", "a list of 4"},
        {"layers_per_block", "0", NULL},
        {"layers_per_block", "100000000", NULL},
        {"layers_per_block", "true", NULL},
        {"layers_per_block", "null", NULL},
        {"attention_head_dim", "0", NULL},
        {"attention_head_dim", "[1, 2, 4]", "a list of 4"},
        {"attention_head_dim", "[1, 2, 0, 4]", NULL},
        {"attention_head_dim", "-8", NULL},
        {"attention_head_dim", "null", NULL},
        {"num_attention_heads", "0", NULL},
        {"cross_attention_dim", "[24, 24, 24, 24]", NULL},
        {"cross_attention_dim", "null", NULL},
        {"cross_attention_dim", "0", NULL},
        {"norm_num_groups", "null", NULL},
        {"norm_num_groups", "0", NULL},
        {"norm_num_groups", "-4", NULL},
        {"norm_num_groups", "3", "a multiple of norm_num_groups = 3"},
        {"norm_eps", "-1e-5", NULL},
        {"norm_eps", "0", NULL},
        {"norm_eps", "1e300", NULL},
        {"norm_eps", "\"1e-5\"", NULL},
        {"norm_eps", "null", NULL},
        {"freq_shift", "1e9", NULL},
        {"freq_shift", "null", NULL},
        {"in_channels", "0", NULL},
        {"out_channels", "-4", NULL},
        {"sample_size", "-64", NULL},
        {"sample_size", "[64]", NULL},
        {"sample_size", "[64, 64, 64]", NULL},
        {"sample_size", "1e3", NULL},
        {"flip_sin_to_cos", "1", NULL},
        {"use_linear_projection", "\"yes\"", NULL},
        {"a_key_of_tomorrow", "1", "a_key_of_tomorrow = 1 is not supported"},
        {"a_key_of_tomorrow", "true", NULL},
        {"a_key_of_tomorrow", "[]", NULL},
        {NULL, NULL, NULL},
    };
    check_refusals(&unet_part, "sd1", refusals);
    static const refusal heads[] = {
        {"attention_head_dim", "[2, 4, 7]", "block 2 has 24 channels, expected a multiple of its 7 attention heads"},
        {"attention_head_dim", "[3, 4, 6]", "block 0 has 8 channels"},
        {NULL, NULL, NULL},
    };
    for (const refusal *r = heads; r->key; r++) {
        any_config config;
        json_t *object = load(&unet_part, "sd2");
        char text[128];
        snprintf(text, sizeof text, "{\"%s\": %s}", r->key, r->value);
        json_t *change = parse(text);
        assert_int_equal(json_object_update(object, change), 0);
        assert_status(unet_part.read(object, "file.json", &config), BR_ERROR_FORMAT, r->message);
        json_decref(change);
        json_decref(object);
    }
}

static void test_vae_refusals(void **state)
{
    (void)state;
    static const refusal refusals[] = {
        {"act_fn", "\"relu\"", "silu"},
        {"down_block_types", "[\"DownEncoderBlock2D\", \"AttnDownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\"]",
         "AttnDownEncoderBlock2D"},
        {"down_block_types", "[\"DownEncoderBlock2D\"]", "a list of 4"},
        {"up_block_types",
         "[\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]",
         "a list of 4"},
        {"up_block_types", "null", NULL},
        {"block_out_channels", "null", NULL},
        {"block_out_channels", "[4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]", "a list of 1 to 8"},
        {"block_out_channels", "[4, 8, 8, 1000000000]", NULL},
        {"layers_per_block", "[2, 2, 2, 2]", NULL},
        {"layers_per_block", "0", NULL},
        {"norm_num_groups", "null", NULL},
        {"norm_num_groups", "0", NULL},
        {"norm_num_groups", "8", "a multiple of norm_num_groups = 8"},
        {"latent_channels", "0", NULL},
        {"in_channels", "-3", NULL},
        {"latents_mean", "[0.1, 0.2, 0.3, 0.4]", NULL},
        {"latents_std", "[0.1, 0.2, 0.3, 0.4]", NULL},
        {"scaling_factor", "0", NULL},
        {"scaling_factor", "-0.18215", NULL},
        {"scaling_factor", "1e-300", NULL},
        {"scaling_factor", "null", NULL},
        {"shift_factor", "1e300", NULL},
        {"shift_factor", "\"0\"", NULL},
        {"use_quant_conv", "0", NULL},
        {"sample_size", "[512, 0]", NULL},
        {"a_key_of_tomorrow", "\"x\"", NULL},
        {NULL, NULL, NULL},
    };
    check_refusals(&vae_part, "sd1", refusals);
}

static void test_taesd_refusals(void **state)
{
    (void)state;
    static const refusal refusals[] = {
        {"act_fn", "\"silu\"", "relu"},
        {"upsample_fn", "\"bilinear\"", "nearest"},
        {"upsampling_scaling_factor", "3", "2"},
        {"num_decoder_blocks", "[]", "a list of 1 to 8"},
        {"num_decoder_blocks", "3", "a list of 1 to 8"},
        {"num_decoder_blocks", "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "a list of 1 to 8"},
        {"num_decoder_blocks", "[3, 2, 0]", "whole numbers from 1"},
        {"num_decoder_blocks", "[3, 2, 1000000]", "whole numbers from 1"},
        {"num_encoder_blocks", "[1, 2]", "a list of 3"},
        {"encoder_block_out_channels", "[6, 6, 8]", "the same width for every stage"},
        {"decoder_block_out_channels", "[6, 6]", "a list of 3"},
        {"decoder_block_out_channels", "6", "a list of 3"},
        {"decoder_block_out_channels", "[6, [6, 6], 6.5]", "whole numbers"},
        {"latent_channels", "0", NULL},
        {"scaling_factor", "0", NULL},
        {"shift_factor", "\"0\"", NULL},
        {"a_key_of_tomorrow", "1", NULL},
        {NULL, NULL, NULL},
    };
    check_refusals(&taesd_part, "taesd", refusals);
}

static void test_text_refusals(void **state)
{
    (void)state;
    static const refusal refusals[] = {
        {"hidden_act", "\"gelu_new\"", "quick_gelu or gelu"},
        {"hidden_act", "\"relu\"", "quick_gelu or gelu"},
        {"hidden_act", "null", NULL},
        {"hidden_size", "0", NULL},
        {"hidden_size", "25", "a multiple of num_attention_heads = 4"},
        {"num_attention_heads", "0", NULL},
        {"num_attention_heads", "-4", NULL},
        {"num_hidden_layers", "0", NULL},
        {"num_hidden_layers", "1000000", NULL},
        {"intermediate_size", "null", NULL},
        {"max_position_embeddings", "1", NULL},
        {"vocab_size", "9999999999", NULL},
        {"layer_norm_eps", "0", NULL},
        {"layer_norm_eps", "-1", NULL},
        {"layer_norm_eps", "[]", NULL},
        {"architectures", "[\"BertModel\"]", "CLIPTextModel, CLIPTextModelWithProjection"},
        {"architectures", "[2]", NULL},
        {"projection_dim", "0", NULL},
        {"eos_token_id", "-1", NULL},
        {"eos_token_id", "\"</s>\"", NULL},
        {"a_key_of_tomorrow", "{}", NULL},
        {NULL, NULL, NULL},
    };
    check_refusals(&text_part, "sd1", refusals);
}

/* ---- taken ---- */

static void take(const config_part *part, json_t *object, any_config *out_config)
{
    br_graph graph;
    assert_status_ok(part->read(object, "file.json", out_config));
    br_graph_init(&graph);
    part->build(&graph, out_config);
    assert_status_ok(br_graph_verify(&graph));
    br_graph_finish(&graph);
    json_decref(object);
}

static void test_written_by_the_libraries(void **state)
{
    (void)state;
    static const char *const models[] = {"sd1", "sd2",   "odd",   "bare", "sdxl",     "sdxl_refiner", "inpaint",  "pix2pix",
                                         "lcm", "taesd", "ssd1b", "vega", "small_sd", "tiny_sd",      "sd_turbo", "sdxl_turbo"};
    any_config config;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        take(&unet_part, load(&unet_part, models[i]), &config);
        bool xl = config.unet.addition_time_embed_dim > 0;
        bool tiny = strcmp(models[i], "taesd") == 0;
        take(tiny ? &taesd_part : &vae_part, load(&vae_part, models[i]), &config);
        if (strcmp(models[i], "sdxl_refiner") != 0) {
            take(&text_part, load(&text_part, models[i]), &config);
            assert_false(config.text.with_projection);
        }
        if (xl) {
            take(&text_2_part, load(&text_2_part, models[i]), &config);
            assert_true(config.text.with_projection);
            assert_int_equal(config.text.projection_dim, 12);
        }
    }
}

/* Older files have fewer keys; what is left out is what the library's class has for it. */
static void test_old_files(void **state)
{
    (void)state;
    any_config config;
    take(&unet_part,
         parse(
             "{\"_class_name\": \"UNet2DConditionModel\", \"_diffusers_version\": \"0.6.0\", \"act_fn\": \"silu\", "
             "\"attention_head_dim\": 8, \"block_out_channels\": [320, 640, 1280, 1280], \"center_input_sample\": false, "
             "\"cross_attention_dim\": 768, \"down_block_types\": [\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", "
             "\"CrossAttnDownBlock2D\", \"DownBlock2D\"], \"downsample_padding\": 1, \"flip_sin_to_cos\": true, \"freq_shift\": 0, "
             "\"in_channels\": 4, \"layers_per_block\": 2, \"mid_block_scale_factor\": 1, \"norm_eps\": 1e-05, "
             "\"norm_num_groups\": 32, \"out_channels\": 4, \"sample_size\": 64, \"up_block_types\": [\"UpBlock2D\", "
             "\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\"]}"),
         &config);
    assert_int_equal(config.unet.down_transformers[0][0], 1);
    assert_int_equal(config.unet.heads[3], 8);
    assert_int_equal(config.unet.sample_height, 64);
    assert_int_equal(config.unet.sample_width, 64);

    take(
        &vae_part,
        parse(
            "{\"_class_name\": \"AutoencoderKL\", \"_diffusers_version\": \"0.6.0\", \"act_fn\": \"silu\", \"block_out_channels\": "
            "[128, 256, 512, 512], \"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\", "
            "\"DownEncoderBlock2D\"], \"in_channels\": 3, \"latent_channels\": 4, \"layers_per_block\": 2, \"norm_num_groups\": "
            "32, "
            "\"out_channels\": 3, \"sample_size\": 512, \"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", "
            "\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}"),
        &config);
    assert_float_equal(config.vae.scaling_factor, 0.18215, 1e-7);
    assert_float_equal(config.vae.shift_factor, 0, 0);
    assert_true(config.vae.force_upcast && config.vae.use_quant_conv && config.vae.use_post_quant_conv &&
                config.vae.mid_block_add_attention);
    assert_int_equal(br_vae_factor(&config.vae), 8);

    take(&text_part,
         parse("{\"_name_or_path\": \"openai/clip-vit-large-patch14\", \"architectures\": [\"CLIPTextModel\"], "
               "\"attention_dropout\": 0.0, "
               "\"bos_token_id\": 0, \"dropout\": 0.0, \"eos_token_id\": 2, \"hidden_act\": \"quick_gelu\", \"hidden_size\": 768, "
               "\"initializer_factor\": 1.0, \"initializer_range\": 0.02, \"intermediate_size\": 3072, \"layer_norm_eps\": 1e-05, "
               "\"max_position_embeddings\": 77, \"model_type\": \"clip_text_model\", \"num_attention_heads\": 12, "
               "\"num_hidden_layers\": 12, \"pad_token_id\": 1, \"torch_dtype\": \"float32\", \"transformers_version\": "
               "\"4.22.0.dev0\", "
               "\"vocab_size\": 49408}"),
         &config);
    assert_int_equal(config.text.hidden_act, BR_ACTIVATION_QUICK_GELU);
    assert_int_equal(config.text.num_hidden_layers, 12);
}

/* None is false where a bool is expected, and "not given" where the libraries' default is None. */
static void test_null(void **state)
{
    (void)state;
    any_config config;
    json_t *object = load(&unet_part, "odd");
    assert_int_equal(json_object_set_new(object, "sample_size", json_null()), 0);
    assert_int_equal(json_object_set_new(object, "flip_sin_to_cos", json_null()), 0);
    assert_int_equal(json_object_set_new(object, "only_cross_attention", json_null()), 0);
    take(&unet_part, object, &config);
    assert_int_equal(config.unet.sample_height, 0);
    assert_false(config.unet.flip_sin_to_cos);
    object = load(&vae_part, "sd1");
    assert_int_equal(json_object_set_new(object, "mid_block_add_attention", json_null()), 0);
    assert_int_equal(json_object_set_new(object, "shift_factor", json_null()), 0);
    take(&vae_part, object, &config);
    assert_false(config.vae.mid_block_add_attention);
}

/* ---- anything ---- */

/* Every key of every file with values of every kind. Whatever is taken has to give a graph or one clear error. */
static void test_any_value(void **state)
{
    (void)state;
    static const char *const values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "-1",
                                         "1",
                                         "2",
                                         "3",
                                         "7",
                                         "13",
                                         "64",
                                         "100",
                                         "4096",
                                         "16384",
                                         "2147483647",
                                         "-2147483648",
                                         "1e300",
                                         "-1e300",
                                         "1e-300",
                                         "0.5",
                                         "\"\"",
                                         "\"silu\"",
                                         "[]",
                                         "{}",
                                         "[1]",
                                         "[1, 2]",
                                         "[[1]]",
                                         "[null]",
                                         "[1, 2, 3]",
                                         "[8, 8, 8]",
                                         "[16, 16384, 16384]",
                                         "9223372036854775807",
                                         "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"};
    static const struct {
        const config_part *part;
        const char *model;
    } parts[] = {{&unet_part, "odd"}, {&vae_part, "odd"},     {&text_part, "odd"},   {&unet_part, "ssd1b"},
                 {&unet_part, "lcm"}, {&taesd_part, "taesd"}, {&text_2_part, "sdxl"}};
    int taken = 0, refused = 0;
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        const config_part *part = parts[p].part;
        json_t *object = load(part, parts[p].model);
        const char *key;
        json_t *old;
        json_object_foreach(object, key, old)
        {
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                char text[256];
                any_config config;
                snprintf(text, sizeof text, "{\"%s\": %s}", key, values[v]);
                json_t *changed = json_copy(object), *change = parse(text);
                assert_int_equal(json_object_update(changed, change), 0);
                br_status status = part->read(changed, "file.json", &config);
                if (!status) {
                    br_graph graph;
                    br_graph_init(&graph);
                    part->build(&graph, &config);
                    status = br_graph_verify(&graph);
                    br_graph_finish(&graph);
                }
                if (status)
                    refused++;
                else
                    taken++;
                br_status_free(status);
                json_decref(changed);
                json_decref(change);
            }
        }
        json_decref(object);
    }
    print_message("  %d values taken, %d refused\n", taken, refused);
    assert_true(taken > 100 && refused > 300);
}

static void test_not_an_object(void **state)
{
    (void)state;
    any_config config;
    json_t *list = parse("[1]"), *empty = parse("{}");
    assert_status(unet_part.read(list, "file.json", &config), BR_ERROR_FORMAT, "file.json is not a JSON object");
    assert_status(vae_part.read(list, "file.json", &config), BR_ERROR_FORMAT, "file.json is not a JSON object");
    assert_status(taesd_part.read(list, "file.json", &config), BR_ERROR_FORMAT, "file.json is not a JSON object");
    assert_status(taesd_part.read(empty, "file.json", &config), BR_ERROR_UNSUPPORTED, "num_decoder_blocks is missing");
    assert_status(text_part.read(NULL, "file.json", &config), BR_ERROR_FORMAT, "file.json is not a JSON object");
    assert_status(unet_part.read(empty, "file.json", &config), BR_ERROR_UNSUPPORTED, "block_out_channels is missing");
    assert_status(vae_part.read(empty, "file.json", &config), BR_ERROR_UNSUPPORTED, "block_out_channels is missing");
    json_decref(list);
    json_decref(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unet_refusals),
        cmocka_unit_test(test_vae_refusals),
        cmocka_unit_test(test_text_refusals),
        cmocka_unit_test(test_taesd_refusals),
        cmocka_unit_test(test_written_by_the_libraries),
        cmocka_unit_test(test_old_files),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_any_value),
        cmocka_unit_test(test_not_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
