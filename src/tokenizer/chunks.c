#include "tokenizer/chunks.h"

#include <stdlib.h>
#include <string.h>

typedef struct chunk_writer {
    const br_chunks_params *params;
    br_clip_frame frame;
    br_chunks chunks;
    int capacity;
    int used; /* tokens of the last chunk so far, without bos */
    int room; /* T - 2 */
    int last_comma;
    br_clip_ids ids; /* of the piece at hand */
} chunk_writer;

static br_status grow(br_chunks *chunks, int capacity)
{
    size_t count = (size_t)capacity * (size_t)chunks->length;
    int32_t *ids = realloc(chunks->ids, count * sizeof *ids);
    chunks->ids = ids ? ids : chunks->ids;
    float *weights = realloc(chunks->weights, count * sizeof *weights);
    chunks->weights = weights ? weights : chunks->weights;
    if (!ids || !weights)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %d chunks", capacity);
    return NULL;
}

static void clear(br_chunks *chunks, const br_clip_frame *frame, int index)
{
    int32_t *ids = chunks->ids + (ptrdiff_t)index * chunks->length;
    float *weights = chunks->weights + (ptrdiff_t)index * chunks->length;
    for (int i = 0; i < chunks->length; i++) {
        ids[i] = frame->pad;
        weights[i] = 1;
    }
    ids[0] = frame->bos;
    ids[1] = frame->eos;
}

static br_status begin_chunk(chunk_writer *it)
{
    br_chunks *chunks = &it->chunks;
    if (chunks->count == it->capacity) {
        it->capacity = it->capacity ? it->capacity * 2 : 1;
        BR_TRY(grow(chunks, it->capacity));
    }
    clear(chunks, &it->frame, chunks->count++);
    it->used = 0;
    it->last_comma = -1;
    return NULL;
}

static size_t last_chunk(const chunk_writer *it)
{
    return (size_t)(it->chunks.count - 1) * (size_t)it->chunks.length;
}

static void put(chunk_writer *it, int32_t id, float weight)
{
    size_t at = last_chunk(it) + 1 + (size_t)it->used++;
    it->chunks.ids[at] = id;
    it->chunks.weights[at] = weight;
    it->chunks.ids[at + 1] = it->frame.eos;
}

/* What follows the last comma of the full chunk begins the next one. */
static br_status backtrack(chunk_writer *it)
{
    br_chunks *chunks = &it->chunks;
    int kept = it->last_comma + 1, moved = it->used - kept;
    BR_TRY(begin_chunk(it));
    size_t from = last_chunk(it) - (size_t)chunks->length + 1 + (size_t)kept;
    for (int i = 0; i < moved; i++) {
        put(it, chunks->ids[from + (size_t)i], chunks->weights[from + (size_t)i]);
        chunks->ids[from + (size_t)i] = it->frame.pad;
        chunks->weights[from + (size_t)i] = 1;
    }
    chunks->ids[from + (size_t)moved] = it->frame.pad;
    chunks->ids[from] = it->frame.eos;
    return NULL;
}

static const br_placeholder *find_placeholder(const chunk_writer *it, size_t at)
{
    const br_placeholder *best = NULL;
    for (size_t i = 0; i < it->params->placeholder_count; i++) {
        const br_placeholder *next = &it->params->placeholders[i];
        if (next->name.count <= it->ids.count - at && (!best || next->name.count > best->name.count) &&
            memcmp(next->name.items, it->ids.items + at, next->name.count * sizeof *next->name.items) == 0)
            best = next;
    }
    return best;
}

static br_status write_piece(chunk_writer *it, float weight)
{
    for (size_t at = 0; at < it->ids.count;) {
        int32_t id = it->ids.items[at];
        if (id == it->frame.comma)
            it->last_comma = it->used;
        else if (it->used == it->room && it->last_comma >= 0 && it->used - it->last_comma <= BR_CHUNKS_BACKTRACK)
            BR_TRY(backtrack(it));
        if (it->used == it->room)
            BR_TRY(begin_chunk(it));
        const br_placeholder *placeholder = find_placeholder(it, at);
        if (!placeholder) {
            put(it, id, weight);
            at++;
            continue;
        }
        if (it->used + placeholder->count > it->room)
            BR_TRY(begin_chunk(it));
        for (int i = 0; i < placeholder->count; i++)
            put(it, placeholder->first + i, weight);
        at += placeholder->name.count;
    }
    return NULL;
}

br_status br_chunks_init(const br_chunks_params *params, br_chunks *out_chunks)
{
    *out_chunks = (br_chunks){0};
    int length = br_clip_bpe_length(params->tokenizer);
    chunk_writer it = {.params = params, .frame = br_clip_bpe_frame(params->tokenizer), .room = length - 2};
    it.chunks.length = length;
    br_status status = NULL;
    if (it.room < 1)
        return br_fail(BR_ERROR_UNSUPPORTED, "the tokenizer makes %d tokens, expected 3 or more", length);
    BR_TRY_GOTO(begin_chunk(&it));
    for (size_t i = 0; i < params->prompt->count; i++) {
        const br_prompt_piece *piece = &params->prompt->pieces[i];
        if (piece->is_break) {
            BR_TRY_GOTO(begin_chunk(&it));
            continue;
        }
        it.ids.count = 0;
        BR_TRY_GOTO(br_clip_bpe_encode(params->tokenizer, params->prompt->text + piece->begin, piece->length, &it.ids));
        BR_TRY_GOTO(write_piece(&it, (float)piece->weight));
    }
    if (it.used == 0 && it.chunks.count > 1)
        it.chunks.count--; /* behind a BREAK that ends the prompt */
    *out_chunks = it.chunks;
    it.chunks = (br_chunks){0};
fail:
    free(it.ids.items);
    br_chunks_finish(&it.chunks);
    return status;
}

br_status br_chunks_pad(br_chunks *chunks, const br_clip_bpe *tokenizer, int count)
{
    br_clip_frame frame = br_clip_bpe_frame(tokenizer);
    if (count <= chunks->count)
        return NULL;
    BR_TRY(grow(chunks, count));
    while (chunks->count < count)
        clear(chunks, &frame, chunks->count++);
    return NULL;
}

void br_chunks_finish(br_chunks *chunks)
{
    free(chunks->ids);
    free(chunks->weights);
    *chunks = (br_chunks){0};
}
