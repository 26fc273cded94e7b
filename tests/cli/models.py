"""Models that are incomplete, damaged, or made to harm. All of it is found before a device is opened, so none is needed."""

import json
import struct

import support

WEIGHTS = {
    "text_encoder": "text_encoder/model.safetensors",
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
}
CONFIGS = ["text_encoder/config.json", "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"]
REQUIRED = ["model_index.json", *CONFIGS, *WEIGHTS.values(), "tokenizer/vocab.json", "tokenizer/merges.txt"]
# No driver: if a model got as far as a device, the message would be about that.
NO_DEVICE = {"VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent"}


class ModelCase(support.Case):
    def refused(self, folder, *contains):
        """By the command that draws and by the one that only looks."""
        self.fails("txt2img", "x", "-m", str(folder), contains=contains, env=NO_DEVICE)
        return self.fails("inspect", str(folder), contains=contains, env=NO_DEVICE)


class MissingParts(ModelCase):
    def test_each_part(self):
        for part in REQUIRED:
            with self.subTest(part):
                folder = self.model(part)
                self.refused(folder, part.split("/")[-1].split(".")[0])

    def test_each_folder(self):
        for part in ("text_encoder", "unet", "vae", "tokenizer", "scheduler"):
            with self.subTest(part):
                folder = self.model()
                support.shutil.rmtree(folder / part)
                self.refused(folder, part)

    def test_no_model(self):
        self.refused("nowhere", "nowhere")
        (self.dir / "empty").mkdir()
        self.refused("empty", "empty")
        (self.dir / "file").write_bytes(b"not a model")
        self.refused("file", "file")


class Weights(ModelCase):
    def with_weights(self, data, part="vae"):
        folder = self.model(WEIGHTS[part])
        (folder / WEIGHTS[part]).write_bytes(data)
        return folder

    def refused_weights(self, data, *contains):
        folder = self.with_weights(data)
        return self.refused(folder, "safetensors", *contains)

    def setUp(self):
        super().setUp()
        self.header, self.data = support.split_safetensors(support.MODEL / WEIGHTS["vae"])
        self.names = sorted((name for name in self.header if name != "__metadata__"), key=lambda name: self.header[name]["data_offsets"])

    def changed(self, name, **entry):
        header = dict(self.header)
        header[name] = dict(header[name], **entry)
        return support.join_safetensors(header, self.data)

    def test_truncated(self):
        whole = (support.MODEL / WEIGHTS["vae"]).read_bytes()
        for size in (0, 7, 8, 100, len(whole) // 2, len(whole) - 1):
            with self.subTest(size):
                self.refused_weights(whole[:size])

    def test_truncated_in_every_component(self):
        for part, path in WEIGHTS.items():
            with self.subTest(part):
                folder = self.with_weights((support.MODEL / path).read_bytes()[:-1], part)
                self.refused(folder, part)

    def test_header_length(self):
        for size in (2**63, 2**64 - 1, 2**63 - 1, 10**9, 0):
            with self.subTest(size):
                self.refused_weights(struct.pack("<Q", size) + b'{"a": 1}' + self.data)

    def test_header_text(self):
        for text in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100000, b'{"a":' * 100000, b"{}", b'{"a": {}}', b'{"a": 1}'):
            with self.subTest(text[:20]):
                self.refused_weights(support.join_safetensors(text, self.data))

    def test_offsets(self):
        first, second = self.names[0], self.names[1]
        begin, end = self.header[first]["data_offsets"]
        size = len(self.data)
        for offsets in ([begin, size + 1], [size, size + end - begin], [end, begin], [begin, end + 2], [begin + 1, end + 1], [-2, end - 2],
                        [2**63, 2**63 + end], [0, 2**64], [0.5, end], ["0", end], [begin], [], None, 7):
            with self.subTest(offsets):
                self.refused_weights(self.changed(first, data_offsets=offsets))
        with self.subTest("overlapping"):
            length = self.header[second]["data_offsets"][1] - self.header[second]["data_offsets"][0]
            self.refused_weights(self.changed(second, data_offsets=[begin, begin + length]))

    def test_shapes(self):
        name = next(name for name in self.names if len(self.header[name]["shape"]) == 4)
        shape = self.header[name]["shape"]
        for wrong in ([], shape[:3], [*shape, 2], [shape[0], -shape[1], -shape[2], shape[3]], [2**62, 4, 4, 4], [2**32, 2**32, 1, 1],
                      [0, *shape[1:]], "shape", None, [[1]], [1.5, 1, 1, 1], [1] * 100):
            with self.subTest(wrong):
                self.refused_weights(self.changed(name, shape=wrong))

    def test_dtype(self):
        for dtype in ("F17", "", "f16", None, 16, "F64"):
            with self.subTest(dtype):
                self.refused_weights(self.changed(self.names[0], dtype=dtype))


class Configs(ModelCase):
    def with_config(self, part, text):
        folder = self.model(part)
        (folder / part).write_bytes(text)
        return folder

    def test_not_json(self):
        for part in ["model_index.json", *CONFIGS, "tokenizer/vocab.json"]:
            for text in (b"", b"{", b"[1]", b'"x"', b"[" * 100000, b'{"a": NaN}', b"\xff"):
                with self.subTest(part=part, text=text[:10]):
                    folder = self.with_config(part, text)
                    self.refused(folder, part.split("/")[-1])

    def changed(self, part, **values):
        config = json.loads((support.MODEL / part).read_text())
        return self.with_config(part, json.dumps(dict(config, **values)).encode())

    def test_values(self):
        for part, key, value in (
                ("unet/config.json", "block_out_channels", [2**31, 64, 64]),
                ("unet/config.json", "block_out_channels", []),
                ("unet/config.json", "layers_per_block", -1),
                ("unet/config.json", "norm_num_groups", 0),
                ("unet/config.json", "attention_head_dim", 0),
                ("unet/config.json", "down_block_types", ["FancyDownBlock2D"]),
                ("unet/config.json", "act_fn", "sigmoid"),
                ("vae/config.json", "block_out_channels", "64"),
                ("vae/config.json", "latent_channels", 2**40),
                ("vae/config.json", "norm_num_groups", 7),
                ("text_encoder/config.json", "hidden_act", "relu6"),
                ("text_encoder/config.json", "num_attention_heads", 0),
                ("text_encoder/config.json", "hidden_size", 10**12),
                ("scheduler/scheduler_config.json", "beta_schedule", "sigmoid"),
                ("scheduler/scheduler_config.json", "num_train_timesteps", 0),
                ("scheduler/scheduler_config.json", "prediction_type", "flow")):
            with self.subTest(part=part, key=key, value=value):
                folder = self.changed(part, **{key: value})
                self.refused(folder, key)

    def test_unknown_classes(self):
        for part, name in (("unet", "SD3Transformer2DModel"), ("vae", "AsymmetricAutoencoderKL"), ("text_encoder", "T5EncoderModel")):
            with self.subTest(part):
                folder = self.changed("model_index.json", **{part: ["diffusers", name]})
                self.refused(folder, name)
        name = "FlowMatchEulerDiscreteScheduler"
        self.refused(self.changed("scheduler/scheduler_config.json", _class_name=name), name)


if __name__ == "__main__":
    support.main()
