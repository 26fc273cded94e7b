#include "cli/progress.h"

#include <string.h>

#include "base/terminal.h"
#include "cli/interrupt.h"

/* Seconds between two drawings of the line: what an eye can follow. */
#define REDRAW_SECONDS 0.05
#define BAR_MIN 10
#define BAR_MAX 40
/* Characters of the line besides the bar. */
#define BAR_SURROUNDINGS 52

void br_bar_init(br_bar *bar, bool quiet)
{
    *bar = (br_bar){.stream = quiet ? NULL : stderr, .terminal = br_terminal_is(stderr)};
}

void br_bar_clear(br_bar *bar)
{
    if (bar->visible) {
        fputs("\r\033[K", bar->stream);
        fflush(bar->stream);
    }
    bar->visible = false;
}

void br_format_rate(double per_second, char out_text[24])
{
    if (per_second >= 1)
        snprintf(out_text, 24, "%.*f it/s", per_second < 100 ? 2 : 0, per_second);
    else
        snprintf(out_text, 24, "%.2f s/it", 1 / per_second);
}

static void format_time(double seconds, char out_text[24])
{
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(out_text, 24, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out_text, 24, "%ld:%02ld", whole / 60, whole % 60);
}

static void draw(br_bar *bar, const br_progress *progress)
{
    int width = br_terminal_columns(bar->stream) - BAR_SURROUNDINGS;
    width = width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
    int full = progress->steps > 0 ? (int)((double)width * progress->step / progress->steps) : 0;
    char cells[BAR_MAX + 1], rate[24] = "", left[24] = "", batch[32] = "";
    for (int i = 0; i < width; i++)
        cells[i] = i < full ? '=' : i == full ? '>' : ' ';
    cells[width] = 0;
    if (progress->step > 0 && progress->seconds > 0)
        br_format_rate(progress->step / progress->seconds, rate);
    if (progress->step > 0 && progress->seconds_left >= 0)
        format_time(progress->seconds_left, left);
    if (bar->batches > 1)
        snprintf(batch, sizeof batch, "%d/%d ", bar->batch, bar->batches);
    fprintf(bar->stream, "\r%s%-8s [%s] %d/%d%s%s%s%s\033[K", batch, progress->stage, cells, progress->step, progress->steps,
            *rate ? "  " : "", rate, *left ? "  ETA " : "", left);
    fflush(bar->stream);
    bar->visible = true;
    bar->drawn_seconds = progress->seconds;
}

/* Where nobody looks on, one line says how long the stage took. */
static void report_stage(br_bar *bar, const br_progress *progress)
{
    char rate[24];
    if (bar->batches > 1)
        fprintf(bar->stream, "%d/%d ", bar->batch, bar->batches);
    fprintf(bar->stream, "%s: ", progress->stage);
    if (progress->steps > 1 && progress->seconds > 0) {
        br_format_rate(progress->steps / progress->seconds, rate);
        fprintf(bar->stream, "%d steps, %s, ", progress->steps, rate);
    }
    fprintf(bar->stream, "%.2f s\n", progress->seconds);
}

bool br_bar_progress(void *user, const br_progress *progress)
{
    br_bar *bar = user;
    if (br_interrupted())
        return false;
    if (!bar->stream)
        return true;
    bool fresh = strncmp(bar->stage, progress->stage, sizeof bar->stage - 1) != 0;
    bool last = progress->step >= progress->steps;
    if (fresh) {
        snprintf(bar->stage, sizeof bar->stage, "%s", progress->stage);
        bar->ended = false;
    }
    if (bar->terminal) {
        if (fresh || last || progress->seconds - bar->drawn_seconds >= REDRAW_SECONDS)
            draw(bar, progress);
    } else if (last && !bar->ended) {
        report_stage(bar, progress);
        bar->ended = true;
    }
    return true;
}

void br_bar_log(void *user, br_log_level level, const char *message)
{
    br_bar *bar = user;
    /* Silence is about what went well. */
    FILE *stream = bar->stream ? bar->stream : level == BR_LOG_ERROR ? stderr : NULL;
    if (!stream)
        return;
    const char *kind = level == BR_LOG_ERROR ? "error: " : level == BR_LOG_WARNING ? "warning: " : "";
    fprintf(stream, "%sbrume: %s%s\n", bar->visible ? "\r\033[K" : "", kind, message);
    bar->visible = false;
}
