#include "prof/peak.h"

#include <string.h>

/* Keeps the list sorted; the smallest falls out of a full one. */
static void insert(br_prof_peak *peak, const br_prof_value *value)
{
    int at = 0;
    while (at < peak->value_count && peak->values[at]->bytes >= value->bytes)
        at++;
    if (at == BR_PROF_PEAK_VALUES_MAX)
        return;
    if (peak->value_count < BR_PROF_PEAK_VALUES_MAX)
        peak->value_count++;
    memmove(&peak->values[at + 1], &peak->values[at], (size_t)(peak->value_count - at - 1) * sizeof *peak->values);
    peak->values[at] = value;
}

br_prof_peak br_prof_find_peak(const br_prof_program *program)
{
    br_prof_peak peak = {0};
    for (int i = 0; i < program->kernel_count; i++) {
        uint64_t bytes = br_prof_live_bytes(program, i);
        if (bytes > peak.bytes) {
            peak.bytes = bytes;
            peak.dispatch = i;
        }
    }
    for (int i = 0; i < program->value_count; i++)
        if (program->values[i].first <= peak.dispatch && peak.dispatch <= program->values[i].last)
            insert(&peak, &program->values[i]);
    return peak;
}
