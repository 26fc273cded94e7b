/* Any bytes as a prompt for the small model's tokenizer. What was accepted must begin with bos, hold eos and stay in the vocabulary. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/clip_bpe.h"

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

static void check(const int32_t *ids, int used)
{
    int end = used < LENGTH ? used - 1 : LENGTH - 1;
    if (used < 2 || ids[0] != BOS || ids[end] != EOS)
        abort();
    for (int i = 0; i < LENGTH; i++)
        if (ids[i] < 0 || ids[i] > EOS || (i > end && ids[i] != EOS))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    int32_t ids[LENGTH];
    int used;
    br_status status = br_clip_bpe_encode(tokenizer, text, ids, &used);
    if (!status)
        check(ids, used);
    br_status_free(status);
    free(text);
    return 0;
}
