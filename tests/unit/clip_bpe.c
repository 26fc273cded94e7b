/* CLIP's tokenizer: id for id what transformers makes, and files and prompts that are not what they should be. */
#include "support/scratch.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "tokenizer/clip_bpe.h"

#define EMOJI "assets/models/emoji/tokenizer"
#define BOS 2046
#define EOS 2047

static br_clip_bpe *open_emoji(void)
{
    br_clip_bpe *bpe;
    assert_status_ok(br_clip_bpe_open(br_test_path(EMOJI), &bpe));
    return bpe;
}

static json_t *read_data(const char *path)
{
    json_t *root;
    assert_status_ok(br_json_read(br_test_path(path), (size_t)16 << 20, &root));
    return root;
}

/* The ids of a prompt as transformers gives them with padding and truncation; *out_used as before that. `out_used` may be NULL. */
static br_status encode(const br_clip_bpe *bpe, const char *prompt, int32_t *out_ids, int *out_used)
{
    br_clip_ids ids = {0};
    br_clip_frame frame = br_clip_bpe_frame(bpe);
    int length = br_clip_bpe_length(bpe);
    br_status status = br_clip_bpe_encode(bpe, prompt, strlen(prompt), &ids);
    if (!status) {
        int kept = (int)ids.count < length - 2 ? (int)ids.count : length - 2;
        for (int i = 0; i < length; i++)
            out_ids[i] = i == 0 ? frame.bos : i <= kept ? ids.items[i - 1] : i == kept + 1 ? frame.eos : frame.pad;
        if (out_used)
            *out_used = (int)ids.count + 2;
    }
    free(ids.items);
    return status;
}

/* `used` < 0: `ids` are all T. */
static void check_case(const br_clip_bpe *bpe, const json_t *ids, const char *prompt, int used, int32_t pad)
{
    int length = br_clip_bpe_length(bpe), found_used = -1;
    int32_t *found = malloc(((size_t)length + 1) * sizeof *found);
    assert_non_null(found);
    for (int i = 0; i <= length; i++)
        found[i] = -7;
    assert_status_ok(encode(bpe, prompt, found, &found_used));
    assert_true((int)json_array_size(ids) <= length);
    for (int i = 0; i < length; i++) {
        const json_t *id = json_array_get(ids, (size_t)i);
        int32_t expected = id ? (int32_t)json_integer_value(id) : pad;
        if (found[i] != expected)
            fail_msg("\"%.80s\": id %d is %d, expected %d", prompt, i, (int)found[i], (int)expected);
    }
    if (used >= 0)
        assert_int_equal(found_used, used);
    assert_int_equal(found[length], -7);
    free(found);
}

/* A folder of the emoji vocabulary with the fixture's files beside it. */
static br_clip_bpe *open_overlay(const json_t *files, int number)
{
    static const char *const names[] = {"vocab.json", "merges.txt"};
    char path[64];
    for (int i = 0; i < 2; i++) {
        char *text, source[64];
        size_t size;
        snprintf(source, sizeof source, EMOJI "/%s", names[i]);
        assert_status_ok(br_file_read(br_test_path(source), 1 << 20, &text, &size));
        snprintf(path, sizeof path, "overlay%d/%s", number, names[i]);
        br_scratch_file(path, text, size);
        free(text);
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)files, name, value)
    {
        /* What Python writes for "no limit" fits no 64-bit integer; jansson holds it as a real number. */
        char *text = json_dumps(value, JSON_COMPACT);
        assert_non_null(text);
        snprintf(path, sizeof path, "overlay%d/%s", number, name);
        br_scratch_file(path, text, strlen(text));
        free(text);
    }
    snprintf(path, sizeof path, "overlay%d", number);
    br_clip_bpe *bpe;
    assert_status_ok(br_clip_bpe_open(br_scratch_path(path), &bpe));
    return bpe;
}

static void test_same_as_transformers(void **state)
{
    (void)state;
    json_t *root = read_data("tests/data/tokenizer_cases.json");
    const json_t *folders = json_object_get(root, "folders");
    assert_true(json_array_size(folders) >= 6);
    size_t count = 0;
    for (size_t f = 0; f < json_array_size(folders); f++) {
        const json_t *folder = json_array_get(folders, f), *cases = json_object_get(folder, "cases");
        br_clip_bpe *bpe = f == 0 ? open_emoji() : open_overlay(json_object_get(folder, "files"), (int)f);
        assert_int_equal(br_clip_bpe_length(bpe), json_integer_value(json_object_get(folder, "length")));
        int32_t pad = (int32_t)json_integer_value(json_object_get(folder, "pad"));
        for (size_t i = 0; i < json_array_size(cases); i++, count++) {
            const json_t *it = json_array_get(cases, i);
            check_case(bpe, json_object_get(it, "ids"), json_string_value(json_object_get(it, "prompt")),
                       (int)json_integer_value(json_object_get(it, "used")), pad);
        }
        br_clip_bpe_destroy(bpe);
    }
    print_message("%zu prompts\n", count);
    assert_true(count >= 200);
    json_decref(root);
}

/* The whole vocabulary: padded as CLIP, then as OpenCLIP does. */
static void test_shipped(void **state)
{
    (void)state;
    static const char *const pads[] = {NULL, "!"};
    json_t *root = read_data("tests/data/clip_cases.json");
    size_t count = 0;
    for (size_t f = 0; f < sizeof pads / sizeof pads[0]; f++) {
        const json_t *folder = json_array_get(json_object_get(root, "folders"), f), *cases = json_object_get(folder, "cases");
        int32_t pad = (int32_t)json_integer_value(json_object_get(folder, "pad"));
        br_clip_bpe *bpe;
        assert_status_ok(br_clip_bpe_open_shipped(pads[f], &bpe));
        assert_int_equal(br_clip_bpe_vocab_size(bpe), 49408);
        assert_int_equal(br_clip_bpe_length(bpe), 77);
        assert_int_equal(pad, f == 0 ? 49407 : 0);
        for (size_t i = 0; i < json_array_size(cases); i++, count++) {
            const json_t *it = json_array_get(cases, i);
            check_case(bpe, json_object_get(it, "ids"), json_string_value(json_object_get(it, "prompt")),
                       (int)json_integer_value(json_object_get(it, "used")), pad);
        }
        br_clip_bpe_destroy(bpe);
    }
    print_message("%zu prompts\n", count);
    assert_true(count >= 310);
    json_decref(root);
}

static void test_reference(void **state)
{
    (void)state;
    json_t *root = read_data("tests/data/reference/manifest.json");
    const json_t *samples = json_object_get(root, "samples"), *uncond = json_object_get(root, "uncond");
    br_clip_bpe *bpe = open_emoji();
    assert_int_equal(br_clip_bpe_vocab_size(bpe), 2048);
    assert_true(json_array_size(samples) > 0);
    check_case(bpe, json_object_get(uncond, "token_ids"), "", 2, EOS);
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *it = json_array_get(samples, i);
        assert_int_equal(json_array_size(json_object_get(it, "token_ids")), 77);
        check_case(bpe, json_object_get(it, "token_ids"), json_string_value(json_object_get(it, "prompt")), -1, EOS);
    }
    br_clip_bpe_destroy(bpe);
    json_decref(root);
}

static void test_truncation(void **state)
{
    (void)state;
    char vocab[512], merges[512];
    snprintf(vocab, sizeof vocab, "%s", br_test_path(EMOJI "/vocab.json"));
    snprintf(merges, sizeof merges, "%s", br_test_path(EMOJI "/merges.txt"));
    for (int length = 2; length < 9; length++) {
        br_clip_bpe *bpe;
        int32_t ids[10] = {0};
        int used;
        assert_status_ok(
            br_clip_bpe_create(&(br_clip_bpe_params){.vocab_path = vocab, .merges_path = merges, .max_length = length}, &bpe));
        assert_int_equal(br_clip_bpe_length(bpe), length);
        ids[length] = -7;
        assert_status_ok(encode(bpe, "red apple 12", ids, &used));
        static const int32_t whole[] = {BOS, 587, 1948, 272, 273, EOS, EOS, EOS};
        assert_int_equal(used, 6);
        assert_memory_equal(ids, whole, (size_t)(length - 1) * sizeof *ids);
        assert_int_equal(ids[length - 1], EOS);
        assert_int_equal(ids[length], -7);
        assert_status_ok(encode(bpe, "red apple 12", ids, NULL));
        br_clip_bpe_destroy(bpe);
    }
    br_clip_bpe_destroy(NULL);
}

static void test_invalid_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *prompt, *message;
    } cases[] = {
        {"\xff", "not valid UTF-8: byte 0 is 0xff"},
        {"red \xfe", "byte 4 is 0xfe"},
        {"\x80", "byte 0 is 0x80"},
        {"a\xbf", "byte 1 is 0xbf"},
        {"\xc0\xaf", "byte 0 is 0xc0"},         /* overlong '/' */
        {"ab\xc1\xbf", "byte 2 is 0xc1"},       /* overlong, two bytes */
        {"\xe0\x9f\xbf", "byte 0 is 0xe0"},     /* overlong, three */
        {"\xf0\x8f\xbf\xbf", "byte 0 is 0xf0"}, /* overlong, four */
        {"x\xed\xa0\x80", "byte 1 is 0xed"},    /* U+D800 */
        {"\xed\xbf\xbf", "byte 0 is 0xed"},     /* U+DFFF */
        {"\xf4\x90\x80\x80", "byte 0 is 0xf4"}, /* U+110000 */
        {"\xf5\x80\x80\x80", "byte 0 is 0xf5"},
        {"apple \xc3", "byte 6 is 0xc3"}, /* cut short */
        {"\xe2\x82", "byte 0 is 0xe2"},
        {"\xf0\x9f\x98", "byte 0 is 0xf0"},
        {"\xc3\x28", "byte 0 is 0xc3"},
        {"\xe2\x82\x28", "byte 0 is 0xe2"},
        {"\xc3\xa9\xc3\xa9\xa9", "byte 4 is 0xa9"},
        {"<|endoftext|>\xff<|endoftext|>", "byte 13 is 0xff"},
    };
    br_clip_bpe *bpe = open_emoji();
    int32_t ids[77];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *copy = strdup(cases[i].prompt); /* to the byte, so that a read past the end shows under the sanitizers */
        assert_non_null(copy);
        assert_status(encode(bpe, copy, ids, NULL), BR_ERROR_ARGUMENT, cases[i].message);
        free(copy);
    }
    br_clip_bpe_destroy(bpe);
}

/* The longest prompt of each kind that makes some part work hardest. */
static void test_long_prompts(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a",      "ab",     "!?",      "\u0301\u0323",  "\u0323\u0301", "e\u0301", "\U0001f98a",
                                         "\u732b", "\u03a3", "\u03a3'", "<|endoftext|>", "<|",           " "};
    br_clip_bpe *bpe = open_emoji();
    int32_t ids[77];
    char *prompt = malloc(BR_CLIP_BPE_PROMPT_MAX + 2);
    assert_non_null(prompt);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t used = 0, length = strlen(pieces[i]);
        while (used + length <= BR_CLIP_BPE_PROMPT_MAX) {
            memcpy(prompt + used, pieces[i], length);
            used += length;
        }
        prompt[used] = '\0';
        double begin = br_clock_thread_seconds();
        assert_status_ok(encode(bpe, prompt, ids, NULL));
        assert_int_equal(ids[0], BOS);
        double seconds = br_clock_thread_seconds() - begin;
        print_message("64 KiB of \"%s\": %.3f s\n", pieces[i], seconds);
        assert_true(seconds < 20.0); /* far above what any takes, with sanitizers and without optimisation */
    }
    memset(prompt, 'a', BR_CLIP_BPE_PROMPT_MAX + 1);
    prompt[BR_CLIP_BPE_PROMPT_MAX + 1] = '\0';
    assert_status(encode(bpe, prompt, ids, NULL), BR_ERROR_ARGUMENT, "the prompt has 65537 bytes, expected at most 65536");
    free(prompt);
    br_clip_bpe_destroy(bpe);
}

/* NULL: no such file. */
typedef struct tokenizer_files {
    const char *vocab, *merges, *config, *specials, *added, *complete;
} tokenizer_files;

static const char good_vocab[] = "{\"a\":0,\"a</w>\":1,\"b</w>\":2,\"ab</w>\":3,\"<|startoftext|>\":4,\"<|endoftext|>\":5}";
static const char good_merges[] = "#version: 0.2\na b</w>\n";

static br_status open_files(const tokenizer_files *files, br_clip_bpe **out_bpe)
{
    static int number;
    const struct {
        const char *name, *text;
    } all[] = {{"vocab.json", files->vocab ? files->vocab : good_vocab},
               {"merges.txt", files->merges ? files->merges : good_merges},
               {"tokenizer_config.json", files->config},
               {"special_tokens_map.json", files->specials},
               {"added_tokens.json", files->added},
               {"tokenizer.json", files->complete}};
    char path[64];
    number++;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        snprintf(path, sizeof path, "t%d/%s", number, all[i].name);
        if (all[i].text)
            br_scratch_file(path, all[i].text, strlen(all[i].text));
    }
    snprintf(path, sizeof path, "t%d", number);
    return br_clip_bpe_open(br_scratch_path(path), out_bpe);
}

static void check_refused(const tokenizer_files *files, br_code code, const char *message)
{
    br_clip_bpe *bpe = (br_clip_bpe *)&bpe;
    assert_status(open_files(files, &bpe), code, message);
    assert_null(bpe);
}

static void check_accepted(const tokenizer_files *files, const char *prompt, const int32_t *expected, int count)
{
    br_clip_bpe *bpe;
    int32_t ids[77];
    assert_status_ok(open_files(files, &bpe));
    assert_int_equal(br_clip_bpe_length(bpe), 77);
    assert_status_ok(encode(bpe, prompt, ids, NULL));
    assert_memory_equal(ids, expected, (size_t)count * sizeof *ids);
    br_clip_bpe_destroy(bpe);
}

static void test_vocab(void **state)
{
    (void)state;
    static const struct {
        const char *vocab, *message;
    } cases[] = {
        {"", "vocab.json: invalid JSON"},
        {"not json", "vocab.json: invalid JSON at line 1"},
        {"[\"a\"]", "vocab.json: expected a JSON object of tokens and ids"},
        {"{}", "the special token \"<|endoftext|>\" is not in the vocabulary"},
        {"{\"a\":0,\"<|endoftext|>\":1}", "the special token \"<|startoftext|>\" is not in the vocabulary"},
        {"{\"<|startoftext|>\":0}", "the special token \"<|endoftext|>\" is not in the vocabulary"},
        {"{\"a\":0,\"a\":1,\"<|startoftext|>\":4,\"<|endoftext|>\":5}", "duplicate object key"},
        {"{\"a\":5,\"<|startoftext|>\":4,\"<|endoftext|>\":5}", "token \"<|endoftext|>\" has the id 5 of another token"},
        {"{\"a\":-1}", "token \"a\" has no id from 0 to 16777215"},
        {"{\"a\":16777216}", "token \"a\" has no id"},
        {"{\"a\":9223372036854775807}", "token \"a\" has no id"},
        {"{\"a\":99999999999999999999}", "too big integer"},
        {"{\"a\":1.0}", "token \"a\" has no id"},
        {"{\"a\":\"1\"}", "token \"a\" has no id"},
        {"{\"a\":null}", "token \"a\" has no id"},
        {"{\"a\\u0000b\":1}", "invalid JSON"},
        {"{\"\\ud800\":1}", "invalid JSON"},
        {"{\"\xff\":1}", "invalid JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_refused(&(tokenizer_files){.vocab = cases[i].vocab}, BR_ERROR_FORMAT, cases[i].message);
    check_accepted(&(tokenizer_files){.vocab = "{\"\":7,\"<|startoftext|>\":4,\"<|endoftext|>\":16777215}"}, "ab",
                   (int32_t[]){4, 16777215, 16777215}, 3); /* without its pieces everything is unknown */
    br_clip_bpe *bpe;
    assert_status(br_clip_bpe_open(br_scratch_path("nothing"), &bpe), BR_ERROR_NOT_FOUND, "nothing/vocab.json");
    br_scratch_file("half/vocab.json", good_vocab, strlen(good_vocab));
    assert_status(br_clip_bpe_open(br_scratch_path("half"), &bpe), BR_ERROR_NOT_FOUND, "half/merges.txt");
}

static void test_merges(void **state)
{
    (void)state;
    static const struct {
        const char *merges, *message;
    } cases[] = {
        {"#version: 0.2\nab</w>\n", "merges.txt: line 2 is \"ab</w>\", expected two symbols separated by a space"},
        {"#version: 0.2\na b</w>\n\na a</w>", "line 3 is \"\""},
        {"#version: 0.2\na b c\n", "line 2 is \"a b c\""},
        {"#version: 0.2\na  b\n", "line 2 is \"a  b\""},
        {"#version: 0.2\na b\n c\nd e\n", "line 3 is \" c\""},
        {"#version: 0.2\na b\nc \nd e\n", "line 3 is \"c \""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_refused(&(tokenizer_files){.merges = cases[i].merges}, BR_ERROR_FORMAT, cases[i].message);
    static const int32_t merged[] = {4, 3, 1, 5, 5}, apart[] = {4, 0, 2, 1, 5};
    static const char *const good[] = {good_merges,        "\n \n#version: 0.2\na b</w>",    "x\r\na b</w>\r\n",     "x\ra b</w>\r",
                                       "x\na b</w>\n\n\n", "x\nzz zz\na b</w>\n\xff \xfe\n", "x\na b</w>\na b</w>\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_accepted(&(tokenizer_files){.merges = good[i]}, "AB a", merged, 5);
    check_accepted(&(tokenizer_files){.merges = "a b</w>"}, "ab a", apart, 5); /* the first line is the version, whatever it says */
    /* A merge whose result the vocabulary does not have gives the unknown token. */
    check_accepted(&(tokenizer_files){.merges = "x\na a</w>"}, "aa a", (int32_t[]){4, 5, 1, 5}, 4);

    char *line = malloc(3000);
    assert_non_null(line);
    strcpy(line, "x\n");
    memset(line + 2, 'a', 2900);
    strcpy(line + 1500, " b\n");
    check_accepted(&(tokenizer_files){.merges = line}, "ab a", apart, 5);
    free(line);
}

static void test_config(void **state)
{
    (void)state;
    static const struct {
        tokenizer_files files;
        br_code code;
        const char *message;
    } cases[] = {
        {{.config = "nonsense"}, BR_ERROR_FORMAT, "tokenizer_config.json: invalid JSON"},
        {{.config = "[]"}, BR_ERROR_FORMAT, "tokenizer_config.json is not a JSON object"},
        {{.specials = "3"}, BR_ERROR_FORMAT, "special_tokens_map.json: invalid JSON"},
        {{.specials = "[]"}, BR_ERROR_FORMAT, "special_tokens_map.json is not a JSON object"},
        {{.added = "[]"}, BR_ERROR_FORMAT, "added_tokens.json is not a JSON object"},
        {{.complete = "[]"}, BR_ERROR_FORMAT, "tokenizer.json: expected a JSON object"},
        {{.complete = ""}, BR_ERROR_FORMAT, "tokenizer.json: expected a JSON object"},
        {{.complete = "{\"model\" 3}"}, BR_ERROR_FORMAT, "tokenizer.json: invalid JSON at byte 9, expected ':'"},
        {{.complete = "{\"added_tokens\":{}}"}, BR_ERROR_FORMAT, "tokenizer.json: added_tokens is not a list"},
        {{.complete = "{\"added_tokens\":[1,}"}, BR_ERROR_FORMAT, "tokenizer.json: invalid JSON"},
        {{.complete = "{\"added_tokens\":"}, BR_ERROR_FORMAT, "tokenizer.json: invalid JSON"},
        {{.config = "{\"model_max_length\":0}"}, BR_ERROR_FORMAT, "model_max_length is 0, expected an integer from 2 to 4096"},
        {{.config = "{\"model_max_length\":1}"}, BR_ERROR_FORMAT, "model_max_length is 1,"},
        {{.config = "{\"model_max_length\":-77}"}, BR_ERROR_FORMAT, "model_max_length is -77,"},
        {{.config = "{\"model_max_length\":-1e30}"}, BR_ERROR_FORMAT, "model_max_length is -1"},
        {{.config = "{\"model_max_length\":4097}"}, BR_ERROR_FORMAT, "model_max_length is 4097,"},
        {{.config = "{\"model_max_length\":77.5}"}, BR_ERROR_FORMAT, "model_max_length is 77.5,"},
        {{.config = "{\"model_max_length\":\"x\"}"}, BR_ERROR_FORMAT, "model_max_length is \"x\","},
        {{.config = "{\"model_max_length\":[77]}"}, BR_ERROR_FORMAT, "model_max_length is [77],"},
        {{.config = "{\"model_max_length\":-Infinity}"}, BR_ERROR_FORMAT, "model_max_length is -1.79"},
        {{.config = "{\"model_max_length\":99999999999999999999}"}, BR_ERROR_FORMAT, "too big integer"},
        {{.config = "{\"do_lower_case\":false}"}, BR_ERROR_UNSUPPORTED, "do_lower_case = false is not supported"},
        {{.config = "{\"do_lower_case\":1}"}, BR_ERROR_FORMAT, "\"do_lower_case\" is 1, expected true or false"},
        {{.config = "{\"split_special_tokens\":true}"}, BR_ERROR_UNSUPPORTED, "split_special_tokens = true is not supported"},
        {{.config = "{\"padding_side\":\"left\"}"}, BR_ERROR_UNSUPPORTED, "padding_side is left, expected right"},
        {{.config = "{\"truncation_side\":\"left\"}"}, BR_ERROR_UNSUPPORTED, "truncation_side is left, expected right"},
        {{.config = "{\"tokenizer_class\":\"T5Tokenizer\"}"},
         BR_ERROR_UNSUPPORTED,
         "tokenizer_class is T5Tokenizer, expected CLIPTok"},
        {{.config = "{\"bos_token\":7}"}, BR_ERROR_FORMAT, "bos_token is neither a text nor an object with content"},
        {{.config = "{\"pad_token\":null}"}, BR_ERROR_FORMAT, "pad_token is neither"},
        {{.config = "{\"eos_token\":{\"id\":3}}"}, BR_ERROR_FORMAT, "eos_token is neither"},
        {{.config = "{\"unk_token\":\"missing\"}"}, BR_ERROR_FORMAT, "the special token \"missing\" is not in the vocabulary"},
        {{.specials = "{\"bos_token\":\"gone\"}"}, BR_ERROR_FORMAT, "the special token \"gone\" is not in the vocabulary"},
        {{.specials = "{\"bos_token\":\"\"}"}, BR_ERROR_FORMAT, "the special token \"\" is not in the vocabulary"},
        {{.specials = "{\"mask_token\":\"mask\"}"}, BR_ERROR_FORMAT, "\"mask\" is not in the vocabulary"},
        {{.specials = "{\"additional_special_tokens\":{}}"}, BR_ERROR_FORMAT, "additional_special_tokens is not a list"},
        {{.specials = "{\"additional_special_tokens\":[3]}"}, BR_ERROR_FORMAT, "one of additional_special_tokens is neither"},
        {{.config = "{\"added_tokens_decoder\":[]}"}, BR_ERROR_FORMAT, "added_tokens_decoder is not an object"},
        {{.config = "{\"added_tokens_decoder\":{\"6\":\"x\",\"7\":7}}"}, BR_ERROR_FORMAT, "an added token is neither"},
        {{.config = "{\"added_tokens_decoder\":{\"x\":\"x\"}}"}, BR_ERROR_FORMAT, "has the key \"x\", expected an id"},
        {{.config = "{\"added_tokens_decoder\":{\"\":\"x\"}}"}, BR_ERROR_FORMAT, "has the key \"\""},
        {{.config = "{\"added_tokens_decoder\":{\"-6\":\"x\"}}"}, BR_ERROR_FORMAT, "has the key \"-6\""},
        {{.config = "{\"added_tokens_decoder\":{\"99999999\":\"x\"}}"}, BR_ERROR_FORMAT, "\"x\" has no id from 0 to 16777215"},
        {{.config = "{\"added_tokens_decoder\":{\"99999999999999999999\":\"x\"}}"}, BR_ERROR_FORMAT, "has the key \"9999"},
        {{.config = "{\"added_tokens_decoder\":{\"5\":\"x\"}}"}, BR_ERROR_FORMAT, "\"x\" and \"<|endoftext|>\" have the same id 5"},
        {{.config = "{\"added_tokens_decoder\":{\"6\":{\"content\":\"x\",\"single_word\":true}}}"},
         BR_ERROR_UNSUPPORTED,
         "single_word = true, expected false"},
        {{.added = "{\"x\":-6}"}, BR_ERROR_FORMAT, "the added token \"x\" has no id"},
        {{.added = "{\"x\":\"6\"}"}, BR_ERROR_FORMAT, "the added token \"x\" has no id"},
        {{.complete = "{\"added_tokens\":[{\"content\":\"x\",\"id\":-1}]}"}, BR_ERROR_FORMAT, "\"id\" is -1, expected 0 to"},
        {{.complete = "{\"added_tokens\":[{\"content\":\"x\"}]}"}, BR_ERROR_FORMAT, "\"x\" is not in the vocabulary"},
        {{.complete = "{\"added_tokens\":[7]}"}, BR_ERROR_FORMAT, "an added token of tokenizer.json is neither"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_refused(&cases[i].files, cases[i].code, cases[i].message);

    static const int32_t plain[] = {4, 3, 1, 5};
    static const char *const good[] = {"{}",
                                       "{\"model_max_length\":1e30}",
                                       "{\"model_max_length\":1000000000000000019884624838656}",
                                       "{\"model_max_length\":null}",
                                       "{\"model_max_length\":77,\"tokenizer_class\":\"CLIPTokenizerFast\"}",
                                       "{\"model_max_length\":Infinity}"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_accepted(&(tokenizer_files){.config = good[i]}, "ab a", plain, 4);
    check_accepted(&(tokenizer_files){.complete =
                                          " {\"v\":\"]\\\"}\", \"o\" : {\"added_tokens\":[3]},\n\"added_tokens\":[{\"id\":6,"
                                          "\"content\":\"b\"}],\"model\":nonsense"},
                   "ab", (int32_t[]){4, 1, 6, 5}, 4);
    check_accepted(&(tokenizer_files){.complete = "{\"added_tokens2\":[3]}"}, "ab a", plain, 4);
    check_accepted(&(tokenizer_files){.complete = "{}"}, "ab a", plain, 4);
    check_accepted(&(tokenizer_files){.added = "{\"x\":6,\"\":7}"}, "axb", (int32_t[]){4, 1, 6, 2, 5}, 5);
}

/* As many added tokens as there may be, and one more. */
static void test_many_added(void **state)
{
    (void)state;
    for (int count = 1024; count <= 1025; count++) {
        char *text = malloc((size_t)count * 24 + 3), *at = text;
        assert_non_null(text);
        for (int i = 0; i < count; i++)
            at += sprintf(at, "%c\"word%04d\":%d", i ? ',' : '{', i, 6 + i);
        strcpy(at, "}");
        if (count == 1024)
            check_accepted(&(tokenizer_files){.added = text}, "word0000aword1023", (int32_t[]){4, 6, 1, 1029, 5}, 5);
        else
            check_refused(&(tokenizer_files){.added = text}, BR_ERROR_UNSUPPORTED, "more than 1024 added tokens");
        free(text);
    }
}

/* A vocabulary of CLIP's size: 48,894 merges and 49,408 tokens. */
static void test_time_to_open(void **state)
{
    (void)state;
    enum { MERGES = 48894 };
    char *vocab = malloc(MERGES * 20 + 8192), *merges = malloc(MERGES * 12 + 32), *v = vocab, *m = merges;
    assert_non_null(vocab);
    assert_non_null(merges);
    v += sprintf(v, "{\"<|startoftext|>\": 49406, \"<|endoftext|>\": 49407");
    m += sprintf(m, "#version: 0.2\n");
    for (int i = 0; i < 512; i++)
        v += sprintf(v, ", \"%03x%s\": %d", i % 256, i < 256 ? "" : "</w>", i);
    for (int i = 0; i < MERGES; i++) {
        char word[5] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676 % 26), (char)('a' + i / 17576), 0};
        v += sprintf(v, ", \"%s</w>\": %d", word, 512 + i);
        m += sprintf(m, "%.2s %s</w>\n", word, word + 2);
    }
    strcpy(v, "}");
    char vocab_path[512], merges_path[512];
    snprintf(vocab_path, sizeof vocab_path, "%s", br_scratch_file("large/vocab.json", vocab, strlen(vocab)));
    snprintf(merges_path, sizeof merges_path, "%s", br_scratch_file("large/merges.txt", merges, strlen(merges)));
    double begin = br_clock_thread_seconds();
    br_clip_bpe *bpe;
    assert_status_ok(br_clip_bpe_create(&(br_clip_bpe_params){.vocab_path = vocab_path, .merges_path = merges_path}, &bpe));
    double seconds = br_clock_thread_seconds() - begin;
    print_message("49,408 tokens and 48,894 merges: %.1f ms\n", seconds * 1e3);
    assert_int_equal(br_clip_bpe_vocab_size(bpe), 49408);
    assert_true(seconds < 2.0); /* 20 ms when optimised; the sanitizers take their share */
    br_clip_bpe_destroy(bpe);
    free(vocab);
    free(merges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_transformers),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_long_prompts),
        cmocka_unit_test(test_vocab),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_many_added),
        cmocka_unit_test(test_time_to_open),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
