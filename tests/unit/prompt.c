/* Prompt syntax and chunks: what a public implementation of AUTOMATIC1111's syntax makes of several hundred prompts (tests/data/prompts, written by
 * tools/reference/prompts.py), and prompts that are meant badly. */
#include "tokenizer/prompt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "support/test.h"
#include "tokenizer/chunks.h"

static br_clip_bpe *open_emoji(void)
{
    br_clip_bpe *bpe;
    assert_status_ok(br_clip_bpe_open(br_test_path("assets/models/emoji/tokenizer"), &bpe));
    return bpe;
}

static void check_pieces(const br_prompt *prompt, const char *text, const json_t *expected)
{
    if (prompt->count != json_array_size(expected))
        fail_msg("\"%s\": %zu pieces, expected %zu", text, prompt->count, json_array_size(expected));
    for (size_t i = 0; i < prompt->count; i++) {
        const br_prompt_piece *piece = &prompt->pieces[i];
        const json_t *item = json_array_get(expected, i);
        assert_int_equal(piece->is_break, json_is_null(item));
        if (piece->is_break) {
            assert_int_equal(piece->length, 0);
            continue;
        }
        const char *words = json_string_value(json_array_get(item, 0));
        double weight = json_number_value(json_array_get(item, 1));
        if (piece->length != strlen(words) || memcmp(prompt->text + piece->begin, words, piece->length) != 0)
            fail_msg("\"%s\": piece %zu is \"%.*s\", expected \"%s\"", text, i, (int)piece->length, prompt->text + piece->begin,
                     words);
        if (piece->weight != weight) /* the same operations in the same order: bit for bit */
            fail_msg("\"%s\": piece %zu has the weight %.17g, expected %.17g", text, i, piece->weight, weight);
    }
}

static void check_chunks(const br_clip_bpe *bpe, const br_prompt *prompt, const char *text, const json_t *it)
{
    const json_t *all_ids = json_object_get(it, "chunks"), *all_weights = json_object_get(it, "weights");
    br_clip_frame frame = br_clip_bpe_frame(bpe);
    br_chunks chunks;
    assert_status_ok(br_chunks_init(&(br_chunks_params){.tokenizer = bpe, .prompt = prompt}, &chunks));
    if ((size_t)chunks.count != json_array_size(all_ids))
        fail_msg("\"%.60s\": %d chunks, expected %zu", text, chunks.count, json_array_size(all_ids));
    assert_int_equal(chunks.length, 77);
    for (int n = 0; n < chunks.count; n++) {
        const json_t *ids = json_array_get(all_ids, (size_t)n), *weights = json_array_get(all_weights, (size_t)n);
        int used = (int)json_array_size(ids);
        for (int i = 0; i < chunks.length; i++) {
            bool inside = i >= 1 && i <= used;
            int32_t id = inside          ? (int32_t)json_integer_value(json_array_get(ids, (size_t)i - 1))
                         : i == 0        ? frame.bos
                         : i == used + 1 ? frame.eos
                                         : frame.pad;
            float weight = inside ? (float)json_number_value(json_array_get(weights, (size_t)i - 1)) : 1;
            if (chunks.ids[n * 77 + i] != id || chunks.weights[n * 77 + i] != weight)
                fail_msg("\"%.60s\": chunk %d, id %d is %d · %g, expected %d · %g", text, n, i, (int)chunks.ids[n * 77 + i],
                         (double)chunks.weights[n * 77 + i], (int)id, (double)weight);
        }
    }
    br_chunks_finish(&chunks);
}

static void test_cases(void **state)
{
    (void)state;
    json_t *root;
    assert_status_ok(br_json_read(br_test_path("tests/data/prompts/cases.json"), (size_t)4 << 20, &root));
    const json_t *cases = json_object_get(root, "cases");
    br_clip_bpe *bpe = open_emoji();
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *it = json_array_get(cases, i);
        const char *text = json_string_value(json_object_get(it, "prompt"));
        br_prompt prompt;
        assert_status_ok(br_prompt_parse(text, &prompt));
        check_pieces(&prompt, text, json_object_get(it, "pieces"));
        check_chunks(bpe, &prompt, text, it);
        br_prompt_finish(&prompt);
    }
    print_message("%zu prompts\n", json_array_size(cases));
    assert_true(json_array_size(cases) >= 400);
    br_clip_bpe_destroy(bpe);
    json_decref(root);
}

static void check_text(const char *text, const char *words, double weight)
{
    br_prompt prompt;
    assert_status_ok(br_prompt_parse(text, &prompt));
    assert_int_equal(prompt.count, 1);
    assert_int_equal(prompt.pieces[0].length, strlen(words));
    assert_memory_equal(prompt.text + prompt.pieces[0].begin, words, strlen(words));
    assert_true(prompt.pieces[0].weight == weight);
    br_prompt_finish(&prompt);
}

/* Where there is no implementation to follow: numbers that are none, and digits of other scripts. */
static void test_numbers(void **state)
{
    (void)state;
    check_text("(a:1.2.3)", "a:1.2.3", 1.1);
    check_text("(a:.)", "a:.", 1.1);
    check_text("(a:..)", "a:..", 1.1);
    check_text("(a:+)", "a:+", 1.1);
    check_text("(a:--1)", "a:--1", 1.1);
    check_text("(a:nan)", "a:nan", 1.1);
    check_text("(a:inf)", "a:inf", 1.1);
    check_text("(a:1e3)", "a:1e3", 1.1);
    check_text("(a:0x2)", "a:0x2", 1.1);
    check_text("(a:1,5)", "a:1,5", 1.1);
    check_text("(a:\u0661)", "a:\u0661", 1.1);
    check_text("(a:1000)", "a", 1000);
    check_text("(a:-1000)", "a", -1000);
    check_text("(a:0.000000000000000000000000000000000000000000000000000000000000000000001)", "a", 1e-69);
    check_text("(a:000000000000000000000000000000000000002)", "a", 2);
}

static void test_literal(void **state)
{
    (void)state;
    static const char text[] = "(a:1.3) [b] \\( BREAK \\";
    br_prompt prompt;
    assert_status_ok(br_prompt_literal(text, &prompt));
    assert_int_equal(prompt.count, 1);
    assert_int_equal(prompt.pieces[0].length, strlen(text));
    assert_memory_equal(prompt.text, text, strlen(text));
    assert_true(prompt.pieces[0].weight == 1 && !prompt.pieces[0].is_break);
    br_prompt_finish(&prompt);
    assert_status(br_prompt_literal("a\xff", &prompt), BR_ERROR_ARGUMENT, "not valid UTF-8: byte 1 is 0xff");
}

/* `pattern` as often as fits into `size` bytes. */
static char *repeat(const char *pattern, size_t size)
{
    char *text = test_malloc(size + 1);
    size_t length = strlen(pattern), used = 0;
    for (; used + length <= size; used += length)
        memcpy(text + used, pattern, length);
    text[used] = '\0';
    return text;
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } refused[] = {
        {"a (b:1001)", "\"b\" has the weight 1001, expected at most 1000"},
        {"(b:-1000.1)", "\"b\" has the weight -1000.1"},
        {"(b:99999999999999999999999999999999999999999999)", "\"b\" has the weight 1e+44"},
        {"((a:100):100)", "\"a\" has the weight 10000"},
        {"((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((a", "\"a\" has the weight 1156"},
        {"(a \xc3)", "not valid UTF-8: byte 3 is 0xc3"},
    };
    br_prompt prompt;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_status(br_prompt_parse(refused[i].text, &prompt), BR_ERROR_ARGUMENT, refused[i].message);
        assert_null(prompt.text);
    }
    static const struct {
        const char *pattern;
        bool refused; /* too many brackets are open */
    } long_ones[] = {{"(a", true},   {"[a", true},  {"([a", true},  {"(a)", false},        {"(a:1.5)[b]", false},   {")", false},
                     {"]", false},   {"\\", false}, {":", false},   {":1)", false},        {"BREAK ", false},       {"(((((", true},
                     {"(a:9", true}, {"9.", false}, {"\\(", false}, {"BREAKBREAK", false}, {"\xe7\x8c\xab", false}, {" ", false}};
    br_clip_bpe *bpe = open_emoji();
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++) {
        char *text = repeat(long_ones[i].pattern, BR_CLIP_BPE_PROMPT_MAX);
        double begin = br_clock_thread_seconds();
        br_status status = br_prompt_parse(text, &prompt);
        assert_int_equal(status != NULL, long_ones[i].refused);
        if (!status) {
            br_chunks chunks;
            assert_status_ok(br_chunks_init(&(br_chunks_params){.tokenizer = bpe, .prompt = &prompt}, &chunks));
            assert_true(chunks.count >= 1);
            br_chunks_finish(&chunks);
        }
        double seconds = br_clock_thread_seconds() - begin;
        print_message("64 KiB of \"%s\": %.3f s\n", long_ones[i].pattern, seconds);
        assert_true(seconds < 20.0); /* far above what any takes, with sanitizers and without optimisation */
        br_status_free(status);
        br_prompt_finish(&prompt);
        test_free(text);
    }
    char *text = repeat("a", BR_CLIP_BPE_PROMPT_MAX + 1);
    assert_status(br_prompt_parse(text, &prompt), BR_ERROR_ARGUMENT, "the prompt has 65537 bytes, expected at most 65536");
    test_free(text);
    br_clip_bpe_destroy(bpe);
}

static void test_pad(void **state)
{
    (void)state;
    br_clip_bpe *bpe = open_emoji();
    br_clip_frame frame = br_clip_bpe_frame(bpe);
    br_prompt prompt;
    br_chunks chunks;
    assert_status_ok(br_prompt_parse("(red:1.5) apple", &prompt));
    assert_status_ok(br_chunks_init(&(br_chunks_params){.tokenizer = bpe, .prompt = &prompt}, &chunks));
    assert_status_ok(br_chunks_pad(&chunks, bpe, 1));
    assert_int_equal(chunks.count, 1);
    assert_status_ok(br_chunks_pad(&chunks, bpe, 3));
    assert_int_equal(chunks.count, 3);
    assert_true(chunks.weights[1] == 1.5f && chunks.weights[2] == 1);
    for (int n = 1; n < 3; n++) {
        assert_int_equal(chunks.ids[n * 77], frame.bos);
        for (int i = 1; i < 77; i++) {
            assert_int_equal(chunks.ids[n * 77 + i], i == 1 ? frame.eos : frame.pad);
            assert_true(chunks.weights[n * 77 + i] == 1);
        }
    }
    br_chunks_finish(&chunks);
    br_prompt_finish(&prompt);
    br_clip_bpe_destroy(bpe);
}

/* Vectors instead of a name: as a whole word, the longest name first, and never in two chunks. */
static void test_placeholders(void **state)
{
    (void)state;
    br_clip_bpe *bpe = open_emoji();
    br_clip_frame frame = br_clip_bpe_frame(bpe);
    br_placeholder placeholders[3] = {{.first = 9000, .count = 2}, {.first = 9002, .count = 1}, {.first = 9003, .count = 3}};
    static const char *const names[3] = {"apple", "apple tree", "blob"};
    for (int i = 0; i < 3; i++)
        assert_status_ok(br_clip_bpe_encode(bpe, names[i], strlen(names[i]), &placeholders[i].name));
    br_chunks_params params = {.tokenizer = bpe, .placeholders = placeholders, .placeholder_count = 3};
    br_prompt prompt;
    br_chunks chunks;
    br_clip_ids red = {0};
    assert_status_ok(br_clip_bpe_encode(bpe, "red", 3, &red));
    assert_int_equal(red.count, 1);
    assert_status_ok(br_prompt_parse("red APPLE, (apple tree:1.5) apples red", &prompt));
    params.prompt = &prompt;
    assert_status_ok(br_chunks_init(&params, &chunks));
    const int32_t expected[] = {frame.bos, red.items[0], 9000, 9001, frame.comma, 9002};
    assert_memory_equal(chunks.ids, expected, sizeof expected);
    assert_true(chunks.weights[5] == 1.5f && chunks.weights[4] == 1);
    for (int i = 6; i < 77; i++)
        assert_true(chunks.ids[i] < 9000);
    br_chunks_finish(&chunks);
    br_prompt_finish(&prompt);

    char *text = repeat("red ", 4 * 73);
    char *whole = test_malloc(400);
    snprintf(whole, 400, "%sblob red", text);
    assert_status_ok(br_prompt_parse(whole, &prompt));
    assert_status_ok(br_chunks_init(&params, &chunks));
    assert_int_equal(chunks.count, 2);
    assert_int_equal(chunks.ids[73], red.items[0]);
    assert_int_equal(chunks.ids[74], frame.eos);
    for (int i = 0; i < 3; i++)
        assert_int_equal(chunks.ids[78 + i], 9003 + i);
    assert_int_equal(chunks.ids[81], red.items[0]);
    br_chunks_finish(&chunks);
    br_prompt_finish(&prompt);
    test_free(text);
    test_free(whole);
    free(red.items);
    for (int i = 0; i < 3; i++)
        free(placeholders[i].name.items);
    br_clip_bpe_destroy(bpe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),   cmocka_unit_test(test_numbers), cmocka_unit_test(test_literal),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_pad),     cmocka_unit_test(test_placeholders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
