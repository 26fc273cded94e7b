#include "cli/draw.h"
#include "cli/output.h"

static br_status run(br_call *call)
{
    br_draw_options options;
    bool help;
    br_draw_options_init(&options);
    const br_option rows[] = {
        BR_ROW_INPUT(options),
        {"mask", 0, BR_OPTION_TEXT, &options.mask, "FILE.png", "as large as the picture: white is painted anew, black stays"},
        BR_ROW_STRENGTH(options, "1"),
    };
    const br_draw_rows own = {rows, sizeof rows / sizeof rows[0]};
    BR_TRY(br_draw_options_parse(call, &own, &options, &help));
    if (help)
        return NULL;
    if (!options.input || !options.mask)
        return br_wrong_usage(call, "which %s? brume inpaint -i PICTURE.png --mask MASK.png \"what to paint there\"",
                              options.input ? "mask" : "picture");
    return br_draw(call, &options);
}

const br_command br_cmd_inpaint = {
    .name = "inpaint",
    .summary = "paint a part of a picture anew",
    .synopsis = "-i PICTURE.png --mask MASK.png [options] \"what to paint there\"",
    .details =
        BR_OUTPUT_HELP "Picture and mask are scaled and cut as with img2img; of the mask, light greys count as white.\n"
                       "An inpainting model (its UNet has 9 input channels) sees what surrounds the hole. Any other model paints\n"
                       "a whole picture, of which all but the hole is replaced by the given one after every step.\n"
                       "Everything else is as with txt2img.\n",
    .examples = "brume inpaint -m sd-inpainting -i room.png --mask window.png \"a view of the sea\"\n"
                "brume inpaint -i cat.png --mask hat.png \"a red hat\" --strength 0.8 -o hat.png\n",
    .run = run,
};
