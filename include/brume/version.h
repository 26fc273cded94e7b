/* The version of the library: what was compiled against (the macros) and what is running (br_version). */
#ifndef BRUME_VERSION_H
#define BRUME_VERSION_H

#include "brume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The build reads the version from these three lines. */
#define BR_VERSION_MAJOR 0
#define BR_VERSION_MINOR 1
#define BR_VERSION_PATCH 0

#define BR_VERSION_TEXT_(major, minor, patch) #major "." #minor "." #patch
#define BR_VERSION_TEXT(major, minor, patch) BR_VERSION_TEXT_(major, minor, patch)
#define BR_VERSION BR_VERSION_TEXT(BR_VERSION_MAJOR, BR_VERSION_MINOR, BR_VERSION_PATCH)

/* BR_VERSION of the library that is running, "0.1.0". Static: never freed. */
BR_API const char *br_version(void);

#ifdef __cplusplus
}
#endif
#endif
