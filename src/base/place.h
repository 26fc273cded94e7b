/* Places that the operating system and the user's environment name. Results are malloc'd UTF-8 paths; NULL when there is none or no memory. */
#ifndef BR_BASE_PLACE_H
#define BR_BASE_PLACE_H

/* Folder for caches, created: $XDG_CACHE_HOME/brume or ~/.cache/brume (%LOCALAPPDATA%\brume on Windows). */
char *br_place_cache(void);
/* Folder of the running program. */
char *br_place_program(void);
/* Folder of libbrume.so, or of the program where Brume is linked into that. */
char *br_place_library(void);
/* The file or folder `name` ("models/emoji") among Brume's own data: where the program or the library was installed, else in the source tree it was
 * built from. */
char *br_place_asset(const char *name);

#endif
