/* The two encodings of PNG text: Latin-1 in tEXt and zTXt chunks, UTF-8 in iTXt. */
#ifndef BR_IMAGE_UTF8_H
#define BR_IMAGE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* The code point at *text, which moves past it; 0 at the end, UINT32_MAX where the bytes are not UTF-8 (overlong forms, surrogates
 * and values above U+10FFFF included); then *text stays. */
uint32_t br_utf8_next(const char **text);

bool br_utf8_is_valid(const char *text);
/* Whether every code point of valid UTF-8 is at most U+00FF. */
bool br_utf8_is_latin1(const char *utf8);
/* malloc'd; NULL when out of memory. The first needs br_utf8_is_latin1. */
char *br_utf8_to_latin1(const char *utf8);
char *br_utf8_from_latin1(const char *latin1);

#endif
