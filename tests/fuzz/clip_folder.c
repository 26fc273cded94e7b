/* Any tokenizer folder: six files separated by NUL, of which an empty one is left out, then a prompt. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokenizer/clip_bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES 6

/* Every id must be one of the embedding table's rows. */
static void encode(const br_clip_bpe *bpe, const char *prompt)
{
    br_clip_ids ids = {0};
    br_clip_frame frame = br_clip_bpe_frame(bpe);
    int size = br_clip_bpe_vocab_size(bpe);
    br_status status = br_clip_bpe_encode(bpe, prompt, strlen(prompt), &ids);
    for (size_t i = 0; !status && i < ids.count; i++)
        if (ids.items[i] < 0 || ids.items[i] >= size)
            abort();
    if (frame.bos < 0 || frame.bos >= size || frame.eos < 0 || frame.eos >= size || frame.pad < 0 || frame.pad >= size ||
        frame.comma >= size)
        abort();
    br_status_free(status);
    free(ids.items);
}

static const char *scratch_folder(void)
{
    static char folder[] = "/tmp/brume-fuzz-XXXXXX";
    static int made;
    if (!made && !mkdtemp(folder))
        abort();
    made = 1;
    return folder;
}

static void fuzz_folder(const char *text, const char *end)
{
    static const char *const names[FILES] = {
        "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"};
    char path[128];
    for (int i = 0; i < FILES; i++) {
        const char *stop = text < end ? text + strlen(text) : text;
        snprintf(path, sizeof path, "%s/%s", scratch_folder(), names[i]);
        remove(path);
        if (stop > text) {
            FILE *stream = fopen(path, "wb");
            if (!stream || fwrite(text, 1, (size_t)(stop - text), stream) != (size_t)(stop - text) || fclose(stream) != 0)
                abort();
        }
        text = stop < end ? stop + 1 : end;
    }
    br_clip_bpe *bpe;
    br_status status = br_clip_bpe_open(scratch_folder(), &bpe);
    if (!status)
        encode(bpe, text);
    br_status_free(status);
    br_clip_bpe_destroy(bpe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    fuzz_folder(text, text + size);
    free(text);
    return 0;
}
