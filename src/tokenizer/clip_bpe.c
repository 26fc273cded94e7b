#include "tokenizer/clip_bpe.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "tokenizer/clip_words.h"

/* CLIP's files are 1.0 and 0.5 MB. */
#define FILE_MAX ((size_t)16 << 20)
/* transformers reads no more merges than this, whatever the file holds. */
#define MERGES_MAX (49152 - 256 - 2)
#define NO_SYMBOL UINT32_MAX
#define NO_RANK UINT32_MAX

/* A piece of a word, in the byte alphabet of CLIP's files: each byte stands as one code point, "</w>" ends a word. */
typedef struct symbol {
    const char *text; /* in the arena */
    uint32_t length;
    int32_t id; /* in the vocabulary, -1 when it is not there */
} symbol;

typedef struct merge {
    uint32_t left, right; /* symbols; left is NO_SYMBOL in an empty slot */
    uint32_t rank, merged;
} merge;

typedef struct special {
    const char *text; /* in the arena */
    size_t length;
    int32_t id;
} special;

struct br_clip_bpe {
    br_arena arena;
    symbol *symbols; /* owned */
    uint32_t symbol_count, symbol_capacity;
    uint32_t *slots; /* owned; open addressing over symbols, a power of two */
    uint32_t slot_count;
    merge *merges; /* owned; open addressing over pairs, a power of two */
    uint32_t merge_slots;
    special *specials; /* in the arena */
    size_t special_count;
    uint32_t byte_symbols[256], byte_end_symbols[256];
    int32_t bos, eos, unk, pad;
    int length, vocab_size;
};

static uint32_t hash_text(const char *text, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t hash_pair(uint32_t left, uint32_t right)
{
    uint64_t key = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(key >> 32);
}

static uint32_t find_symbol(const br_clip_bpe *bpe, const char *text, size_t length)
{
    uint32_t mask = bpe->slot_count - 1;
    for (uint32_t i = hash_text(text, length) & mask; bpe->slots[i] != NO_SYMBOL; i = (i + 1) & mask) {
        const symbol *s = &bpe->symbols[bpe->slots[i]];
        if (s->length == length && memcmp(s->text, text, length) == 0)
            return bpe->slots[i];
    }
    return NO_SYMBOL;
}

/* The symbol, made when there is none; NO_SYMBOL when out of memory. Room for all symbols was reserved by reserve(). */
static uint32_t intern(br_clip_bpe *bpe, const char *text, size_t length)
{
    uint32_t index = find_symbol(bpe, text, length);
    if (index != NO_SYMBOL)
        return index;
    char *copy = br_arena_alloc(&bpe->arena, length + 1);
    if (!copy || bpe->symbol_count == bpe->symbol_capacity)
        return NO_SYMBOL;
    memcpy(copy, text, length);
    index = bpe->symbol_count++;
    bpe->symbols[index] = (symbol){.text = copy, .length = (uint32_t)length, .id = -1};
    uint32_t mask = bpe->slot_count - 1, slot = hash_text(text, length) & mask;
    while (bpe->slots[slot] != NO_SYMBOL)
        slot = (slot + 1) & mask;
    bpe->slots[slot] = index;
    return index;
}

static const merge *find_merge(const br_clip_bpe *bpe, uint32_t left, uint32_t right)
{
    uint32_t mask = bpe->merge_slots - 1;
    for (uint32_t i = hash_pair(left, right) & mask; bpe->merges[i].left != NO_SYMBOL; i = (i + 1) & mask)
        if (bpe->merges[i].left == left && bpe->merges[i].right == right)
            return &bpe->merges[i];
    return NULL;
}

/* A repeated pair takes the later rank, as a Python dict does. */
static void put_merge(br_clip_bpe *bpe, merge entry)
{
    uint32_t mask = bpe->merge_slots - 1, i = hash_pair(entry.left, entry.right) & mask;
    while (bpe->merges[i].left != NO_SYMBOL && (bpe->merges[i].left != entry.left || bpe->merges[i].right != entry.right))
        i = (i + 1) & mask;
    bpe->merges[i] = entry;
}

/* A power of two that leaves a table of `count` entries at most half full. */
static uint32_t table_size(uint32_t count)
{
    uint32_t size = 1024;
    while (size < count * 2)
        size *= 2;
    return size;
}

/* `vocab` counts the added tokens too. */
static bool reserve(br_clip_bpe *bpe, uint32_t vocab, uint32_t merges)
{
    bpe->symbol_capacity = vocab + merges * 3 + 512;
    bpe->slot_count = table_size(bpe->symbol_capacity);
    bpe->merge_slots = table_size(merges);
    bpe->symbols = malloc(bpe->symbol_capacity * sizeof *bpe->symbols);
    bpe->slots = malloc(bpe->slot_count * sizeof *bpe->slots);
    bpe->merges = malloc(bpe->merge_slots * sizeof *bpe->merges);
    if (!bpe->symbols || !bpe->slots || !bpe->merges)
        return false;
    memset(bpe->slots, 0xff, bpe->slot_count * sizeof *bpe->slots);
    memset(bpe->merges, 0xff, bpe->merge_slots * sizeof *bpe->merges);
    return true;
}

/* Notes that `id` is taken; false when it was already. */
static bool take_id(uint8_t *taken, int32_t id)
{
    uint8_t bit = (uint8_t)(1u << (id & 7)), before = taken[id >> 3];
    taken[id >> 3] |= bit;
    return !(before & bit);
}

static br_status set_id(br_clip_bpe *bpe, const char *text, int32_t id, const char *path)
{
    uint32_t index = intern(bpe, text, strlen(text));
    if (index == NO_SYMBOL)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    bpe->symbols[index].id = id;
    if (id >= bpe->vocab_size)
        bpe->vocab_size = id + 1;
    return NULL;
}

static br_status load_vocab(br_clip_bpe *bpe, const json_t *vocab, const char *path)
{
    const char *text;
    json_t *value;
    br_status status = NULL;
    uint8_t *taken = calloc((BR_CLIP_BPE_ID_MAX >> 3) + 1, 1);
    if (!taken)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    json_object_foreach((json_t *)(uintptr_t)vocab, text, value)
    {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id > BR_CLIP_BPE_ID_MAX)
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: token \"%.100s\" has no id from 0 to %d", path, text, BR_CLIP_BPE_ID_MAX);
        if (!take_id(taken, (int32_t)id))
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: token \"%.100s\" has the id %d of another token", path, text, (int)id);
        BR_TRY_GOTO(set_id(bpe, text, (int32_t)id, path));
    }
fail:
    free(taken);
    return status;
}

/* One line "left right" without its end. */
static br_status load_merge(br_clip_bpe *bpe, const char *line, size_t length, uint32_t rank, const char *path)
{
    const char *space = memchr(line, ' ', length);
    size_t left_length = space ? (size_t)(space - line) : 0, right_length = space ? length - left_length - 1 : 0;
    if (left_length == 0 || right_length == 0 || memchr(space + 1, ' ', right_length))
        return br_fail(BR_ERROR_FORMAT, "%s: line %u is \"%.*s\", expected two symbols separated by a space", path, rank + 2,
                       (int)(length < 60 ? length : 60), line);
    const char *right_text = space + 1;
    char small[256], *joined = small;
    if (length > sizeof small && !(joined = malloc(length)))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    memcpy(joined, line, left_length);
    memcpy(joined + left_length, right_text, right_length);
    uint32_t left = intern(bpe, line, left_length), right = intern(bpe, right_text, right_length);
    uint32_t merged = intern(bpe, joined, left_length + right_length);
    if (joined != small)
        free(joined);
    if (left == NO_SYMBOL || right == NO_SYMBOL || merged == NO_SYMBOL)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    put_merge(bpe, (merge){.left = left, .right = right, .rank = rank, .merged = merged});
    return NULL;
}

/* `text` begins behind the first line, which names the version. */
static br_status load_merges(br_clip_bpe *bpe, const char *text, const char *end, const char *path)
{
    for (uint32_t rank = 0; rank < MERGES_MAX && text < end; rank++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        BR_TRY(load_merge(bpe, text, length, rank, path));
        text += length + 1;
    }
    return NULL;
}

static bool is_printable(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* CLIP's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up, in order. */
static bool intern_bytes(br_clip_bpe *bpe)
{
    int next = 256;
    for (int byte = 0; byte < 256; byte++) {
        bool printable = is_printable(byte);
        utf8proc_uint8_t text[8];
        size_t length = (size_t)utf8proc_encode_char(printable ? byte : next++, text);
        bpe->byte_symbols[byte] = intern(bpe, (const char *)text, length);
        memcpy(text + length, "</w>", 4);
        bpe->byte_end_symbols[byte] = intern(bpe, (const char *)text, length + 4);
        if (bpe->byte_symbols[byte] == NO_SYMBOL || bpe->byte_end_symbols[byte] == NO_SYMBOL)
            return false;
    }
    return true;
}

/* The vocabulary that CLIP makes of its merges: the printable bytes, the others, all of them again at a word's end, one token a merge, and
 * the two special ones. What a later merge makes again keeps the later id, as in a Python dict. */
static br_status derive_vocab(br_clip_bpe *bpe, const char *path)
{
    int32_t id = 0;
    for (int printable = 1; printable >= 0; printable--)
        for (int byte = 0; byte < 256; byte++)
            if (is_printable(byte) == printable) {
                bpe->symbols[bpe->byte_symbols[byte]].id = id;
                bpe->symbols[bpe->byte_end_symbols[byte]].id = 256 + id++;
            }
    id = 512;
    for (uint32_t i = 0; i < bpe->merge_slots; i++) {
        const merge *it = &bpe->merges[i];
        if (it->left == NO_SYMBOL)
            continue;
        int32_t *merged = &bpe->symbols[it->merged].id, own = 512 + (int32_t)it->rank;
        if (own > *merged)
            *merged = own;
        if (own >= id)
            id = own + 1;
    }
    BR_TRY(set_id(bpe, "<|startoftext|>", id, path));
    return set_id(bpe, "<|endoftext|>", id + 1, path);
}

static br_status find_id(const br_clip_bpe *bpe, const char *text, const char *path, int32_t *out_id)
{
    uint32_t index = find_symbol(bpe, text, strlen(text));
    if (!*text || index == NO_SYMBOL || bpe->symbols[index].id < 0)
        return br_fail(BR_ERROR_FORMAT, "%s: the special token \"%.100s\" is not in the vocabulary", path, text);
    *out_id = bpe->symbols[index].id;
    return NULL;
}

static br_status add_special(br_clip_bpe *bpe, const char *text, const char *path, int32_t *out_id)
{
    BR_TRY(find_id(bpe, text, path, out_id));
    const symbol *s = &bpe->symbols[find_symbol(bpe, text, strlen(text))];
    for (size_t i = 0; i < bpe->special_count; i++) {
        if (bpe->specials[i].id == s->id && strcmp(bpe->specials[i].text, s->text) != 0)
            return br_fail(BR_ERROR_FORMAT, "%s: the special tokens \"%.100s\" and \"%.100s\" have the same id %d", path,
                           bpe->specials[i].text, text, (int)s->id);
    }
    bpe->specials[bpe->special_count++] = (special){.text = s->text, .length = s->length, .id = s->id};
    return NULL;
}

/* For messages. */
static const char *vocab_name(const br_clip_bpe_params *params)
{
    return params->vocab_path ? params->vocab_path : params->merges_path;
}

/* As in transformers, an added token's id holds wherever its text comes up, but unknown pieces take the unknown token's id from the
 * vocabulary alone. */
static br_status load_specials(br_clip_bpe *bpe, const br_clip_bpe_params *params)
{
    const char *path = vocab_name(params), *end = "<|endoftext|>", *unk = params->unk ? params->unk : end;
    int32_t id;
    bpe->specials = br_arena_alloc(&bpe->arena, (params->added_count + 4) * sizeof *bpe->specials);
    if (!bpe->specials)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    BR_TRY(find_id(bpe, unk, path, &bpe->unk));
    for (size_t i = 0; i < params->added_count; i++) {
        const br_clip_bpe_added *added = &params->added[i];
        if (added->id > BR_CLIP_BPE_ID_MAX)
            return br_fail(BR_ERROR_FORMAT, "%s: the added token \"%.100s\" has no id from 0 to %d", path, added->text,
                           BR_CLIP_BPE_ID_MAX);
        if (*added->text && added->id >= 0)
            BR_TRY(set_id(bpe, added->text, added->id, path));
    }
    for (size_t i = 0; i < params->added_count; i++)
        if (*params->added[i].text)
            BR_TRY(add_special(bpe, params->added[i].text, path, &id));
    BR_TRY(add_special(bpe, params->bos ? params->bos : "<|startoftext|>", path, &bpe->bos));
    BR_TRY(add_special(bpe, params->eos ? params->eos : end, path, &bpe->eos));
    BR_TRY(add_special(bpe, params->pad ? params->pad : end, path, &bpe->pad));
    return add_special(bpe, unk, path, &id);
}

/* Every line end becomes one '\n', as when Python reads a text. Returns the new size. */
static size_t unify_line_ends(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' && i > 0 && text[i - 1] == '\r')
            continue;
        text[used++] = text[i];
    }
    for (size_t i = 0; i < used; i++)
        if (text[i] == '\r')
            text[i] = '\n';
    return used;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A merges file without the white space around it. */
typedef struct merges_text {
    char *text;              /* owned */
    const char *begin, *end; /* behind the first line, which names the version */
    uint32_t lines;          /* at most MERGES_MAX */
} merges_text;

static br_status read_merges(const char *path, merges_text *out_merges)
{
    size_t size;
    BR_TRY(br_file_read(path, FILE_MAX, &out_merges->text, &size));
    const char *line = out_merges->text, *end = line + unify_line_ends(out_merges->text, size);
    while (end > line && is_space(end[-1]))
        end--;
    while (line < end && is_space(*line))
        line++;
    line = memchr(line, '\n', (size_t)(end - line));
    out_merges->begin = line ? line + 1 : end;
    out_merges->end = end;
    out_merges->lines = 1;
    for (const char *c = out_merges->begin; c < end && out_merges->lines < MERGES_MAX; c++)
        out_merges->lines += *c == '\n';
    return NULL;
}

br_status br_clip_bpe_create(const br_clip_bpe_params *params, br_clip_bpe **out_bpe)
{
    *out_bpe = NULL;
    br_status status = NULL;
    json_t *vocab = NULL;
    merges_text merges = {0};
    const char *name = vocab_name(params);
    size_t vocab_count = 2; /* the special ones */
    br_clip_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", name);
    bpe->length = params->max_length ? params->max_length : 77;
    if (bpe->length < 2 || bpe->length > BR_CLIP_BPE_LENGTH_MAX)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "%s: a text length of %d, expected 2 to %d", name, bpe->length, BR_CLIP_BPE_LENGTH_MAX);
    if (params->vocab_path) {
        BR_TRY_GOTO(br_json_read(params->vocab_path, FILE_MAX, &vocab));
        if (!json_is_object(vocab))
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: expected a JSON object of tokens and ids", name);
        vocab_count = json_object_size(vocab);
    }
    BR_TRY_GOTO(read_merges(params->merges_path, &merges));
    if (!reserve(bpe, (uint32_t)(vocab_count + params->added_count), merges.lines) || !intern_bytes(bpe))
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", name);
    if (vocab)
        BR_TRY_GOTO(load_vocab(bpe, vocab, name));
    BR_TRY_GOTO(load_merges(bpe, merges.begin, merges.end, params->merges_path));
    if (!vocab)
        BR_TRY_GOTO(derive_vocab(bpe, name));
    BR_TRY_GOTO(load_specials(bpe, params));
    *out_bpe = bpe;
    bpe = NULL;
fail:
    json_decref(vocab);
    free(merges.text);
    br_clip_bpe_destroy(bpe);
    return status;
}

void br_clip_bpe_destroy(br_clip_bpe *bpe)
{
    if (!bpe)
        return;
    br_arena_finish(&bpe->arena);
    free(bpe->symbols);
    free(bpe->slots);
    free(bpe->merges);
    free(bpe);
}

int br_clip_bpe_length(const br_clip_bpe *bpe)
{
    return bpe->length;
}

int br_clip_bpe_vocab_size(const br_clip_bpe *bpe)
{
    return bpe->vocab_size;
}

br_clip_frame br_clip_bpe_frame(const br_clip_bpe *bpe)
{
    uint32_t comma = find_symbol(bpe, ",</w>", 5);
    return (br_clip_frame){
        .bos = bpe->bos, .eos = bpe->eos, .pad = bpe->pad, .comma = comma == NO_SYMBOL ? -1 : bpe->symbols[comma].id};
}

typedef struct bpe_output {
    br_clip_ids *ids;          /* borrowed; of the text so far */
    uint32_t *symbols, *ranks; /* owned; the word at hand */
    size_t word_capacity;
} bpe_output;

static bool push_id(bpe_output *output, int32_t id)
{
    br_clip_ids *ids = output->ids;
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 128;
        int32_t *items = realloc(ids->items, capacity * sizeof *items);
        if (!items)
            return false;
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->count++] = id;
    return true;
}

static bool reserve_word(bpe_output *output, size_t bytes)
{
    if (bytes <= output->word_capacity)
        return true;
    free(output->symbols);
    free(output->ranks);
    output->symbols = malloc(bytes * sizeof *output->symbols);
    output->ranks = malloc(bytes * sizeof *output->ranks);
    output->word_capacity = output->symbols && output->ranks ? bytes : 0;
    return output->word_capacity > 0;
}

static uint32_t rank_of(const br_clip_bpe *bpe, uint32_t left, uint32_t right)
{
    const merge *found = find_merge(bpe, left, right);
    return found ? found->rank : NO_RANK;
}

/* Merges the pair of lowest rank everywhere, left to right, until no pair of the word has a rank. ranks[i] is that of the pair
 * (i, i + 1). Returns how many symbols remain. */
static size_t merge_word(const br_clip_bpe *bpe, uint32_t *symbols, uint32_t *ranks, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        ranks[i] = rank_of(bpe, symbols[i], symbols[i + 1]);
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == NO_RANK)
            break;
        const uint32_t rank = ranks[best], merged = find_merge(bpe, symbols[best], symbols[best + 1])->merged;
        size_t kept = 0;
        bool after_merge = false; /* the symbol before was merged, so the rank of the pair that it begins is stale */
        for (size_t i = 0; i < count;) {
            bool now = i + 1 < count && ranks[i] == rank;
            uint32_t next = now ? merged : symbols[i];
            uint32_t next_rank = i + 1 < count ? ranks[i] : NO_RANK;
            if (kept > 0 && (now || after_merge))
                ranks[kept - 1] = rank_of(bpe, symbols[kept - 1], next);
            symbols[kept] = next;
            ranks[kept++] = next_rank;
            after_merge = now;
            i += now ? 2 : 1;
        }
        count = kept;
    }
    return count;
}

static int32_t id_of(const br_clip_bpe *bpe, uint32_t index)
{
    return index != NO_SYMBOL && bpe->symbols[index].id >= 0 ? bpe->symbols[index].id : bpe->unk;
}

static bool is_text(const int32_t *word, size_t length, const char *text)
{
    if (length != strlen(text))
        return false;
    for (size_t i = 0; i < length; i++)
        if (word[i] != text[i])
            return false;
    return true;
}

/* False when out of memory. */
static bool encode_word(const br_clip_bpe *bpe, const int32_t *word, size_t length, bpe_output *output)
{
    static const char *const whole[] = {"<|startoftext|>", "<|endoftext|>"};
    for (int i = 0; i < 2; i++)
        if (is_text(word, length, whole[i]))
            return push_id(output, id_of(bpe, find_symbol(bpe, whole[i], strlen(whole[i]))));
    if (!reserve_word(output, length * 4))
        return false;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        utf8proc_uint8_t bytes[4];
        size_t size = (size_t)utf8proc_encode_char(word[i], bytes);
        for (size_t k = 0; k < size; k++) {
            bool last = i + 1 == length && k + 1 == size;
            output->symbols[count++] = last ? bpe->byte_end_symbols[bytes[k]] : bpe->byte_symbols[bytes[k]];
        }
    }
    count = merge_word(bpe, output->symbols, output->ranks, count);
    for (size_t i = 0; i < count; i++)
        if (!push_id(output, id_of(bpe, output->symbols[i])))
            return false;
    return true;
}

/* A stretch between special tokens. */
static br_status encode_stretch(const br_clip_bpe *bpe, const char *text, size_t size, bpe_output *output)
{
    br_clip_words words;
    BR_TRY(br_clip_words_init(text, size, &words));
    const int32_t *word;
    size_t length;
    br_status status = NULL;
    while (!status && br_clip_words_next(&words, &word, &length))
        if (!encode_word(bpe, word, length, output))
            status = br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %zu bytes", size);
    br_clip_words_finish(&words);
    return status;
}

/* The longest special token at `text`, NULL when there is none. */
static const special *find_special(const br_clip_bpe *bpe, const char *text, size_t size)
{
    const special *best = NULL;
    for (size_t i = 0; i < bpe->special_count; i++) {
        const special *s = &bpe->specials[i];
        if (s->length <= size && memcmp(s->text, text, s->length) == 0 && (!best || s->length > best->length))
            best = s;
    }
    return best;
}

br_status br_clip_bpe_encode(const br_clip_bpe *bpe, const char *text, size_t size, br_clip_ids *ids)
{
    if (size > BR_CLIP_BPE_PROMPT_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "the prompt has %zu bytes, expected at most %zu", size, BR_CLIP_BPE_PROMPT_MAX);
    BR_TRY(br_clip_check_utf8(text, size));
    br_status status = NULL;
    bpe_output output = {.ids = ids};
    size_t begin = 0;
    for (size_t at = 0; at < size;) {
        const special *found = find_special(bpe, text + at, size - at);
        if (!found) {
            at++;
            continue;
        }
        BR_TRY_GOTO(encode_stretch(bpe, text + begin, at - begin, &output));
        if (!push_id(&output, found->id))
            BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %zu bytes", size);
        at += found->length;
        begin = at;
    }
    BR_TRY_GOTO(encode_stretch(bpe, text + begin, size - begin, &output));
fail:
    free(output.symbols);
    free(output.ranks);
    return status;
}
