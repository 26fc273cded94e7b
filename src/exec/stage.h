/* One part of the way of a prompt on a device: a program with buffers for everything that goes in, out, or stays, recorded when it first runs. */
#ifndef BR_EXEC_STAGE_H
#define BR_EXEC_STAGE_H

#include "exec/replay.h"

typedef struct br_stage {
    br_vk_device *device;      /* borrowed */
    br_program *program;       /* owned */
    br_bound_weights *weights; /* borrowed as in br_stage_params; owned by a stage in a pool */
    br_vk_buffer *arena;
    br_profile *profile;
    bool beside;
    br_pool *pool;              /* these three borrowed, as in br_stage_params */
    bool repeats;               /* in a pool */
    br_cut *cut;                /* owned; of a stage in a pool, else NULL */
    br_replay *replay;          /* owned; NULL until the stage runs */
    br_value_binding *bindings; /* owned, and so are the buffers of the first owned_count */
    int owned_count, binding_count;
} br_stage;

/* For a stage that has no memory of its own but for what goes in and out. */
typedef struct br_stage_pool {
    br_pool *pool;             /* borrowed; outlives the stage */
    const br_weights *weights; /* borrowed; outlives the stage; NULL: noise will do (benchmarks) */
    const char *name;          /* borrowed: of the component, for messages */
    bool repeats;              /* as in br_replay_params */
} br_stage_pool;

typedef struct br_stage_params {
    br_vk_device *device; /* borrowed; outlives the stage */
    br_program *program;  /* consumed, on failure too */
    br_bound_weights
        *weights; /* borrowed; outlives the stage; NULL: WEIGHT values get buffers of their own, uninitialised (benchmarks) */
    br_vk_buffer *arena;       /* borrowed; at least program->plan.arena_bytes */
    const br_stage_pool *pool; /* borrowed during the call; instead of `weights` and `arena`; NULL: none */
    const br_value_binding *
        shared; /* an INPUT or OUTPUT with a place of its own, borrowed for the stage's life: what one stage makes for another; NULL: none */
    br_profile *profile; /* borrowed; outlives the stage; NULL: nothing is timed */
    bool beside;         /* on the second queue (caps.side_queue); not in a pool */
} br_stage_params;

/* INPUT values get host-visible buffers, STATE values device buffers, OUTPUT values buffers that the host reads; none is
 * initialised. Begins to build the pipelines in the background. On failure *out_stage is zeroed. */
BR_MUST_CHECK br_status br_stage_init(const br_stage_params *params, br_stage *out_stage);
void br_stage_finish(br_stage *stage);
/* Records, unless it was done before: waits for pipelines. Running does it too. Errors: as br_replay_create. */
BR_MUST_CHECK br_status br_stage_record(br_stage *stage);
BR_MUST_CHECK br_status br_stage_run(br_stage *stage);
/* The same, and asks `stop` now and then whether to end it with BR_ERROR_CANCELLED. */
BR_MUST_CHECK br_status br_stage_run_until(br_stage *stage, br_vk_stop stop, void *user);

/* br_stage_run in three parts, for a stage outside a pool: begins, recording first like all that runs; whether it is done; waits until it is. Between begin and
 * end nobody else may use the stage or its arena. br_stage_finish waits too. */
BR_MUST_CHECK br_status br_stage_begin(br_stage *stage);
bool br_stage_done(const br_stage *stage);
BR_MUST_CHECK br_status br_stage_end(br_stage *stage);

/* The whole value; `size` must be its bytes. */
BR_MUST_CHECK br_status br_stage_write(br_stage *stage, br_value value, const void *data, uint64_t size);
BR_MUST_CHECK br_status br_stage_read(br_stage *stage, br_value value, void *out_data, uint64_t size);
/* Floats to and from a value of dtype f32 or f16; `count` must be its elements. */
BR_MUST_CHECK br_status br_stage_write_floats(br_stage *stage, br_value value, const float *data, int64_t count);
BR_MUST_CHECK br_status br_stage_read_floats(br_stage *stage, br_value value, float *out_data, int64_t count);

#endif
