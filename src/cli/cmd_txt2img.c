#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/npy.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session.h"

/* Pictures of one call. */
#define PICTURES_MAX 10000
#define BATCH_SIZE_MAX 64

/* What was typed. -1 and NULL: the model's default. */
typedef struct arguments {
    br_session_options session;
    const char *prompt, *negative, *output;
    int64_t width, height, steps, seed, batch_count, batch_size, preview_every;
    double cfg, eta, s_noise;
    const char *sampler, *schedule, *rng;
    bool grid, batch_size_given;
    const char *init_noise, *dump_dir, *preview;
} arguments;

typedef struct work {
    const arguments *arguments;
    br_session session;
    br_output output;
    br_npy noise;
    br_generate_params params;
    br_image *kept; /* owned, [output.count]; for the sheet, or NULL */
    json_t *pictures;
    double text_seconds, denoise_seconds, decode_seconds;
    br_status preview_error;
} work;

static const char *rng_list(int index)
{
    static const char *const names[] = {"cpu", "cuda"};
    return index >= 0 && index < 2 ? names[index] : NULL;
}

/* *out_help: done already. */
static br_status parse(br_call *call, arguments *a, bool *out_help)
{
    *a = (arguments){.session = {.dtype = "auto"},
                     .width = -1,
                     .height = -1,
                     .steps = -1,
                     .seed = -1,
                     .batch_count = 1,
                     .batch_size = 1,
                     .preview_every = 5,
                     .rng = "cpu"};
    const char *words[1] = {NULL};
    const char *model = "the model's";
    const br_option rows[] = {
        {"prompt", 'p', BR_OPTION_TEXT, &a->prompt, "TEXT", "what to draw"},
        {"negative", 'n', BR_OPTION_TEXT, &a->negative, "TEXT", "what to keep out of the picture"},
        {"output", 'o', BR_OPTION_TEXT, &a->output, "FILE.png", "where the picture goes", "output.png"},
        BR_ROW_MODEL(a->session),
        {"width", 'W', BR_OPTION_INT, &a->width, "N", "of the picture, in pixels", model, 1, INT_MAX},
        {"height", 'H', BR_OPTION_INT, &a->height, "N", "of the picture, in pixels", model, 1, INT_MAX},
        {"steps", 0, BR_OPTION_INT, &a->steps, "N", "of the sampler", model, 1, 10000},
        {"cfg", 0, BR_OPTION_NUMBER, &a->cfg, "X", "guidance: how closely to follow the prompt; 1 turns it off", model, 1, 1000},
        {"sampler", 0, BR_OPTION_CHOICE, &a->sampler, "NAME", "one of", model, .choices = br_sampler_list},
        {"schedule", 0, BR_OPTION_CHOICE, &a->schedule, "NAME", "spacing of the noise levels, one of", model,
         .choices = br_schedule_list},
        {"eta", 0, BR_OPTION_NUMBER, &a->eta, "X", "part of its noise that a stochastic sampler adds, to 1; negative: none", NULL,
         -1, 1},
        {"s-noise", 0, BR_OPTION_NUMBER, &a->s_noise, "X", "multiply that noise by this, to 10; 0 is 1", NULL, 0, 10},
        {"seed", 's', BR_OPTION_INT, &a->seed, "N", "of the noise; picture number i has seed N + i", "-1, a random one", -1,
         (double)INT64_MAX},
        {"rng", 0, BR_OPTION_CHOICE, &a->rng, "NAME", "whose noise: diffusers draws it on the cpu, AUTOMATIC1111 on cuda",
         .choices = rng_list},
        {"batch-count", 0, BR_OPTION_INT, &a->batch_count, "N", "batches, one after the other", NULL, 1, PICTURES_MAX},
        {"batch-size", 0, BR_OPTION_INT, &a->batch_size, "N", "pictures drawn at once, which takes more memory", NULL, 1,
         BATCH_SIZE_MAX, .given = &a->batch_size_given},
        {"grid", 0, BR_OPTION_FLAG, &a->grid, NULL, "also write all pictures on one sheet, NAME-grid.png"},
        BR_ROW_DEVICE(a->session),
        BR_ROW_DTYPE(a->session),
        {"init-noise", 0, BR_OPTION_TEXT, &a->init_noise, "FILE.npy",
         "begin with this standard normal noise, float32 [C, h, w] or [B, C, h, w]"},
        {"dump-dir", 0, BR_OPTION_TEXT, &a->dump_dir, "DIR", "write tokens, text, noise predictions, latents and picture as .npy"},
        {"preview", 0, BR_OPTION_TEXT, &a->preview, "FILE.png",
         "write what the picture looks like so far, again and again\n(of a batch: FILE-000.png, FILE-001.png, ...)"},
        {"preview-every", 0, BR_OPTION_INT, &a->preview_every, "N", "steps between previews", NULL, 1, INT_MAX},
        BR_ROW_JSON(a->session),
        BR_ROW_QUIET(a->session),
        BR_ROW_VERBOSE(a->session),
    };
    const br_options options = {rows, sizeof rows / sizeof rows[0], words, 1, "; a prompt of several words stands in quotes"};
    BR_TRY(br_options_parse(call, &options, out_help));
    if (*out_help)
        return NULL;
    if (a->prompt && words[0])
        return br_wrong_usage(call, "unexpected \"%s\": the prompt was given with -p", words[0]);
    if (words[0])
        a->prompt = words[0];
    if (!a->prompt)
        return br_wrong_usage(call, "what should be drawn? brume txt2img \"a red apple\"");
    if (a->batch_count * a->batch_size > PICTURES_MAX)
        return br_wrong_usage(call, "--batch-count times --batch-size is more than %d", PICTURES_MAX);
    if (a->seed > INT64_MAX - PICTURES_MAX)
        return br_wrong_usage(call, "-s: %lld leaves no room for the seeds of several pictures", (long long)a->seed);
    if (a->init_noise && a->batch_count > 1)
        return br_wrong_usage(call, "--init-noise with --batch-count %lld would draw the same again", (long long)a->batch_count);
    if (a->session.json && a->output && strcmp(a->output, "-") == 0)
        return br_wrong_usage(call, "--json and \"-o -\" both want standard output");
    return NULL;
}

/* Reads the noise and says which batch it is for, unless that was said. */
static br_status read_noise(br_call *call, arguments *a, br_npy *out_noise)
{
    BR_TRY(br_npy_read(a->init_noise, out_noise));
    const br_npy *noise = out_noise;
    if (noise->type != BR_NPY_F32 || noise->rank < 3 || noise->rank > 4)
        return br_fail(BR_ERROR_FORMAT, "%s: an array of %s with %d dimensions, expected float32 [C, h, w] or [B, C, h, w]",
                       a->init_noise, noise->type == BR_NPY_F32 ? "float32" : "int32", noise->rank);
    int64_t batch = noise->rank == 4 ? noise->shape[0] : 1;
    if (!a->batch_size_given && batch >= 1 && batch <= BATCH_SIZE_MAX)
        a->batch_size = batch;
    if (batch != a->batch_size)
        return br_wrong_usage(call, "%s: noise for %lld pictures, but the batch has %lld", a->init_noise, (long long)batch,
                              (long long)a->batch_size);
    return NULL;
}

/* The library sees the number of floats only; [4, 8, 32] for a picture of [4, 16, 16] would be noise in a wrong order. */
static br_status check_noise(const work *w, const br_model_defaults *defaults)
{
    const br_npy *noise = &w->noise;
    int width = w->params.width > 0 ? w->params.width : defaults->width,
        height = w->params.height > 0 ? w->params.height : defaults->height;
    long long rows = height / defaults->size_multiple, columns = width / defaults->size_multiple;
    const int64_t *shape = noise->shape + noise->rank - 3;
    if (shape[1] == rows && shape[2] == columns)
        return NULL;
    return br_fail(BR_ERROR_ARGUMENT, "%s: noise of %lld rows and %lld columns, expected %lld and %lld for a picture of %dx%d",
                   w->arguments->init_noise, (long long)shape[1], (long long)shape[2], rows, columns, width, height);
}

static void save_preview(void *user, int step, int picture, const br_image *preview)
{
    work *w = user;
    (void)step;
    if (w->preview_error)
        return;
    char name[4096];
    if (w->params.batch_size > 1) {
        /* NAME-000.png, NAME-001.png, ...: one file a picture of the batch. */
        const char *dot = strrchr(w->arguments->preview, '.');
        int length = dot && !strchr(dot, '/') ? (int)(dot - w->arguments->preview) : (int)strlen(w->arguments->preview);
        snprintf(name, sizeof name, "%.*s-%03d%s", length, w->arguments->preview, picture, w->arguments->preview + length);
    } else {
        snprintf(name, sizeof name, "%s", w->arguments->preview);
    }
    w->preview_error = br_image_save(preview, name, NULL);
}

static bool on_progress(void *user, const br_progress *progress)
{
    work *w = user;
    return !w->preview_error && br_bar_progress(&w->session.bar, progress);
}

static void fill_params(work *w)
{
    const arguments *a = w->arguments;
    w->params = (br_generate_params){
        .prompt = a->prompt,
        .negative_prompt = a->negative,
        .width = a->width < 0 ? 0 : (int)a->width,
        .height = a->height < 0 ? 0 : (int)a->height,
        .steps = a->steps < 0 ? 0 : (int)a->steps,
        .guidance = a->cfg,
        .sampler = a->sampler,
        .schedule = a->schedule,
        .eta = a->eta,
        .s_noise = a->s_noise,
        .seed = a->seed < 0 ? br_clock_seed() : a->seed,
        .noise_source = strcmp(a->rng, "cuda") == 0 ? BR_NOISE_CUDA : BR_NOISE_CPU,
        .batch_size = (int)a->batch_size,
        .init_noise = w->noise.data,
        .init_noise_count = w->noise.count,
        .dump_dir = a->dump_dir,
        .progress = on_progress,
        .progress_user = w,
        .preview = a->preview ? save_preview : NULL,
        .preview_user = w,
        .preview_every = (int)a->preview_every,
    };
}

/* Everything that can go wrong before the long work begins. */
static br_status prepare(br_call *call, arguments *a, work *w)
{
    if (a->init_noise)
        BR_TRY(read_noise(call, a, &w->noise));
    fill_params(w);
    const br_output_params output = {a->output, "output.png", (int)(a->batch_count * a->batch_size), a->grid};
    BR_TRY(br_output_init(call, &output, &w->output));
    if (a->preview)
        BR_TRY(br_image_check_path(a->preview));
    BR_TRY(br_session_open_model(&w->session));
    BR_TRY(br_generate_check(w->session.model, &w->params));
    br_model_defaults defaults = br_model_get_defaults(w->session.model);
    if (a->init_noise)
        BR_TRY(check_noise(w, &defaults));
    if (a->dump_dir)
        BR_TRY(br_dir_create(a->dump_dir));
    w->pictures = json_array();
    if (a->grid)
        w->kept = calloc((size_t)w->output.count, sizeof *w->kept);
    if (!w->pictures || (a->grid && !w->kept))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY(br_session_open_device(&w->session));
    BR_TRY(br_session_open_pipeline(&w->session));
    if (w->output.count == 1)
        br_session_say(&w->session, "seed", "%lld", (long long)w->params.seed);
    else
        br_session_say(&w->session, "seeds", "%lld to %lld", (long long)w->params.seed,
                       (long long)w->params.seed + w->output.count - 1);
    return NULL;
}

/* Saves and reports one batch; `first` is the number of its first picture. */
static br_status deliver(work *w, br_generation *generation, int first)
{
    w->text_seconds += generation->text_seconds;
    w->denoise_seconds += generation->denoise_seconds;
    w->decode_seconds += generation->decode_seconds;
    for (int i = 0; i < generation->count; i++) {
        br_generated *picture = &generation->pictures[i];
        const char *path = w->output.paths[first + i];
        BR_TRY(br_image_save(&picture->image, path, picture->parameters));
        if (w->arguments->session.json) {
            json_t *entry = json_pack("{s:s, s:I}", "path", path, "seed", (json_int_t)picture->seed);
            if (!entry || json_array_append_new(w->pictures, entry))
                return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: the name cannot be written as JSON (is it UTF-8?)", path);
        } else if (!w->output.to_stdout) {
            br_bar_clear(&w->session.bar);
            puts(path);
            fflush(stdout);
        }
        if (w->kept) {
            w->kept[first + i] = picture->image;
            picture->image = (br_image){0};
        }
    }
    return NULL;
}

/* generate() once more for each batch, with the noise and the dumps of its own. */
static br_status draw_batch(work *w, int batch, br_generation *out_generation)
{
    const arguments *a = w->arguments;
    br_generate_params params = w->params;
    char folder[4096];
    params.seed += (int64_t)batch * params.batch_size;
    if (a->dump_dir && a->batch_count > 1) {
        if ((size_t)snprintf(folder, sizeof folder, "%s/%03d", a->dump_dir, batch) >= sizeof folder)
            return br_fail(BR_ERROR_ARGUMENT, "--dump-dir: the name is too long");
        params.dump_dir = folder;
    }
    w->session.bar.batch = batch + 1;
    w->session.bar.batches = (int)a->batch_count;
    br_status status = br_generate(w->session.pipeline, &params, out_generation);
    br_bar_clear(&w->session.bar);
    if (w->preview_error) {
        br_status_free(status);
        status = w->preview_error;
        w->preview_error = NULL;
        br_generation_finish(out_generation);
    }
    return status;
}

static br_status write_grid(work *w)
{
    br_image sheet = {0};
    BR_TRY(br_image_sheet(w->kept, w->output.count, &sheet));
    br_status status = br_image_save(&sheet, w->output.grid, NULL);
    br_image_finish(&sheet);
    if (!status && !w->arguments->session.json)
        puts(w->output.grid);
    return status;
}

static br_status report(work *w, const br_generation *last, double seconds)
{
    const arguments *a = w->arguments;
    char rate[24];
    int batches = (int)a->batch_count;
    br_format_rate(last->steps * batches / (w->denoise_seconds > 0 ? w->denoise_seconds : 1e-9), rate);
    br_session_say(&w->session, "time", "%.2f s: text %.2f, denoise %.2f (%d steps of %s, %s), decode %.2f", seconds,
                   w->text_seconds, w->denoise_seconds, last->steps, last->sampler, rate, w->decode_seconds);
    if (!a->session.json)
        return NULL;
    br_model_defaults defaults = br_model_get_defaults(w->session.model);
    json_t *pictures = w->pictures;
    w->pictures = NULL; /* json_pack takes it over, whatever happens */
    return br_print_json(json_pack("{s:o, s:s?, s:i, s:i, s:i, s:f, s:s, s:s, s:s, s:s, s:s, s:{s:f, s:f, s:f, s:f}}", "pictures",
                                   pictures, "grid", a->grid ? w->output.grid : NULL, "width", last->width, "height", last->height,
                                   "steps", last->steps, "cfg", last->guidance, "sampler", last->sampler, "schedule",
                                   a->schedule ? a->schedule : defaults.schedule, "model", br_model_name(w->session.model),
                                   "device", br_device_name(w->session.device), "dtype", br_pipeline_dtype(w->session.pipeline),
                                   "seconds", "text", w->text_seconds, "denoise", w->denoise_seconds, "decode", w->decode_seconds,
                                   "total", seconds));
}

static br_status draw(work *w)
{
    double start = br_clock_seconds();
    br_generation generation = {0};
    br_status status = NULL;
    for (int batch = 0; batch < w->arguments->batch_count; batch++) {
        br_generation_finish(&generation);
        BR_TRY_GOTO(draw_batch(w, batch, &generation));
        BR_TRY_GOTO(deliver(w, &generation, batch * w->params.batch_size));
    }
    if (w->kept)
        BR_TRY_GOTO(write_grid(w));
    BR_TRY_GOTO(report(w, &generation, br_clock_seconds() - start));
fail:
    br_generation_finish(&generation);
    return status;
}

static void finish(work *w)
{
    for (int i = 0; w->kept && i < w->output.count; i++)
        br_image_finish(&w->kept[i]);
    free(w->kept);
    json_decref(w->pictures);
    br_npy_finish(&w->noise);
    br_output_finish(&w->output);
    br_session_finish(&w->session);
}

static br_status run(br_call *call)
{
    arguments a;
    bool help;
    br_status status = parse(call, &a, &help);
    if (status || help)
        return status;
    work w = {.arguments = &a};
    br_session_init(&w.session, &a.session);
    br_interrupt_init();
    BR_TRY_GOTO(prepare(call, &a, &w));
    BR_TRY_GOTO(draw(&w));
fail:
    finish(&w);
    return status;
}

const br_command br_cmd_txt2img = {
    .name = "txt2img",
    .summary = "draw a picture from words",
    .synopsis = "[options] \"what to draw\"",
    .details = BR_OUTPUT_HELP
    "The path of each picture is printed on standard output, everything else on standard error.\n"
    "The same seed, device and settings give the same picture, byte for byte.\n"
    "--dump-dir: several batches go to DIR/000, DIR/001, ..., and within each the pictures of a batch likewise.\n",
    .examples = "brume txt2img \"a red apple\"\n"
                "brume txt2img -p \"a fox on a blue background\" -s 7 -o fox.png\n"
                "brume txt2img \"a rocket\" --steps 30 --cfg 3 --sampler dpmpp_2m\n"
                "brume txt2img \"a cat face\" --batch-size 4 --batch-count 2 --grid -o cats/%03d.png\n"
                "brume txt2img \"a fish\" -q --json | jq -r '.pictures[0].path'\n",
    .run = run,
};
