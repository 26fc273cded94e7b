/* The text of report.html, which the build turns into an array. */
#ifndef BR_PROF_PAGE_H
#define BR_PROF_PAGE_H

/* Where the profile goes, once in the page. */
#define BR_PROF_PAGE_MARK "\"PROFILE\""

extern const char br_prof_page[];

#endif
