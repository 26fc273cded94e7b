#include "cli/draw.h"
#include "cli/output.h"

static br_status run(br_call *call)
{
    br_draw_options options;
    bool help;
    br_draw_options_init(&options);
    const br_option rows[] = {
        BR_ROW_INPUT(options),
        BR_ROW_STRENGTH(options, "0.75"),
        {"init-latents", 0, BR_OPTION_TEXT, &options.init_latents, "FILE.npy",
         "instead of a picture: latents as --dump-dir writes them, float32 [C, h, w]\nor [B, C, h, w]"},
        {"denoising-start", 0, BR_OPTION_NUMBER, &options.denoising_start, "X",
         "these latents are noisy: what --denoising-end X left; no --strength", "noise is added", 0.0001, 0.9999},
        BR_ROWS_REFINER(options),
        {"image-cfg", 0, BR_OPTION_NUMBER, &options.image_cfg, "X", "instruct-pix2pix models: how closely to follow the picture",
         "1.5", 1, 1000},
    };
    const br_draw_rows own = {rows, sizeof rows / sizeof rows[0]};
    BR_TRY(br_draw_options_parse(call, &own, &options, &help));
    if (help)
        return NULL;
    if (options.input && options.init_latents)
        return br_wrong_usage(call, "-i and --init-latents both say what to begin with");
    if (!options.input && !options.init_latents)
        return br_wrong_usage(call, "which picture? brume img2img -i PICTURE.png \"what to make of it\"");
    return br_draw(call, &options);
}

const br_command br_cmd_img2img = {
    .name = "img2img",
    .summary = "draw a picture from another one and words",
    .synopsis = "-i PICTURE.png [options] \"what to draw\"",
    .details = BR_OUTPUT_HELP
    "The picture is scaled to cover the size that is drawn, and what sticks out is cut off. Without -W and -H\n"
    "that is its own size, or less where this is more pixels than the model is used to. Transparency counts as white.\n"
    "A model that edits pictures by instructions (instruct-pix2pix) takes no --strength but --image-cfg.\n"
    "With --init-latents the size is that of the latents.\n"
    "Everything else is as with txt2img.\n",
    .examples = "brume img2img -i sketch.png \"an oil painting of a harbour\"\n"
                "brume img2img -i fox.png \"a wolf\" --strength 0.5 -s 7 -o wolf.png\n"
                "brume img2img -m instruct-pix2pix -i street.png \"make it winter\" --image-cfg 1.7\n",
    .run = run,
};
