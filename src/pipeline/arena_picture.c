#include "pipeline/arena_picture.h"

#include <stdio.h>
#include <string.h>

#include "base/scope.h"
#include "image/font.h"
#include "image/plot.h"
#include "image/png.h"
#include "prof/peak.h"

/* Pixels. */
#define WIDTH 1200
#define MARGIN 24
#define AXIS 84   /* left of a panel, for the labels of its addresses */
#define PANEL 280 /* the map itself */
#define HEADER 60 /* above it: stage and peak */
#define FOOTER 40 /* below it: the axis of dispatches */
#define TEXT_SIZE 11.0
#define STAGES_MAX 8

static const br_color paper = {252, 252, 250}, ink = {40, 44, 52}, faint = {214, 216, 214}, peak_ink = {200, 40, 40};
/* Neighbouring layers differ; after Okabe and Ito, lightened. */
static const br_color shades[] = {{86, 180, 233}, {230, 159, 0}, {0, 158, 115}, {204, 121, 167},
                                  {240, 228, 66}, {0, 114, 178}, {213, 94, 0},  {150, 150, 160}};

static double map_x(const br_prof_program *program, int dispatch)
{
    return MARGIN + AXIS + (double)(WIDTH - 2 * MARGIN - AXIS) * dispatch / program->kernel_count;
}

static double map_y(const br_prof_program *program, int top, uint64_t address)
{
    return top + PANEL - PANEL * (double)address / (double)program->arena_bytes;
}

/* By the layer that makes the value, two parts deep: "unet/down.1". */
static br_color shade_of(const br_prof_program *program, const br_prof_value *value)
{
    const char *path = program->kernels[value->first].path;
    unsigned hash = 5381;
    int parts = 0;
    for (const char *at = path; *at && parts < 3; at++) {
        parts += *at == '/';
        hash = hash * 33 + (unsigned char)*at;
    }
    return shades[hash % (sizeof shades / sizeof shades[0])];
}

static void fill_value(br_canvas *canvas, const br_prof_program *program, int top, const br_prof_value *value)
{
    int left = (int)map_x(program, value->first), right = (int)map_x(program, value->last + 1);
    int upper = (int)map_y(program, top, value->offset + value->bytes), lower = (int)map_y(program, top, value->offset);
    br_rect rect = {left, upper, right > left ? right - left : 1, lower > upper ? lower - upper : 1};
    br_color shade = shade_of(program, value);
    br_canvas_fill(canvas, rect, shade);
    if (rect.width < 3 || rect.height < 3)
        return;
    const br_color edge = {(uint8_t)(shade.r * 3 / 4), (uint8_t)(shade.g * 3 / 4), (uint8_t)(shade.b * 3 / 4)};
    br_canvas_fill(canvas, (br_rect){rect.x, rect.y, rect.width, 1}, edge);
    br_canvas_fill(canvas, (br_rect){rect.x, rect.y, 1, rect.height}, edge);
}

static void write_text(br_canvas *canvas, const char *text, double x, double baseline, br_text_align align, br_color color)
{
    br_text_draw(canvas, text, &(br_text_style){.x = x, .baseline = baseline, .size = TEXT_SIZE, .align = align, .color = color});
}

static void draw_axes(br_canvas *canvas, const br_prof_program *program, int top)
{
    char label[32];
    double mib = (double)program->arena_bytes / (1 << 20);
    br_ticks ticks = br_ticks_choose(0, mib, 6, false);
    for (int i = 0; i < ticks.count; i++) {
        double value = ticks.first + ticks.step * i;
        int y = (int)(top + PANEL - PANEL * value / mib);
        br_canvas_fill(canvas, (br_rect){MARGIN + AXIS, y, WIDTH - 2 * MARGIN - AXIS, 1}, faint);
        br_tick_label(value, ticks.step, false, label);
        strcat(label, " MiB");
        write_text(canvas, label, MARGIN + AXIS - 8, y + TEXT_SIZE / 2, BR_TEXT_RIGHT, ink);
    }
    if (program->kernel_count < 2)
        return;
    ticks = br_ticks_choose(0, program->kernel_count, 10, true);
    for (int i = 0; i < ticks.count; i++) {
        double value = ticks.first + ticks.step * i;
        br_tick_label(value, ticks.step, false, label);
        write_text(canvas, label, map_x(program, (int)value), top + PANEL + 8 + TEXT_SIZE, BR_TEXT_CENTER, ink);
    }
}

static void draw_panel(br_canvas *canvas, const br_prof_program *program, int top)
{
    char line[512];
    br_prof_peak peak = br_prof_find_peak(program);
    snprintf(line, sizeof line, "%s: arena %.1f MiB, %d values, %d dispatches", program->name,
             (double)program->arena_bytes / (1 << 20), program->value_count, program->kernel_count);
    write_text(canvas, line, MARGIN + AXIS, top - HEADER + 2 * TEXT_SIZE, BR_TEXT_LEFT, ink);
    snprintf(line, sizeof line, "most in use: %.1f MiB at dispatch %d, %s", (double)peak.bytes / (1 << 20), peak.dispatch,
             program->kernels[peak.dispatch].path);
    write_text(canvas, line, MARGIN + AXIS, top - HEADER + 4 * TEXT_SIZE, BR_TEXT_LEFT, peak_ink);
    draw_axes(canvas, program, top);
    for (int i = 0; i < program->value_count; i++)
        fill_value(canvas, program, top, &program->values[i]);
    br_canvas_fill(canvas, (br_rect){(int)map_x(program, peak.dispatch), top, 2, PANEL}, peak_ink);
}

br_status br_arena_picture_write(const br_profile *profile, const char *path)
{
    const br_prof_program *programs[STAGES_MAX];
    int count = 0;
    for (int i = 0; i < profile->program_count && count < STAGES_MAX; i++)
        if (profile->programs[i].kernel_count > 0 && profile->programs[i].arena_bytes > 0)
            programs[count++] = &profile->programs[i];
    if (count == 0)
        return br_fail(BR_ERROR_ARGUMENT, "the profile has no stage, so there is no memory to show");
    br_canvas canvas;
    BR_TRY(br_canvas_init(WIDTH, MARGIN + count * (HEADER + PANEL + FOOTER), paper, &canvas));
    for (int i = 0; i < count; i++)
        draw_panel(&canvas, programs[i], MARGIN / 2 + HEADER + i * (HEADER + PANEL + FOOTER));
    br_status status = br_png_write(path, &canvas.image, NULL);
    br_canvas_finish(&canvas);
    return status;
}
