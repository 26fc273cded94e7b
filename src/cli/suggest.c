#include "cli/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_BYTES 40

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* The optimal string alignment distance: Levenshtein's table with one more case for swapped neighbours. */
int br_edit_distance(const char *a, const char *b)
{
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > NAME_MAX_BYTES || columns > NAME_MAX_BYTES)
        return INT_MAX;
    int table[NAME_MAX_BYTES + 1][NAME_MAX_BYTES + 1];
    for (size_t i = 0; i <= rows; i++)
        table[i][0] = (int)i;
    for (size_t j = 0; j <= columns; j++)
        table[0][j] = (int)j;
    for (size_t i = 1; i <= rows; i++) {
        for (size_t j = 1; j <= columns; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            int best = table[i - 1][j - 1] + (x != y);
            best = smaller(best, smaller(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]))
                best = smaller(best, table[i - 2][j - 2] + 1);
            table[i][j] = best;
        }
    }
    return table[rows][columns];
}

const char *br_suggest(const char *given, br_name_list list)
{
    const char *nearest = NULL;
    /* A third of the letters may be wrong; one of a short name. */
    int limit = (int)(strlen(given) / 3);
    int best = limit > 1 ? limit : 1;
    for (int i = 0; list(i); i++) {
        int distance = br_edit_distance(given, list(i));
        if (distance <= best && (!nearest || distance < best)) {
            best = distance;
            nearest = list(i);
        }
    }
    return nearest;
}
