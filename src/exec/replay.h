/* A program recorded once on a device, to be run many times. Nothing is recorded or allocated by br_replay_run.
 *
 * With a cut each segment is a recording of its own, bound to the slot of the chunk that it needs; while it runs, the host fills the other slot with the
 * chunk of the next one. */
#ifndef BR_EXEC_REPLAY_H
#define BR_EXEC_REPLAY_H

#include "exec/bind.h"
#include "exec/pool.h"
#include "exec/probe.h"
#include "exec/program.h"

typedef struct br_value_binding {
    br_value value; /* INPUT, STATE, OUTPUT (or WEIGHT, which then goes before `weights`) */
    br_location location;
} br_value_binding;

typedef struct br_replay_params {
    br_vk_device *device;      /* borrowed; outlives the replay */
    const br_program *program; /* borrowed; outlives the replay */
    br_bound_weights *weights; /* borrowed; outlives the replay; may be NULL */
    br_vk_buffer *arena;       /* at least program->plan.arena_bytes; may be shared by programs that run one after the other */
    const br_cut *
        cut; /* borrowed; outlives the replay; NULL: everything is where it is needed. Else there is no arena, `weights` has this cut, and */
    br_pool *pool; /* borrowed; outlives the replay: where all of it goes */
    bool repeats;  /* with a cut: it is run again and again, so what it begins with is brought in while it ends */
    const br_value_binding *bindings;
    int binding_count;
    br_profile *
        profile; /* borrowed; outlives the replay; NULL: nothing is timed. On CPU devices, which a timestamp stops, it times one run in 8 of programs of short
                            dispatches, unless it is to see every run or dispatches run one at a time. */
    bool beside; /* on the second queue (caps.side_queue) */
} br_replay_params;

typedef struct br_replay br_replay;

/* Begins to build the program's pipelines in the background, in the order of their first use. */
void br_replay_expect(br_vk_device *device, const br_program *program);
/* Builds pipelines, unless they were expected, and records. Errors: BR_ERROR_ARGUMENT for a value without a place; BR_ERROR_VULKAN when a pipeline cannot be built. */
BR_MUST_CHECK br_status br_replay_create(const br_replay_params *params, br_replay **out_replay);
void br_replay_destroy(br_replay *replay);
/* Submits and waits. `stop` (may be NULL) is asked between submissions; true ends the run with BR_ERROR_CANCELLED. */
BR_MUST_CHECK br_status br_replay_run(br_replay *replay, br_vk_stop stop, void *user);
/* The same in three parts, for a program without a cut: submits; whether all has run; waits. See br_vk_recording_begin. */
void br_replay_begin(br_replay *replay, br_vk_stop stop, void *user);
bool br_replay_done(const br_replay *replay);
BR_MUST_CHECK br_status br_replay_end(br_replay *replay);
/* Borrowed: for tests. Of the first segment. */
const br_vk_recording *br_replay_recording(const br_replay *replay);

#endif
