/* Draws one picture with the C API: with a progress line, and with Ctrl-C as the way to stop early.
 *
 *     txt2img "a red apple" apple.png [MODEL]
 *
 * Built by CMake together with Brume; against an installed Brume:
 *
 *     cc txt2img.c $(pkg-config --cflags --libs brume) -o txt2img
 */
#include <brume/brume.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* Called after every step, on the thread that called br_generate. Returning false makes that call fail with BR_ERROR_CANCELLED. */
static bool on_progress(void *user, const br_progress *progress)
{
    (void)user;
    fprintf(stderr, "\r%-8s %3d of %3d", progress->stage, progress->step, progress->steps);
    return !stop;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: txt2img PROMPT OUT.png [MODEL]\n");
        return 2;
    }
    signal(SIGINT, on_signal);

    /* Everything that is created stays NULL until it exists, so one end fits all failures. */
    br_context *context = NULL;
    br_device *device = NULL;
    br_model *model = NULL;
    br_pipeline *pipeline = NULL;
    br_generation generation = {0};

    /* A status is NULL when all is well; otherwise it owns a message for a person. */
    br_status status = br_image_check_path(argv[2]); /* before the long work, not after it */

    if (!status) /* checks the model's files; without a path, the model that comes with Brume */
        status = br_model_open(&(br_model_params){.path = argc > 3 ? argv[3] : NULL}, &model);
    if (!status)
        status = br_context_create(&(br_context_params){0}, &context);
    if (!status) /* without a selector, the device that is probably fastest */
        status = br_device_open(&(br_device_params){.context = context}, &device);
    if (!status) /* uploads the weights */
        status = br_pipeline_create(&(br_pipeline_params){.device = device, .model = model}, &pipeline);
    if (!status) { /* what is left at zero is the model's default: size, steps, guidance, sampler */
        const br_generate_params params = {.prompt = argv[1], .seed = -1, .progress = on_progress};
        status = br_generate(pipeline, &params, &generation);
        fputc('\n', stderr);
    }
    if (!status) { /* the settings go into the file as text, where other tools look for them */
        const br_generated *picture = &generation.pictures[0];
        status = br_image_save(&picture->image, argv[2], picture->parameters);
        if (!status)
            printf("%s, seed %lld, drawn in %.1f s on %s\n", argv[2], (long long)picture->seed,
                   generation.text_seconds + generation.denoise_seconds + generation.decode_seconds, br_device_name(device));
    }

    int code = status ? 1 : 0;
    if (status)
        fprintf(stderr, "txt2img: %s\n", br_status_message(status));
    br_status_free(status);
    br_generation_finish(&generation);
    /* In the reverse order; each of these takes NULL. */
    br_pipeline_destroy(pipeline);
    br_model_close(model);
    br_device_close(device);
    br_context_destroy(context);
    return code;
}
