#include "pipeline/parameters.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "brume/version.h"
#include "pipeline/prompts.h"

typedef struct settings {
    br_arena arena;
    const char *text; /* "Steps: 20, Sampler: …"; NULL: out of memory */
} settings;

static void add(settings *it, const char *key, const char *format, ...) BR_PRINTF(3, 4);
static void add(settings *it, const char *key, const char *format, ...)
{
    char value[64];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (it->text)
        it->text = br_arena_printf(&it->arena, "%s%s%s: %s", it->text, it->text[0] ? ", " : "", key, value);
}

/* As quote() of modules/infotext_utils.py: JSON where the text could be taken for more settings. */
static void add_text(settings *it, const char *key, const char *text)
{
    json_t *string = strpbrk(text, ",:\n") ? json_string(text) : NULL;
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (it->text)
        it->text = br_arena_printf(&it->arena, "%s, %s: %s", it->text, key, quoted ? quoted : text);
    free(quoted);
    json_decref(string);
}

/* Whether one of the ids stands for a vector of the embedding. */
static bool uses(const br_prompts *prompts, const br_model *model, const br_embedding *embedding)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        for (int kind = 0; kind < BR_PROMPT_COUNT; kind++) {
            const br_chunks *chunks = &prompts->chunks[i][kind];
            int first = model->text[i].config.vocab_size + embedding->first;
            for (int at = 0; at < chunks->count * chunks->length; at++)
                if (chunks->ids[at] >= first && chunks->ids[at] < first + embedding->count)
                    return true;
        }
    return false;
}

static void add_embeddings(settings *it, const br_request *request, const br_model *model)
{
    const br_embeddings *all = &model->embeddings;
    const char *names = "";
    br_prompts prompts;
    if (!all->count)
        return;
    br_status status = br_prompts_init(
        &(br_prompts_params){.model = model, .text = {request->negative_prompt, request->prompt}, .literal = request->literal},
        &prompts);
    for (int i = 0; i < all->count && !status && names; i++)
        if (uses(&prompts, model, &all->items[i]))
            names = br_arena_printf(&it->arena, "%s%s%s", names, names[0] ? ", " : "", all->items[i].name);
    if (status || !names)
        it->text = NULL; /* the request was resolved with these prompts: nothing but memory can be missing */
    else if (names[0])
        add_text(it, "TI", names);
    br_status_free(status);
    br_prompts_finish(&prompts);
}

static void add_noise(settings *it, const br_request *request)
{
    if (!request->cuda_noise) /* AUTOMATIC1111's own is that of CUDA devices */
        add(it, "RNG", "CPU");
    if (request->eta != 0)
        add(it, strcmp(br_sampler_name(request->sampler), "ddim") == 0 ? "Eta DDIM" : "Eta", "%g",
            request->eta > 0 ? request->eta : 0);
    if (request->s_noise != 0 && request->s_noise != 1)
        add(it, "Sigma noise", "%g", request->s_noise);
}

char *br_request_parameters(const br_request *request, const br_model *model, const br_model *refiner, int64_t seed)
{
    settings it = {.text = ""};
    const char *schedule = br_sigmas_label(request->sigmas), *negative = request->negative_prompt;
    char *text = NULL;
    add(&it, "Steps", "%d", request->steps);
    add(&it, "Sampler", "%s", br_sampler_label(request->sampler));
    if (schedule)
        add(&it, "Schedule type", "%s", schedule);
    add(&it, "CFG scale", "%g", request->guidance);
    if (request->size.copies == 3)
        add(&it, "Image CFG scale", "%g", request->image_guidance);
    add(&it, "Seed", "%" PRId64, seed);
    add(&it, "Size", "%dx%d", request->width, request->height);
    add_text(&it, "Model", model->name);
    if (model->vae_name)
        add_text(&it, "VAE", model->vae_name);
    if ((request->image && br_model_get_task(model) != BR_TASK_EDIT) || (request->latents && !request->noisy))
        add(&it, "Denoising strength", "%g", request->strength);
    if (request->size.clip_skip > BR_CLIP_SKIP_LAST)
        add(&it, "Clip skip", "%d", request->size.clip_skip);
    add_noise(&it, request);
    if (refiner) {
        add_text(&it, "Refiner", refiner->name);
        add(&it, "Refiner switch at", "%g", request->denoising_end);
    }
    if (request->size.rescale)
        add(&it, "CFG rescale", "%g", request->guidance_rescale);
    if (request->literal)
        add(&it, "Emphasis", "None");
    add_embeddings(&it, request, model);
    add(&it, "Version", "brume %s", BR_VERSION);
    size_t size = it.text ? strlen(request->prompt) + strlen(negative) + strlen(it.text) + 32 : 0;
    if (size && (text = malloc(size)))
        snprintf(text, size, "%s%s%s\n%s", request->prompt, negative[0] ? "\nNegative prompt: " : "", negative, it.text);
    br_arena_finish(&it.arena);
    return text;
}
