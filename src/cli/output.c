#include "cli/output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "brume/image.h"
#include "cli/suggest.h"

/* Digits of a number that the name does not ask for in its own way. */
#define NUMBER_DIGITS 3
#define NUMBER_DIGITS_MAX 9

/* A name in three parts: the number stands between the head and the tail. */
typedef struct name_pattern {
    const char *head, *tail; /* borrowed */
    int head_length;
    int digits;
    bool explicit_number; /* there is a %d */
} name_pattern;

/* The extension's dot of the last part of the path, or its end. */
static const char *extension(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? dot : path + strlen(path);
}

static name_pattern parse_pattern(const char *path)
{
    for (const char *percent = strchr(path, '%'); percent; percent = strchr(percent + 1, '%')) {
        const char *end = percent + 1;
        while (isdigit((unsigned char)*end))
            end++;
        int digits = atoi(percent + 1);
        if (*end == 'd' && end - percent <= 3 && digits <= NUMBER_DIGITS_MAX)
            return (name_pattern){path, end + 1, (int)(percent - path), digits, true};
    }
    const char *dot = extension(path);
    return (name_pattern){path, dot, (int)(dot - path), NUMBER_DIGITS, false};
}

/* malloc'd; NULL when out of memory. */
static char *numbered_name(const name_pattern *pattern, int number)
{
    size_t room = (size_t)pattern->head_length + strlen(pattern->tail) + 16;
    char *name = malloc(room);
    if (name)
        snprintf(name, room, "%.*s%s%0*d%s", pattern->head_length, pattern->head, pattern->explicit_number ? "" : "-",
                 pattern->digits, number, pattern->tail);
    return name;
}

static char *grid_name(const name_pattern *pattern, int number)
{
    size_t room = (size_t)pattern->head_length + strlen(pattern->tail) + 32;
    char *name = malloc(room);
    const char *dash = pattern->explicit_number ? "" : "-";
    if (name && number == 0)
        snprintf(name, room, "%.*s%sgrid%s", pattern->head_length, pattern->head, dash, pattern->tail);
    else if (name)
        snprintf(name, room, "%.*s%sgrid-%0*d%s", pattern->head_length, pattern->head, dash, NUMBER_DIGITS, number, pattern->tail);
    return name;
}

static br_status check_extension(br_call *call, const char *path)
{
    static const char *const others[] = {".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jxl", ".ppm"};
    const char *dot = extension(path);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (br_edit_distance(dot, others[i]) == 0)
            return br_wrong_usage(call, "-o: \"%s\" given, expected a name that ends in .png: only PNG is written", path);
    return NULL;
}

/* The names, without looking whether they can be written. `automatic`: names that exist are stepped over. */
static br_status make_names(br_output *output, const char *path, bool automatic)
{
    name_pattern pattern = parse_pattern(path);
    bool plain = output->count == 1 && !pattern.explicit_number;
    int number = 0;
    do {
        free(output->grid);
        output->grid = grid_name(&pattern, number++);
    } while (automatic && output->grid && br_file_exists(output->grid));
    if (!output->grid)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    number = 0;
    for (int i = 0; i < output->count; i++) {
        if (plain && !(automatic && br_file_exists(path))) {
            output->paths[i] = strdup(path);
        } else {
            if (plain)
                number = 1; /* the first was the one without a number */
            do {
                free(output->paths[i]);
                output->paths[i] = numbered_name(&pattern, number++);
            } while (automatic && output->paths[i] && br_file_exists(output->paths[i]));
        }
        if (!output->paths[i])
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    }
    return NULL;
}

br_status br_output_init(br_call *call, const br_output_params *params, br_output *out_output)
{
    br_status status = NULL;
    br_output output = {.count = params->count};
    const char *path = params->given ? params->given : params->fallback;
    *out_output = (br_output){0};
    if (strcmp(path, "-") == 0) {
        if (params->count > 1)
            return br_wrong_usage(call, "-o -: standard output takes one picture, not %d", params->count);
        output.to_stdout = true;
        path = "/dev/stdout";
    }
    BR_TRY_GOTO(check_extension(call, path));
    output.paths = calloc((size_t)params->count, sizeof *output.paths);
    if (!output.paths)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY_GOTO(make_names(&output, path, !params->given));
    for (int i = 0; i < output.count; i++)
        BR_TRY_GOTO(br_image_check_path(output.paths[i]));
    if (params->grid)
        BR_TRY_GOTO(br_image_check_path(output.grid));
    *out_output = output;
    return NULL;
fail:
    br_output_finish(&output);
    return status;
}

void br_output_finish(br_output *output)
{
    for (int i = 0; output->paths && i < output->count; i++)
        free(output->paths[i]);
    free(output->paths);
    free(output->grid);
    *output = (br_output){0};
}
