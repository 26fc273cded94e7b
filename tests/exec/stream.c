/* A program whose weights take turns: the same numbers to the last bit as with all of them on the device, run after run, for chunks that are filled in several
 * turns, an even and an odd number of them, and programs that share a pool. */
#include <stdio.h>
#include <string.h>

#include "exec/stage.h"
#include "support/device.h"

#define ROWS 3
#define WIDTH 1031 /* a matrix is 4.3 MB: more than is filled in one turn */
#define LAYERS_MAX 6

static br_weights *weights;

static float weight_at(uint64_t i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (float)((int)(x >> 40 & 0xffff) - 0x8000) * 0x1p-19f;
}

static int make_weights(void **state)
{
    (void)state;
    weights = br_weights_create();
    assert_non_null(weights);
    for (int layer = 0; layer < LAYERS_MAX; layer++) {
        char name[32];
        size_t count = (size_t)WIDTH * WIDTH;
        float *data = br_weights_alloc(weights, count * sizeof *data);
        assert_non_null(data);
        for (size_t i = 0; i < count; i++)
            data[i] = weight_at((uint64_t)layer * count + i);
        snprintf(name, sizeof name, "layer.%d", layer);
        assert_status_ok(br_weights_add(weights, &(br_tensor_view){.name = name,
                                                                   .file = "here",
                                                                   .dtype = BR_WEIGHT_F32,
                                                                   .rank = 2,
                                                                   .shape = {WIDTH, WIDTH},
                                                                   .count = count,
                                                                   .data = data,
                                                                   .size = count * sizeof *data}));
    }
    assert_status_ok(br_weights_seal(weights));
    return 0;
}

static int drop_weights(void **state)
{
    (void)state;
    br_weights_destroy(weights);
    return 0;
}

typedef struct network {
    br_value x, y;
    br_program *program;
} network;

static network build(const br_vk_caps *caps, int layers)
{
    network it;
    br_graph graph;
    br_graph_init(&graph);
    it.y = it.x = br_graph_input(&graph, "x", BR_F32, br_shape_of(ROWS, WIDTH));
    for (int i = 0; i < layers; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%d", i);
        br_value weight = br_graph_weight(&graph, name, BR_F32, br_shape_of(WIDTH, WIDTH), BR_WEIGHT_PLAIN);
        it.y = br_op_linear(&graph, name, &(br_linear_params){.x = it.y, .weight = weight, .bias = BR_NONE, .residual = BR_NONE});
    }
    br_graph_output(&graph, it.y, "y");
    assert_status_ok(br_program_create(&graph, "layers", caps, &it.program));
    return it;
}

typedef struct running {
    network network;
    br_stage stage;
    br_bound_weights *bound; /* NULL in a pool */
    br_vk_buffer *arena;     /* likewise */
} running;

static running start(const br_test_device *device, int layers, br_pool *pool, bool repeats)
{
    running it = {.network = build(device->caps, layers)};
    if (!pool) {
        assert_status_ok(br_vk_buffer_create(device->device, BR_VK_BUFFER_DEVICE, (uint64_t)it.network.program->plan.arena_bytes,
                                             "arena", &it.arena));
        assert_status_ok(br_bound_weights_create(
            &(br_bind_params){.device = device->device, .graph = it.network.program->graph, .weights = weights, .name = "layers"},
            &it.bound));
    }
    const br_stage_pool in = {.pool = pool, .weights = weights, .name = "layers", .repeats = repeats};
    assert_status_ok(br_stage_init(&(br_stage_params){.device = device->device,
                                                      .program = it.network.program,
                                                      .weights = it.bound,
                                                      .arena = it.arena,
                                                      .pool = pool ? &in : NULL},
                                   &it.stage));
    return it;
}

static void stop(running *it)
{
    br_stage_finish(&it->stage);
    br_bound_weights_destroy(it->bound);
    br_vk_buffer_destroy(it->arena);
}

static void run(running *it, float first, float out[ROWS * WIDTH])
{
    static float x[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = first + (float)(i % 13) - 6;
    assert_status_ok(br_stage_write_floats(&it->stage, it->network.x, x, ROWS * WIDTH));
    assert_status_ok(br_stage_run(&it->stage));
    assert_status_ok(br_stage_read_floats(&it->stage, it->network.y, out, ROWS * WIDTH));
}

static br_cut_need need_of(const br_vk_caps *caps, int layers)
{
    br_cut_need need;
    network it = build(caps, layers);
    assert_status_ok(br_cut_find_need(it.program, &need));
    br_program_destroy(it.program);
    return need;
}

/* Two programs by turns in one pool, each of which takes the other's place. */
static void check(const br_test_device *device, int layers, uint64_t bytes, bool repeats)
{
    static float expected[2][ROWS * WIDTH], got[ROWS * WIDTH];
    br_pool *pool;
    assert_status_ok(br_pool_create(device->device, bytes, &pool));
    running whole = start(device, layers, NULL, false), cut = start(device, layers, pool, repeats);
    running other = start(device, layers - 1, pool, repeats);
    for (int i = 0; i < 2; i++)
        run(&whole, (float)i, expected[i]);
    for (int i = 0; i < 6; i++) {
        run(&cut, (float)(i % 2), got);
        assert_memory_equal(got, expected[i % 2], sizeof got);
        if (i == 3)
            run(&other, 0, got);
    }
    stop(&other);
    stop(&cut);
    stop(&whole);
    br_pool_destroy(pool);
}

static void check_all(const br_test_device *device)
{
    for (int layers = LAYERS_MAX - 1; layers <= LAYERS_MAX; layers++) {
        br_cut_need need = need_of(device->caps, layers);
        for (int repeats = 0; repeats < 2; repeats++) {
            check(device, layers, need.least, repeats);
            check(device, layers, need.least + (need.whole - need.least) / 2, repeats);
            check(device, layers, need.whole, repeats);
        }
    }
}

static void test_unified(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(NULL);
    check_all(device);
    br_test_device_close(device);
}

static void test_staged(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(&(br_vk_device_params){.force_staging = true});
    check_all(device);
    br_test_device_close(device);
}

/* A pool of several buffers is one range of addresses; who loses bytes holds nothing. */
static void test_pool(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(NULL);
    br_pool *pool;
    int a, b;
    assert_status_ok(br_pool_create(device->device, 4096, &pool));
    assert_status_ok(br_pool_claim(pool, &(br_claim){&a, 0, 0, 1024}));
    assert_status_ok(br_pool_claim(pool, &(br_claim){&a, 1, 1024, 2048}));
    assert_status_ok(br_pool_claim(pool, &(br_claim){&b, 0, 2048, 4096}));
    assert_true(br_pool_holds(pool, &a, 0) && br_pool_holds(pool, &a, 1) && br_pool_holds(pool, &b, 0));
    assert_status_ok(br_pool_claim(pool, &(br_claim){&b, 1, 1023, 1024}));
    assert_false(br_pool_holds(pool, &a, 0));
    assert_true(br_pool_holds(pool, &a, 1) && br_pool_holds(pool, &b, 0) && br_pool_holds(pool, &b, 1));
    br_pool_forget(pool, &b);
    assert_true(br_pool_holds(pool, &a, 1) && !br_pool_holds(pool, &b, 0));
    br_pool_destroy(pool);
    br_vk_caps caps = *device->caps;
    caps.max_buffer_size = 1000;
    assert_int_equal(br_pool_bank_bytes(&caps, 768), 768);
    assert_int_equal(br_pool_bank_bytes(&caps, 4096), 768);
    br_test_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unified), cmocka_unit_test(test_staged), cmocka_unit_test(test_pool)};
    return cmocka_run_group_tests_name("stream", tests, make_weights, drop_weights);
}
