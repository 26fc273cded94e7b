#include "pipeline/run.h"

#include "base/clock.h"
#include "pipeline/layout.h"

/* True to go on. */
static bool report_progress(const br_run *run)
{
    if (!run->params->progress)
        return true;
    double seconds = br_clock_seconds() - run->began;
    int step = run->step;
    br_progress progress = {.stage = run->stage,
                            .step = step,
                            .steps = run->steps,
                            .seconds = seconds,
                            .seconds_left = step > 0 ? seconds / step * (run->steps - step) : -1};
    return run->params->progress(run->params->progress_user, &progress);
}

br_status br_run_report(br_run *run, int step)
{
    run->step = step;
    if (!report_progress(run))
        return br_fail(BR_ERROR_CANCELLED, "interrupted at step %d of %d (%s)", step, run->steps, run->stage);
    return NULL;
}

br_status br_run_begin(br_run *run, const char *stage, int steps)
{
    run->stage = stage;
    run->steps = steps;
    run->began = br_clock_seconds();
    return br_run_report(run, 0);
}

bool br_run_should_stop(void *run)
{
    return !report_progress(run);
}

br_status br_run_write_planes(br_run *run, br_value value, const float *planes)
{
    int64_t one = run->request.latent_count;
    for (int i = 0; i < run->request.size.batch; i++)
        br_layout_to_channels_last(planes + i * one, run->channels, run->pixels, run->scratch + i * one);
    return br_stage_write_floats(&run->pipeline->denoise, value, run->scratch, run->count);
}

br_status br_run_read_latents(br_run *run)
{
    int64_t one = run->request.latent_count;
    BR_TRY(br_stage_read_floats(&run->pipeline->denoise, run->pipeline->denoise_values.x, run->scratch, run->count));
    for (int i = 0; i < run->request.size.batch; i++)
        br_layout_to_planes(run->scratch + i * one, run->channels, run->pixels, run->latents + i * one);
    return NULL;
}
