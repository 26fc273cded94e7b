/* The options of the commands that draw pictures. */
#ifndef BR_CLI_DRAW_OPTIONS_H
#define BR_CLI_DRAW_OPTIONS_H

#include "cli/session.h"

/* Batches that one call can ask for, pictures of one batch. */
#define BR_DRAW_PICTURES_MAX 10000
#define BR_DRAW_BATCH_MAX 64

/* What was typed. -1 and NULL: the model's default. All strings are borrowed from argv. */
typedef struct br_draw_options {
    br_session_options session;
    const char *prompt, *negative, *output;
    int64_t width, height, steps, seed, batch_count, batch_size, preview_every;
    double cfg, image_cfg, guidance_rescale, strength, eta, s_noise; /* 0: the default */
    const char *input, *mask;                                        /* pictures; NULL: none */
    double denoising_start, denoising_end, refiner_start;            /* 0: the default */
    const char *sampler, *schedule, *rng;
    bool grid, batch_size_given;
    const char *init_noise, *init_latents, *dump_dir, *preview;
    int64_t clip_skip; /* 0: the model's */
    bool no_prompt_weights;
    br_words embeddings; /* [NAME=]FILE */
    const char *embeddings_dir;
    const char *original_size_text, *crop_text, *target_size_text;
    int64_t original_size[2], crop[2], target_size[2]; /* of those texts: width, height or x, y; 0: the picture's */
    double aesthetic_score, negative_aesthetic_score;  /* 0: the default */
} br_draw_options;

/* Rows of options that not every command has; their values are fields of the same br_draw_options. */
typedef struct br_draw_rows {
    const br_option *rows; /* borrowed */
    int count;
} br_draw_rows;

#define BR_ROW_INPUT(options)                                                                                  \
    {                                                                                                          \
        .name = "input", .letter = 'i', .type = BR_OPTION_TEXT, .value = &(options).input, .meta = "FILE.png", \
        .help = "the picture to begin with"                                                                    \
    }
#define BR_ROW_STRENGTH(options, otherwise)                                                                              \
    {                                                                                                                    \
        .name = "strength", .type = BR_OPTION_NUMBER, .value = &(options).strength, .meta = "X",                         \
        .help = "how far from the picture to go, above 0 to 1: this part of\nthe steps is taken", .fallback = otherwise, \
        .min = 0.0001, .max = 1                                                                                          \
    }

#define BR_ROWS_REFINER(options)                                                                                               \
    {.name = "refiner",                                                                                                        \
     .type = BR_OPTION_TEXT,                                                                                                   \
     .value = &(options).session.refiner,                                                                                      \
     .meta = "MODEL",                                                                                                          \
     .help = "a second model that finishes the picture, as SDXL's refiner; both\nare on the device at once"},                  \
        {.name = "refiner-start",                                                                                              \
         .type = BR_OPTION_NUMBER,                                                                                             \
         .value = &(options).refiner_start,                                                                                    \
         .meta = "X",                                                                                                          \
         .help = "where it takes over, a part of the noise levels: above 0, below 1",                                          \
         .fallback = "0.8",                                                                                                    \
         .min = 0.0001,                                                                                                        \
         .max = 0.9999},                                                                                                       \
    {                                                                                                                          \
        .name = "denoising-end", .type = BR_OPTION_NUMBER, .value = &(options).denoising_end, .meta = "X",                     \
        .help = "end at this part of the noise levels, with noise left; --dump-dir\nkeeps the latents", .fallback = "the end", \
        .min = 0.0001, .max = 0.9999                                                                                           \
    }

void br_draw_options_init(br_draw_options *options);
/* Parses what all drawing commands take and `own` (may be NULL), and checks what needs no model. *out_help: the help was printed, done. */
BR_MUST_CHECK br_status br_draw_options_parse(br_call *call, const br_draw_rows *own, br_draw_options *options, bool *out_help);

#endif
