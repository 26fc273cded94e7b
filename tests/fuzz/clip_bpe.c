/* Any bytes as a prompt for the small model's tokenizer, with AUTOMATIC1111's syntax. What was accepted must be whole chunks whose ids are in the vocabulary
 * and whose weights are finite. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/chunks.h"

#define LENGTH 77
#define BOS 2046
#define EOS 2047

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static br_clip_bpe *tokenizer; /* libFuzzer has no other place for what all inputs share */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    br_status status = br_clip_bpe_open(BRUME_SOURCE_DIR "/assets/models/emoji/tokenizer", &tokenizer);
    if (status || br_clip_bpe_length(tokenizer) != LENGTH) {
        fprintf(stderr, "%s\n", br_status_message(status));
        exit(1);
    }
    return 0;
}

static void check(const br_chunks *chunks)
{
    if (chunks->count < 1 || chunks->length != LENGTH)
        abort();
    for (int n = 0; n < chunks->count; n++) {
        const int32_t *ids = chunks->ids + n * LENGTH;
        const float *weights = chunks->weights + n * LENGTH;
        if (ids[0] != BOS || ids[LENGTH - 1] != EOS)
            abort();
        for (int i = 0; i < LENGTH; i++)
            if (ids[i] < 0 || ids[i] > EOS || !(fabsf(weights[i]) <= (float)BR_PROMPT_WEIGHT_MAX))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    br_prompt prompt;
    br_chunks chunks = {0};
    br_status status = br_prompt_parse(text, &prompt);
    if (!status)
        status = br_chunks_init(&(br_chunks_params){.tokenizer = tokenizer, .prompt = &prompt}, &chunks);
    if (!status)
        check(&chunks);
    br_chunks_finish(&chunks);
    br_prompt_finish(&prompt);
    br_status_free(status);
    free(text);
    return 0;
}
