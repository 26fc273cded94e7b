#include "prof/trace.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/scope.h"

#define HOST_TRACK 1
#define DEVICE_TRACK 2

typedef struct writer {
    const br_profile *profile;
    FILE *stream;
    bool first;
} writer;

/* Whole nanoseconds, so that what is nested lies inside to the last digit. */
static int64_t ns(double seconds)
{
    return (int64_t)llround(seconds * 1e9);
}

static void separate(writer *w)
{
    fputs(w->first ? "\n" : ",\n", w->stream);
    w->first = false;
}

/* As a JSON string. A name that is not UTF-8 stands as "?". */
static void put_string(writer *w, const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "\"?\"", w->stream);
    free(quoted);
    json_decref(string);
}

/* Writes all but the closing brace; the caller adds "args" or nothing. */
static void begin_slice(writer *w, int track, const char *name, size_t length, int64_t begin, int64_t end)
{
    separate(w);
    fprintf(w->stream, "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"name\":", track);
    put_string(w, name, length);
    int64_t duration = end > begin ? end - begin : 0;
    fprintf(w->stream, ",\"ts\":%" PRId64 ".%03d,\"dur\":%" PRId64 ".%03d", begin / 1000, (int)(begin % 1000), duration / 1000,
            (int)(duration % 1000));
}

static void end_slice(writer *w)
{
    fputc('}', w->stream);
}

static void put_counter(writer *w, const char *name, int64_t at, uint64_t bytes)
{
    separate(w);
    fprintf(w->stream, "{\"ph\":\"C\",\"pid\":1,\"name\":\"%s\",\"ts\":%" PRId64 ".%03d,\"args\":{\"bytes\":%" PRIu64 "}}", name,
            at / 1000, (int)(at % 1000), bytes);
}

static void put_name(writer *w, int track, const char *what, const char *name)
{
    separate(w);
    fprintf(w->stream, "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"%s\",\"args\":{\"name\":", track, what);
    put_string(w, name, strlen(name));
    fputs("}}", w->stream);
}

static void put_host(writer *w)
{
    for (int i = 0; i < w->profile->span_count; i++) {
        const br_prof_span *span = &w->profile->spans[i];
        if (span->end < 0)
            continue;
        begin_slice(w, HOST_TRACK, span->name, strlen(span->name), ns(span->begin), ns(span->end));
        end_slice(w);
        if (span->memory > 0)
            put_counter(w, "device memory", ns(span->end), span->memory);
    }
    for (int i = 0; i < w->profile->run_count; i++) {
        const br_prof_run *run = &w->profile->runs[i];
        begin_slice(w, HOST_TRACK, "submit", 6, ns(run->began), ns(run->submitted));
        end_slice(w);
        begin_slice(w, HOST_TRACK, "wait", 4, ns(run->submitted), ns(run->done));
        end_slice(w);
    }
}

static void put_dispatch(writer *w, const br_prof_kernel *kernel, int64_t begin, int64_t end)
{
    const char *leaf = kernel->path + br_scope_length(kernel->path);
    begin_slice(w, DEVICE_TRACK, leaf, strlen(leaf), begin, end);
    fputs(",\"cat\":\"dispatch\",\"args\":{\"path\":", w->stream);
    put_string(w, kernel->path, strlen(kernel->path));
    fprintf(w->stream, ",\"op\":\"%s\",\"shader\":\"%s\",\"flops\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", kernel->op, kernel->shader,
            kernel->flops, kernel->bytes);
    end_slice(w);
}

/* The layers that begin at dispatch i: every part of its path that the dispatch before it was not in. Each lasts through the last dispatch in it. */
static void put_layers(writer *w, const br_prof_program *program, const br_prof_run *run, int i)
{
    const char *path = program->kernels[i].path;
    size_t length = br_scope_length(path);
    size_t begin = i > 0 ? br_scope_common(program->kernels[i - 1].path, path) : 0;
    while (begin < length) {
        size_t end = begin + strcspn(path + begin, "/");
        int last = i;
        while (last + 1 < program->kernel_count && br_scope_common(path, program->kernels[last + 1].path) > end)
            last++;
        begin_slice(w, DEVICE_TRACK, path + begin, end - begin, ns(run->times[2 * (size_t)i]),
                    ns(run->times[2 * (size_t)last + 1]));
        fputs(",\"cat\":\"layer\"", w->stream);
        end_slice(w);
        begin = end + 1;
    }
}

static void put_run(writer *w, const br_prof_run *run)
{
    const br_prof_program *program = &w->profile->programs[run->program];
    int count = program->kernel_count;
    if (!run->times || count == 0)
        return;
    begin_slice(w, DEVICE_TRACK, program->name, strlen(program->name), ns(run->times[0]), ns(run->times[2 * (size_t)count - 1]));
    fputs(",\"cat\":\"stage\"", w->stream);
    end_slice(w);
    for (int i = 0; i < count; i++) {
        put_layers(w, program, run, i);
        put_dispatch(w, &program->kernels[i], ns(run->times[2 * (size_t)i]), ns(run->times[2 * (size_t)i + 1]));
        put_counter(w, "live activations", ns(run->times[2 * (size_t)i]), br_prof_live_bytes(program, i));
    }
    put_counter(w, "live activations", ns(run->times[2 * (size_t)count - 1]), 0);
}

br_status br_prof_write_trace(const br_profile *profile, const char *path)
{
    br_file_writer file;
    BR_TRY(br_file_writer_begin(path, &file));
    writer w = {.profile = profile, .stream = file.stream, .first = true};
    fprintf(file.stream, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"mode\":\"%s\"},\"traceEvents\":[",
            profile->mode == BR_PROF_SERIALISED ? "serialised" : "concurrent");
    put_name(&w, 0, "process_name", "brume");
    put_name(&w, HOST_TRACK, "thread_name", "host");
    put_name(&w, DEVICE_TRACK, "thread_name", *profile->device_name ? profile->device_name : "device");
    put_host(&w);
    for (int i = 0; i < profile->run_count; i++)
        put_run(&w, &profile->runs[i]);
    fputs("\n]}\n", file.stream);
    return br_file_writer_commit(&file);
}
