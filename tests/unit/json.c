#include "support/scratch.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static br_status parse(const char *text)
{
    json_t *root;
    br_status status = br_json_parse(text, strlen(text), "doc.json", &root);
    assert_true((root == NULL) == (status != NULL));
    json_decref(root);
    return status;
}

static void test_malformed(void **state)
{
    (void)state;
    assert_status_ok(parse("{\"a\": [1, 2.5, \"\\u00e9\", null, true]}"));
    assert_status(parse(""), BR_ERROR_FORMAT, "doc.json: invalid JSON at line 1");
    assert_status(parse("{\"a\": 1"), BR_ERROR_FORMAT, "invalid JSON");
    assert_status(parse("{\"a\": 1} x"), BR_ERROR_FORMAT, "invalid JSON");
    assert_status(parse("{\"a\": 1, \"a\": 2}"), BR_ERROR_FORMAT, "duplicate");
    assert_status(parse("[9223372036854775808]"), BR_ERROR_FORMAT, "too big integer");
    assert_status(parse("[1e999]"), BR_ERROR_FORMAT, "real number overflow");
    assert_status(parse("[\"\xff\"]"), BR_ERROR_FORMAT, "invalid JSON");
    assert_status(parse("[\"\xed\xa0\x80\"]"), BR_ERROR_FORMAT, "invalid JSON"); /* a surrogate */
    br_status status = parse("[\n\n\"a\x01\n\"]");
    assert_null(strchr(br_status_message(status), '\n'));
    assert_status(status, BR_ERROR_FORMAT, "line 3");
}

static void test_infinity(void **state)
{
    (void)state;
    static const char text[] = "{\"low\": -Infinity, \"high\": Infinity, \"text\": \"\\\"-Infinity\"}";
    json_t *root;
    double value;
    assert_status_ok(br_json_parse(text, sizeof text - 1, "doc.json", &root));
    assert_status_ok(br_json_double(root, "doc.json", "low", 0, &value));
    assert_true(value == -1.79e308);
    assert_status_ok(br_json_double(root, "doc.json", "high", 0, &value));
    assert_true(value == 1.79e308);
    assert_string_equal(json_string_value(json_object_get(root, "text")), "\"-Infinity");
    json_decref(root);
    assert_status(parse("[NaN]"), BR_ERROR_FORMAT, "invalid JSON at line 1");
    assert_status(parse("[Infinit]"), BR_ERROR_FORMAT, "invalid JSON at line 1");
    assert_status(parse("[Infinity"), BR_ERROR_FORMAT, "invalid JSON at line 1");
    assert_status(parse("Infinity"), BR_ERROR_FORMAT, "invalid JSON at line 1");
}

/* transformers' "no limit", 31 digits, which no 64-bit integer holds. */
static void test_no_limit(void **state)
{
    (void)state;
    static const char text[] = "{\"length\": 1000000000000000019884624838656, \"text\": \"1000000000000000019884624838656\"}";
    json_t *root;
    double value;
    assert_status_ok(br_json_parse(text, sizeof text - 1, "doc.json", &root));
    assert_status_ok(br_json_double(root, "doc.json", "length", 0, &value));
    assert_true(value == 1e30);
    assert_string_equal(json_string_value(json_object_get(root, "text")), "1000000000000000019884624838656");
    json_decref(root);
    assert_status(parse("[100000000000000001988462483865]"), BR_ERROR_FORMAT, "too big integer");
    assert_status(parse("[1000000000000000019884624838656, 9223372036854775808]"), BR_ERROR_FORMAT, "too big integer");
}

static br_status parse_member(const char *text, const char *key, json_t **out_value)
{
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1); /* to the byte, so that a read past the end shows under the sanitizers */
    assert_non_null(copy);
    memcpy(copy, text, size);
    br_status status = br_json_parse_member(copy, size, key, "doc.json", out_value);
    free(copy);
    return status;
}

static void test_member(void **state)
{
    (void)state;
    static const char text[] = " {\"a\" : [1, {\"b\": [2]}] ,\"\\\"b\": \"}\\\\\",\n\"b\":{\"c\":[]},\"deep\":[[[[}";
    json_t *value;
    assert_status_ok(parse_member(text, "a", &value));
    assert_int_equal(json_array_size(value), 2);
    json_decref(value);
    assert_status_ok(parse_member(text, "b", &value));
    assert_non_null(json_object_get(value, "c"));
    json_decref(value);
    assert_status_ok(parse_member(text, "c", &value));
    assert_null(value);
    assert_status(parse_member(text, "deep", &value), BR_ERROR_FORMAT, "doc.json: invalid JSON");
    assert_null(value);
    assert_status(parse_member("[\"a\"]", "a", &value), BR_ERROR_FORMAT, "doc.json: expected a JSON object");
    assert_status(parse_member("{\"a\"", "a", &value), BR_ERROR_FORMAT, "invalid JSON at byte 4, expected ':'");
    /* Cut anywhere, it is an error, or the member is not there, or it is whole. */
    for (size_t cut = 0; cut < sizeof text; cut++) {
        char part[sizeof text];
        memcpy(part, text, cut);
        part[cut] = '\0';
        br_status status = parse_member(part, "b", &value);
        assert_true(!status || !value);
        if (value)
            assert_non_null(json_object_get(value, "c"));
        json_decref(value);
        br_status_free(status);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[1000];
    memset(text, '[', BR_JSON_MAX_DEPTH);
    memset(text + BR_JSON_MAX_DEPTH, ']', BR_JSON_MAX_DEPTH);
    text[2 * BR_JSON_MAX_DEPTH] = 0;
    assert_status_ok(parse(text));
    memset(text, '[', BR_JSON_MAX_DEPTH + 1);
    assert_status(parse(text), BR_ERROR_FORMAT, "nested deeper than 64");
    /* Brackets inside strings do not count, also after an escaped quote. */
    memset(text, '[', 200);
    memcpy(text, "[\"\\\"", 4);
    strcpy(text + 200, "\"]");
    assert_status_ok(parse(text));
    size_t size = 10 << 20;
    char *deep = malloc(size);
    memset(deep, '[', size);
    json_t *root;
    assert_status(br_json_parse(deep, size, "deep", &root), BR_ERROR_FORMAT, "deep: JSON is nested");
    free(deep);
}

static void test_members(void **state)
{
    (void)state;
    const char *text =
        "{\"i\": 7, \"r\": 2.5, \"b\": true, \"s\": \"x\", \"n\": null, \"long\": \"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}";
    json_t *root;
    assert_status_ok(br_json_parse(text, strlen(text), "d", &root));
    int64_t i;
    double r;
    bool b;
    const char *s;
    assert_status_ok(br_json_int(root, "d", "i", 0, 7, 1, &i));
    assert_int_equal(i, 7);
    assert_status(br_json_int(root, "d", "i", 0, 6, 1, &i), BR_ERROR_FORMAT, "d: \"i\" is 7, expected 0 to 6");
    assert_int_equal(i, 1);
    assert_status(br_json_int(root, "d", "r", 0, 7, 1, &i), BR_ERROR_FORMAT, "d: \"r\" is 2.5, expected an integer");
    assert_status_ok(br_json_int(root, "d", "n", 0, 7, -5, &i));
    assert_int_equal(i, -5);
    assert_status_ok(br_json_double(root, "d", "i", 0, &r));
    assert_true(r == 7);
    assert_status_ok(br_json_double(root, "d", "r", 0, &r));
    assert_true(r == 2.5);
    assert_status_ok(br_json_double(root, "d", "none", 0.25, &r));
    assert_true(r == 0.25);
    assert_status(br_json_double(root, "d", "s", 0, &r), BR_ERROR_FORMAT, "d: \"s\" is \"x\", expected a number");
    assert_status_ok(br_json_bool(root, "d", "b", false, &b));
    assert_true(b);
    assert_status(br_json_bool(root, "d", "i", false, &b), BR_ERROR_FORMAT, "expected true or false");
    assert_status_ok(br_json_string(root, "d", "s", "y", &s));
    assert_string_equal(s, "x");
    assert_status_ok(br_json_string(root, "d", "none", "y", &s));
    assert_string_equal(s, "y");
    assert_status(br_json_string(root, "d", "b", NULL, &s), BR_ERROR_FORMAT, "\"b\" is true, expected a string");
    assert_status(br_json_int(root, "d", "long", 0, 7, 1, &i), BR_ERROR_FORMAT, "yyyy, expected an integer");
    assert_status(br_json_int(json_object_get(root, "i"), "d", "k", 0, 1, 0, &i), BR_ERROR_FORMAT, "expected a JSON object");
    json_decref(root);
}

static void test_read(void **state)
{
    (void)state;
    json_t *root;
    assert_status_ok(br_json_read(br_scratch_file("a.json", "[1]", 3), 3, &root));
    json_decref(root);
    assert_status(br_json_read(br_scratch_path("a.json"), 2, &root), BR_ERROR_FORMAT, "a.json: 3 bytes, expected at most 2");
    assert_status(br_json_read(br_scratch_path("b.json"), 2, &root), BR_ERROR_NOT_FOUND, "b.json");
    assert_status(br_json_read(br_scratch_file("c.json", "[", 1), 9, &root), BR_ERROR_FORMAT, "c.json: invalid JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_malformed), cmocka_unit_test(test_infinity),
                                       cmocka_unit_test(test_no_limit),  cmocka_unit_test(test_member),
                                       cmocka_unit_test(test_depth),     cmocka_unit_test(test_members),
                                       cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
