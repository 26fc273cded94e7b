/* The UNets of published models at their real size, from their configurations: as many parameters as diffusers' UNet2DConditionModel has with the same ones.
 * The sums say that every list of layers is read as it is meant: SSD-1B and Vega publish 1.3 and 0.745 billion, BK-SDM 0.49 and 0.33 (rounded up). */
#include <stdio.h>

#include "base/json.h"
#include "models/clip_text.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "support/test.h"

#define SD "'sample_size': 64, 'cross_attention_dim': 768, 'attention_head_dim': 8"
#define SD_BLOCKS                                                                                                           \
    ", 'block_out_channels': [320, 640, 1280, 1280], 'down_block_types': ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', " \
    "'CrossAttnDownBlock2D', 'DownBlock2D'], 'up_block_types': ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', "  \
    "'CrossAttnUpBlock2D']"
#define XL                                                                                                                \
    "'sample_size': 128, 'cross_attention_dim': 2048, 'attention_head_dim': [5, 10, 20], 'use_linear_projection': true, " \
    "'block_out_channels': [320, 640, 1280], 'down_block_types': ['DownBlock2D', 'CrossAttnDownBlock2D', "                \
    "'CrossAttnDownBlock2D'], 'up_block_types': ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'], "              \
    "'addition_embed_type': 'text_time', 'addition_time_embed_dim': 256, 'projection_class_embeddings_input_dim': 2816"

typedef struct published {
    const char *name, *config; /* with ' for " */
    uint64_t parameters;
    int time_ids;
} published;

static const published unets[] = {
    {"Stable Diffusion 1.5", SD SD_BLOCKS, 859520964, 0},
    {"inpainting", SD SD_BLOCKS ", 'in_channels': 9", 859535364, 0},
    {"InstructPix2Pix", SD SD_BLOCKS ", 'in_channels': 8", 859532484, 0},
    {"LCM", SD SD_BLOCKS ", 'time_cond_proj_dim': 256", 859602884, 0},
    {"BK-SDM-Small", SD SD_BLOCKS ", 'layers_per_block': 1, 'mid_block_type': null", 482346884, 0},
    {"BK-SDM-Tiny",
     SD ", 'layers_per_block': 1, 'mid_block_type': null, 'block_out_channels': [320, 640, 1280], 'down_block_types': "
        "['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'], 'up_block_types': ['CrossAttnUpBlock2D', "
        "'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D']",
     323384964, 0},
    {"SDXL base", XL ", 'transformer_layers_per_block': [1, 2, 10]", 2567463684, 6},
    {"SDXL refiner",
     "'sample_size': 128, 'cross_attention_dim': 1280, 'attention_head_dim': [6, 12, 24, 24], 'use_linear_projection': true, "
     "'block_out_channels': [384, 768, 1536, 1536], 'down_block_types': ['DownBlock2D', 'CrossAttnDownBlock2D', "
     "'CrossAttnDownBlock2D', 'DownBlock2D'], 'up_block_types': ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', "
     "'UpBlock2D'], 'transformer_layers_per_block': 4, 'addition_embed_type': 'text_time', 'addition_time_embed_dim': 256, "
     "'projection_class_embeddings_input_dim': 2560",
     2259526660, 5},
    {"SSD-1B",
     XL ", 'mid_block_type': 'UNetMidBlock2D', 'transformer_layers_per_block': [1, [2, 2], [4, 4]], "
        "'reverse_transformer_layers_per_block': [[4, 4, 10], [2, 1, 1], 1]",
     1331334404, 6},
    {"Segmind-Vega",
     XL ", 'mid_block_type': 'UNetMidBlock2D', 'transformer_layers_per_block': [1, [1, 1], [2, 2]], "
        "'reverse_transformer_layers_per_block': [[2, 2, 2], [1, 1, 1], 1]",
     745225604, 6},
    {"KOALA-700M", XL ", 'layers_per_block': 1, 'mid_block_type': null, 'transformer_layers_per_block': [1, 2, 5]", 782822724, 6},
};

static json_t *parse(const char *members)
{
    char text[2048];
    json_t *object;
    int length = snprintf(text, sizeof text, "{%s}", members);
    assert_true(length > 0 && (size_t)length < sizeof text);
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    assert_status_ok(br_json_parse(text, (size_t)length, "config", &object));
    return object;
}

/* Finishes the graph. */
static void check_parameters(br_graph *graph, const char *name, uint64_t expected)
{
    uint64_t count = 0;
    assert_status_ok(br_graph_verify(graph));
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].kind == BR_VALUE_WEIGHT && graph->values[i].alias == BR_NONE)
            count += (uint64_t)br_shape_count(graph->values[i].shape);
    print_message("  %-22s %11llu parameters\n", name, (unsigned long long)count);
    assert_int_equal(count, expected);
    br_graph_finish(graph);
}

static void test_unets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unets / sizeof *unets; i++) {
        const published *p = &unets[i];
        br_unet_config unet;
        json_t *object = parse(p->config);
        assert_status_ok(br_unet_config_read(object, p->name, &unet));
        json_decref(object);
        br_graph graph;
        br_builder builder;
        br_graph_init(&graph);
        br_builder_init(&builder, &graph, BR_F32, BR_F32);
        br_unet_inputs inputs = {
            .sample = br_graph_input(&graph, "x", BR_F32, br_shape_of(2, 13, 16, unet.in_channels)),
            .step = br_graph_step(&graph),
            .cross = br_unet_cross_build(
                &builder, &unet, br_graph_input(&graph, "context", BR_F32, br_shape_of(2, 77, unet.cross_attention_dim)), NULL),
            .text_embeds = p->time_ids ? br_graph_input(&graph, "pooled", BR_F32, br_shape_of(2, 1280)) : BR_NONE,
            .time_ids = p->time_ids ? br_graph_input(&graph, "ids", BR_F32, br_shape_of(2, p->time_ids)) : BR_NONE,
            .timestep_cond =
                unet.time_cond_proj_dim ? br_graph_input(&graph, "w", BR_F32, br_shape_of(1, unet.time_cond_proj_dim)) : BR_NONE};
        br_value y = br_unet_build(&builder, &unet, &inputs);
        assert_true(br_shape_equal(br_graph_shape(&graph, y), br_shape_of(2, 13, 16, 4)));
        check_parameters(&graph, p->name, p->parameters);
    }
}

/* OpenCLIP-bigG as SDXL has it; the pooled vector needs every layer and the projection. */
static void test_text(void **state)
{
    (void)state;
    br_clip_text_config config;
    json_t *object = parse("'architectures': ['CLIPTextModelWithProjection'], 'hidden_size': 1280, 'intermediate_size': 5120, "
                           "'num_hidden_layers': 32, 'num_attention_heads': 20, 'projection_dim': 1280, 'hidden_act': 'gelu', "
                           "'eos_token_id': 2");
    assert_status_ok(br_clip_text_config_read(object, "bigG", &config));
    json_decref(object);
    br_graph graph;
    br_builder builder;
    br_graph_init(&graph);
    br_builder_init(&builder, &graph, BR_F32, BR_F32);
    br_clip_text_inputs inputs = {.tokens = br_graph_input(&graph, "tokens", BR_I32, br_shape_of(2, 77)),
                                  .extra = BR_NONE,
                                  .pool_rows = br_graph_input(&graph, "rows", BR_I32, br_shape_of(2, 1)),
                                  .skip = 1};
    br_clip_text_outputs text;
    br_clip_text_build(&builder, &config, &inputs, &text);
    assert_true(br_shape_equal(br_graph_shape(&graph, text.states), br_shape_of(2, 77, 1280)));
    assert_true(br_shape_equal(br_graph_shape(&graph, text.pooled), br_shape_of(2, 1280)));
    check_parameters(&graph, "OpenCLIP-bigG", 694659840);
}

static void test_taesd(void **state)
{
    (void)state;
    static const uint64_t expected[] = {1222532, 1222531};
    br_taesd_config config;
    json_t *object = parse("'encoder_block_out_channels': [64, 64, 64, 64], 'decoder_block_out_channels': [64, 64, 64, 64], "
                           "'num_encoder_blocks': [1, 3, 3, 3], 'num_decoder_blocks': [3, 3, 3, 1]");
    assert_status_ok(br_taesd_config_read(object, "taesd", &config));
    json_decref(object);
    assert_int_equal(config.stage_count, 4); /* 8 pixels a latent pixel */
    for (int decoder = 0; decoder < 2; decoder++) {
        br_graph graph;
        br_builder builder;
        br_graph_init(&graph);
        br_builder_init(&builder, &graph, BR_F32, BR_F32);
        br_value x = br_graph_input(&graph, "x", BR_F32, decoder ? br_shape_of(1, 8, 5, 4) : br_shape_of(1, 64, 40, 3));
        br_value y = decoder ? br_taesd_decoder_build(&builder, &config, x) : br_taesd_encoder_build(&builder, &config, x);
        assert_true(br_shape_equal(br_graph_shape(&graph, y), decoder ? br_shape_of(1, 64, 40, 3) : br_shape_of(1, 8, 5, 4)));
        check_parameters(&graph, decoder ? "TAESD decoder" : "TAESD encoder", expected[decoder]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unets),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_taesd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
