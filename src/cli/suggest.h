/* "did you mean": the nearest of a list of names. */
#ifndef BR_CLI_SUGGEST_H
#define BR_CLI_SUGGEST_H

/* The names of a list: index 0 .. until NULL. */
typedef const char *(*br_name_list)(int index);

/* Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`; letters' case is free. Texts of more than 40 bytes are
 * far from everything. */
int br_edit_distance(const char *a, const char *b);

/* The name nearest to `given`, or NULL when none is near enough to have been meant. */
const char *br_suggest(const char *given, br_name_list list);

#endif
