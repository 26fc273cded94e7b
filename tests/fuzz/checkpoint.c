/* Names and shapes of a file's tensors, a line each ("model.diffusion_model.out.2.bias 4"), to what makes a model of them: the names of its parts, its family, and
 * configurations, which the readers of config.json then take or refuse. All values are zeros. The inputs to begin with are the shapes of small models of
 * tests/data/tiny under the names that tools/reference/single_file.py gives them, four times as wide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/clip_text.h"
#include "models/infer.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "weights/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger tensors are left out: what is copied of one stays below this. */
#define ELEMENTS_MAX ((int64_t)1 << 18)
#define LINE_MAX_BYTES 400

static const float zeros[ELEMENTS_MAX];

static void add_line(br_weights *weights, const char *line)
{
    char name[LINE_MAX_BYTES];
    int used = 0;
    br_tensor_view view = {.name = name, .file = "input", .dtype = BR_WEIGHT_F32, .count = 1, .data = zeros};
    if (sscanf(line, "%399[^ ]%n", name, &used) != 1)
        return;
    for (char *end; view.rank < BR_WEIGHT_RANK_MAX && line[used]; used = (int)(end - line)) {
        long long dimension = strtoll(line + used, &end, 10);
        if (end == line + used)
            break;
        if (dimension < 0 || dimension > ELEMENTS_MAX || (dimension && (int64_t)view.count > ELEMENTS_MAX / dimension))
            return;
        view.shape[view.rank++] = dimension;
        view.count *= (size_t)dimension;
    }
    view.size = view.count * sizeof *zeros;
    br_status_free(br_weights_add(weights, &view));
}

static br_weights *read_lines(const uint8_t *data, size_t size)
{
    br_weights *weights = br_weights_create();
    for (const uint8_t *at = data, *end = data + size; weights && at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        char line[LINE_MAX_BYTES] = {0};
        memcpy(line, at, length < sizeof line ? length : sizeof line - 1);
        add_line(weights, line);
        at += length + 1;
    }
    return weights;
}

/* What was inferred of a part, read as if it stood in a folder. */
static union {
    br_unet_config unet;
    br_clip_text_config text;
    br_vae_config vae;
    br_taesd_config taesd;
} read;

static void infer_vae(const br_weights *weights)
{
    const char *class_name;
    json_t *config;
    br_status status = br_infer_vae(weights, 0.18215, "input", &class_name, &config);
    if (!status && strcmp(class_name, "AutoencoderTiny") == 0)
        status = br_taesd_config_read(config, "input", &read.taesd);
    else if (!status)
        status = br_vae_config_read(config, "input", &read.vae);
    json_decref(config);
    br_status_free(status);
}

static void infer_text(const br_weights *weights, const br_inferred *inferred, bool second)
{
    json_t *config;
    bool sd2 = inferred->family == BR_FAMILY_SD2;
    br_status status = br_infer_text(
        &(br_infer_text_params){
            .weights = weights, .file = "input", .quick_gelu = !sd2 && !second, .last_dropped = sd2, .projected = second},
        &config);
    if (!status)
        status = br_clip_text_config_read(config, "input", &read.text);
    json_decref(config);
    br_status_free(status);
}

static void infer(const br_names *names)
{
    br_weights *const *parts = names->parts;
    br_inferred inferred;
    json_t *config = NULL;
    char name[160];
    if (parts[BR_NAMED_VAE])
        infer_vae(parts[BR_NAMED_VAE]);
    if (!parts[BR_NAMED_UNET])
        return;
    br_status status = br_infer_family(&(br_infer_family_params){.unet = parts[BR_NAMED_UNET],
                                                                 .text = parts[BR_NAMED_TEXT],
                                                                 .text_2 = parts[BR_NAMED_TEXT_2],
                                                                 .open_clip = names->open_clip[BR_NAMED_TEXT],
                                                                 .file = "input"},
                                       &inferred);
    if (!status) {
        br_inferred_name(&inferred, name, sizeof name);
        for (int i = 0; i < 2; i++)
            if (parts[BR_NAMED_TEXT + i])
                infer_text(parts[BR_NAMED_TEXT + i], &inferred, i == 1);
        status = br_infer_unet(parts[BR_NAMED_UNET], &inferred, "input", &config);
    }
    if (!status)
        status = br_unet_config_read(config, "input", &read.unet);
    json_decref(config);
    br_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    br_weights *weights = read_lines(data, size);
    br_names names = {0};
    if (!weights)
        return 0;
    br_status status = br_weights_seal(weights);
    if (!status)
        status = br_names_init(weights, &names);
    if (!status)
        infer(&names);
    br_status_free(status);
    br_names_finish(&names);
    br_weights_destroy(weights);
    return 0;
}
