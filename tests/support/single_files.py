"""Writes the single files that tests/unit/single_file.c opens: single_files.py FOLDER."""

import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODELS = ["sd1", "sd2", "odd", "bare", "sdxl", "sdxl_refiner", "inpaint", "pix2pix", "lcm", "ssd1b", "vega", "small_sd", "tiny_sd"]
# Name of the file, its model, and how it is made.
FILES = [(f"{name}.safetensors", name, []) for name in MODELS] + [(f"{name}.ckpt", name, []) for name in ("sd1", "sdxl")] + [
    ("names.safetensors", "sdxl", ["--keep-names"]),
    ("unet.safetensors", "sd1", ["--no-prefix", "--parts", "unet"]),
    ("vae.safetensors", "sd1", ["--no-prefix", "--parts", "vae"]),
    ("e4m3.safetensors", "small_sd", ["--dtype", "f8_e4m3"]),
    ("e5m2.safetensors", "small_sd", ["--dtype", "f8_e5m2"]),
    ("e4m3_wide.safetensors", "small_sd", ["--round", "f8_e4m3", "--dtype", "f32"]),
    ("e5m2_wide.safetensors", "small_sd", ["--round", "f8_e5m2", "--dtype", "f32"]),
]


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for file, model, options in FILES:
        command = [sys.executable, "-B", SOURCE / "tools/reference/single_file.py", SOURCE / "tests/data/tiny" / model, out / file, *options]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
