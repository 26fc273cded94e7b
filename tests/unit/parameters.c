/* The settings that a picture carries along, as AUTOMATIC1111 names them. */
#include "pipeline/parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brume/version.h"
#include "support/test.h"

#define END ", Version: brume " BR_VERSION

typedef struct parameters_case {
    const char *model, *vae; /* below tests/data/tiny */
    br_generate_params params;
    const char *expected;
} parameters_case;

static uint8_t pixels[4];
static const br_image picture = {.width = 1, .height = 1, .pixels = pixels};

static const parameters_case cases[] = {
    {"sd1",
     NULL,
     {.prompt = "a fox", .seed = 5, .steps = 3, .guidance = 2.5, .noise_source = BR_NOISE_CUDA},
     "a fox\nSteps: 3, Sampler: DDIM, CFG scale: 2.5, Seed: 7, Size: 64x64, Model: sd1" END},
    {"sd1",
     NULL,
     {.prompt = "a\nfox", .negative_prompt = "wolf", .seed = 5, .steps = 3, .guidance = 2, .clip_skip = 1},
     "a\nfox\nNegative prompt: wolf\nSteps: 3, Sampler: DDIM, CFG scale: 2, Seed: 7, Size: 64x64, Model: sd1, RNG: CPU" END},
    {"sd1",
     "sd1/vae",
     {.prompt = "(fox:1.2)",
      .literal_prompt = true,
      .seed = 5,
      .steps = 4,
      .guidance = 2,
      .clip_skip = 2,
      .guidance_rescale = 0.7,
      .sampler = "euler_a",
      .schedule = "karras",
      .eta = 0.5,
      .s_noise = 1.01},
     "(fox:1.2)\nSteps: 4, Sampler: Euler a, Schedule type: Karras, CFG scale: 2, Seed: 7, Size: 64x64, Model: sd1, VAE: vae, "
     "Clip skip: 2, RNG: CPU, Eta: 0.5, Sigma noise: 1.01, CFG rescale: 0.7, Emphasis: None" END},
    {"sd1",
     NULL,
     {.prompt = "fox",
      .seed = 5,
      .steps = 4,
      .guidance = 2,
      .sampler = "ddim",
      .eta = 1,
      .noise_source = BR_NOISE_CUDA,
      .init_image = &picture,
      .strength = 1,
      .width = 16,
      .height = 16},
     "fox\nSteps: 4, Sampler: DDIM, CFG scale: 2, Seed: 7, Size: 16x16, Model: sd1, Denoising strength: 1, Eta DDIM: 1" END},
    {"pix2pix",
     NULL,
     {.prompt = "make it a fox",
      .seed = 5,
      .steps = 4,
      .guidance = 2,
      .noise_source = BR_NOISE_CUDA,
      .image_guidance = 1.25,
      .init_image = &picture,
      .width = 16,
      .height = 16},
     "make it a fox\nSteps: 4, Sampler: Euler, CFG scale: 2, Image CFG scale: 1.25, Seed: 7, Size: 16x16, Model: pix2pix" END},
};

static br_model *open_model(const char *name, const char *vae)
{
    const br_log silent = {0};
    char path[64], vae_path[64];
    br_model *model;
    snprintf(path, sizeof path, "tests/data/tiny/%s", name);
    snprintf(vae_path, sizeof vae_path, "tests/data/tiny/%s", vae ? vae : "");
    assert_status_ok(br_model_load(
        &(br_checkpoint_params){.path = br_test_path(path), .vae_path = vae ? br_test_path(vae_path) : NULL}, &silent, &model));
    return model;
}

static void check(const br_model *model, const br_generate_params *params, const char *expected)
{
    br_request request;
    assert_status_ok(br_request_resolve(model, params, &request));
    char *text = br_request_parameters(&request, model, NULL, request.seed + 2);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_model *model = open_model(cases[i].model, cases[i].vae);
        check(model, &cases[i].params, cases[i].expected);
        br_model_unload(model);
    }
}

/* Those that one of the prompts names. A comma, and whatever else means something, goes into quotes. */
static void test_embeddings_and_quotes(void **state)
{
    (void)state;
    static const char *const names[] = {"ornament", "speck", "unused"};
    br_model *model = open_model("sd1", NULL);
    for (int i = 0; i < 3; i++)
        assert_status_ok(br_embeddings_add(model, names[i], br_test_path("tests/data/prompts/ornament.safetensors")));
    free(model->name);
    model->name = strdup("a: \"b\", c");
    check(model, &(br_generate_params){.prompt = "an Ornament", .negative_prompt = "speck", .seed = 5, .steps = 3, .guidance = 2},
          "an Ornament\nNegative prompt: speck\nSteps: 3, Sampler: DDIM, CFG scale: 2, Seed: 7, Size: 64x64, "
          "Model: \"a: \\\"b\\\", c\", RNG: CPU, TI: \"ornament, speck\"" END);
    check(model, &(br_generate_params){.prompt = "speck", .seed = 5, .steps = 3, .guidance = 2, .noise_source = BR_NOISE_CUDA},
          "speck\nSteps: 3, Sampler: DDIM, CFG scale: 2, Seed: 7, Size: 64x64, Model: \"a: \\\"b\\\", c\", TI: speck" END);
    check(model, &(br_generate_params){.prompt = "fox", .seed = 5, .steps = 3, .guidance = 2, .noise_source = BR_NOISE_CUDA},
          "fox\nSteps: 3, Sampler: DDIM, CFG scale: 2, Seed: 7, Size: 64x64, Model: \"a: \\\"b\\\", c\"" END);
    br_model_unload(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_embeddings_and_quotes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
