/* Model folders: the one that ships, one with shards and variants, and every way a part can be missing or wrong. */
#include "support/scratch.h"
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/diffusers_dir.h"

#define INDEX                                                                                               \
    "{\"_class_name\":\"StableDiffusionPipeline\",\"text_encoder\":[\"transformers\",\"CLIPTextModel\"],"   \
    "\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"],\"unet\":[\"diffusers\",\"UNet2DConditionModel\"]," \
    "\"vae\":[\"diffusers\",\"AutoencoderKL\"],\"scheduler\":[\"diffusers\",\"DDIMScheduler\"],"            \
    "\"safety_checker\":[null,null],\"image_encoder\":null"

static void write_text(const char *name, const char *text)
{
    br_scratch_file(name, text, strlen(text));
}

/* A safetensors file of one tensor of four bytes. */
static void write_weights(const char *name, const char *tensor)
{
    char bytes[256] = {0};
    int length = snprintf(bytes + 8, sizeof bytes - 8, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", tensor);
    bytes[0] = (char)length;
    br_scratch_file(name, bytes, 8 + (size_t)length + 4);
}

static void make_model(void)
{
    write_text("m/model_index.json", INDEX "}");
    write_text("m/text_encoder/config.json", "{\"a\":1}");
    write_weights("m/text_encoder/model.safetensors", "t");
    write_text("m/unet/config.json", "{}");
    write_weights("m/unet/diffusion_pytorch_model.safetensors", "u");
    write_text("m/vae/config.json", "{}");
    write_weights("m/vae/diffusion_pytorch_model.safetensors", "v");
    write_text("m/tokenizer/vocab.json", "{}");
    write_text("m/scheduler/scheduler_config.json", "{\"steps_offset\":1}");
}

static br_status open_model(br_checkpoint *out_dir)
{
    return br_diffusers_dir_open(br_scratch_path("m"), out_dir);
}

/* Opens the folder, expects this error, and that nothing is left in *out_dir. */
static void expect(br_code code, const char *message)
{
    br_checkpoint dir;
    assert_status(open_model(&dir), code, message);
    assert_memory_equal(&dir, &(br_checkpoint){0}, sizeof dir);
}

static void test_shipped(void **state)
{
    (void)state;
    br_checkpoint dir;
    assert_status_ok(br_diffusers_dir_open(br_test_path("assets/models/emoji"), &dir));
    assert_string_equal(dir.unet.class_name, "UNet2DConditionModel");
    assert_non_null(br_weights_find(dir.unet.weights, "conv_in.weight"));
    assert_non_null(br_weights_find(dir.vae.weights, "decoder.conv_in.weight"));
    assert_non_null(br_weights_find(dir.text_encoder.weights, "text_model.final_layer_norm.weight"));
    assert_int_equal(json_integer_value(json_object_get(dir.scheduler, "steps_offset")), 1);
    assert_int_equal(json_integer_value(json_object_get(dir.drawing, "steps")), 25);
    br_checkpoint_finish(&dir);
    br_checkpoint_finish(&dir);
}

static void test_minimal(void **state)
{
    (void)state;
    make_model();
    br_checkpoint dir;
    assert_status_ok(open_model(&dir));
    assert_int_equal(json_integer_value(json_object_get(dir.text_encoder.config, "a")), 1);
    assert_non_null(br_weights_find(dir.vae.weights, "v"));
    assert_null(dir.drawing);
    br_checkpoint_finish(&dir);
}

static void test_two_encoders(void **state)
{
    (void)state;
    br_checkpoint dir;
    make_model();
    write_text("m/text_encoder_2/config.json", "{\"b\":2}");
    write_weights("m/text_encoder_2/model.safetensors", "t2");
    write_text("m/tokenizer_2/vocab.json", "{}");
    write_text("m/model_index.json",
               "{\"_class_name\":\"StableDiffusionXLImg2ImgPipeline\",\"text_encoder\":[null,null],\"tokenizer\":[null,null],"
               "\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"],"
               "\"tokenizer_2\":[\"transformers\",\"CLIPTokenizer\"],\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],"
               "\"vae\":[\"diffusers\",\"AutoencoderTiny\"],\"requires_aesthetics_score\":true}");
    assert_status_ok(open_model(&dir));
    assert_string_equal(dir.class_name, "StableDiffusionXLImg2ImgPipeline");
    assert_null(dir.text_encoder.class_name);
    assert_null(dir.tokenizer_path);
    assert_non_null(br_weights_find(dir.text_encoder_2.weights, "t2"));
    assert_string_equal(dir.tokenizer_2_path, br_scratch_path("m/tokenizer_2"));
    assert_string_equal(dir.vae.class_name, "AutoencoderTiny");
    assert_true(json_is_true(json_object_get(dir.index, "requires_aesthetics_score")));
    br_checkpoint_finish(&dir);

    write_text("m/model_index.json", INDEX ",\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"],"
                                           "\"tokenizer_2\":[\"transformers\",\"CLIPTokenizer\"]}");
    assert_status_ok(open_model(&dir));
    assert_non_null(br_weights_find(dir.text_encoder.weights, "t"));
    assert_non_null(br_weights_find(dir.text_encoder_2.weights, "t2"));
    assert_non_null(dir.tokenizer_path);
    br_checkpoint_finish(&dir);
}

static void test_not_a_model(void **state)
{
    (void)state;
    br_checkpoint dir;
    assert_status(br_diffusers_dir_open(br_scratch_path("nowhere"), &dir), BR_ERROR_NOT_FOUND, "there is no model at ");
    write_text("plain", "x");
    assert_status(br_diffusers_dir_open(br_scratch_path("plain"), &dir), BR_ERROR_UNSUPPORTED,
                  "plain is a file, expected a model folder");
    mkdir(br_scratch_path("empty"), 0777);
    assert_status(br_diffusers_dir_open(br_scratch_path("empty"), &dir), BR_ERROR_NOT_FOUND, "empty/model_index.json");
}

static void test_missing_parts(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } parts[] = {
        {"m/model_index.json", "the model has no model_index.json, expected "},
        {"m/text_encoder/config.json", "m/text_encoder/config.json"},
        {"m/text_encoder/model.safetensors", "no weights of the text_encoder"},
        {"m/unet/config.json", "m/unet/config.json"},
        {"m/unet/diffusion_pytorch_model.safetensors", "no weights of the unet"},
        {"m/vae/config.json", "m/vae/config.json"},
        {"m/vae/diffusion_pytorch_model.safetensors", "no weights of the vae"},
        {"m/scheduler/scheduler_config.json", "the model has no scheduler, expected "},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        make_model();
        assert_int_equal(unlink(br_scratch_path(parts[i].file)), 0);
        expect(BR_ERROR_NOT_FOUND, parts[i].message);
    }
    make_model();
    assert_int_equal(rename(br_scratch_path("m/tokenizer"), br_scratch_path("m/elsewhere")), 0);
    expect(BR_ERROR_NOT_FOUND, "the model has no tokenizer, expected ");
    assert_int_equal(rename(br_scratch_path("m/elsewhere"), br_scratch_path("m/tokenizer")), 0);
}

static void test_broken_parts(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        br_code code;
        const char *message;
    } cases[] = {
        {"m/model_index.json", "[]", BR_ERROR_FORMAT, "model_index.json is not a JSON object"},
        {"m/model_index.json", "{", BR_ERROR_FORMAT, "model_index.json: invalid JSON"},
        {"m/model_index.json", "{}", BR_ERROR_FORMAT, "text_encoder is missing, expected [library, \"CLIPTextModel\"]"},
        {"m/model_index.json", "{\"text_encoder\":\"CLIPTextModel\"}", BR_ERROR_FORMAT, "text_encoder is missing"},
        {"m/model_index.json", "{\"_class_name\":\"FluxPipeline\"}", BR_ERROR_UNSUPPORTED, "_class_name is FluxPipeline"},
        {"m/model_index.json", "{\"text_encoder\":[\"transformers\",\"T5EncoderModel\"]}", BR_ERROR_UNSUPPORTED,
         "text_encoder is a T5EncoderModel, expected CLIPTextModel"},
        {"m/model_index.json", INDEX ",\"text_encoder_2\":[\"transformers\",\"CLIPTextModel\"]}", BR_ERROR_UNSUPPORTED,
         "text_encoder_2 is a CLIPTextModel, expected CLIPTextModelWithProjection"},
        {"m/model_index.json", INDEX ",\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"]}", BR_ERROR_FORMAT,
         "tokenizer_2 is missing, expected [library, \"CLIPTokenizer\"]"},
        {"m/model_index.json", INDEX ",\"controlnet\":[\"diffusers\",\"ControlNetModel\"]}", BR_ERROR_UNSUPPORTED,
         "component controlnet is not supported"},
        {"m/model_index.json", "nonsense", BR_ERROR_FORMAT, "model_index.json: invalid JSON"},
        {"m/model_index.json", "{\"text_encoder\":null}", BR_ERROR_FORMAT, "text_encoder is missing"},
        {"m/model_index.json", "{\"text_encoder\":[null,null]}", BR_ERROR_FORMAT, "text_encoder is missing"},
        {"m/model_index.json", "{\"text_encoder\":[\"t\",\"CLIPTextModel\"],\"unet\":[null,null]}", BR_ERROR_FORMAT,
         "unet is missing, expected [library, \"UNet2DConditionModel\"]"},
        {"m/model_index.json",
         "{\"text_encoder\":[\"t\",\"CLIPTextModel\"],\"unet\":[\"d\",\"UNet2DConditionModel\"],\"vae\":[\"d\",\"VQModel\"]}",
         BR_ERROR_UNSUPPORTED, "vae is a VQModel, expected AutoencoderKL or AutoencoderTiny"},
        {"m/model_index.json",
         "{\"text_encoder\":[\"t\",\"CLIPTextModel\"],\"unet\":[\"d\",\"UNet2DConditionModel\"],\"vae\":[\"d\",\"AutoencoderKL\"],"
         "\"tokenizer\":[\"t\",\"T5Tokenizer\"]}",
         BR_ERROR_UNSUPPORTED, "tokenizer is a T5Tokenizer, expected CLIPTokenizer"},
        {"m/unet/config.json", "{\"a\":1,\"a\":2}", BR_ERROR_FORMAT, "m/unet/config.json: invalid JSON"},
        {"m/scheduler/scheduler_config.json", "", BR_ERROR_FORMAT, "scheduler_config.json: invalid JSON"},
        {"m/vae/diffusion_pytorch_model.safetensors", "", BR_ERROR_FORMAT, "m/vae/diffusion_pytorch_model.safetensors: 0 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_model();
        write_text(cases[i].file, cases[i].text);
        expect(cases[i].code, cases[i].message);
    }
    make_model();
    write_text("m/brume.json", "{\"steps\":");
    expect(BR_ERROR_FORMAT, "m/brume.json: invalid JSON");
    assert_int_equal(unlink(br_scratch_path("m/brume.json")), 0);
}

static void test_variants(void **state)
{
    (void)state;
    make_model();
    br_checkpoint dir;
    write_weights("m/unet/diffusion_pytorch_model.fp16.safetensors", "half");
    assert_status_ok(open_model(&dir));
    assert_non_null(br_weights_find(dir.unet.weights, "u")); /* the plain file comes first */
    br_checkpoint_finish(&dir);
    assert_int_equal(unlink(br_scratch_path("m/unet/diffusion_pytorch_model.safetensors")), 0);
    assert_status_ok(open_model(&dir));
    assert_non_null(br_weights_find(dir.unet.weights, "half"));
    br_checkpoint_finish(&dir);
    assert_int_equal(unlink(br_scratch_path("m/unet/diffusion_pytorch_model.fp16.safetensors")), 0);

    static const char index[] = "m/unet/diffusion_pytorch_model.safetensors.index.fp16.json";
    write_text(index, "{\"weight_map\":{\"h\":\"diffusion_pytorch_model.fp16-00001-of-00001.safetensors\"}}");
    write_weights("m/unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors", "h");
    assert_status_ok(open_model(&dir));
    assert_non_null(br_weights_find(dir.unet.weights, "h"));
    br_checkpoint_finish(&dir);
    assert_int_equal(unlink(br_scratch_path(index)), 0);
}

#define SHARD_INDEX "m/unet/diffusion_pytorch_model.safetensors.index.json"

static void test_shards(void **state)
{
    (void)state;
    make_model();
    assert_int_equal(unlink(br_scratch_path("m/unet/diffusion_pytorch_model.safetensors")), 0);
    write_weights("m/unet/one.safetensors", "a");
    write_weights("m/unet/two.safetensors", "b");
    write_text(SHARD_INDEX, "{\"metadata\":{},\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
    br_checkpoint dir;
    assert_status_ok(open_model(&dir));
    assert_int_equal(br_weights_count(dir.unet.weights), 2);
    assert_non_null(br_weights_find(dir.unet.weights, "b"));
    br_checkpoint_finish(&dir);

    write_weights("m/unet/two.safetensors", "a");
    expect(BR_ERROR_FORMAT, "tensor \"a\" is both in ");
    static const struct {
        const char *text;
        br_code code;
        const char *message;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"../vae/diffusion_pytorch_model.safetensors\"}}", BR_ERROR_FORMAT, "is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", BR_ERROR_FORMAT, "is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", BR_ERROR_FORMAT, "is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"sub/one.safetensors\"}}", BR_ERROR_FORMAT,
         "shard \"sub/one.safetensors\" is not a plain file name"},
        {"{\"weight_map\":{\"a\":\"..\\\\one.safetensors\"}}", BR_ERROR_FORMAT, "is not a plain file name"},
        {"{\"weight_map\":{\"a\":\".\"}}", BR_ERROR_IO, "is a folder"},
        {"{\"weight_map\":{\"a\":\"\"}}", BR_ERROR_IO, "is a folder"},
        {"{\"metadata\":{}}", BR_ERROR_FORMAT, "has no object weight_map"},
        {"{", BR_ERROR_FORMAT, "index.json: invalid JSON"},
        {"{\"weight_map\":{\"a\":7}}", BR_ERROR_FORMAT, "weight_map.a is not a file name"},
        {"{\"weight_map\":[]}", BR_ERROR_FORMAT, "has no object weight_map"},
        {"[]", BR_ERROR_FORMAT, "has no object weight_map"},
        {"{\"weight_map\":{\"a\":\"three.safetensors\"}}", BR_ERROR_NOT_FOUND, "three.safetensors: cannot open"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text(SHARD_INDEX, cases[i].text);
        expect(cases[i].code, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),     cmocka_unit_test(test_minimal),       cmocka_unit_test(test_two_encoders),
        cmocka_unit_test(test_not_a_model), cmocka_unit_test(test_missing_parts), cmocka_unit_test(test_broken_parts),
        cmocka_unit_test(test_variants),    cmocka_unit_test(test_shards),
    };
    return cmocka_run_group_tests(tests, br_scratch_setup, br_scratch_teardown);
}
