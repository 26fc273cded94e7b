#include "weights/checkpoint.h"

#include <stdlib.h>

static void finish_part(br_checkpoint_part *part)
{
    free(part->class_name);
    free(part->config_path);
    json_decref(part->config);
    free(part->weights_path);
    br_weights_destroy(part->weights);
}

void br_checkpoint_finish(br_checkpoint *checkpoint)
{
    free(checkpoint->path);
    free(checkpoint->class_name);
    finish_part(&checkpoint->text_encoder);
    finish_part(&checkpoint->text_encoder_2);
    finish_part(&checkpoint->unet);
    finish_part(&checkpoint->vae);
    free(checkpoint->tokenizer_path);
    free(checkpoint->tokenizer_2_path);
    free(checkpoint->scheduler_path);
    json_decref(checkpoint->scheduler);
    json_decref(checkpoint->index);
    json_decref(checkpoint->drawing);
    *checkpoint = (br_checkpoint){0};
}
