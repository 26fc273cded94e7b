/* The tensors of the input in order, each read, encoded on all processors piece by piece, and written. */
#include "pipeline/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"
#include "pipeline/convert_source.h"
#include "pipeline/convert_types.h"

/* Elements encoded between two writes: so much that threads are worth starting, a few MiB. */
#define CHUNK ((size_t)1 << 20)
/* Elements that one thread reads, encodes and compares at once: what caches hold. */
#define PIECE ((size_t)8192)
/* Bytes written at once of tensors that stay as they are. */
#define COPY_BYTES ((size_t)4 << 20)
/* Largest finite half. */
#define HALF_MAX 65504.0f

typedef struct conversion {
    const br_convert_params *params;
    br_convert_source source;
    br_weights_format format;
    br_tensor_view *tensors; /* owned; what is written, in order; `data` is the input's */
    br_weight_dtype *from;   /* owned; types in the input */
    int count;
    br_weights_writer *writer; /* owned */
    uint8_t *chunk;            /* owned; CHUNK elements, encoded */
    br_workers *workers;       /* owned */
    double start, change, norm;
    uint64_t bytes_done;
    br_convert_result result;
} conversion;

/* ---- one chunk ---- */

typedef struct piece_result {
    double change, norm;
    size_t bad; /* the first element that the type cannot hold, or SIZE_MAX */
} piece_result;

typedef struct chunk_job {
    br_tensor_view source;
    br_weight_dtype dtype;
    size_t first, count; /* of the tensor's elements */
    uint8_t *out;
    piece_result results[CHUNK / PIECE];
} chunk_job;

static bool holds(br_weight_dtype dtype, float value)
{
    return dtype == BR_WEIGHT_F32 || dtype == BR_WEIGHT_BF16 || fabsf(value) <= HALF_MAX;
}

static void encode_piece(void *user, int index, int worker)
{
    (void)worker;
    chunk_job *job = user;
    float values[PIECE], decoded[PIECE];
    size_t at = (size_t)index * PIECE, count = job->count - at < PIECE ? job->count - at : PIECE;
    uint8_t *out = job->out + at / br_weight_dtype_block(job->dtype) * br_weight_dtype_size(job->dtype);
    br_weight_to_f32(&job->source, job->first + at, count, values);
    br_weight_from_f32(job->dtype, values, count, out);
    br_weight_to_f32(&(br_tensor_view){.dtype = job->dtype, .count = count, .data = out}, 0, count, decoded);
    piece_result result = {.bad = SIZE_MAX};
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i], difference = (double)decoded[i] - value;
        result.norm += value * value;
        result.change += difference * difference;
        if (result.bad == SIZE_MAX && !holds(job->dtype, values[i]))
            result.bad = job->first + at + i;
    }
    job->results[index] = result;
}

static br_status bad_value(const chunk_job *job, size_t element)
{
    float value;
    br_weight_to_f32(&job->source, element, 1, &value);
    return br_fail(BR_ERROR_UNSUPPORTED,
                   "tensor \"%.200s\": element %zu is %g, which %s cannot hold; keep the tensor in another type", job->source.name,
                   element, (double)value, br_weight_dtype_name(job->dtype));
}

/* ---- progress ---- */

static br_status report(conversion *c, int tensor)
{
    double seconds = br_clock_seconds() - c->start;
    uint64_t left = c->result.input_bytes - c->bytes_done;
    br_progress progress = {.stage = "convert", .step = tensor, .steps = c->count, .seconds = seconds, .seconds_left = -1};
    if (c->bytes_done > 0)
        progress.seconds_left = seconds * (double)left / (double)c->bytes_done;
    if (c->params->progress && !c->params->progress(c->params->progress_user, &progress))
        return br_fail(BR_ERROR_CANCELLED, "interrupted at tensor %d of %d", tensor, c->count);
    return NULL;
}

/* ---- tensors ---- */

static br_status copy_tensor(conversion *c, int index)
{
    const br_tensor_view *tensor = &c->tensors[index];
    for (size_t done = 0; done < tensor->size;) {
        size_t now = tensor->size - done < COPY_BYTES ? tensor->size - done : COPY_BYTES;
        BR_TRY(br_weights_writer_add(c->writer, (const uint8_t *)tensor->data + done, now));
        done += now;
        c->bytes_done += now;
        BR_TRY(report(c, index));
    }
    return NULL;
}

static br_status encode_tensor(conversion *c, int index)
{
    const br_tensor_view *tensor = &c->tensors[index];
    size_t block = br_weight_dtype_block(tensor->dtype), size = br_weight_dtype_size(tensor->dtype);
    chunk_job job = {.source = *tensor, .dtype = tensor->dtype, .out = c->chunk};
    job.source.dtype = c->from[index];
    for (job.first = 0; job.first < tensor->count; job.first += job.count) {
        job.count = tensor->count - job.first < CHUNK ? tensor->count - job.first : CHUNK;
        int pieces = (int)((job.count + PIECE - 1) / PIECE);
        br_workers_run(c->workers, pieces, encode_piece, &job);
        for (int i = 0; i < pieces; i++) {
            c->change += job.results[i].change;
            c->norm += job.results[i].norm;
            if (job.results[i].bad != SIZE_MAX)
                return bad_value(&job, job.results[i].bad);
        }
        BR_TRY(br_weights_writer_add(c->writer, c->chunk, job.count / block * size));
        c->bytes_done += job.count * br_weight_dtype_size(c->from[index]) / br_weight_dtype_block(c->from[index]);
        BR_TRY(report(c, index));
    }
    return NULL;
}

/* ---- the whole ---- */

static br_status check_params(const br_convert_params *params, br_weights_format *out_format)
{
    br_weight_dtype dtype;
    const char *dot = params->output ? strrchr(params->output, '.') : NULL;
    if (!params->input || !dot || (strcmp(dot, ".safetensors") != 0 && strcmp(dot, ".gguf") != 0))
        return br_fail(BR_ERROR_ARGUMENT, "the output is %s, expected a name that ends with .safetensors or .gguf",
                       params->output ? params->output : "not given");
    *out_format = strcmp(dot, ".gguf") == 0 ? BR_FORMAT_GGUF : BR_FORMAT_SAFETENSORS;
    for (int i = -1; i < params->rule_count; i++) {
        const char *type = i < 0 ? params->type : params->rules[i].type;
        if (type && !br_convert_type_named(type, &dtype))
            return br_fail(BR_ERROR_ARGUMENT, "there is no type %s", type);
        if (type && br_weight_dtype_block(dtype) > 1 && *out_format != BR_FORMAT_GGUF)
            return br_fail(BR_ERROR_ARGUMENT, "%s is a type of GGUF files only, and the output is %s", type, params->output);
    }
    return NULL;
}

/* Wider elements first, as the reference implementation of safetensors writes them: then all are aligned. */
static int compare_width(const void *a, const void *b)
{
    const br_tensor_view *x = a, *y = b;
    size_t p = br_weight_dtype_size(x->dtype), q = br_weight_dtype_size(y->dtype);
    return p != q ? (p > q ? -1 : 1) : strcmp(x->name, y->name);
}

static br_status plan_tensors(conversion *c)
{
    size_t count = (size_t)c->source.count + 1;
    c->tensors = malloc(count * sizeof *c->tensors);
    c->from = malloc(count * sizeof *c->from);
    if (!c->tensors || !c->from)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d tensors", c->source.count);
    if (c->format == BR_FORMAT_SAFETENSORS)
        qsort(c->source.tensors, (size_t)c->source.count, sizeof *c->source.tensors, compare_width);
    for (int i = 0; i < c->source.count; i++) {
        br_tensor_view tensor = c->source.tensors[i];
        if (!br_convert_keeps(tensor.name)) {
            c->result.left_out_count++;
            continue;
        }
        br_convert_choice choice;
        BR_TRY(br_convert_choose(c->params, c->format, &tensor, &choice));
        c->from[c->count] = tensor.dtype;
        c->result.input_bytes += tensor.size;
        c->result.converted_count += tensor.dtype != choice.dtype;
        c->result.fallback_count += choice.fallback;
        tensor.dtype = choice.dtype;
        tensor.size = tensor.count / br_weight_dtype_block(choice.dtype) * br_weight_dtype_size(choice.dtype);
        c->result.output_bytes += tensor.size;
        c->tensors[c->count++] = tensor;
    }
    c->result.tensor_count = c->count;
    return NULL;
}

static br_status run(conversion *c)
{
    BR_TRY(plan_tensors(c));
    c->chunk = malloc(CHUNK * sizeof(float));
    if (!c->chunk)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while converting %s", c->params->input);
    BR_TRY(br_workers_create(br_cpu_count(), &c->workers));
    BR_TRY(br_convert_source_describe(&c->source, c->format, c->params->type));
    BR_TRY(br_weights_writer_create(&(br_weights_plan){.format = c->format,
                                                       .tensors = c->tensors,
                                                       .count = c->count,
                                                       .metadata = c->source.metadata,
                                                       .metadata_count = c->source.metadata_count},
                                    c->params->output, &c->writer));
    for (int i = 0; i < c->count; i++)
        BR_TRY(c->tensors[i].dtype == c->from[i] ? copy_tensor(c, i) : encode_tensor(c, i));
    BR_TRY(br_weights_writer_commit(c->writer));
    return report(c, c->count);
}

br_status br_conversion_run(const br_convert_params *params, br_convert_result *out_result)
{
    *out_result = (br_convert_result){0};
    conversion c = {.params = params, .start = br_clock_seconds()};
    br_status status = NULL;
    BR_TRY(check_params(params, &c.format));
    BR_TRY_GOTO(br_convert_source_open(params->input, &c.source));
    BR_TRY_GOTO(br_status_prefix(run(&c), "converting %s", params->input));
    c.result.relative_error = c.norm > 0 ? sqrt(c.change / c.norm) : 0;
    c.result.seconds = br_clock_seconds() - c.start;
    *out_result = c.result;
fail:
    br_workers_destroy(c.workers);
    br_weights_writer_destroy(c.writer);
    br_convert_source_close(&c.source);
    free(c.tensors);
    free(c.from);
    free(c.chunk);
    return status;
}
