/* br_model_load on the host: the drawing defaults in brume.json, and parts that do not fit each other. */
#include "pipeline/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/scratch.h"
#include "support/test.h"

static const br_log silent = {.write = NULL};

/* The emoji model with another brume.json (NULL: none) and, where `part` is not NULL, another file in place of that one. */
static br_status load(const char *drawing, const char *part, const char *text, br_model **out_model)
{
    static const char *const files[] = {"model_index.json",
                                        "text_encoder/config.json",
                                        "text_encoder/model.safetensors",
                                        "unet/config.json",
                                        "unet/diffusion_pytorch_model.safetensors",
                                        "vae/config.json",
                                        "vae/diffusion_pytorch_model.safetensors",
                                        "tokenizer/vocab.json",
                                        "tokenizer/merges.txt",
                                        "tokenizer/tokenizer_config.json",
                                        "tokenizer/special_tokens_map.json",
                                        "scheduler/scheduler_config.json"};
    static int number;
    char name[96], source[96];
    number++;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "m%d/%s", number, files[i]);
        snprintf(source, sizeof source, "assets/models/emoji/%s", files[i]);
        bool other = part && strcmp(part, files[i]) == 0;
        const char *path = br_scratch_file(name, other ? text : "", other ? strlen(text) : 0);
        if (!other) {
            assert_int_equal(unlink(path), 0);
            assert_int_equal(symlink(br_test_path(source), path), 0);
        }
    }
    snprintf(name, sizeof name, "m%d/brume.json", number);
    if (drawing)
        br_scratch_file(name, drawing, strlen(drawing));
    snprintf(name, sizeof name, "m%d", number);
    return br_model_load(&(br_checkpoint_params){.path = br_scratch_path(name)}, &silent, out_model);
}

static void test_no_defaults(void **state)
{
    (void)state;
    br_model *model;
    assert_status_ok(load(NULL, NULL, NULL, &model));
    assert_int_equal(model->defaults.steps, 25);
    assert_true(model->defaults.guidance == 7);
    assert_int_equal(model->defaults.width, 64); /* the UNet's sample_size times the VAE's factor */
    assert_int_equal(model->defaults.height, 64);
    assert_string_equal(model->defaults.sampler, "ddim"); /* from scheduler_config.json */
    br_model_unload(model);
}

static void test_defaults(void **state)
{
    (void)state;
    br_model *model;
    assert_status_ok(
        load("{\"steps\":7,\"guidance\":2.5,\"width\":96,\"height\":32,\"sampler\":\"euler_a\",\"schedule\":\"karras\"}", NULL,
             NULL, &model));
    assert_int_equal(model->defaults.steps, 7);
    assert_true(model->defaults.guidance == 2.5);
    assert_int_equal(model->defaults.width, 96);
    assert_int_equal(model->defaults.height, 32);
    assert_string_equal(model->defaults.sampler, "euler_a");
    assert_string_equal(model->defaults.schedule, "karras");
    br_model_unload(model);
    assert_status_ok(load("{\"_comment\":\"one of them is enough\",\"steps\":3}", NULL, NULL, &model));
    assert_int_equal(model->defaults.steps, 3);
    assert_true(model->defaults.guidance == 7);
    br_model_unload(model);
}

static void test_bad_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *drawing;
        br_code code;
        const char *message;
    } cases[] = {
        {"", BR_ERROR_FORMAT, "brume.json: invalid JSON"},
        {"[]", BR_ERROR_FORMAT, "brume.json"},
        {"7", BR_ERROR_FORMAT, "brume.json: invalid JSON"},
        {"{\"steps\":0}", BR_ERROR_FORMAT, "brume.json: \"steps\" is 0, expected 1 to"},
        {"{\"steps\":-5}", BR_ERROR_FORMAT, "\"steps\" is -5"},
        {"{\"steps\":1000000}", BR_ERROR_FORMAT, "\"steps\" is 1000000"},
        {"{\"steps\":2.5}", BR_ERROR_FORMAT, "\"steps\" is 2.5, expected an integer"},
        {"{\"steps\":\"25\"}", BR_ERROR_FORMAT, "\"steps\" is \"25\", expected an integer"},
        {"{\"guidance\":\"high\"}", BR_ERROR_FORMAT, "\"guidance\" is \"high\", expected a number"},
        {"{\"guidance\":-1}", BR_ERROR_FORMAT, "brume.json: guidance is -1, expected above 0, at most 1000"},
        {"{\"guidance\":0}", BR_ERROR_FORMAT, "guidance is 0"},
        {"{\"guidance\":Infinity}", BR_ERROR_FORMAT, "guidance is 1.79e+308"},
        {"{\"width\":0}", BR_ERROR_FORMAT, "\"width\" is 0, expected 4 to 16384"},
        {"{\"height\":-64}", BR_ERROR_FORMAT, "\"height\" is -64"},
        {"{\"width\":99999}", BR_ERROR_FORMAT, "\"width\" is 99999"},
        {"{\"width\":66}", BR_ERROR_FORMAT, "brume.json: size is 66"},
        {"{\"sampler\":\"nonsense\"}", BR_ERROR_ARGUMENT, "brume.json: "},
        {"{\"sampler\":\"a name that is far too long for any sampler of this world\"}", BR_ERROR_UNSUPPORTED,
         "expected at most 31 characters"},
        {"{\"sampler\":3}", BR_ERROR_FORMAT, "\"sampler\" is 3, expected a string"},
        {"{\"schedule\":\"nonsense\"}", BR_ERROR_ARGUMENT, "brume.json: "},
        {"{\"cfg\":3}", BR_ERROR_UNSUPPORTED, "brume.json: cfg = 3 is not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_model *model = (br_model *)&model;
        assert_status(load(cases[i].drawing, NULL, NULL, &model), cases[i].code, cases[i].message);
        assert_null(model);
    }
}

static void test_misfits(void **state)
{
    (void)state;
    static const struct {
        const char *part, *text;
        br_code code;
        const char *message;
    } cases[] = {
        {"tokenizer/tokenizer_config.json", "{\"model_max_length\":76}", BR_ERROR_UNSUPPORTED,
         "the tokenizer makes 76 tokens, expected the text encoder's max_position_embeddings 77"},
        {"tokenizer/tokenizer_config.json", "{\"added_tokens_decoder\":{\"2048\":{\"content\":\"x\"}}}", BR_ERROR_FORMAT,
         "the tokenizer has 2049 tokens, expected at most the text encoder's vocab_size 2048"},
        {"tokenizer/vocab.json", "{}", BR_ERROR_FORMAT, "the special token \"<|endoftext|>\" is not in the vocabulary"},
        {"text_encoder/config.json", "{}", BR_ERROR_FORMAT,
         "cross_attention_dim is 128, expected the text encoder's hidden_size 512"},
        {"unet/config.json", "[]", BR_ERROR_FORMAT, "unet/config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        br_model *model;
        assert_status(load(NULL, cases[i].part, cases[i].text, &model), cases[i].code, cases[i].message);
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_defaults), cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_bad_defaults), cmocka_unit_test(test_misfits)};
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
