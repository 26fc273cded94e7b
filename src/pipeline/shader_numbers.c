/* Which of a driver's statistics mean the same thing. */
#include <math.h>
#include <string.h>

#include "pipeline/shaders.h"

typedef struct number_row {
    const char *statistic; /* the driver's name */
    br_shader_number number;
    double scale;
} number_row;

/* Rows end with a NULL. Registers are counted in units of 32 bits an invocation. What has no name here stays with the driver's. */

/* Mesa src/amd/vulkan/radv_pipeline.c. SGPRs that are spilled go to lanes of VGPRs. */
static const number_row radv[] = {
    {"VGPRs", BR_SHADER_REGISTERS, 1},
    {"SGPRs", BR_SHADER_SCALAR_REGISTERS, 1},
    {"Spilled VGPRs", BR_SHADER_SPILLS, 1},
    {"Spilled SGPRs", BR_SHADER_SPILLS, 1},
    {"Scratch size", BR_SHADER_SCRATCH_BYTES, 1},
    {"LDS size", BR_SHADER_SHARED_BYTES, 1},
    {"Subgroups per SIMD", BR_SHADER_WAVES, 1},
    {"Instructions", BR_SHADER_INSTRUCTIONS, 1},
    {"Latency", BR_SHADER_CYCLES, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1},
    {NULL, 0, 0},
};

/* Mesa src/nouveau/vulkan/nvk_shader.c. "Spills to reg" stay on the chip (predicates and uniform registers in others). */
static const number_row nvk[] = {
    {"Number of GPRs", BR_SHADER_REGISTERS, 1},
    {"Spills to memory", BR_SHADER_SPILLS, 1},
    {"Fills from memory", BR_SHADER_FILLS, 1},
    {"SLM size", BR_SHADER_SCRATCH_BYTES, 1},
    {"Max warps/SM", BR_SHADER_WAVES, 1},
    {"Instruction count", BR_SHADER_INSTRUCTIONS, 1},
    {"Static cycle count", BR_SHADER_CYCLES, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1},
    {NULL, 0, 0},
};

/* Mesa src/freedreno/vulkan/tu_pipeline.cc: registers are vectors of 4; STP and LDP store to and load from private memory. */
static const number_row turnip[] = {
    {"Registers used", BR_SHADER_REGISTERS, 4},
    {"STP Count", BR_SHADER_SPILLS, 1},
    {"LDP Count", BR_SHADER_FILLS, 1},
    {"Max Waves Per Core", BR_SHADER_WAVES, 1},
    {"Instruction Count", BR_SHADER_INSTRUCTIONS, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1},
    {NULL, 0, 0},
};

/* Mesa src/asahi/compiler: registers of 16 bits. */
static const number_row honeykrisp[] = {
    {"GPRs", BR_SHADER_REGISTERS, 0.5},     {"Spills", BR_SHADER_SPILLS, 1},
    {"Fills", BR_SHADER_FILLS, 1},          {"Scratch", BR_SHADER_SCRATCH_BYTES, 1},
    {"Threads", BR_SHADER_THREADS, 1},      {"Instructions", BR_SHADER_INSTRUCTIONS, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1}, {NULL, 0, 0},
};

/* Mesa src/panfrost/compiler, Bifrost and Valhall. Its "Threads" is 2 where a core is full and 1 where registers halve that: no number of threads. */
static const number_row panvk[] = {
    {"Registers used", BR_SHADER_REGISTERS, 1},
    {"Spills", BR_SHADER_SPILLS, 1},
    {"Fills", BR_SHADER_FILLS, 1},
    {"Instructions", BR_SHADER_INSTRUCTIONS, 1},
    {"Cycles", BR_SHADER_CYCLES, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1},
    {NULL, 0, 0},
};

/* Mesa src/imagination/vulkan. */
static const number_row powervr[] = {
    {"Temp count", BR_SHADER_REGISTERS, 1},       {"Spill count", BR_SHADER_SPILLS, 1},
    {"Scratch size", BR_SHADER_SCRATCH_BYTES, 1}, {"Inst group count", BR_SHADER_INSTRUCTIONS, 1},
    {"Code size", BR_SHADER_CODE_BYTES, 1},       {NULL, 0, 0},
};

/* Mesa src/intel/vulkan/anv_pipeline.c, by its source: not seen on a device. */
static const number_row anv[] = {
    {"Spill Count", BR_SHADER_SPILLS, 1},
    {"Fill Count", BR_SHADER_FILLS, 1},
    {"Scratch Memory Size", BR_SHADER_SCRATCH_BYTES, 1},
    {"Workgroup Memory Size", BR_SHADER_SHARED_BYTES, 1},
    {"Instruction Count", BR_SHADER_INSTRUCTIONS, 1},
    {"Cycle Count", BR_SHADER_CYCLES, 1},
    {NULL, 0, 0},
};

/* By VkPhysicalDeviceDriverProperties::driverName. */
static const struct {
    const char *driver;
    const number_row *rows;
} tables[] = {
    {"radv", radv},
    {"NVK", nvk},
    {"turnip Mesa driver", turnip},
    {"Honeykrisp", honeykrisp},
    {"panvk", panvk},
    {"Imagination open-source Mesa driver", powervr},
    {"Intel open-source Mesa driver", anv},
};

const char *br_shaders_number_name(br_shader_number number)
{
    static const char *const names[BR_SHADER_NUMBER_COUNT] = {
        [BR_SHADER_REGISTERS] = "registers",
        [BR_SHADER_SCALAR_REGISTERS] = "scalar_registers",
        [BR_SHADER_SPILLS] = "spills",
        [BR_SHADER_FILLS] = "fills",
        [BR_SHADER_SCRATCH_BYTES] = "scratch_bytes",
        [BR_SHADER_SHARED_BYTES] = "shared_bytes",
        [BR_SHADER_WAVES] = "waves",
        [BR_SHADER_THREADS] = "threads",
        [BR_SHADER_INSTRUCTIONS] = "instructions",
        [BR_SHADER_CYCLES] = "cycles",
        [BR_SHADER_CODE_BYTES] = "code_bytes",
    };
    return (unsigned)number < BR_SHADER_NUMBER_COUNT ? names[number] : NULL;
}

void br_shaders_count_statistic(const char *driver, const br_shader_statistic *statistic, double numbers[BR_SHADER_NUMBER_COUNT])
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].driver, driver) != 0)
            continue;
        for (const number_row *row = tables[i].rows; row->statistic; row++)
            if (strcmp(row->statistic, statistic->name) == 0) {
                double *number = &numbers[row->number];
                *number = (isnan(*number) ? 0 : *number) + row->scale * statistic->value;
            }
    }
}
