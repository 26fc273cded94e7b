/* What `brume shaders` reads out of SPIR-V and of drivers' statistics. */
#include <math.h>
#include <string.h>

#include "br_shaders.h"
#include "pipeline/shaders.h"
#include "support/test.h"
#include "vk/spirv.h"

static void test_constant_names(void **state)
{
    (void)state;
    const br_shader *shader = &br_shaders[BR_SHADER_LINEAR_F32_F32];
    const char *names[16];
    br_spirv_constant_names(shader->words, shader->size, names, 16);
    assert_string_equal(names[0], "local_size_x");
    assert_string_equal(names[1], "WX");
    assert_string_equal(names[8], "RESIDUAL");
    assert_null(names[9]);
    /* Fewer are asked for than there are. */
    names[2] = "untouched";
    br_spirv_constant_names(shader->words, shader->size, names, 2);
    assert_string_equal(names[1], "WX");
    assert_string_equal(names[2], "untouched");
}

/* A module cut anywhere gives fewer names and reads nothing behind its end (the sanitizers look). */
static void test_cut_spirv(void **state)
{
    (void)state;
    const br_shader *shader = &br_shaders[BR_SHADER_ADD_F32];
    for (size_t words = 0; words < shader->size / 4; words += 7) {
        uint32_t *copy = malloc(words * 4 + 4);
        const char *names[4];
        assert_non_null(copy);
        memcpy(copy, shader->words, words * 4);
        br_spirv_constant_names(copy, words * 4, names, 4);
        if (words < 6)
            assert_null(names[0]);
        free(copy);
    }
}

static double count(const char *driver, const char *name, double value, br_shader_number number)
{
    double numbers[BR_SHADER_NUMBER_COUNT];
    for (int i = 0; i < BR_SHADER_NUMBER_COUNT; i++)
        numbers[i] = NAN;
    br_shaders_count_statistic(driver, &(br_shader_statistic){.name = name, .value = value}, numbers);
    return numbers[number];
}

static void test_numbers(void **state)
{
    (void)state;
    /* The same words mean different things: vectors of 4 for one, registers for the other. */
    assert_true(count("turnip Mesa driver", "Registers used", 12, BR_SHADER_REGISTERS) == 48);
    assert_true(count("panvk", "Registers used", 12, BR_SHADER_REGISTERS) == 12);
    assert_true(count("Honeykrisp", "GPRs", 119, BR_SHADER_REGISTERS) == 59.5);
    assert_true(isnan(count("panvk", "Threads", 1, BR_SHADER_THREADS)));
    assert_true(isnan(count("a driver of tomorrow", "VGPRs", 12, BR_SHADER_REGISTERS)));

    double numbers[BR_SHADER_NUMBER_COUNT] = {[BR_SHADER_SPILLS] = NAN};
    br_shaders_count_statistic("radv", &(br_shader_statistic){.name = "Spilled SGPRs", .value = 3}, numbers);
    br_shaders_count_statistic("radv", &(br_shader_statistic){.name = "Spilled VGPRs", .value = 4}, numbers);
    assert_true(numbers[BR_SHADER_SPILLS] == 7);

    for (int i = 0; i < BR_SHADER_NUMBER_COUNT; i++)
        assert_non_null(br_shaders_number_name((br_shader_number)i));
    assert_null(br_shaders_number_name(BR_SHADER_NUMBER_COUNT));
    assert_string_equal(br_shaders_stage_name(1), "unet");
    assert_null(br_shaders_stage_name(BR_SHADER_STAGE_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_names),
        cmocka_unit_test(test_cut_spirv),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
