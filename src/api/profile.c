#include "brume/profile.h"

#include <stdlib.h>

#include "api/context.h"
#include "pipeline/arena_picture.h"
#include "pipeline/bench.h"
#include "prof/compare.h"
#include "prof/report.h"
#include "prof/table.h"
#include "prof/trace.h"

#define ROOF_RUNS 3

br_status br_profile_create(br_profile_mode mode, br_profile **out_profile)
{
    return br_prof_create(mode == BR_PROFILE_SERIALISED ? BR_PROF_SERIALISED : BR_PROF_CONCURRENT, out_profile);
}

void br_profile_destroy(br_profile *profile)
{
    br_prof_destroy(profile);
}

int br_profile_begin(br_profile *profile, const char *name)
{
    return br_prof_begin(profile, name);
}

void br_profile_end(br_profile *profile, int span)
{
    br_prof_end(profile, span);
}

br_status br_profile_stage(const br_profile_stage_params *params)
{
    if (!params->pipeline->profile)
        return br_fail(BR_ERROR_ARGUMENT, "the pipeline was created without a profile");
    return br_bench_profile_stage(&(br_bench_stage_params){.pipeline = params->pipeline,
                                                           .stage = params->stage,
                                                           .width = params->width,
                                                           .height = params->height,
                                                           .batch_size = params->batch_size,
                                                           .runs = params->runs});
}

br_status br_profile_measure_roof(br_profile *profile, br_device *device)
{
    br_bench_roof roof;
    BR_TRY(br_bench_find_roof(device->device, ROOF_RUNS, &roof));
    profile->roof = (br_prof_roof){.f32_flops = roof.gemm_f32_flops, .f16_flops = roof.gemm_f16_flops, .bytes = roof.copy_bytes};
    return NULL;
}

br_status br_profile_print(const br_profile *profile, FILE *stream, int rows)
{
    return br_prof_print(profile, stream, rows);
}

br_status br_profile_write(const br_profile *profile, br_profile_format format, const char *path)
{
    switch (format) {
    case BR_PROFILE_TRACE:
        return br_prof_write_trace(profile, path);
    case BR_PROFILE_HTML:
        return br_prof_write_html(profile, path);
    case BR_PROFILE_MEMORY:
        return br_arena_picture_write(profile, path);
    default:
        return br_prof_write_json(profile, path);
    }
}

br_status br_profile_compare(const br_profile_compare_params *params, FILE *stream)
{
    const br_prof_compare_params compare = {.before = params->before, .after = params->after, .rows = params->rows};
    if (!params->json)
        return br_prof_compare_print(&compare, stream);
    json_t *root;
    BR_TRY(br_prof_compare(&compare, &root));
    int failed = json_dumpf(root, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    fputc('\n', stream);
    return failed ? br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while comparing profiles") : NULL;
}
