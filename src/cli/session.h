/* What the commands that draw have in common: the options for model and device, the handles, and the messages about them. */
#ifndef BR_CLI_SESSION_H
#define BR_CLI_SESSION_H

#include <limits.h>

#include "brume/profile.h"
#include "cli/options.h"
#include "cli/progress.h"

/* Lines of each table of a profile, unless told otherwise. */
#define BR_PROFILE_ROWS 12

typedef struct br_session_options {
    const char *model, *device;             /* NULL: the default ones */
    const char *config;                     /* of a model in a single file; NULL: from its tensors */
    const char *vae;                        /* in place of the model's; NULL: none */
    const char *prediction;                 /* NULL: the model's */
    const char *refiner;                    /* a second model; NULL: none */
    const char *arch;                       /* instead of a model; NULL: none */
    const char *dtype;                      /* of br_precision_list */
    const char *integer_dot, *matrix_units; /* of br_choice_list; NULL: where it is fast */
    uint64_t memory_budget;                 /* bytes; 0: as many as it takes */
    int64_t vae_tile;                       /* pixels; 0: none unless the budget asks for it */
    bool vae_tiling;                        /* tiles of a usual size */
    bool quiet, verbose, json;
    const char *profile; /* where it goes, "": to the terminal only, NULL: nothing is timed */
    br_profile_mode profile_mode;
    bool hardware_counters;
    bool random_weights;           /* the model's are not uploaded */
    int width, height, batch_size; /* of the first picture, when one will be drawn; set once the model is open */
} br_session_options;

/* Rows of a table of options. */
#define BR_ROWS_MODEL(session)                                                                                         \
    {.name = "model",                                                                                                  \
     .letter = 'm',                                                                                                    \
     .type = BR_OPTION_TEXT,                                                                                           \
     .value = &(session).model,                                                                                        \
     .meta = "MODEL",                                                                                                  \
     .help = "a diffusers folder, or a .safetensors, .gguf or .ckpt file",                                             \
     .fallback = "the model that comes with Brume"},                                                                   \
        {.name = "config",                                                                                             \
         .type = BR_OPTION_TEXT,                                                                                       \
         .value = &(session).config,                                                                                   \
         .meta = "FOLDER",                                                                                             \
         .help = "for a single file: a diffusers folder with its configurations,\ntokenizer, and parts that it lacks", \
         .fallback = "what the tensors say"},                                                                          \
        {.name = "vae",                                                                                                \
         .type = BR_OPTION_TEXT,                                                                                       \
         .value = &(session).vae,                                                                                      \
         .meta = "VAE",                                                                                                \
         .help = "another VAE, or TAESD: a file or a diffusers folder",                                                \
         .fallback = "the model's"},                                                                                   \
    {                                                                                                                  \
        .name = "prediction", .type = BR_OPTION_CHOICE, .value = &(session).prediction, .meta = "KIND",                \
        .help = "what the UNet's output is: one of", .choices = br_prediction_list, .fallback = "the model's"          \
    }
#define BR_ROW_ARCH(session)                                                                                                     \
    {                                                                                                                            \
        .name = "arch", .type = BR_OPTION_CHOICE, .value = &(session).arch, .meta = "NAME",                                      \
        .help = "instead of a model: the shape of a known one, with noise for weights;\none of", .choices = br_architecture_list \
    }
#define BR_ROW_DEVICE(session)                                                                                      \
    {                                                                                                               \
        .name = "device", .letter = 'd', .type = BR_OPTION_TEXT, .value = &(session).device, .meta = "DEVICE",      \
        .help = "number or part of the name, see \"brume devices\"", .fallback = "the one that is probably fastest" \
    }
#define BR_ROW_DTYPE(session)                                                                  \
    {                                                                                          \
        .name = "dtype", .type = BR_OPTION_CHOICE, .value = &(session).dtype, .meta = "DTYPE", \
        .help = "how weights and activations are stored", .choices = br_precision_list         \
    }
#define BR_ROWS_UNITS(session)                                                                                                  \
    {.name = "integer-dot",                                                                                                     \
     .type = BR_OPTION_CHOICE,                                                                                                  \
     .value = &(session).integer_dot,                                                                                           \
     .meta = "WHEN",                                                                                                            \
     .help = "multiply a GGUF file's quantized matrices by integer dot products,\nwith activations of 8 bits: one of",          \
     .choices = br_choice_list,                                                                                                 \
     .fallback = "where the device has instructions for it"},                                                                   \
    {                                                                                                                           \
        .name = "matrix-units", .type = BR_OPTION_CHOICE, .value = &(session).matrix_units, .meta = "WHEN",                     \
        .help = "multiply and convolve in f16 by matrix units (VK_KHR_cooperative_matrix):\none of", .choices = br_choice_list, \
        .fallback = "where they are fast"                                                                                       \
    }
#define BR_ROWS_MEMORY(session)                                                                                            \
    {.name = "memory-budget",                                                                                              \
     .type = BR_OPTION_BYTES,                                                                                              \
     .value = &(session).memory_budget,                                                                                    \
     .meta = "N",                                                                                                          \
     .help = "device memory to get by with, like 512M or 2G: weights that do not\nfit are streamed, which is slower",      \
     .fallback = "as much as it takes"},                                                                                   \
        {.name = "vae-tile",                                                                                               \
         .type = BR_OPTION_INT,                                                                                            \
         .value = &(session).vae_tile,                                                                                     \
         .meta = "N",                                                                                                      \
         .help = "let the VAE work in tiles of N by N pixels, which takes less memory\nand changes pictures a little",     \
         .fallback = "only where the budget asks for it",                                                                  \
         .min = 1,                                                                                                         \
         .max = INT_MAX},                                                                                                  \
    {                                                                                                                      \
        .name = "vae-tiling", .type = BR_OPTION_FLAG, .value = &(session).vae_tiling, .help = "the same as --vae-tile 512" \
    }
#define BR_ROW_QUIET(session)                                                                                               \
    {                                                                                                                       \
        .name = "quiet", .letter = 'q', .type = BR_OPTION_FLAG, .value = &(session).quiet, .help = "say nothing but errors" \
    }
#define BR_ROW_VERBOSE(session)                                                                                   \
    {                                                                                                             \
        .name = "verbose", .letter = 'v', .type = BR_OPTION_FLAG, .value = &(session).verbose, .help = "say more" \
    }
#define BR_ROW_JSON(session)                                                                                 \
    {                                                                                                        \
        .name = "json", .type = BR_OPTION_FLAG, .value = &(session).json, .help = "print the result as JSON" \
    }

#define BR_ROW_PROFILE(session)                                                                                              \
    {                                                                                                                        \
        .name = "profile", .type = BR_OPTION_MAYBE, .value = &(session).profile, .meta = "FILE",                             \
        .help = "time every dispatch and print where the time went; FILE.html is\na page to look at, FILE.trace.json opens " \
                "in ui.perfetto.dev, FILE.json\nis for machines"                                                             \
    }

/* How large a picture is, in either of two spellings; 0: the model's size. */
typedef struct br_size_options {
    const char *text; /* "512x384"; NULL: not given */
    int64_t width, height;
} br_size_options;
#define BR_ROWS_SIZE(size)                                                                                                 \
    {.name = "size",                                                                                                       \
     .type = BR_OPTION_TEXT,                                                                                               \
     .value = &(size).text,                                                                                                \
     .meta = "WxH",                                                                                                        \
     .help = "of the picture, in pixels",                                                                                  \
     .fallback = "the model's"},                                                                                           \
        {.name = "width",                                                                                                  \
         .letter = 'W',                                                                                                    \
         .type = BR_OPTION_INT,                                                                                            \
         .value = &(size).width,                                                                                           \
         .meta = "N",                                                                                                      \
         .help = "of --size",                                                                                              \
         .fallback = "",                                                                                                   \
         .min = 1,                                                                                                         \
         .max = INT_MAX},                                                                                                  \
    {                                                                                                                      \
        .name = "height", .letter = 'H', .type = BR_OPTION_INT, .value = &(size).height, .meta = "N", .help = "of --size", \
        .fallback = "", .min = 1, .max = INT_MAX                                                                           \
    }
/* What both options for tiles come to, in pixels. */
int br_session_vae_tile(const br_session_options *options);
/* Reads `text` into the other two; an error when it is wrong, or when both spellings were used. */
BR_MUST_CHECK br_status br_size_options_check(br_call *call, br_size_options *size);

/* "text", "text_2", "unet", "vae", which make a picture; "encode", "all" */
#define BR_PICTURE_STAGES 4
const char *br_stage_list(int index);
/* "auto", "f32", "f16" */
const char *br_precision_list(int index);
/* "on", "off" */
const char *br_choice_list(int index);
br_choice br_choice_named(const char *name);
br_precision br_precision_named(const char *name);

typedef struct br_session {
    br_session_options options;
    br_bar bar;
    /* owned; NULL until opened */
    br_context *context;
    br_device *device;
    br_model *model;
    br_pipeline *pipeline;
    br_model *refiner_model; /* NULL without --refiner */
    br_pipeline *refiner;
    br_profile *profile; /* NULL without --profile */
} br_session;

void br_session_init(br_session *session, const br_session_options *options);
void br_session_finish(br_session *session);

/* Also begins the profile that was asked for. */
BR_MUST_CHECK br_status br_session_open_model(br_session *session);
/* Whether a picture of the open model takes this stage: one of "text", "text_2", "unet", "vae". */
bool br_session_takes_stage(const br_session *session, const char *stage);
BR_MUST_CHECK br_status br_session_open_context(br_session *session);
/* Opens the context too. */
BR_MUST_CHECK br_status br_session_open_device(br_session *session);
/* Uploads the weights of the open model to the open device, and says which they are. */
BR_MUST_CHECK br_status br_session_open_pipeline(br_session *session);

/* Prints the profile to stderr and writes it to its file; does nothing without one. */
BR_MUST_CHECK br_status br_session_report_profile(br_session *session);
/* Writes a profile in the format that the name asks for: .html, .png (the memory), .trace.json or .trace, else JSON. */
BR_MUST_CHECK br_status br_session_write_profile(br_session *session, const char *path);

/* "label   text" on stderr, unless -q. */
void br_session_say(br_session *session, const char *label, const char *format, ...) BR_PRINTF(3, 4);

#endif
