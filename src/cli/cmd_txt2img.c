#include "cli/draw.h"
#include "cli/output.h"

static br_status run(br_call *call)
{
    br_draw_options options;
    bool help;
    br_draw_options_init(&options);
    const br_option rows[] = {BR_ROWS_REFINER(options)};
    const br_draw_rows own = {rows, sizeof rows / sizeof rows[0]};
    BR_TRY(br_draw_options_parse(call, &own, &options, &help));
    return help ? NULL : br_draw(call, &options);
}

const br_command br_cmd_txt2img = {
    .name = "txt2img",
    .summary = "draw a picture from words",
    .synopsis = "[options] \"what to draw\"",
    .details = BR_OUTPUT_HELP
    "The path of each picture is printed on standard output, everything else on standard error.\n"
    "The same seed, device and settings give the same picture, byte for byte.\n"
    "--dump-dir: several batches go to DIR/000, DIR/001, ..., and within each the pictures of a batch likewise.\n",
    .examples = "brume txt2img \"a red apple\"\n"
                "brume txt2img -p \"a fox on a blue background\" -s 7 -o fox.png\n"
                "brume txt2img \"a rocket\" --steps 30 --cfg 3 --sampler dpmpp_2m\n"
                "brume txt2img \"a cat face\" --batch-size 4 --batch-count 2 --grid -o cats/%03d.png\n"
                "brume txt2img -m sd_xl_base.safetensors --refiner sd_xl_refiner.safetensors \"a lighthouse\"\n"
                "brume txt2img \"a fish\" -q --json | jq -r '.pictures[0].path'\n",
    .run = run,
};
