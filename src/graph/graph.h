/* The intermediate form: nodes over typed, named values, in execution order. Models append to it through the constructors of ops/op.h; plan.h gives
 * the values storage; exec/ turns it into dispatches; training will differentiate it. Pure CPU, no Vulkan.
 *
 * Building is sticky: the first error is kept in the graph, everything after it returns BR_NONE, and br_graph_finish hands it out. So model code reads
 * as the model does. */
#ifndef BR_GRAPH_GRAPH_H
#define BR_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "graph/tensor.h"

typedef int32_t br_value;
#define BR_NONE ((br_value)-1)

typedef enum br_value_kind {
    BR_VALUE_TEMP,   /* made by a node, dead after its last reader */
    BR_VALUE_INPUT,  /* written from outside before a run */
    BR_VALUE_STATE,  /* lives across runs: read and overwritten by nodes (x, sampler history) */
    BR_VALUE_WEIGHT, /* a tensor of the model, or several on top of each other */
    BR_VALUE_OUTPUT, /* made by a node and read after the run */
} br_value_kind;

/* How a weight tensor of a file is laid out on the device. */
typedef enum br_weight_layout {
    BR_WEIGHT_PLAIN, /* as stored; [O, I, 1, 1] is accepted for [O, I] */
    BR_WEIGHT_OHWI,  /* convolution: stored [O, I, KH, KW], on the device [O, KH, KW, I] */
} br_weight_layout;

/* A tensor of the file, and how many rows of a weight it makes up. */
typedef struct br_weight_part {
    const char *name;
    int64_t rows;
} br_weight_part;

typedef struct br_value_info {
    const char *name; /* "unet/down.1/attn.0/to_q"; for weights the tensor's name in the file, several joined by " + " */
    br_value_kind kind;
    br_dtype dtype;
    br_shape shape;
    int producer;                /* node index, -1 for values from outside */
    br_value alias;              /* a view of this value (same storage, same count), or BR_NONE */
    br_weight_layout layout;     /* weights */
    const br_weight_part *parts; /* weights: what they are made of, in this order; owned by the graph */
    int part_count;
} br_value_info;

#define BR_NODE_INPUT_MAX 8
#define BR_NODE_OUTPUT_MAX 4

typedef struct br_node {
    int op; /* br_op of ops/op.h */
    const char *name;
    int input_count, output_count;
    br_value inputs[BR_NODE_INPUT_MAX]; /* BR_NONE for an optional one that is absent */
    br_value outputs[BR_NODE_OUTPUT_MAX];
    const void *attrs; /* owned by the graph; the op's own struct */
    int in_place;      /* input whose storage outputs[0] may take over when it dies here, or -1 */
    /* Bytes. 0: outputs[0] lies where the input lies and is as large. Else it may be smaller, and begins at least so far before the input: then the node
     * promises to write nothing that lies on what it has still to read. */
    int64_t in_place_lead;
} br_node;

typedef struct br_graph {
    br_arena arena; /* names, attrs */
    br_value_info *values;
    br_node *nodes;
    int value_count, value_capacity, node_count, node_capacity;
    char scope[256]; /* "unet/down.1/" */
    size_t scope_length;
    br_status error; /* owned; the first one */
} br_graph;

void br_graph_init(br_graph *graph);
void br_graph_finish(br_graph *graph);
/* Hands out the first error (owned by the caller), or NULL when everything was well. Also verifies the whole graph: every value is made before it is
 * read, views agree in size, outputs have producers. */
BR_MUST_CHECK br_status br_graph_verify(br_graph *graph);
bool br_graph_failed(const br_graph *graph);
/* Records an error unless there is one already; the message gets the current scope as prefix. Returns BR_NONE. */
br_value br_graph_fail(br_graph *graph, br_code code, const char *format, ...) BR_PRINTF(3, 4);

/* Names of what is appended between push and pop get "TEXT/" in front. */
void br_graph_push(br_graph *graph, const char *format, ...) BR_PRINTF(2, 3);
void br_graph_pop(br_graph *graph);

br_value br_graph_input(br_graph *graph, const char *name, br_dtype dtype, br_shape shape);
br_value br_graph_state(br_graph *graph, const char *name, br_dtype dtype, br_shape shape);
/* `shape` is the shape on the device. `name` is the tensor's full name in the file and is not scoped. Asking for the same name again gives the same value. */
br_value br_graph_weight(br_graph *graph, const char *name, br_dtype dtype, br_shape shape, br_weight_layout layout);
/* The rows (first dimension) of several tensors one below the other as one weight, so that one product makes what they would make one by one. `shape` has
 * their rows in all; the parts are copied. */
br_value br_graph_weight_stack(br_graph *graph, const br_weight_part *parts, int part_count, br_dtype dtype, br_shape shape,
                               br_weight_layout layout);
/* The same memory under another shape of equal count. */
br_value br_graph_view(br_graph *graph, br_value value, br_shape shape);
/* Turns a TEMP into an OUTPUT called `name`. */
void br_graph_output(br_graph *graph, br_value value, const char *name);

typedef struct br_node_params {
    int op;
    const char *name; /* scoped */
    int input_count;
    br_value inputs[BR_NODE_INPUT_MAX];
    const void *attrs; /* copied */
    size_t attrs_size;
    int in_place; /* as in br_node; note that 0 is a valid input */
    int64_t in_place_lead;
    int output_count;
    struct {
        br_dtype dtype;
        br_shape shape;
        br_value state; /* BR_NONE: a new TEMP; else the STATE value that the node overwrites */
    } outputs[BR_NODE_OUTPUT_MAX];
} br_node_params;

/* Appends a node; returns outputs[0] (further outputs follow at consecutive indices unless they are states), BR_NONE when any required thing failed. */
br_value br_graph_node(br_graph *graph, const br_node_params *params);
/* Another output of a node that there is already: a TEMP "NODE/NAME". For what a device wants beside the model's values. */
BR_MUST_CHECK br_status br_graph_add_output(br_graph *graph, int node, const char *name, br_dtype dtype, br_shape shape);
/* Makes the node behind `node` a part of it, for a device that does both at once: its inputs from number `first_input` on and its outputs come after the node's
 * own, for which there must be room. Nodes behind them move up by one. */
void br_graph_merge_next(br_graph *graph, int node, int first_input);
/* Makes the node before `node` a part of it, likewise: of input number `input`, which that node makes and no other reads, remains that node's input 0, and its
 * further inputs come after the node's own, for which there must be room. `node` and those behind it move up by one. */
void br_graph_merge_previous(br_graph *graph, int node, int input);
/* Whether `node` reads the value, or a view of it, and no other node does; false for what leaves the program or stays in it. */
bool br_graph_reads_alone(const br_graph *graph, int node, br_value value);

/* Reading. `value` must be valid. */
const br_value_info *br_graph_value(const br_graph *graph, br_value value);
br_shape br_graph_shape(const br_graph *graph, br_value value);
br_dtype br_graph_dtype(const br_graph *graph, br_value value);
/* The value whose storage this one uses: follows views. */
br_value br_graph_root(const br_graph *graph, br_value value);
/* Bytes of storage. */
int64_t br_graph_bytes(const br_graph *graph, br_value value);
/* First value with this name, or BR_NONE. */
br_value br_graph_find(const br_graph *graph, const char *name);

#endif
