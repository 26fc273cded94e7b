#include "image/utf8.h"

#include <stdlib.h>
#include <string.h>

uint32_t br_utf8_next(const char **text)
{
    const unsigned char *bytes = (const unsigned char *)*text;
    if (bytes[0] < 0x80) {
        *text += bytes[0] != 0;
        return bytes[0];
    }
    int extra = bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : 1;
    static const uint32_t smallest[4] = {0, 0x80, 0x800, 0x10000};
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
        return UINT32_MAX;
    uint32_t point = bytes[0] & (0x3fu >> extra);
    for (int i = 1; i <= extra; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        point = point << 6 | (bytes[i] & 0x3fu);
    }
    if (point < smallest[extra] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return UINT32_MAX;
    *text += extra + 1;
    return point;
}

bool br_utf8_is_valid(const char *text)
{
    for (uint32_t point; (point = br_utf8_next(&text)) != 0;)
        if (point == UINT32_MAX)
            return false;
    return true;
}

bool br_utf8_is_latin1(const char *utf8)
{
    for (uint32_t point; (point = br_utf8_next(&utf8)) != 0;)
        if (point > 0xff)
            return false;
    return true;
}

char *br_utf8_to_latin1(const char *utf8)
{
    char *latin1 = malloc(strlen(utf8) + 1);
    if (!latin1)
        return NULL;
    size_t length = 0;
    for (uint32_t point; (point = br_utf8_next(&utf8)) != 0;)
        latin1[length++] = (char)(unsigned char)point;
    latin1[length] = '\0';
    return latin1;
}

char *br_utf8_from_latin1(const char *latin1)
{
    char *utf8 = malloc(2 * strlen(latin1) + 1);
    if (!utf8)
        return NULL;
    size_t length = 0;
    for (; *latin1; latin1++) {
        unsigned char byte = (unsigned char)*latin1;
        if (byte >= 0x80) {
            utf8[length++] = (char)(0xc0 | byte >> 6);
            byte = 0x80 | (byte & 0x3f);
        }
        utf8[length++] = (char)byte;
    }
    utf8[length] = '\0';
    return utf8;
}
