#include "cli/draw.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/thread.h"
#include "cli/format.h"
#include "cli/interrupt.h"
#include "cli/output.h"

/* Pictures on their way to files, in a thread of their own while the next ones are drawn. */
typedef struct delivery {
    br_errand errand;
    br_generation generation; /* owned; count 0: nothing is on its way */
    char **paths;             /* borrowed, [generation.count] */
    int first;                /* number of its first picture */
    br_status status;         /* of the errand */
} delivery;

typedef struct work {
    const br_draw_options *options; /* borrowed */
    br_session session;
    br_output output;
    br_npy noise, latents;
    br_image picture, mask; /* owned; what -i and --mask name */
    br_generate_params params;
    br_image *kept; /* owned, [output.count]; for the sheet, or NULL */
    json_t *pictures;
    br_errands *writer; /* owned */
    delivery delivery;
    int delivered; /* pictures that were handed to it */
    double text_seconds, denoise_seconds, decode_seconds;
    br_status preview_error;
} work;

/* Reads noise or latents and says which batch they are for, unless that was said. */
static br_status read_planes(br_call *call, br_draw_options *o, const char *path, br_npy *out_planes)
{
    BR_TRY(br_npy_read(path, out_planes));
    const br_npy *planes = out_planes;
    if (planes->type != BR_NPY_F32 || planes->rank < 3 || planes->rank > 4)
        return br_fail(BR_ERROR_FORMAT, "%s: an array of %s with %d dimensions, expected float32 [C, h, w] or [B, C, h, w]", path,
                       planes->type == BR_NPY_F32 ? "float32" : "int32", planes->rank);
    int64_t batch = planes->rank == 4 ? planes->shape[0] : 1;
    if (!o->batch_size_given && batch >= 1 && batch <= BR_DRAW_BATCH_MAX)
        o->batch_size = batch;
    if (batch != o->batch_size)
        return br_wrong_usage(call, "%s is for %lld pictures, but the batch has %lld", path, (long long)batch,
                              (long long)o->batch_size);
    return NULL;
}

/* The library sees the number of floats only; [4, 8, 32] for a picture of [4, 16, 16] would be noise in a wrong order. */
static br_status check_planes(const work *w, const char *path, const br_npy *planes)
{
    br_model_defaults model = br_model_get_defaults(w->session.model), *defaults = &model;
    int width = w->params.width > 0 ? w->params.width : defaults->width,
        height = w->params.height > 0 ? w->params.height : defaults->height;
    long long rows = height / defaults->size_multiple, columns = width / defaults->size_multiple;
    const int64_t *shape = planes->shape + planes->rank - 3;
    if (shape[1] == rows && shape[2] == columns)
        return NULL;
    return br_fail(BR_ERROR_ARGUMENT, "%s has %lld rows and %lld columns, expected %lld and %lld for a picture of %dx%d", path,
                   (long long)shape[1], (long long)shape[2], rows, columns, width, height);
}

/* The picture is as large as the latents, unless another size was asked for. */
static void follow_latents(work *w)
{
    int64_t factor = br_model_get_defaults(w->session.model).size_multiple;
    const int64_t *shape = w->latents.shape + w->latents.rank - 3;
    if (!w->params.height && shape[1] <= INT_MAX / factor)
        w->params.height = (int)(shape[1] * factor);
    if (!w->params.width && shape[2] <= INT_MAX / factor)
        w->params.width = (int)(shape[2] * factor);
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
        const char *dot = strrchr(w->options->preview, '.');
        int length = dot && !strchr(dot, '/') ? (int)(dot - w->options->preview) : (int)strlen(w->options->preview);
        snprintf(name, sizeof name, "%.*s-%03d%s", length, w->options->preview, picture, w->options->preview + length);
    } else {
        snprintf(name, sizeof name, "%s", w->options->preview);
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
    const br_draw_options *o = w->options;
    w->params = (br_generate_params){
        .prompt = o->prompt,
        .negative_prompt = o->negative,
        .literal_prompt = o->no_prompt_weights,
        .clip_skip = (int)o->clip_skip,
        .original_width = (int)o->original_size[0],
        .original_height = (int)o->original_size[1],
        .crop_x = (int)o->crop[0],
        .crop_y = (int)o->crop[1],
        .target_width = (int)o->target_size[0],
        .target_height = (int)o->target_size[1],
        .aesthetic_score = o->aesthetic_score,
        .negative_aesthetic_score = o->negative_aesthetic_score,
        .width = o->width < 0 ? 0 : (int)o->width,
        .height = o->height < 0 ? 0 : (int)o->height,
        .steps = o->steps < 0 ? 0 : (int)o->steps,
        .guidance = o->cfg,
        .image_guidance = o->image_cfg,
        .guidance_rescale = o->guidance_rescale,
        .init_image = o->input ? &w->picture : NULL,
        .mask = o->mask ? &w->mask : NULL,
        .strength = o->strength,
        .sampler = o->sampler,
        .schedule = o->schedule,
        .eta = o->eta,
        .s_noise = o->s_noise,
        .seed = o->seed < 0 ? br_clock_seed() : o->seed,
        .noise_source = strcmp(o->rng, "cuda") == 0 ? BR_NOISE_CUDA : BR_NOISE_CPU,
        .batch_size = (int)o->batch_size,
        .init_noise = w->noise.data,
        .init_noise_count = w->noise.count,
        .init_latents = w->latents.data,
        .init_latents_count = w->latents.count,
        .denoising_start = o->denoising_start,
        .denoising_end = o->denoising_end,
        .refiner_start = o->refiner_start,
        .dump_dir = o->dump_dir,
        .progress = on_progress,
        .progress_user = w,
        .preview = o->preview ? save_preview : NULL,
        .preview_user = w,
        .preview_every = (int)o->preview_every,
    };
}

static br_status add_embeddings(const work *w, br_model *model)
{
    const br_draw_options *o = w->options;
    if (o->embeddings_dir) {
        if (!br_file_is_dir(o->embeddings_dir))
            return br_fail(BR_ERROR_NOT_FOUND, "--embeddings-dir: there is no folder %s", o->embeddings_dir);
        BR_TRY(br_model_add_embedding(model, NULL, o->embeddings_dir));
    }
    for (int i = 0; i < o->embeddings.count; i++) {
        const char *word = o->embeddings.items[i], *equals = strchr(word, '=');
        char name[256];
        if (equals && (size_t)snprintf(name, sizeof name, "%.*s", (int)(equals - word), word) >= sizeof name)
            return br_fail(BR_ERROR_ARGUMENT, "--embedding: the name in \"%.60s...\" is too long", word);
        BR_TRY(br_model_add_embedding(model, equals ? name : NULL, equals ? equals + 1 : word));
    }
    return NULL;
}

/* For the shaders that can be built before the drawing begins. */
static void announce_size(work *w)
{
    br_model_defaults defaults = br_model_get_defaults(w->session.model);
    br_session_options *options = &w->session.options;
    options->width = w->params.width > 0 ? w->params.width : defaults.width;
    options->height = w->params.height > 0 ? w->params.height : defaults.height;
    options->batch_size = w->params.batch_size;
}

/* Everything that can go wrong before the long work begins. */
static br_status prepare(br_call *call, br_draw_options *o, work *w)
{
    if (o->init_noise)
        BR_TRY(read_planes(call, o, o->init_noise, &w->noise));
    if (o->init_latents)
        BR_TRY(read_planes(call, o, o->init_latents, &w->latents));
    if (o->input)
        BR_TRY(br_image_load(o->input, &w->picture));
    if (o->mask)
        BR_TRY(br_image_load(o->mask, &w->mask));
    fill_params(w);
    const br_output_params output = {o->output, "output.png", (int)(o->batch_count * o->batch_size), o->grid};
    BR_TRY(br_output_init(call, &output, &w->output));
    if (o->preview)
        BR_TRY(br_image_check_path(o->preview));
    BR_TRY(br_session_open_model(&w->session));
    BR_TRY(add_embeddings(w, w->session.model));
    if (w->session.refiner_model)
        BR_TRY(br_status_prefix(add_embeddings(w, w->session.refiner_model), "--refiner"));
    if (o->init_latents)
        follow_latents(w);
    BR_TRY(w->session.refiner_model ? br_generate_check_refiner(w->session.model, w->session.refiner_model, &w->params)
                                    : br_generate_check(w->session.model, &w->params));
    if (o->init_noise)
        BR_TRY(check_planes(w, o->init_noise, &w->noise));
    if (o->init_latents)
        BR_TRY(check_planes(w, o->init_latents, &w->latents));
    if (o->dump_dir)
        BR_TRY(br_dir_create(o->dump_dir));
    BR_TRY(br_errands_create(1, &w->writer));
    w->pictures = json_array();
    if (o->grid)
        w->kept = calloc((size_t)w->output.count, sizeof *w->kept);
    if (!w->pictures || (o->grid && !w->kept))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    announce_size(w);
    BR_TRY(br_session_open_device(&w->session));
    BR_TRY(br_session_open_pipeline(&w->session));
    w->params.refiner = w->session.refiner;
    if (w->output.count == 1)
        br_session_say(&w->session, "seed", "%lld", (long long)w->params.seed);
    else
        br_session_say(&w->session, "seeds", "%lld to %lld", (long long)w->params.seed,
                       (long long)w->params.seed + w->output.count - 1);
    return NULL;
}

static void save_pictures(br_errand *errand)
{
    delivery *d = (delivery *)errand;
    for (int i = 0; i < d->generation.count && !d->status; i++)
        d->status = br_image_save(&d->generation.pictures[i].image, d->paths[i], d->generation.pictures[i].parameters);
}

static br_status report_picture(work *w, br_generated *picture, int number)
{
    const char *path = w->output.paths[number];
    if (w->options->session.json) {
        json_t *entry = json_pack("{s:s, s:I}", "path", path, "seed", (json_int_t)picture->seed);
        if (!entry || json_array_append_new(w->pictures, entry))
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: the name cannot be written as JSON (is it UTF-8?)", path);
    } else if (!w->output.to_stdout) {
        br_bar_clear(&w->session.bar);
        puts(path);
        fflush(stdout);
    }
    if (w->kept) {
        w->kept[number] = picture->image;
        picture->image = (br_image){0};
    }
    return NULL;
}

/* Waits for the files under way, if any, and says which they are. */
static br_status end_delivery(work *w)
{
    delivery *d = &w->delivery;
    if (d->generation.count)
        br_errands_finish_one(w->writer, &d->errand);
    br_status status = d->status;
    for (int i = 0; i < d->generation.count && !status; i++)
        status = report_picture(w, &d->generation.pictures[i], d->first + i);
    br_generation_finish(&d->generation);
    *d = (delivery){0};
    return status;
}

/* Begins to save one batch, whose pictures it takes over. */
static br_status begin_delivery(work *w, br_generation *generation)
{
    BR_TRY(end_delivery(w));
    int first = w->delivered;
    w->delivered += generation->count;
    w->text_seconds += generation->text_seconds;
    w->denoise_seconds += generation->denoise_seconds;
    w->decode_seconds += generation->decode_seconds;
    delivery *d = &w->delivery;
    *d = (delivery){.errand.run = save_pictures, .generation = *generation, .paths = w->output.paths + first, .first = first};
    generation->pictures = NULL;
    generation->count = 0;
    if (w->delivered < w->output.count) {
        br_errands_add(w->writer, &d->errand);
        return NULL;
    }
    int span = br_profile_begin(w->session.profile, "PNG");
    br_errands_finish_one(w->writer, &d->errand);
    br_profile_end(w->session.profile, span);
    return end_delivery(w);
}

/* generate() once more for each batch, with the noise and the dumps of its own. */
static br_status draw_batch(work *w, int batch, br_generation *out_generation)
{
    const br_draw_options *o = w->options;
    br_generate_params params = w->params;
    char folder[4096];
    params.seed += (int64_t)batch * params.batch_size;
    if (o->dump_dir && o->batch_count > 1) {
        if ((size_t)snprintf(folder, sizeof folder, "%s/%03d", o->dump_dir, batch) >= sizeof folder)
            return br_fail(BR_ERROR_ARGUMENT, "--dump-dir: the name is too long");
        params.dump_dir = folder;
    }
    w->session.bar.batch = batch + 1;
    w->session.bar.batches = (int)o->batch_count;
    br_status status = o->batch_count > 1 ? br_generate_next(w->session.pipeline, &params, out_generation)
                                          : br_generate(w->session.pipeline, &params, out_generation);
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
    if (!status && !w->options->session.json)
        puts(w->output.grid);
    return status;
}

static br_status report(work *w, const br_generation *last, double seconds)
{
    const br_draw_options *o = w->options;
    char rate[24];
    int batches = (int)o->batch_count;
    br_format_rate(last->steps * batches / (w->denoise_seconds > 0 ? w->denoise_seconds : 1e-9), rate);
    br_session_say(&w->session, "time", "%.2f s: text %.2f, denoise %.2f (%d steps of %s, %s), decode %.2f", seconds,
                   w->text_seconds, w->denoise_seconds, last->steps, last->sampler, rate, w->decode_seconds);
    if (!o->session.json)
        return NULL;
    br_model_defaults defaults = br_model_get_defaults(w->session.model);
    json_t *pictures = w->pictures;
    w->pictures = NULL; /* json_pack takes it over, whatever happens */
    return br_print_json(json_pack("{s:o, s:s?, s:i, s:i, s:i, s:f, s:s, s:s, s:s, s:s, s:s, s:{s:f, s:f, s:f, s:f}}", "pictures",
                                   pictures, "grid", o->grid ? w->output.grid : NULL, "width", last->width, "height", last->height,
                                   "steps", last->steps, "cfg", last->guidance, "sampler", last->sampler, "schedule",
                                   o->schedule ? o->schedule : defaults.schedule, "model", br_model_name(w->session.model),
                                   "device", br_device_name(w->session.device), "dtype", br_pipeline_dtype(w->session.pipeline),
                                   "seconds", "text", w->text_seconds, "denoise", w->denoise_seconds, "decode", w->decode_seconds,
                                   "total", seconds));
}

/* Saves what a call handed out, if anything, and remembers its settings. */
static br_status take(work *w, br_generation *generation, br_generation *last)
{
    if (!generation->count)
        return NULL;
    br_status status = begin_delivery(w, generation);
    *last = *generation;
    last->pictures = NULL;
    last->count = 0;
    br_generation_finish(generation);
    return status;
}

/* The first thing that went wrong. */
static br_status either(br_status first, br_status second)
{
    if (!first)
        return second;
    br_status_free(second);
    return first;
}

static br_status draw(work *w)
{
    double start = br_clock_seconds();
    br_generation generation = {0}, last = {0};
    br_status status = NULL;
    for (int batch = 0; batch < w->options->batch_count && !status; batch++) {
        status = draw_batch(w, batch, &generation);
        if (!status)
            status = take(w, &generation, &last);
    }
    /* When a batch fails, the ones before it were well. */
    br_status late = br_generate_last(w->session.pipeline, &generation);
    if (!late)
        late = take(w, &generation, &last);
    late = either(late, end_delivery(w));
    BR_TRY(either(status, late));
    if (w->kept)
        BR_TRY(write_grid(w));
    return report(w, &last, br_clock_seconds() - start);
}

static void finish(work *w)
{
    for (int i = 0; w->kept && i < w->output.count; i++)
        br_image_finish(&w->kept[i]);
    free(w->kept);
    json_decref(w->pictures);
    br_errands_destroy(w->writer);
    br_npy_finish(&w->noise);
    br_npy_finish(&w->latents);
    br_image_finish(&w->picture);
    br_image_finish(&w->mask);
    br_output_finish(&w->output);
    br_session_finish(&w->session);
}

br_status br_draw(br_call *call, br_draw_options *options)
{
    br_status status = NULL;
    work w = {.options = options};
    br_session_init(&w.session, &options->session);
    br_interrupt_init();
    BR_TRY_GOTO(prepare(call, options, &w));
    BR_TRY_GOTO(draw(&w));
    BR_TRY_GOTO(br_session_report_profile(&w.session));
fail:
    finish(&w);
    return status;
}
