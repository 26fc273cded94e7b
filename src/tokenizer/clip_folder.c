/* br_clip_bpe_open: a tokenizer folder as transformers saves it. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/clip_bpe.h"

#define CONFIG_BYTES_MAX ((size_t)1 << 20)
#define ADDED_MAX 256
/* transformers writes this number (1e30 as an integer) for "no limit". */
#define NO_LENGTH 1000000

typedef struct tokenizer_folder {
    char *vocab, *merges;      /* owned */
    json_t *config, *specials; /* owned; NULL when the file does not exist */
    const char *added[ADDED_MAX];
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
    if (!status && *out_root && !json_is_object(*out_root))
        status = br_fail(BR_ERROR_FORMAT, "%s is not a JSON object", path);
    free(path);
    return status;
}

/* A token is a text, or an object whose `content` is the text. */
static br_status read_token(const tokenizer_folder *it, const char *folder, const char *key, const char **out_text)
{
    const json_t *token = json_object_get(it->specials, key);
    if (!token)
        token = json_object_get(it->config, key);
    if (!token || json_is_null(token))
        return NULL;
    const char *text = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    if (!text)
        return br_fail(BR_ERROR_FORMAT, "%s: %s is neither a text nor an object with content", folder, key);
    *out_text = text;
    return NULL;
}

static br_status read_added(tokenizer_folder *it, const char *folder)
{
    const char *id;
    json_t *token;
    json_object_foreach(json_object_get(it->config, "added_tokens_decoder"), id, token)
    {
        const char *text = json_string_value(json_object_get(token, "content"));
        if (!text || it->params.added_count == ADDED_MAX)
            return br_fail(BR_ERROR_FORMAT, "%s: added_tokens_decoder.%s has no content, or there are more than %d", folder, id,
                           ADDED_MAX);
        it->added[it->params.added_count++] = text;
    }
    it->params.added = it->added;
    return NULL;
}

static br_status read_settings(tokenizer_folder *it, const char *folder)
{
    BR_TRY(read_token(it, folder, "bos_token", &it->params.bos));
    BR_TRY(read_token(it, folder, "eos_token", &it->params.eos));
    BR_TRY(read_token(it, folder, "unk_token", &it->params.unk));
    BR_TRY(read_token(it, folder, "pad_token", &it->params.pad));
    BR_TRY(read_added(it, folder));
    const json_t *length = json_object_get(it->config, "model_max_length");
    if (length && json_number_value(length) < NO_LENGTH)
        it->params.max_length = (int)json_number_value(length);
    bool lower;
    BR_TRY(br_json_bool(it->config ? it->config : it->specials, folder, "do_lower_case", true, &lower));
    if (!lower)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: do_lower_case = false is not supported", folder);
    return NULL;
}

br_status br_clip_bpe_open(const char *folder, br_clip_bpe **out_bpe)
{
    *out_bpe = NULL;
    br_status status = NULL;
    tokenizer_folder it = {0};
    BR_TRY_GOTO(join(folder, "vocab.json", &it.vocab));
    BR_TRY_GOTO(join(folder, "merges.txt", &it.merges));
    it.params.vocab_path = it.vocab;
    it.params.merges_path = it.merges;
    BR_TRY_GOTO(read_optional(folder, "tokenizer_config.json", &it.config));
    BR_TRY_GOTO(read_optional(folder, "special_tokens_map.json", &it.specials));
    if (it.config || it.specials)
        BR_TRY_GOTO(read_settings(&it, folder));
    BR_TRY_GOTO(br_clip_bpe_create(&it.params, out_bpe));
fail:
    free(it.vocab);
    free(it.merges);
    json_decref(it.config);
    json_decref(it.specials);
    return status;
}
