#include "weights/checkpoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Longest sentence about a checkpoint. */
#define NOTE_MAX 512

void br_checkpoint_part_finish(br_checkpoint_part *part)
{
    free(part->class_name);
    free(part->config_path);
    json_decref(part->config);
    free(part->weights_path);
    br_weights_destroy(part->weights);
    *part = (br_checkpoint_part){0};
}

br_status br_checkpoint_note(br_checkpoint *checkpoint, const char *format, ...)
{
    char **odd = realloc(checkpoint->odd, ((size_t)checkpoint->odd_count + 1) * sizeof *odd);
    char *text = malloc(NOTE_MAX);
    if (odd)
        checkpoint->odd = odd;
    if (!odd || !text) {
        free(text);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", checkpoint->path);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(text, NOTE_MAX, format, args);
    va_end(args);
    odd[checkpoint->odd_count++] = text;
    return NULL;
}

void br_checkpoint_finish(br_checkpoint *checkpoint)
{
    free(checkpoint->path);
    free(checkpoint->class_name);
    br_checkpoint_part_finish(&checkpoint->text_encoder);
    br_checkpoint_part_finish(&checkpoint->text_encoder_2);
    br_checkpoint_part_finish(&checkpoint->unet);
    br_checkpoint_part_finish(&checkpoint->vae);
    free(checkpoint->tokenizer_path);
    free(checkpoint->tokenizer_2_path);
    free(checkpoint->scheduler_path);
    json_decref(checkpoint->scheduler);
    json_decref(checkpoint->index);
    json_decref(checkpoint->drawing);
    free(checkpoint->family);
    for (int i = 0; i < checkpoint->odd_count; i++)
        free(checkpoint->odd[i]);
    free(checkpoint->odd);
    *checkpoint = (br_checkpoint){0};
}
