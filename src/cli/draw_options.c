#include "cli/draw_options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* The default of what every model brings along. */
#define THE_MODELS "the model's"
/* Rows of the table below and of a command's own. */
#define ROWS_MAX 64
/* As for pictures. */
#define SIDE_MAX 16384

static const char *rng_list(int index)
{
    static const char *const names[] = {"cpu", "cuda"};
    return index >= 0 && index < 2 ? names[index] : NULL;
}

void br_draw_options_init(br_draw_options *options)
{
    *options = (br_draw_options){.session = {.dtype = "auto"},
                                 .width = -1,
                                 .height = -1,
                                 .steps = -1,
                                 .seed = -1,
                                 .batch_count = 1,
                                 .batch_size = 1,
                                 .preview_every = 5,
                                 .rng = "cpu"};
}

/* "640x480" or "0,16"; nothing where `text` is NULL. */
static br_status parse_pair(br_call *call, const char *what, const char *text, int64_t min, int64_t out_values[2])
{
    char list[48];
    int count;
    if (!text)
        return NULL;
    size_t length = strcspn(text, "x,");
    if ((size_t)snprintf(list, sizeof list, "%s", text) >= sizeof list || !text[length])
        return br_wrong_usage(call, "%s: \"%s\" given, expected two numbers", what, text);
    list[length] = ',';
    BR_TRY(br_parse_int_list(
        call, &(br_int_list){.what = what, .text = list, .min = min, .max = SIDE_MAX, .capacity = 2, .values = out_values},
        &count));
    return count == 2 ? NULL : br_wrong_usage(call, "%s: \"%s\" given, expected two numbers", what, text);
}

static br_status parse_sizes(br_call *call, br_draw_options *o)
{
    BR_TRY(parse_pair(call, "--original-size", o->original_size_text, 1, o->original_size));
    BR_TRY(parse_pair(call, "--crop", o->crop_text, 0, o->crop));
    return parse_pair(call, "--target-size", o->target_size_text, 1, o->target_size);
}

/* What cannot be right whatever the model. */
static br_status check(br_call *call, const br_draw_options *o)
{
    if (!o->prompt)
        return br_wrong_usage(call, "what should be drawn? brume %s \"a red apple\"", call->command->name);
    if (o->batch_count * o->batch_size > BR_DRAW_PICTURES_MAX)
        return br_wrong_usage(call, "--batch-count times --batch-size is more than %d", BR_DRAW_PICTURES_MAX);
    if (o->seed > INT64_MAX - BR_DRAW_PICTURES_MAX)
        return br_wrong_usage(call, "-s: %lld leaves no room for the seeds of several pictures", (long long)o->seed);
    if (o->init_noise && o->batch_count > 1)
        return br_wrong_usage(call, "--init-noise with --batch-count %lld would draw the same again", (long long)o->batch_count);
    if (o->refiner_start > 0 && !o->session.refiner)
        return br_wrong_usage(call, "--refiner-start %g, but no --refiner", o->refiner_start);
    if (o->session.json && o->output && strcmp(o->output, "-") == 0)
        return br_wrong_usage(call, "--json and \"-o -\" both want standard output");
    return NULL;
}

br_status br_draw_options_parse(br_call *call, const br_draw_rows *own, br_draw_options *o, bool *out_help)
{
    const br_option common[] = {
        {"prompt", 'p', BR_OPTION_TEXT, &o->prompt, "TEXT", "what to draw"},
        {"negative", 'n', BR_OPTION_TEXT, &o->negative, "TEXT", "what to keep out of the picture"},
        {"clip-skip", 0, BR_OPTION_INT, &o->clip_skip, "N",
         "layer of the text encoders to listen to, from the end: 1 the last, 2 the\none before", "2 for SDXL, else 1", 1, 256},
        {"no-prompt-weights", 0, BR_OPTION_FLAG, &o->no_prompt_weights, NULL,
         "take (), [], \\ and BREAK in prompts as text: \"(a:1.3)\", \"[b]\" and so on\nmean nothing"},
        {"embedding", 0, BR_OPTION_WORDS, &o->embeddings, "[NAME=]FILE",
         "textual inversion: NAME in a prompt means what is in FILE; may be there\nagain and again. Without NAME it is the file's"},
        {"embeddings-dir", 0, BR_OPTION_TEXT, &o->embeddings_dir, "DIR", "the same for every file of a folder that fits the model"},
        {"output", 'o', BR_OPTION_TEXT, &o->output, "FILE.png", "where the picture goes", "output.png"},
        BR_ROWS_MODEL(o->session),
        {"width", 'W', BR_OPTION_INT, &o->width, "N", "of the picture, in pixels", THE_MODELS, 1, INT_MAX},
        {"height", 'H', BR_OPTION_INT, &o->height, "N", "of the picture, in pixels", THE_MODELS, 1, INT_MAX},
        {"steps", 0, BR_OPTION_INT, &o->steps, "N", "of the sampler", THE_MODELS, 1, 10000},
        {"cfg", 0, BR_OPTION_NUMBER, &o->cfg, "X", "guidance: how closely to follow the prompt; 1 turns it off", THE_MODELS, 1,
         1000},
        {"guidance-rescale", 0, BR_OPTION_NUMBER, &o->guidance_rescale, "X",
         "take back what much guidance does to contrast: 0 none of it,\n1 all; 0.7 is usual", NULL, 0, 1},
        {"sampler", 0, BR_OPTION_CHOICE, &o->sampler, "NAME", "one of", THE_MODELS, .choices = br_sampler_list},
        {"schedule", 0, BR_OPTION_CHOICE, &o->schedule, "NAME", "spacing of the noise levels, one of", THE_MODELS,
         .choices = br_schedule_list},
        {"eta", 0, BR_OPTION_NUMBER, &o->eta, "X", "part of its noise that a stochastic sampler adds, to 1; negative: none", NULL,
         -1, 1},
        {"s-noise", 0, BR_OPTION_NUMBER, &o->s_noise, "X", "multiply that noise by this, to 10; 0 is 1", NULL, 0, 10},
        {"seed", 's', BR_OPTION_INT, &o->seed, "N", "of the noise; picture number i has seed N + i", "-1, a random one", -1,
         (double)INT64_MAX},
        {"rng", 0, BR_OPTION_CHOICE, &o->rng, "NAME", "whose noise: diffusers draws it on the cpu, AUTOMATIC1111 on cuda",
         .choices = rng_list},
        {"batch-count", 0, BR_OPTION_INT, &o->batch_count, "N", "batches, one after the other", NULL, 1, BR_DRAW_PICTURES_MAX},
        {"batch-size", 0, BR_OPTION_INT, &o->batch_size, "N", "pictures drawn at once, which takes more memory", NULL, 1,
         BR_DRAW_BATCH_MAX, .given = &o->batch_size_given},
        {"grid", 0, BR_OPTION_FLAG, &o->grid, NULL, "also write all pictures on one sheet, NAME-grid.png"},
        BR_ROW_DEVICE(o->session),
        BR_ROW_DTYPE(o->session),
        BR_ROWS_UNITS(o->session),
        BR_ROWS_MEMORY(o->session),
        {"init-noise", 0, BR_OPTION_TEXT, &o->init_noise, "FILE.npy",
         "begin with this standard normal noise, float32 [C, h, w] or [B, C, h, w]"},
        {"dump-dir", 0, BR_OPTION_TEXT, &o->dump_dir, "DIR", "write tokens, text, noise predictions, latents and picture as .npy"},
        {"preview", 0, BR_OPTION_TEXT, &o->preview, "FILE.png",
         "write what the picture looks like so far, again and again\n(of a batch: FILE-000.png, FILE-001.png, ...)"},
        {"preview-every", 0, BR_OPTION_INT, &o->preview_every, "N", "steps between previews", NULL, 1, INT_MAX},
        {"original-size", 0, BR_OPTION_TEXT, &o->original_size_text, "WxH",
         "SDXL: size that the picture is said to have had before it was scaled", "the picture's"},
        {"crop", 0, BR_OPTION_TEXT, &o->crop_text, "X,Y", "SDXL: corner at which it is said to be cropped", "0,0"},
        {"target-size", 0, BR_OPTION_TEXT, &o->target_size_text, "WxH", "SDXL: size it is said to have", "the picture's"},
        {"aesthetic-score", 0, BR_OPTION_NUMBER, &o->aesthetic_score, "X", "SDXL's refiner: how good the picture is to be", "6",
         -1000, 1000},
        {"negative-aesthetic-score", 0, BR_OPTION_NUMBER, &o->negative_aesthetic_score, "X", "and how good it is not to be", "2.5",
         -1000, 1000},
        BR_ROW_PROFILE(o->session),
        BR_ROW_JSON(o->session),
        BR_ROW_QUIET(o->session),
        BR_ROW_VERBOSE(o->session),
    };
    const int common_count = (int)(sizeof common / sizeof common[0]), own_count = own ? own->count : 0;
    br_option rows[ROWS_MAX];
    if (own_count > ROWS_MAX - common_count)
        return br_fail(BR_ERROR_ARGUMENT, "%d options, expected at most %d", own_count + common_count, ROWS_MAX);
    for (int i = 0; i < own_count; i++)
        rows[i] = own->rows[i];
    memcpy(rows + own_count, common, sizeof common);
    const char *words[1] = {NULL};
    const br_options options = {rows, own_count + common_count, words, 1, "; a prompt of several words stands in quotes"};
    BR_TRY(br_options_parse(call, &options, out_help));
    if (*out_help)
        return NULL;
    if (o->prompt && words[0])
        return br_wrong_usage(call, "unexpected \"%s\": the prompt was given with -p", words[0]);
    if (words[0])
        o->prompt = words[0];
    BR_TRY(parse_sizes(call, o));
    return check(call, o);
}
