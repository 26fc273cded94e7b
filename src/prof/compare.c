#include "prof/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "prof/report.h"

/* A profile of SDXL has about 1 MB. */
#define DOCUMENT_MAX ((size_t)256 << 20)
#define NAME_WIDTH 44

static const char *const group_names[] = {"stage", "op", "layer"};
enum { BY_STAGE, BY_OP, BY_LAYER, GROUP_COUNT };

/* Seconds of one run: [name] = {before, after}. */
typedef struct change {
    const char *name; /* borrowed from the table */
    double before, after;
} change;

static br_status read_profile(const char *path, json_t **out_root)
{
    BR_TRY(br_json_read(path, DOCUMENT_MAX, out_root));
    const char *format = json_string_value(json_object_get(*out_root, "format"));
    int version = (int)json_integer_value(json_object_get(*out_root, "version"));
    bool known = format && strcmp(format, BR_PROF_FORMAT) == 0;
    if (known && version == BR_PROF_VERSION && json_is_array(json_object_get(*out_root, "stages")))
        return NULL;
    json_decref(*out_root);
    *out_root = NULL;
    if (known)
        return br_fail(BR_ERROR_FORMAT, "%s: version %d of a profile, expected %d", path, version, BR_PROF_VERSION);
    return br_fail(BR_ERROR_FORMAT, "%s: not a profile as \"brume profile --json\" writes it", path);
}

/* Adds seconds to table[name][side]. */
static bool add(json_t *table, const char *name, int side, double seconds)
{
    json_t *pair = json_object_get(table, name);
    if (!pair) {
        pair = json_pack("[f, f]", 0.0, 0.0);
        if (!pair || json_object_set_new(table, name, pair))
            return false;
    }
    json_t *value = json_array_get(pair, (size_t)side);
    return json_real_set(value, json_real_value(value) + seconds) == 0;
}

static bool add_dispatch(const json_t *dispatch, const char *stage, int group, int side, json_t *table)
{
    const char *path = json_string_value(json_object_get(dispatch, "path")),
               *op = json_string_value(json_object_get(dispatch, "op"));
    double calls = json_number_value(json_object_get(dispatch, "calls"));
    double seconds = json_number_value(json_object_get(dispatch, "seconds")) / (calls > 0 ? calls : 1);
    if (!path || !op)
        return true;
    if (group == BY_STAGE)
        return add(table, stage, side, seconds);
    if (group == BY_OP)
        return add(table, op, side, seconds);
    size_t scope = br_scope_length(path);
    char *layer = malloc(strlen(path) + 1);
    if (!layer)
        return false;
    strcpy(layer, path);
    if (scope)
        layer[scope - 1] = '\0';
    bool added = add(table, layer, side, seconds);
    free(layer);
    return added;
}

/* {name: [before, after]} of one group. NULL when out of memory. */
static json_t *make_table(json_t *const roots[2], int group)
{
    json_t *table = json_object();
    for (int side = 0; side < 2 && table; side++) {
        size_t i, j;
        json_t *stage, *dispatch;
        json_array_foreach(json_object_get(roots[side], "stages"), i, stage)
        {
            const char *name = json_string_value(json_object_get(stage, "name"));
            json_array_foreach(json_object_get(stage, "dispatches"), j, dispatch)
            {
                if (!add_dispatch(dispatch, name ? name : "?", group, side, table)) {
                    json_decref(table);
                    return NULL;
                }
            }
        }
    }
    return table;
}

static int largest_first(const void *a, const void *b)
{
    const change *left = a, *right = b;
    double l = fabs(left->after - left->before), r = fabs(right->after - right->before);
    return (l < r) - (l > r);
}

static change *sorted(const json_t *table, size_t *out_count)
{
    *out_count = json_object_size(table);
    change *list = malloc((*out_count + 1) * sizeof *list);
    if (!list)
        return NULL;
    size_t i = 0;
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)table, name, pair) list[i++] =
        (change){name, json_real_value(json_array_get(pair, 0)), json_real_value(json_array_get(pair, 1))};
    qsort(list, *out_count, sizeof *list, largest_first);
    return list;
}

static json_t *rows_json(const json_t *table)
{
    size_t count;
    change *list = sorted(table, &count);
    json_t *rows = json_array();
    for (size_t i = 0; i < count && list; i++) {
        const change *row = &list[i];
        json_array_append_new(rows, json_pack("{s:s, s:f, s:f, s:f, s:o}", "name", row->name, "before", row->before, "after",
                                              row->after, "change", row->after - row->before, "ratio",
                                              row->before > 0 ? json_real(row->after / row->before) : json_null()));
    }
    free(list);
    return rows;
}

static json_t *side_json(const json_t *root)
{
    return json_pack("{s:O?, s:O?, s:O?, s:O?}", "model", json_object_get(root, "model"), "size", json_object_get(root, "size"),
                     "mode", json_object_get(root, "mode"), "device", json_object_get(root, "device"));
}

br_status br_prof_compare(const br_prof_compare_params *params, json_t **out_root)
{
    br_status status = NULL;
    json_t *roots[2] = {NULL, NULL}, *root = NULL;
    *out_root = NULL;
    BR_TRY_GOTO(read_profile(params->before, &roots[0]));
    BR_TRY_GOTO(read_profile(params->after, &roots[1]));
    root = json_pack("{s:o, s:o}", "before", side_json(roots[0]), "after", side_json(roots[1]));
    for (int group = 0; group < GROUP_COUNT && root; group++) {
        json_t *table = make_table(roots, group);
        if (!table || json_object_set_new(root, group_names[group], rows_json(table))) {
            json_decref(root);
            root = NULL;
        }
        json_decref(table);
    }
    if (!root)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while comparing profiles");
    *out_root = root;
fail:
    json_decref(roots[0]);
    json_decref(roots[1]);
    return status;
}

static void print_side(const json_t *side, const char *label, FILE *stream)
{
    const char *texts[3];
    const char *const keys[3] = {"model", "size", "mode"};
    for (int i = 0; i < 3; i++)
        texts[i] = json_string_value(json_object_get(side, keys[i]));
    const char *device = json_string_value(json_object_get(json_object_get(side, "device"), "name"));
    fprintf(stream, "%-7s %s, %s, %s, %s\n", label, texts[0] ? texts[0] : "?", texts[1] ? texts[1] : "?", texts[2] ? texts[2] : "?",
            device ? device : "?");
}

static void print_row(const json_t *row, FILE *stream)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    double before = json_number_value(json_object_get(row, "before")), after = json_number_value(json_object_get(row, "after"));
    size_t length = strlen(name);
    bool cut = length > NAME_WIDTH;
    fprintf(stream, "%s%-*s %12.3f %12.3f %+12.3f", cut ? "..." : "", cut ? NAME_WIDTH - 3 : NAME_WIDTH,
            cut ? name + length - (NAME_WIDTH - 3) : name, before * 1e3, after * 1e3, (after - before) * 1e3);
    if (before > 0 && after > 0)
        fprintf(stream, " %+8.1f%%\n", 100 * (after / before - 1));
    else
        fprintf(stream, " %9s\n", before > 0 ? "gone" : after > 0 ? "new" : "-");
}

br_status br_prof_compare_print(const br_prof_compare_params *params, FILE *stream)
{
    json_t *root;
    BR_TRY(br_prof_compare(params, &root));
    print_side(json_object_get(root, "before"), "before", stream);
    print_side(json_object_get(root, "after"), "after", stream);
    for (int group = 0; group < GROUP_COUNT; group++) {
        json_t *rows = json_object_get(root, group_names[group]), *row;
        size_t i, shown = json_array_size(rows);
        if (params->rows > 0 && shown > (size_t)params->rows)
            shown = (size_t)params->rows;
        fprintf(stream, "\n%-*s %12s %12s %12s %9s\n", NAME_WIDTH, group_names[group], "before, ms", "after, ms", "change, ms",
                "change");
        json_array_foreach(rows, i, row) if (i < shown) print_row(row, stream);
        if (shown < json_array_size(rows))
            fprintf(stream, "... and %zu more\n", json_array_size(rows) - shown);
    }
    json_decref(root);
    return NULL;
}
