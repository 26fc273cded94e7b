#include "exec/cut.h"

#include <stdlib.h>
#include <string.h>

/* The strictest minStorageBufferOffsetAlignment that Vulkan allows. */
#define CUT_ALIGNMENT 256
/* Two: one that the device works with, one that is filled meanwhile. */
#define SLOTS 2
/* Slots are as large as the largest weights of a dispatch, at least; larger than this they only take memory from what could stay. */
#define SLOT_BYTES ((uint64_t)16 << 20)
/* Nor more than this part of the pool. */
#define SLOT_PART 8

/* Weights that belong together because one dispatch needs them. */
typedef struct unit {
    int first, last;
    uint64_t bytes;
} unit;

typedef struct cutter {
    const br_program *program;
    unit *units;   /* by their dispatches */
    int *unit_of;  /* of each value, -1 */
    int *group_of; /* chunk of each unit */
    int unit_count;
} cutter;

static uint64_t align_up(uint64_t bytes)
{
    return (bytes + CUT_ALIGNMENT - 1) / CUT_ALIGNMENT * CUT_ALIGNMENT;
}

static br_status out_of_memory(const br_program *program)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while cutting %s", program->name);
}

static void cutter_finish(cutter *it)
{
    free(it->units);
    free(it->unit_of);
    free(it->group_of);
}

/* Takes units together from the end as long as they overlap: a weight that is read again later holds together what lies between. */
static void merge_last(cutter *it)
{
    while (it->unit_count > 1 && it->units[it->unit_count - 2].last >= it->units[it->unit_count - 1].first) {
        unit *into = &it->units[it->unit_count - 2], *from = &it->units[it->unit_count - 1];
        into->last = from->last > into->last ? from->last : into->last;
        into->bytes += from->bytes;
        it->unit_count--;
        for (br_value i = 0; i < it->program->graph->value_count; i++)
            if (it->unit_of[i] == it->unit_count)
                it->unit_of[i] = it->unit_count - 1;
    }
}

static int last_use(const br_program *program, br_value weight)
{
    for (int d = program->dispatch_count - 1; d >= 0; d--)
        for (uint32_t i = 0; i < program->dispatches[d].operand_count; i++)
            if (br_graph_root(program->graph, program->dispatches[d].operands[i].value) == weight)
                return d;
    return -1;
}

static void add_weight(cutter *it, br_value weight, int dispatch)
{
    unit *last = it->unit_count ? &it->units[it->unit_count - 1] : NULL;
    if (!last || last->first < dispatch) {
        it->units[it->unit_count] = (unit){.first = dispatch, .last = dispatch};
        last = &it->units[it->unit_count++];
    }
    int end = last_use(it->program, weight);
    last->last = end > last->last ? end : last->last;
    last->bytes += align_up((uint64_t)br_graph_bytes(it->program->graph, weight));
    it->unit_of[weight] = it->unit_count - 1;
}

static br_status cutter_init(const br_program *program, cutter *out_cutter)
{
    const br_graph *graph = program->graph;
    size_t values = (size_t)graph->value_count + 1, dispatches = (size_t)program->dispatch_count + 1;
    cutter it = {.program = program,
                 .units = calloc(dispatches, sizeof *it.units),
                 .unit_of = malloc(values * sizeof *it.unit_of),
                 .group_of = calloc(dispatches, sizeof *it.group_of)};
    *out_cutter = it;
    if (!it.units || !it.unit_of || !it.group_of)
        return out_of_memory(program);
    for (br_value i = 0; i < graph->value_count; i++)
        it.unit_of[i] = -1;
    for (int d = 0; d < program->dispatch_count; d++)
        for (uint32_t i = 0; i < program->dispatches[d].operand_count; i++) {
            br_value root = br_graph_root(graph, program->dispatches[d].operands[i].value);
            if (graph->values[root].kind != BR_VALUE_WEIGHT || it.unit_of[root] >= 0)
                continue;
            add_weight(&it, root, d);
            merge_last(&it);
        }
    *out_cutter = it;
    return NULL;
}

static void sums(const cutter *it, uint64_t *out_all, uint64_t *out_largest)
{
    *out_all = *out_largest = 0;
    for (int i = 0; i < it->unit_count; i++) {
        *out_all += it->units[i].bytes;
        if (it->units[i].bytes > *out_largest)
            *out_largest = it->units[i].bytes;
    }
}

br_status br_cut_find_need(const br_program *program, br_cut_need *out_need)
{
    *out_need = (br_cut_need){0};
    cutter it;
    uint64_t all, largest, arena = align_up((uint64_t)program->plan.arena_bytes);
    br_status status = cutter_init(program, &it);
    if (!status) {
        sums(&it, &all, &largest);
        uint64_t slots = SLOTS * largest < all ? SLOTS * largest : all;
        *out_need = (br_cut_need){.least = arena + slots, .whole = arena + all};
    }
    cutter_finish(&it);
    return status;
}

/* Neighbours together, as far as a slot holds them. */
static void group(cutter *it, uint64_t slot, br_cut *cut)
{
    for (int i = 0; i < it->unit_count; i++) {
        br_chunk *last = cut->chunk_count ? &cut->chunks[cut->chunk_count - 1] : NULL;
        if (!last || last->bytes + it->units[i].bytes > slot) {
            last = &cut->chunks[cut->chunk_count++];
            *last = (br_chunk){.first = it->units[i].first, .streamed = true};
        }
        last->last = it->units[i].last;
        last->bytes += it->units[i].bytes;
        it->group_of[i] = cut->chunk_count - 1;
    }
}

/* Where the room for what stays is: from the end of the pool down, leaving out the ends of banks that are too short. */
typedef struct room {
    uint64_t begin, end, bank;
} room;

static bool take_room(room *it, br_chunk *chunk)
{
    uint64_t end = it->end;
    while (end >= it->begin + chunk->bytes) {
        uint64_t bank = (end - 1) / it->bank * it->bank;
        if (end - chunk->bytes >= bank) {
            chunk->address = it->end = end - chunk->bytes;
            chunk->streamed = false;
            return true;
        }
        end = bank;
    }
    return false;
}

/* Spread evenly over the program, so that between any two that are streamed there is about the same work to hide the second one behind; then whatever room
 * is left is given to the first that fit. */
static void settle(room *it, uint64_t all, br_cut *cut)
{
    double part = (double)(it->end - it->begin) / (double)all, due = 0;
    for (int i = 0; i < cut->chunk_count; i++) {
        br_chunk *chunk = &cut->chunks[i];
        due += part * (double)chunk->bytes;
        if (due >= (double)chunk->bytes && take_room(it, chunk))
            due -= (double)chunk->bytes;
    }
    for (int i = 0; i < cut->chunk_count; i++)
        if (cut->chunks[i].streamed)
            take_room(it, &cut->chunks[i]);
}

/* Slots by turns, the segments, and what belongs where. */
static void finish_cut(const cutter *it, const uint64_t slots[SLOTS], br_cut *cut)
{
    int turn = 0;
    for (int i = 0; i < cut->chunk_count; i++) {
        br_chunk *chunk = &cut->chunks[i];
        if (!chunk->streamed) {
            cut->resident_bytes += chunk->bytes;
            continue;
        }
        cut->streamed_bytes += chunk->bytes;
        chunk->address = slots[turn];
        turn = (turn + 1) % SLOTS;
        if (chunk->first > 0 || cut->segment_count > 0)
            cut->segments[++cut->segment_count] = chunk->first;
    }
    cut->segments[++cut->segment_count] = it->program->dispatch_count;
    uint64_t used = 0;
    for (int i = 0, chunk = 0; i < it->unit_count; i++) {
        used = it->group_of[i] == chunk ? used : 0;
        chunk = it->group_of[i];
        for (br_value value = 0; value < it->program->graph->value_count; value++) {
            if (it->unit_of[value] != i)
                continue;
            cut->chunk_of[value] = chunk;
            cut->offset_of[value] = used;
            used += align_up((uint64_t)br_graph_bytes(it->program->graph, value));
        }
    }
}

static uint64_t slot_bytes(uint64_t largest, uint64_t space)
{
    uint64_t wanted = space / SLOT_PART < SLOT_BYTES ? space / SLOT_PART : SLOT_BYTES;
    return wanted > largest ? wanted / CUT_ALIGNMENT * CUT_ALIGNMENT : largest;
}

static br_status place(const br_cut_params *params, cutter *it, br_cut *cut)
{
    uint64_t all, largest, slots[SLOTS] = {0}, begin = align_up((uint64_t)params->program->plan.arena_bytes);
    sums(it, &all, &largest);
    if (begin > params->bank_bytes || begin > params->pool_bytes)
        return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY, "%.1f MiB of activations, expected at most %.1f", (double)begin / (1 << 20),
                       (double)params->bank_bytes / (1 << 20));
    uint64_t space = params->pool_bytes - begin, slot = slot_bytes(largest, space);
    group(it, slot, cut);
    room whole = {begin, params->pool_bytes / CUT_ALIGNMENT * CUT_ALIGNMENT, params->bank_bytes}, beside = whole;
    for (int i = 0; i < cut->chunk_count && take_room(&whole, &cut->chunks[i]); i++)
        ;
    if (cut->chunk_count == 0 || !cut->chunks[cut->chunk_count - 1].streamed) {
        finish_cut(it, slots, cut);
        return NULL;
    }
    for (int i = 0; i < cut->chunk_count; i++)
        cut->chunks[i].streamed = true;
    for (int i = 0; i < SLOTS; i++) {
        uint64_t bank = beside.begin / params->bank_bytes * params->bank_bytes;
        slots[i] = beside.begin + slot <= bank + params->bank_bytes ? beside.begin : bank + params->bank_bytes;
        beside.begin = slots[i] + slot;
    }
    if (beside.begin > beside.end)
        return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY,
                       "%.1f MiB of activations and %d times %.1f MiB of weights, expected at most %.1f MiB in all",
                       (double)begin / (1 << 20), SLOTS, (double)slot / (1 << 20), (double)params->pool_bytes / (1 << 20));
    settle(&beside, all, cut);
    finish_cut(it, slots, cut);
    return NULL;
}

br_status br_cut_init(const br_cut_params *params, br_cut *out_cut)
{
    const br_program *program = params->program;
    size_t values = (size_t)program->graph->value_count + 1, dispatches = (size_t)program->dispatch_count + 2;
    cutter it = {0};
    br_cut cut = {.chunks = calloc(dispatches, sizeof *cut.chunks),
                  .chunk_of = malloc(values * sizeof *cut.chunk_of),
                  .offset_of = calloc(values, sizeof *cut.offset_of),
                  .segments = calloc(dispatches, sizeof *cut.segments)};
    br_status status = cut.chunks && cut.chunk_of && cut.offset_of && cut.segments ? NULL : out_of_memory(program);
    for (size_t i = 0; i < values && !status; i++)
        cut.chunk_of[i] = -1;
    if (!status)
        status = cutter_init(program, &it);
    if (!status)
        status = br_status_prefix(place(params, &it, &cut), "%s", program->name);
    cutter_finish(&it);
    if (status)
        br_cut_finish(&cut);
    *out_cut = cut;
    return status;
}

void br_cut_finish(br_cut *cut)
{
    free(cut->chunks);
    free(cut->chunk_of);
    free(cut->offset_of);
    free(cut->segments);
    *cut = (br_cut){0};
}
