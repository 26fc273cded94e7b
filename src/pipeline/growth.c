#include "pipeline/growth.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "image/chart.h"
#include "image/font.h"
#include "pipeline/bench.h"

/* Every point runs once without counting, then once for the figure, or several times where that is quick. */
#define RUNS_MAX 5
#define QUICK_SECONDS 0.5
#define MIB (1024.0 * 1024)

/* In pixels at scale 1. */
#define SCALE 2
#define PANEL_WIDTH 420
#define PANEL_HEIGHT 340
#define MARGIN 16
#define TITLE_LEFT 68 /* as the panels' titles */
#define HEAD 34

static const br_color paper = {255, 255, 255};
static const br_color ink = {32, 34, 42};
static const br_color unet_color = {33, 92, 170}, unet_faint = {150, 185, 225};
static const br_color vae_color = {200, 96, 20}, vae_faint = {240, 190, 150};

static br_status plan_points(const br_bench_growth_params *params, br_bench_growth *growth)
{
    int trained = params->pipeline->model->defaults.width, unit = trained >= 512 ? 256 : trained / 2;
    for (int stage = 0; stage < BR_GROWTH_STAGES; stage++)
        for (int axis = 0; axis < BR_GROWTH_AXES; axis++)
            for (int i = 0; i < BR_GROWTH_POINTS; i++) {
                br_bench_growth_point *point = &growth->points[stage][axis][i];
                point->size = axis == BR_GROWTH_SIZE ? unit * (i + 1) : unit;
                point->batch_size = axis == BR_GROWTH_SIZE ? 1 : 1 << i;
                if (axis == BR_GROWTH_BATCH && stage == BR_GROWTH_VAE) { /* decodes one picture at a time */
                    *point = (br_bench_growth_point){0};
                    continue;
                }
                BR_TRY(br_bench_plan_stage(&(br_bench_stage_params){.pipeline = params->pipeline,
                                                                    .stage = stage == BR_GROWTH_UNET ? "unet" : "vae",
                                                                    .width = point->size,
                                                                    .height = point->size,
                                                                    .batch_size = point->batch_size},
                                           &point->result));
            }
    return NULL;
}

/* Smallest first, as long as what is left of the limit is enough for what the rate so far promises. */
static br_status measure_stage(const br_bench_growth_params *params, int stage, double *left, br_bench_growth *growth)
{
    double rate = INFINITY;
    for (int i = 0; i < BR_GROWTH_POINTS; i++)
        for (int axis = 0; axis < BR_GROWTH_AXES; axis++) {
            br_bench_growth_point *point = &growth->points[stage][axis][i];
            double expected = point->result.flops / rate;
            if (point->batch_size == 0 || *left <= 0 || 2 * expected > *left)
                continue;
            double began = br_clock_seconds();
            BR_TRY(br_bench_one_stage(&(br_bench_stage_params){.pipeline = params->pipeline,
                                                               .stage = stage == BR_GROWTH_UNET ? "unet" : "vae",
                                                               .width = point->size,
                                                               .height = point->size,
                                                               .batch_size = point->batch_size,
                                                               .runs = expected < QUICK_SECONDS ? RUNS_MAX : 1},
                                      &point->result));
            rate = point->result.flops / point->result.seconds_median;
            *left -= br_clock_seconds() - began;
            growth->measured++;
        }
    return NULL;
}

br_status br_growth_measure(const br_bench_growth_params *params, br_bench_growth *out_growth)
{
    double left = params->seconds;
    *out_growth = (br_bench_growth){.device = br_vk_device_caps(params->pipeline->device)->name,
                                    .model = params->pipeline->model->name,
                                    .dtype = br_dtype_name(params->pipeline->dtypes.unet.activations)};
    BR_TRY(plan_points(params, out_growth));
    BR_TRY(measure_stage(params, BR_GROWTH_UNET, &left, out_growth));
    return measure_stage(params, BR_GROWTH_VAE, &left, out_growth);
}

/* ---- the picture ---- */

typedef struct columns {
    double x[BR_GROWTH_POINTS], seconds[BR_GROWTH_POINTS],
        flops[BR_GROWTH_POINTS];                              /* flops: in seconds at the first measured rate, else TFLOP */
    double planned[BR_GROWTH_POINTS], peak[BR_GROWTH_POINTS]; /* MiB; planned: activations */
    double rate;                                              /* FLOP/s; 0: nothing was measured */
} columns;

/* `other`: the rate that FLOPs are drawn at when none of these points was measured. */
static columns columns_of(const br_bench_growth *growth, int stage, int axis, double other)
{
    columns it = {.rate = 0};
    const br_bench_growth_point *points = growth->points[stage][axis];
    for (int i = 0; i < BR_GROWTH_POINTS; i++)
        if (it.rate == 0 && points[i].result.seconds_median > 0)
            it.rate = points[i].result.flops / points[i].result.seconds_median;
    double rate = it.rate > 0 ? it.rate : other > 0 ? other : 1e12;
    for (int i = 0; i < BR_GROWTH_POINTS; i++) {
        const br_bench_result *result = &points[i].result;
        it.x[i] = axis == BR_GROWTH_SIZE ? points[i].size : points[i].batch_size;
        it.seconds[i] = result->seconds_median;
        it.flops[i] = result->flops / rate;
        it.planned[i] = (double)result->activation_bytes / MIB;
        it.peak[i] = (double)result->peak_device_bytes / MIB;
    }
    return it;
}

static void draw_panel(br_canvas *canvas, const br_bench_growth *growth, int axis, bool memory)
{
    columns unet = columns_of(growth, BR_GROWTH_UNET, axis, 0), vae = columns_of(growth, BR_GROWTH_VAE, axis, unet.rate);
    const char *what = memory ? "MiB" : unet.rate > 0 ? "seconds" : "TFLOP";
    char labels[4][96], title[96];
    const columns *of[2] = {&unet, &vae};
    static const char *const names[2] = {"UNet, a step with guidance", "VAE decoder"};
    br_chart_series series[4];
    const br_color colors[2] = {unet_color, vae_color}, faint[2] = {unet_faint, vae_faint};
    int count = 0, stages = axis == BR_GROWTH_SIZE ? 2 : 1;
    for (int i = 0; i < stages; i++) {
        if (memory)
            snprintf(labels[count], sizeof labels[0], "%s: activations, planned", names[i]);
        else if (unet.rate > 0)
            snprintf(labels[count], sizeof labels[0], "%s: its FLOPs at %.3g GFLOP/s%s", names[i],
                     (of[i]->rate > 0 ? of[i]->rate : unet.rate) * 1e-9, of[i]->rate > 0 ? "" : ", not measured");
        else
            snprintf(labels[count], sizeof labels[0], "%s: planned, not measured", names[i]);
        series[count] =
            (br_chart_series){labels[count], of[i]->x, memory ? of[i]->planned : of[i]->flops, BR_GROWTH_POINTS, faint[i], false};
        count++;
        if (!(of[i]->rate > 0))
            continue;
        snprintf(labels[count], sizeof labels[0], memory ? "%s: all that was on the device, measured" : "%s: measured", names[i]);
        series[count] =
            (br_chart_series){labels[count], of[i]->x, memory ? of[i]->peak : of[i]->seconds, BR_GROWTH_POINTS, colors[i], true};
        count++;
    }
    const br_bench_growth_point *first = &growth->points[BR_GROWTH_UNET][axis][0];
    if (axis == BR_GROWTH_SIZE)
        snprintf(title, sizeof title, "%s by size, batch 1", what);
    else
        snprintf(title, sizeof title, "%s by batch, %d\u00d7%d pixels", what, first->size, first->size);
    br_chart_draw(canvas, &(br_chart){.area = {(MARGIN + (axis == BR_GROWTH_BATCH) * PANEL_WIDTH) * SCALE,
                                               (HEAD + memory * PANEL_HEIGHT) * SCALE, PANEL_WIDTH * SCALE, PANEL_HEIGHT * SCALE},
                                      .scale = SCALE,
                                      .title = title,
                                      .xlabel = axis == BR_GROWTH_SIZE ? "pixels, each side" : "pictures at once",
                                      .series = series,
                                      .series_count = count,
                                      .ticks = unet.x,
                                      .tick_count = BR_GROWTH_POINTS});
}

br_status br_growth_draw(const br_bench_growth *growth, br_image *out_image)
{
    br_canvas canvas;
    char title[400];
    BR_TRY(br_canvas_init((2 * MARGIN + 2 * PANEL_WIDTH) * SCALE, (HEAD + 2 * PANEL_HEIGHT + MARGIN) * SCALE, paper, &canvas));
    snprintf(title, sizeof title, "%s, %s, on %s", growth->model, growth->dtype, growth->device);
    br_text_draw(&canvas, title, &(br_text_style){TITLE_LEFT * SCALE, 22 * SCALE, 12 * SCALE, BR_TEXT_LEFT, ink});
    for (int axis = 0; axis < BR_GROWTH_AXES; axis++)
        for (int memory = 0; memory < 2; memory++)
            draw_panel(&canvas, growth, axis, memory != 0);
    *out_image = canvas.image;
    canvas.image = (br_image){0};
    br_canvas_finish(&canvas);
    return NULL;
}
