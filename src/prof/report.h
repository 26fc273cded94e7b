/* A profile as a document for machines (docs/profiling.md has its schema), and as one page for a browser that shows that document without any network. */
#ifndef BR_PROF_REPORT_H
#define BR_PROF_REPORT_H

#include "base/json.h"
#include "prof/profile.h"

#define BR_PROF_FORMAT "brume-profile"
#define BR_PROF_VERSION 1

/* The caller owns *out_root. */
BR_MUST_CHECK br_status br_prof_report(const br_profile *profile, json_t **out_root);
BR_MUST_CHECK br_status br_prof_write_json(const br_profile *profile, const char *path);
BR_MUST_CHECK br_status br_prof_write_html(const br_profile *profile, const char *path);

#endif
