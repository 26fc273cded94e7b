/* How far a picture is, on stderr: one line that is redrawn on a terminal, a line for each finished stage elsewhere. */
#ifndef BR_CLI_PROGRESS_H
#define BR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "brume/generate.h"
#include "brume/log.h"

typedef struct br_bar {
    FILE *stream; /* NULL: silent */
    bool terminal;
    bool visible;         /* the cursor stands at the end of a drawn line */
    bool ended;           /* the stage has been reported as finished */
    char stage[16];       /* as last reported */
    int batch, batches;   /* shown when there are several */
    double drawn_seconds; /* of the stage, when the line was last drawn */
} br_bar;

void br_bar_init(br_bar *bar, bool quiet);
/* A br_progress_callback; `bar` is a br_bar. Returns false once there was an interrupt. */
bool br_bar_progress(void *bar, const br_progress *progress);
/* A br_log_callback; `bar` is a br_bar. */
void br_bar_log(void *bar, br_log_level level, const char *message);
/* Takes the line off the screen, so that something else can be printed. */
void br_bar_clear(br_bar *bar);

/* "3.21 it/s", or "2.10 s/it" when that says more. */
void br_format_rate(double per_second, char out_text[24]);

#endif
