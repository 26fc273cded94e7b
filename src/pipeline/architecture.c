#include "pipeline/architecture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The keys that matter here of the config.json files of runwayml/stable-diffusion-v1-5, stabilityai/stable-diffusion-2-1 and stabilityai/stable-diffusion-xl-base-1.0; what is left out has
 * its default in transformers and diffusers. */
typedef struct architecture {
    const char *name, *text_encoder, *unet, *vae, *scheduler;
    const char *text_encoder_2;                  /* NULL: none */
    const char *tokenizer_pad, *tokenizer_2_pad; /* literals or NULL, as in br_checkpoint */
} architecture;

#define SD_VAE                                                                                                                 \
    "{\"block_out_channels\": [128, 256, 512, 512], \"layers_per_block\": 2, \"latent_channels\": 4, \"sample_size\": 512,"    \
    " \"down_block_types\": [\"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\", \"DownEncoderBlock2D\"]," \
    " \"up_block_types\": [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}"
#define SD_UNET_BLOCKS                                                                                                        \
    "\"block_out_channels\": [320, 640, 1280, 1280], \"layers_per_block\": 2,"                                                \
    " \"down_block_types\": [\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"DownBlock2D\"]," \
    " \"up_block_types\": [\"UpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\"]"
#define CLIP_L                                                                                                    \
    "{\"hidden_size\": 768, \"intermediate_size\": 3072, \"num_hidden_layers\": 12, \"num_attention_heads\": 12," \
    " \"hidden_act\": \"quick_gelu\", \"vocab_size\": 49408}"
#define SD_BETAS "\"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\", \"steps_offset\": 1"

static const architecture architectures[] = {
    {
        .name = "sd15",
        .text_encoder = CLIP_L,
        .unet = "{\"sample_size\": 64, \"cross_attention_dim\": 768, \"attention_head_dim\": 8, " SD_UNET_BLOCKS "}",
        .vae = SD_VAE,
        .scheduler = "{\"_class_name\": \"PNDMScheduler\", \"skip_prk_steps\": true, " SD_BETAS "}",
    },
    {
        .name = "sd21",
        .text_encoder = "{\"hidden_size\": 1024, \"intermediate_size\": 4096, \"num_hidden_layers\": 23,"
                        " \"num_attention_heads\": 16, \"hidden_act\": \"gelu\", \"vocab_size\": 49408}",
        .unet = "{\"sample_size\": 96, \"cross_attention_dim\": 1024, \"attention_head_dim\": [5, 10, 20, 20],"
                " \"use_linear_projection\": true, " SD_UNET_BLOCKS "}",
        .vae = SD_VAE,
        .scheduler = "{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"v_prediction\", " SD_BETAS "}",
        .tokenizer_pad = "!",
    },
    {
        .name = "sdxl",
        .text_encoder = CLIP_L,
        .text_encoder_2 =
            "{\"hidden_size\": 1280, \"intermediate_size\": 5120, \"num_hidden_layers\": 32,"
            " \"num_attention_heads\": 20, \"hidden_act\": \"gelu\", \"vocab_size\": 49408, \"projection_dim\": 1280}",
        .unet = "{\"sample_size\": 128, \"cross_attention_dim\": 2048, \"attention_head_dim\": [5, 10, 20],"
                " \"use_linear_projection\": true, \"block_out_channels\": [320, 640, 1280], \"layers_per_block\": 2,"
                " \"transformer_layers_per_block\": [1, 2, 10], \"addition_embed_type\": \"text_time\","
                " \"addition_time_embed_dim\": 256, \"projection_class_embeddings_input_dim\": 2816,"
                " \"down_block_types\": [\"DownBlock2D\", \"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\"],"
                " \"up_block_types\": [\"CrossAttnUpBlock2D\", \"CrossAttnUpBlock2D\", \"UpBlock2D\"]}",
        .vae = SD_VAE,
        .scheduler = "{\"_class_name\": \"EulerDiscreteScheduler\", " SD_BETAS "}",
        .tokenizer_2_pad = "!",
    },
};
#define COUNT (int)(sizeof architectures / sizeof architectures[0])

const char *br_architecture_name(int index)
{
    return index >= 0 && index < COUNT ? architectures[index].name : NULL;
}

static br_status fail_unknown(const char *name)
{
    char all[64] = "";
    size_t used = 0;
    for (int i = 0; i < COUNT && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", architectures[i].name);
    return br_fail(BR_ERROR_NOT_FOUND, "there is no architecture \"%s\", expected one of %s", name, all);
}

static br_status make_part(const char *what, const char *class_name, const char *config, br_checkpoint_part *out_part)
{
    out_part->class_name = strdup(class_name);
    out_part->config_path = strdup(what);
    out_part->weights_path = strdup("");
    out_part->weights = br_weights_create();
    if (!out_part->class_name || !out_part->config_path || !out_part->weights_path || !out_part->weights)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY(br_weights_seal(out_part->weights));
    return br_json_parse(config, strlen(config), what, &out_part->config);
}

br_status br_architecture_checkpoint(const char *name, br_checkpoint *out_checkpoint)
{
    *out_checkpoint = (br_checkpoint){0};
    const architecture *found = NULL;
    for (int i = 0; i < COUNT; i++)
        if (strcmp(architectures[i].name, name) == 0)
            found = &architectures[i];
    if (!found)
        return fail_unknown(name);
    br_status status = NULL;
    br_checkpoint checkpoint = {.path = strdup(name),
                                .class_name =
                                    strdup(found->text_encoder_2 ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline"),
                                .scheduler_path = strdup("scheduler"),
                                .tokenizer_pad = found->tokenizer_pad,
                                .tokenizer_2_pad = found->tokenizer_2_pad,
                                .format = "architecture"};
    if (!checkpoint.path || !checkpoint.class_name || !checkpoint.scheduler_path)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY_GOTO(make_part("text_encoder", "CLIPTextModel", found->text_encoder, &checkpoint.text_encoder));
    if (found->text_encoder_2)
        BR_TRY_GOTO(make_part("text_encoder_2", "CLIPTextModelWithProjection", found->text_encoder_2, &checkpoint.text_encoder_2));
    BR_TRY_GOTO(make_part("unet", "UNet2DConditionModel", found->unet, &checkpoint.unet));
    BR_TRY_GOTO(make_part("vae", "AutoencoderKL", found->vae, &checkpoint.vae));
    BR_TRY_GOTO(br_json_parse(found->scheduler, strlen(found->scheduler), checkpoint.scheduler_path, &checkpoint.scheduler));
    *out_checkpoint = checkpoint;
    return NULL;
fail:
    br_checkpoint_finish(&checkpoint);
    return br_status_prefix(status, "%s", name);
}
