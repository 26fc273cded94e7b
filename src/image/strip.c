#include "image/strip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/font.h"
#include "image/grid.h"
#include "image/plot.h"
#include "image/resize.h"

/* In pixels, times the sheet's scale where they are not of pictures. */
#define TILE_MIN 192
#define TILES_PER_ROW 8
#define MARGIN 24
#define GAP 16
#define TITLE_HEIGHT 34
#define CAPTION_HEIGHT 64
#define CAPTION_TEXT 12
#define PLOT_HEIGHT 236
#define PLOT_WIDTH_MIN 290
#define PLOT_GAP 18

static const br_color paper = {255, 255, 255};
static const br_color ink = {32, 34, 42};
static const br_color faint_ink = {104, 108, 120};

typedef struct layout {
    int factor, scale;      /* of the pictures; of text and lines */
    int tile_w, tile_h;     /* enlarged */
    int rows, columns;      /* of tiles */
    int plot_columns;       /* 3 or 1 */
    int64_t width, height;  /* of the sheet */
    int left, top, plots_y; /* of the first tile; of the first plot */
} layout;

/* The eye goes from dark to bright as noise grows; after matplotlib's viridis, ending before the yellow that paper swallows. */
static br_color mark_color(int index, int count)
{
    static const double stops[][3] = {{68, 8, 92}, {58, 82, 139}, {32, 145, 140}, {92, 190, 90}, {245, 158, 30}};
    double position = count > 1 ? 4.0 * index / (count - 1) : 1;
    int stop = position >= 4 ? 3 : (int)position;
    double mix = position - stop;
    const double *a = stops[stop], *b = stops[stop + 1];
    return (br_color){(uint8_t)(a[0] + mix * (b[0] - a[0])), (uint8_t)(a[1] + mix * (b[1] - a[1])),
                      (uint8_t)(a[2] + mix * (b[2] - a[2]))};
}

static br_status check(const br_strip_params *params)
{
    if (params->count < 1 || params->schedule_count < 1)
        return br_fail(BR_ERROR_ARGUMENT, "a strip cannot have %d pictures of a schedule of %d steps", params->count,
                       params->schedule_count);
    for (int i = 0; i < params->count; i++) {
        const br_image *image = &params->images[i];
        if (image->width != params->images[0].width || image->height != params->images[0].height)
            return br_fail(BR_ERROR_ARGUMENT, "picture %d of a strip is %d x %d pixels, the first is %d x %d", i, image->width,
                           image->height, params->images[0].width, params->images[0].height);
        if (params->steps[i] < 0 || params->steps[i] >= params->schedule_count)
            return br_fail(BR_ERROR_ARGUMENT, "step %d is outside the schedule: 0 to %d", params->steps[i],
                           params->schedule_count - 1);
    }
    return NULL;
}

static layout lay_out(const br_strip_params *params)
{
    layout l = {0};
    int width = params->images[0].width, height = params->images[0].height;
    int shorter = width < height ? width : height;
    l.factor = shorter < TILE_MIN ? (TILE_MIN + shorter - 1) / shorter : 1;
    l.tile_w = width * l.factor;
    l.tile_h = height * l.factor;
    l.scale = shorter * l.factor / 256 > 1 ? shorter * l.factor / 256 : 1;
    l.rows = (params->count + TILES_PER_ROW - 1) / TILES_PER_ROW;
    l.columns = (params->count + l.rows - 1) / l.rows;
    int s = l.scale;
    int64_t tiles = (int64_t)l.columns * (l.tile_w + GAP * s) - GAP * s;
    int64_t plots = 3 * PLOT_WIDTH_MIN * s + 2 * PLOT_GAP * s;
    l.plot_columns = tiles >= plots ? 3 : 1;
    int64_t inner = l.plot_columns == 1 && tiles < PLOT_WIDTH_MIN * s * 3 / 2 ? PLOT_WIDTH_MIN * s * 3 / 2 : tiles;
    l.width = inner + 2 * MARGIN * s;
    l.left = (int)((l.width - tiles) / 2);
    l.top = MARGIN * s + (params->title ? TITLE_HEIGHT * s : 0);
    int64_t plots_y = l.top + (int64_t)l.rows * (l.tile_h + CAPTION_HEIGHT * s) + GAP * s;
    l.plots_y = plots_y > BR_IMAGE_MAX_SIDE ? BR_IMAGE_MAX_SIDE : (int)plots_y;
    l.height = plots_y + (int64_t)(3 / l.plot_columns) * PLOT_HEIGHT * s + MARGIN / 2 * s;
    return l;
}

/* "0.42", "1180", "4.7×10⁻⁵". `out` has room for 32 bytes. */
static void format_snr(double snr, char out[32])
{
    if (!isfinite(snr))
        snprintf(out, 32, "SNR infinite");
    else if (snr == 0)
        snprintf(out, 32, "SNR 0");
    else if (snr >= 1e-3 && snr < 99.95)
        snprintf(out, 32, "SNR %.2g", snr);
    else if (snr >= 99.95 && snr < 1e6)
        snprintf(out, 32, "SNR %.0f", snr);
    else {
        int exponent = (int)floor(log10(snr));
        char power[32];
        br_tick_label(exponent, 1, true, power);
        snprintf(out, 32, "SNR %.1f\u00d7%.16s", snr / pow(10, exponent), power);
    }
}

static br_status draw_tile(br_canvas *canvas, const br_strip_params *params, const layout *l, int index)
{
    int s = l->scale;
    int x = l->left + index % l->columns * (l->tile_w + GAP * s);
    int y = l->top + index / l->columns * (l->tile_h + CAPTION_HEIGHT * s);
    br_image tile;
    BR_TRY(br_image_enlarge(&params->images[index], l->factor, &tile));
    br_image_paste(&canvas->image, x, y, &tile);
    br_image_finish(&tile);
    y += l->tile_h;
    br_canvas_fill(canvas, (br_rect){x, y, l->tile_w, 4 * s}, mark_color(index, params->count));
    char text[32];
    snprintf(text, sizeof text, "t = %d", params->steps[index]);
    br_text_style style = {x + l->tile_w / 2.0, y + 25 * s, CAPTION_TEXT * s, BR_TEXT_CENTER, ink};
    br_text_draw(canvas, text, &style);
    double kept = params->alpha_bar[params->steps[index]];
    format_snr(kept / (1 - kept), text);
    style.baseline += 20 * s;
    style.size = (CAPTION_TEXT - 2) * s;
    style.color = faint_ink;
    br_text_draw(canvas, text, &style);
    return NULL;
}

static br_status draw_plots(br_canvas *canvas, const br_strip_params *params, const layout *l)
{
    br_status status = NULL;
    double *snr = calloc((size_t)params->schedule_count, sizeof *snr);
    br_mark *marks = calloc((size_t)params->count, sizeof *marks);
    if (!snr || !marks)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for the curves of %d steps", params->schedule_count);
    for (int i = 0; i < params->schedule_count; i++)
        snr[i] = params->alpha_bar[i] / (1 - params->alpha_bar[i]);
    for (int i = 0; i < params->count; i++)
        marks[i] = (br_mark){params->steps[i], mark_color(i, params->count)};
    const br_series series[3] = {
        {"β(t)  noise added by a step", params->beta, {214, 72, 76}},
        {"ᾱ(t)  signal that is left", params->alpha_bar, {44, 104, 196}},
        {"SNR(t) = ᾱ / (1 − ᾱ)", snr, {104, 110, 124}},
    };
    int s = l->scale, columns = l->plot_columns, gap = PLOT_GAP * s;
    int width = ((int)l->width - 2 * MARGIN * s - (columns - 1) * gap) / columns;
    for (int i = 0; i < 3; i++)
        br_plot_draw(canvas, &(br_plot){
                                 .area = {MARGIN * s + i % columns * (width + gap), l->plots_y + i / columns * PLOT_HEIGHT * s,
                                          width, (PLOT_HEIGHT - 8) * s},
                                 .scale = s,
                                 .series = &series[i],
                                 .series_count = 1,
                                 .count = params->schedule_count,
                                 .log10 = i == 2,
                                 .xlabel = "t",
                                 .marks = marks,
                                 .mark_count = params->count,
                             });
fail:
    free(snr);
    free(marks);
    return status;
}

br_status br_strip_draw(const br_strip_params *params, br_image *out_image)
{
    *out_image = (br_image){0};
    BR_TRY(check(params));
    layout l = lay_out(params);
    if (l.width > BR_IMAGE_MAX_SIDE || l.height > BR_IMAGE_MAX_SIDE)
        return br_fail(BR_ERROR_ARGUMENT, "a strip of %d pictures of %d x %d pixels is too large: at most %d on a side",
                       params->count, params->images[0].width, params->images[0].height, BR_IMAGE_MAX_SIDE);
    br_canvas canvas;
    BR_TRY(br_canvas_init((int)l.width, (int)l.height, paper, &canvas));
    br_status status = NULL;
    if (params->title)
        br_text_draw(&canvas, params->title,
                     &(br_text_style){MARGIN * l.scale, (MARGIN + 14) * l.scale, (CAPTION_TEXT + 2) * l.scale, BR_TEXT_LEFT, ink});
    for (int i = 0; i < params->count; i++)
        BR_TRY_GOTO(draw_tile(&canvas, params, &l, i));
    BR_TRY_GOTO(draw_plots(&canvas, params, &l));
    *out_image = canvas.image;
    canvas.image = (br_image){0};
fail:
    br_canvas_finish(&canvas);
    return status;
}
