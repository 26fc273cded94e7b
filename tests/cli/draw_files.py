"""Single files draw what the folders draw that they were made of."""

import json
import os
import shutil
import subprocess
import sys

import support

TINY = support.SOURCE / "tests/data/tiny"
REWRITE = support.SOURCE / "tools/reference/single_file.py"
sys.path.insert(0, str(REWRITE.parent))

import single_file  # noqa: E402


class Files(support.Case):
    def test_as_the_folder(self):
        for name, suffix in (("sd1", "ckpt"), ("sdxl", "safetensors")):
            with self.subTest(name):
                folder, file = str(TINY / name), f"{name}.{suffix}"
                subprocess.run([sys.executable, "-B", REWRITE, folder, self.dir / file], check=True)
                common = ("txt2img", "a red cat", "-s", "3", "--steps", "2", "-q")
                self.succeeds(*common, "-m", folder, "--dump-dir", "a", "-o", "a.png")
                self.succeeds(*common, "-m", file, "--config", folder, "--dump-dir", "b", "-o", "b.png")
                names = sorted(os.listdir(self.dir / "a"))
                self.assertEqual(names, sorted(os.listdir(self.dir / "b")))
                for dump in names:
                    self.assertEqual((self.dir / "a" / dump).read_bytes(), (self.dir / "b" / dump).read_bytes(), dump)


class Vae(support.Case):
    """--vae FILE, against --vae FOLDER of the same weights."""

    PICTURE = str(support.SOURCE / "tests/data/tasks/picture.png")

    def draw(self, *options):
        """The picture as the decoder left it, drawn from one that the encoder took."""
        self.succeeds("img2img", "red apple", "-i", self.PICTURE, "-W", "16", "-H", "16", "-s", "3", "--steps", "2", "--dtype", "f32", "-q",
                      "--dump-dir", "dump", "-o", "out.png", *options)
        return (self.dir / "dump/image.npy").read_bytes()

    def own_vae(self):
        """The small model's, as a folder, normalised in 32 groups as every published one is: its picture is another then."""
        folder = self.dir / "model/vae"
        shutil.copytree(support.MODEL / "vae", folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "norm_num_groups": 32}))
        return folder

    def test_single_files(self):
        folder = self.own_vae()
        expected = self.draw("--vae", str(folder))
        self.assertIn("VAE: vae,", support.png_text(self.dir / "out.png"))
        self.assertNotEqual(expected, self.draw())
        self.assertNotIn("VAE:", support.png_text(self.dir / "out.png"))
        tensors = single_file.read_part(folder)
        original = single_file.rename_vae(tensors, json.loads((folder / "config.json").read_text()))
        unet = {"conv_in.bias": single_file.read_part(support.MODEL / "unet")["conv_in.bias"]}
        for name, content in {
            "alone": original,
            "diffusers": tensors,
            "checkpoint": {**single_file.prefixed("first_stage_model.", original), **single_file.prefixed("unet.", unet)},
        }.items():
            with self.subTest(name):
                single_file.write_safetensors(self.dir / f"{name}.safetensors", content)
                self.assertEqual(self.draw("--vae", f"{name}.safetensors"), expected)
                self.assertIn(f"VAE: {name}.safetensors,", support.png_text(self.dir / "out.png"))
        self.succeeds("convert", "alone.safetensors", "alone.gguf")
        self.assertEqual(self.draw("--vae", "alone.gguf"), expected)

    def test_taesd(self):
        folder = TINY / "taesd/vae"
        expected = self.draw("--vae", str(folder))
        self.assertNotEqual(expected, self.draw())
        halves = {"decoder": {}, "encoder": {}}
        for name, tensor in single_file.read_part(folder).items():
            half, _, layer, rest = name.split(".", 3)
            halves[half][f"{int(layer) + (half == 'decoder')}.{rest}"] = tensor  # the first layer of the original decoder has no weights
        single_file.write_safetensors(self.dir / "taesd_decoder.safetensors", halves["decoder"])
        self.succeeds("txt2img", "red apple", "-W", "16", "-H", "16", "--steps", "1", "-q", "--vae", "taesd_decoder.safetensors")
        self.fails("img2img", "x", "-i", self.PICTURE, "--vae", "taesd_decoder.safetensors", contains="vae has no tensor encoder.layers.0.", alone=False)
        single_file.write_safetensors(self.dir / "taesd_encoder.safetensors", halves["encoder"])
        self.assertEqual(self.draw("--vae", "taesd_decoder.safetensors"), expected)

    def test_refused(self):
        single_file.write_safetensors(self.dir / "unet.safetensors", single_file.read_part(support.MODEL / "unet"))
        self.fails("txt2img", "x", "--vae", "unet.safetensors", contains=["VAE", "unet.safetensors has no VAE"])
        self.fails("txt2img", "x", "--vae", "none.safetensors", contains=["VAE", "none.safetensors"])
        self.fails("txt2img", "x", "--vae", ".", contains=["VAE", "config.json"])


if __name__ == "__main__":
    support.main()
