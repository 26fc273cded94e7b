/* What a profile costs: runs of the UNet's step without one and with one in turns, seconds of processor (all threads of the process).
 *     bench_profile MODEL-FOLDER [PIXELS] [ROUNDS] [every] - the last: each run is timed, as brume profile does, and not as a picture's are */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/bench.h"
#include "support/device.h"

/* Runs between two looks at the clock. */
#define RUNS 8 /* of which CPU devices time one */

typedef struct side {
    br_profile *profile; /* NULL: not timed */
    br_vk_buffer *arena;
    br_stage stage;
    double seconds; /* of the quickest round: others are what the machine was doing besides */
} side;

static br_status open_side(br_pipeline *pipeline, const br_picture_size *size, side *it)
{
    br_program *program;
    BR_TRY(br_pipeline_plan_one(pipeline, BR_COMPONENT_UNET, size, &program));
    BR_TRY(br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)program->plan.arena_bytes, "arena", &it->arena));
    BR_TRY(br_stage_init(
        &(br_stage_params){.device = pipeline->device, .program = program, .arena = it->arena, .profile = it->profile},
        &it->stage));
    BR_TRY(br_bench_fill(&it->stage));
    return br_stage_run(&it->stage);
}

static br_status compare(br_test_device *test, const char *path, int pixels, int rounds, bool every_run)
{
    br_model *model;
    br_pipeline *pipeline;
    side sides[2] = {{0}};
    BR_TRY(br_model_load(&(br_checkpoint_params){.path = path}, &(br_log){0}, &model));
    BR_TRY(br_pipeline_open_within(
        &(br_pipeline_open_params){.device = test->device, .model = model, .precision = BR_PRECISION_AUTO, .bare = true},
        &pipeline));
    BR_TRY(br_prof_create(BR_PROF_CONCURRENT, &sides[1].profile));
    sides[1].profile->every_run = every_run;
    br_prof_attach(sides[1].profile, test->device);
    int factor = model->defaults.size_multiple;
    br_picture_size size = {.height = pixels / factor, .width = pixels / factor, .batch = 1, .copies = 2};
    for (int i = 0; i < 2; i++)
        BR_TRY(open_side(pipeline, &size, &sides[i]));
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 2; i++) {
            clock_t began = clock();
            for (int run = 0; run < RUNS; run++)
                BR_TRY(br_stage_run(&sides[i].stage));
            double seconds = (double)(clock() - began) / CLOCKS_PER_SEC / RUNS;
            sides[i].seconds = round == 0 || seconds < sides[i].seconds ? seconds : sides[i].seconds;
        }
    int dispatches = sides[0].stage.program->dispatch_count;
    printf("%d pixels, %d dispatches: %.2f ms of processor a step, %.2f ms with a profile: %+.1f %%, %.1f us a dispatch\n", pixels,
           dispatches, 1e3 * sides[0].seconds, 1e3 * sides[1].seconds, 100 * (sides[1].seconds / sides[0].seconds - 1),
           1e6 * (sides[1].seconds - sides[0].seconds) / dispatches);
    for (int i = 0; i < 2; i++) {
        br_stage_finish(&sides[i].stage);
        br_vk_buffer_destroy(sides[i].arena);
        br_prof_destroy(sides[i].profile);
    }
    br_pipeline_close(pipeline);
    br_model_unload(model);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fputs("bench_profile MODEL-FOLDER [PIXELS] [ROUNDS]\n", stderr), 2;
    br_test_device *test = br_test_device_open(NULL);
    br_status status = compare(test, argv[1], argc > 2 ? atoi(argv[2]) : 64, argc > 3 ? atoi(argv[3]) : 10,
                               argc > 4 && strcmp(argv[4], "every") == 0);
    if (status)
        fprintf(stderr, "%s\n", br_status_message(status));
    br_test_device_close(test);
    return status != NULL;
}
