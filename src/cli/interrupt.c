#include "cli/interrupt.h"

#include <signal.h>

/* A signal handler can reach nothing else. */
static volatile sig_atomic_t interrupted;

static void note(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL);
}

void br_interrupt_init(void)
{
    /* A program started in the background with its signals ignored keeps it so. */
    if (signal(SIGINT, note) == SIG_IGN)
        signal(SIGINT, SIG_IGN);
    if (signal(SIGTERM, note) == SIG_IGN)
        signal(SIGTERM, SIG_IGN);
}

bool br_interrupted(void)
{
    return interrupted != 0;
}

br_status br_interrupt_check(void)
{
    return interrupted ? br_fail(BR_ERROR_CANCELLED, "interrupted") : NULL;
}
