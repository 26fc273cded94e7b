"""Models in single files: recognised at their true size from names and shapes alone."""

import gzip
import json
import math
import struct

import support

LISTS = support.SOURCE / "tests/data/full_size"
UNET = "model.diffusion_model."
XL = "Stable Diffusion XL"
# Family, and the size it draws. Where the number of the UNet's parameters is well known, that too.
KNOWN = {
    "sd15": ("Stable Diffusion 1", 512, 859520964),
    "sd21": ("Stable Diffusion 2", 512, 865910724),
    "sdxl": (XL, 1024, 2567463684),
    "refiner": (XL + " refiner", 1024, None),
    "inpaint": ("Stable Diffusion 1, inpainting", 512, None),
    "pix2pix": ("Stable Diffusion 1, instruct-pix2pix", 512, None),
    "lcm": ("Stable Diffusion 1, LCM", 512, None),
    "ssd1b": (XL, 1024, None),
    "vega": (XL, 1024, None),
    "small_sd": ("Stable Diffusion 1", 512, None),
    "tiny_sd": ("Stable Diffusion 1", 512, None),
}
PREFIXES = {"cond_stage_model.": "text_encoder", "conditioner.embedders.0.transformer.": "text_encoder", "conditioner.embedders.0.model.": "text_encoder_2",
            "conditioner.embedders.1.model.": "text_encoder_2", "model.diffusion_model.": "unet", "first_stage_model.": "vae"}


def parameters(shapes):
    """Of each part, by the prefixes."""
    counts = {}
    for name, shape in shapes.items():
        part = next(part for prefix, part in PREFIXES.items() if name.startswith(prefix))
        if not name.endswith("logit_scale"):
            counts[part] = counts.get(part, 0) + math.prod(shape)
    return counts


def write_sparse(path, shapes):
    """A float16 file of these tensors that is all holes."""
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + 2 * math.prod(shape)]}
        at += 2 * math.prod(shape)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


class Recognised(support.Case):
    def shapes(self, name):
        return json.loads(gzip.decompress((LISTS / f"{name}.json.gz").read_bytes()))

    def inspect(self, shapes, *options):
        write_sparse(self.dir / "model.safetensors", shapes)
        return json.loads(self.succeeds("inspect", "model.safetensors", "--json", *options).out)

    def test_each_family(self):
        for name, (family, size, known) in KNOWN.items():
            with self.subTest(name):
                shapes = self.shapes(name)
                model = self.inspect(shapes)
                counts = {part["name"]: part["parameters"] for part in model["components"]}
                self.assertEqual(model["family"], family)
                self.assertEqual(model["format"], "safetensors")
                self.assertEqual(model["defaults"]["width"], size)
                self.assertEqual(counts, parameters(shapes))
                self.assertIn(known, (None, counts["unet"]))
                self.assertFalse([note for note in model["notes"] if "no place" in note or "has no" in note])

    def test_prediction(self):
        model = self.inspect(self.shapes("sd21"), "--prediction", "v")
        self.assertEqual(model["family"], "Stable Diffusion 2, v-prediction")
        self.assertEqual(self.inspect({**self.shapes("sdxl"), "v_pred": [0], "ztsnr": [0]})["family"],
                         XL + ", v-prediction, zero terminal SNR")

    def test_odd(self):
        notes = self.inspect({**self.shapes("tiny_sd"), "model_ema.x": [1], "first_stage_model.encoder.strange": [3]})["notes"]
        self.assertIn("tensor first_stage_model.encoder.strange has no place in this model", notes)
        self.assertTrue([note for note in notes if note.startswith("1 tensors change nothing")])

    def test_refused(self):
        shapes = self.shapes("tiny_sd")
        cases = [
            ({name: shape for name, shape in shapes.items() if "first_stage" not in name}, "has no VAE: give a model folder that has one with --config, or"),
            ({name: shape for name, shape in shapes.items() if "cond_stage" not in name}, "has no text encoder: give a model folder that has one"),
            ({"lora_unet_down.lora_up.weight": [4, 4]}, "is a LoRA"),
            ({"double_blocks.0.img_attn.qkv.weight": [4, 4]}, "is a Flux model"),
            ({"strange": [1]}, "none of its 1 tensors is known, such as strange"),
            ({name: shape for name, shape in shapes.items() if name != UNET + "out.2.bias"}, "unet has no tensor conv_out.bias, expected [4]"),
            ({**shapes, UNET + "out.2.bias": [5]}, "unet: tensor conv_out.bias is [5], expected [4]"),
            ({**shapes, "edm_mean": [4]}, "models of the EDM formulation are not supported"),
            ({**shapes, "scaled_fp8": [0]}, "weights with scales beside them are not supported"),
        ]
        for tensors, words in cases:
            with self.subTest(words):
                write_sparse(self.dir / "model.safetensors", tensors)
                self.fails("inspect", "model.safetensors", contains=words)


if __name__ == "__main__":
    support.main()
