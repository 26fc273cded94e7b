/* A profile as a Chrome trace, which Perfetto and chrome://tracing open: the host's spans on one track, stages with their layers and dispatches nested on
 * another, memory as counters. Times are microseconds since the profile began, to the nanosecond. */
#ifndef BR_PROF_TRACE_H
#define BR_PROF_TRACE_H

#include "prof/profile.h"

BR_MUST_CHECK br_status br_prof_write_trace(const br_profile *profile, const char *path);

#endif
