/* br_clip_bpe_open: a tokenizer folder as transformers saves it. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/clip_bpe.h"

#define CONFIG_BYTES_MAX ((size_t)1 << 20)
/* tokenizer.json repeats the vocabulary and the merges. */
#define TOKENIZER_BYTES_MAX ((size_t)64 << 20)
#define ADDED_MAX 1024
/* From here on model_max_length means "no limit": transformers writes 1e30. */
#define NO_LENGTH 1e6
/* Longest text of a hostile file that a message quotes. */
#define QUOTE "%.100s"

typedef struct tokenizer_folder {
    const char *path;     /* borrowed */
    char *vocab, *merges; /* owned */
    json_t *config;       /* owned; an object; tokenizer_config.json with what special_tokens_map.json says in its place */
    json_t *legacy;       /* owned; added_tokens.json, NULL when it does not exist or does not count */
    json_t *listed;       /* owned; added_tokens of tokenizer.json, likewise */
    br_clip_bpe_added added[ADDED_MAX];
    br_clip_bpe_params params;
} tokenizer_folder;

static br_status join(const char *folder, const char *name, char **out_path)
{
    *out_path = br_path_join(folder, name);
    return *out_path ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", folder);
}

static br_status read_optional(const char *folder, const char *name, json_t **out_root)
{
    char *path;
    BR_TRY(join(folder, name, &path));
    br_status status = br_file_exists(path) ? br_json_read(path, CONFIG_BYTES_MAX, out_root) : NULL;
    if (!status && *out_root && !json_is_object(*out_root)) {
        json_decref(*out_root);
        *out_root = NULL;
        status = br_fail(BR_ERROR_FORMAT, "%s is not a JSON object", path);
    }
    free(path);
    return status;
}

/* Of tokenizer.json, which repeats vocabulary and merges, only the added tokens. */
static br_status read_listed(tokenizer_folder *it)
{
    char *path, *text = NULL;
    size_t size;
    BR_TRY(join(it->path, "tokenizer.json", &path));
    br_status status = NULL;
    if (br_file_exists(path)) {
        BR_TRY_GOTO(br_file_read(path, TOKENIZER_BYTES_MAX, &text, &size));
        BR_TRY_GOTO(br_json_parse_member(text, size, "added_tokens", path, &it->listed));
        if (it->listed && !json_is_array(it->listed))
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: added_tokens is not a list", path);
    }
fail:
    free(text);
    free(path);
    return status;
}

static br_status add(tokenizer_folder *it, const char *text, int64_t id)
{
    if (it->params.added_count == ADDED_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: more than %d added tokens", it->path, ADDED_MAX);
    if (id < -1 || id > BR_CLIP_BPE_ID_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: the added token \"" QUOTE "\" has no id from 0 to %d", it->path, text,
                       BR_CLIP_BPE_ID_MAX);
    it->added[it->params.added_count++] = (br_clip_bpe_added){.text = text, .id = (int32_t)id};
    it->params.added = it->added;
    return NULL;
}

/* A token is a text, or an object whose `content` is the text. Of its flags, lstrip, rstrip and normalized change no id, because white
 * space around words never does. */
static br_status read_token(const tokenizer_folder *it, const json_t *token, const char *what, const char **out_text)
{
    const char *text = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    if (!text)
        return br_fail(BR_ERROR_FORMAT, "%s: " QUOTE " is neither a text nor an object with content", it->path, what);
    if (json_is_true(json_object_get(token, "single_word")))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: " QUOTE " has single_word = true, expected false", it->path, what);
    *out_text = text;
    return NULL;
}

static br_status read_specials(tokenizer_folder *it)
{
    const struct {
        const char *key, **text;
    } needed[] = {{"bos_token", &it->params.bos},
                  {"eos_token", &it->params.eos},
                  {"unk_token", &it->params.unk},
                  {"pad_token", &it->params.pad}};
    static const char *const others[] = {"sep_token", "cls_token", "mask_token"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        const json_t *token = json_object_get(it->config, needed[i].key);
        if (token)
            BR_TRY(read_token(it, token, needed[i].key, needed[i].text));
    }
    const char *text;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const json_t *token = json_object_get(it->config, others[i]);
        if (!token || json_is_null(token))
            continue;
        BR_TRY(read_token(it, token, others[i], &text));
        BR_TRY(add(it, text, -1));
    }
    const json_t *more = json_object_get(it->config, "additional_special_tokens");
    if (more && !json_is_null(more) && !json_is_array(more))
        return br_fail(BR_ERROR_FORMAT, "%s: additional_special_tokens is not a list", it->path);
    for (size_t i = 0; i < json_array_size(more); i++) {
        BR_TRY(read_token(it, json_array_get(more, i), "one of additional_special_tokens", &text));
        BR_TRY(add(it, text, -1));
    }
    return NULL;
}

/* tokenizer_config.json: added_tokens_decoder: {"49408": {content}}. */
static br_status read_decoder(tokenizer_folder *it, const json_t *decoder)
{
    const char *key, *text;
    json_t *token;
    if (!json_is_object(decoder))
        return br_fail(BR_ERROR_FORMAT, "%s: added_tokens_decoder is not an object", it->path);
    json_object_foreach((json_t *)(uintptr_t)decoder, key, token)
    {
        char *end;
        size_t length = strlen(key);
        long id = strtol(key, &end, 10);
        if (length == 0 || length > 8 || *end || key[0] < '0' || key[0] > '9')
            return br_fail(BR_ERROR_FORMAT, "%s: added_tokens_decoder has the key \"" QUOTE "\", expected an id from 0 to %d",
                           it->path, key, BR_CLIP_BPE_ID_MAX);
        BR_TRY(read_token(it, token, "an added token", &text));
        BR_TRY(add(it, text, id));
    }
    return NULL;
}

/* added_tokens.json: {text: id}; tokenizer.json: added_tokens: [{content, id}]. */
static br_status read_older_added(tokenizer_folder *it)
{
    const char *text;
    json_t *id;
    json_object_foreach(it->legacy, text, id)
    {
        BR_TRY(add(it, text, json_is_integer(id) && json_integer_value(id) >= 0 ? json_integer_value(id) : INT64_MAX));
    }
    for (size_t i = 0; i < json_array_size(it->listed); i++) {
        const json_t *token = json_array_get(it->listed, i);
        int64_t number;
        BR_TRY(read_token(it, token, "an added token of tokenizer.json", &text));
        BR_TRY(br_json_int(token, it->path, "id", 0, BR_CLIP_BPE_ID_MAX, -1, &number));
        BR_TRY(add(it, text, number));
    }
    return NULL;
}

static br_status read_length(tokenizer_folder *it)
{
    const json_t *length = json_object_get(it->config, "model_max_length");
    if (!length)
        length = json_object_get(it->config, "max_len"); /* its name before transformers 2.9 */
    if (!length || json_is_null(length) || (json_is_number(length) && json_number_value(length) >= NO_LENGTH))
        return NULL;
    if (!json_is_integer(length) || json_integer_value(length) < 2 || json_integer_value(length) > BR_CLIP_BPE_LENGTH_MAX) {
        char *text = json_dumps(length, JSON_COMPACT | JSON_ENCODE_ANY);
        br_status status = br_fail(BR_ERROR_FORMAT, "%s: model_max_length is " QUOTE ", expected an integer from 2 to %d", it->path,
                                   text ? text : "?", BR_CLIP_BPE_LENGTH_MAX);
        free(text);
        return status;
    }
    it->params.max_length = (int)json_integer_value(length);
    return NULL;
}

static br_status expect_string(const tokenizer_folder *it, const char *key, const char *expected, const char *also)
{
    const char *value;
    BR_TRY(br_json_string(it->config, it->path, key, expected, &value));
    if (strcmp(value, expected) != 0 && (!also || strcmp(value, also) != 0))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: %s is " QUOTE ", expected %s", it->path, key, value, expected);
    return NULL;
}

static br_status expect_bool(const tokenizer_folder *it, const char *key, bool expected)
{
    bool value;
    BR_TRY(br_json_bool(it->config, it->path, key, expected, &value));
    if (value != expected)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = %s is not supported", it->path, key, value ? "true" : "false");
    return NULL;
}

static br_status read_settings(tokenizer_folder *it)
{
    BR_TRY(read_optional(it->path, "tokenizer_config.json", &it->config));
    const json_t *decoder = json_object_get(it->config, "added_tokens_decoder");
    if (!it->config && !(it->config = json_object()))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", it->path);
    if (decoder) {
        BR_TRY(read_decoder(it, decoder));
    } else {
        json_t *specials = NULL;
        BR_TRY(read_optional(it->path, "special_tokens_map.json", &specials));
        int failed = specials ? json_object_update(it->config, specials) : 0;
        json_decref(specials);
        if (failed)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", it->path);
        BR_TRY(read_optional(it->path, "added_tokens.json", &it->legacy));
        BR_TRY(read_listed(it));
        BR_TRY(read_older_added(it));
    }
    BR_TRY(read_specials(it));
    BR_TRY(read_length(it));
    BR_TRY(expect_string(it, "tokenizer_class", "CLIPTokenizer", "CLIPTokenizerFast"));
    BR_TRY(expect_string(it, "padding_side", "right", NULL));
    BR_TRY(expect_string(it, "truncation_side", "right", NULL));
    BR_TRY(expect_bool(it, "split_special_tokens", false));
    return expect_bool(it, "do_lower_case", true);
}

br_status br_clip_bpe_open(const char *folder, br_clip_bpe **out_bpe)
{
    *out_bpe = NULL;
    br_status status = NULL;
    tokenizer_folder *it = calloc(1, sizeof *it);
    if (!it)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", folder);
    it->path = folder;
    BR_TRY_GOTO(join(folder, "vocab.json", &it->vocab));
    BR_TRY_GOTO(join(folder, "merges.txt", &it->merges));
    it->params.vocab_path = it->vocab;
    it->params.merges_path = it->merges;
    BR_TRY_GOTO(read_settings(it));
    BR_TRY_GOTO(br_clip_bpe_create(&it->params, out_bpe));
fail:
    free(it->vocab);
    free(it->merges);
    json_decref(it->config);
    json_decref(it->legacy);
    json_decref(it->listed);
    free(it);
    return status;
}
