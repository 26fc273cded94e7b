#!/usr/bin/env python3
"""Writes tests/data/tasks: what diffusers' pipelines draw from pictures with the models of tests/data/tiny.

    python3 tools/reference/tasks.py tests/data/tasks

picture.png and mask.png are what is drawn from. cases.json lists runs: model, sampler, what the pipeline is called with; NAME.safetensors has the final
latents [C, h, w] of each, from the pipelines themselves, in float32 on the CPU.
"""

import json
import pathlib
import shutil
import sys

import numpy as np
import safetensors.torch
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
)
from PIL import Image

TINY = pathlib.Path(__file__).resolve().parents[2] / "tests/data/tiny"
SIDE = 96  # of picture.png and mask.png
SIZES = {"sd1": 64, "inpaint": 32, "pix2pix": 32, "lcm": 32}
PROMPT, NEGATIVE, SEED = "a red cat", "the sea", 20
SCHEDULERS = {  # made from the configuration of the model's own
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler_a": EulerAncestralDiscreteScheduler,
    "heun": HeunDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "lcm": LCMScheduler,
}
# name: model, sampler, and what br_generate_params says
RUNS = {
    "rescale": ("sd1", "euler", {"guidance": 5.0, "guidance_rescale": 0.7}),
    "img2img_ddim": ("sd1", "ddim", {"picture": True, "strength": 0.7}),
    "img2img_euler_a": ("sd1", "euler_a", {"picture": True, "strength": 0.5}),
    "img2img_heun": ("sd1", "heun", {"picture": True, "strength": 0.6}),
    "img2img_dpmpp_2m": ("sd1", "dpmpp_2m", {"picture": True, "strength": 1.0}),
    "keep_ddim": ("sd1", "ddim", {"picture": True, "mask": True, "strength": 1.0}),
    "keep_euler_a": ("sd1", "euler_a", {"picture": True, "mask": True, "strength": 0.7}),
    "inpaint_euler": ("inpaint", "euler", {"picture": True, "mask": True, "strength": 1.0}),
    "inpaint_euler_a": ("inpaint", "euler_a", {"picture": True, "mask": True, "strength": 0.7}),
    "inpaint_unguided": ("inpaint", "ddim", {"picture": True, "mask": True, "strength": 1.0, "guidance": 1.0}),
    "pix2pix": ("pix2pix", "euler_a", {"picture": True, "image_guidance": 1.7}),
    "pix2pix_unguided": ("pix2pix", "ddim", {"picture": True, "guidance": 1.0}),
    "img2img_lcm": ("lcm", "lcm", {"picture": True, "strength": 0.8, "guidance": 6.5}),
}
STEPS, GUIDANCE = 5, 3.0


def pictures():
    """Smooth colours with an edge, and a mask that has greys on both sides of the threshold."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    colours = np.stack([x, 0.5 + 0.5 * np.sin(9 * y), (x + y > 0.9) * 0.8], axis=-1)
    mask = np.clip(4 * (0.45 - np.hypot(x - 0.6, y - 0.5)) + 0.5, 0, 1)
    return (Image.fromarray((255 * values).round().astype(np.uint8)) for values in (colours, mask))


def draw(pipe, size, sampler, options, picture, mask):
    parts = {k: v for k, v in pipe.components.items()}
    parts["scheduler"] = SCHEDULERS[sampler].from_config(pipe.scheduler.config, clip_sample=False)
    common = {
        "prompt": PROMPT,
        "num_inference_steps": STEPS,
        "guidance_scale": options.get("guidance", GUIDANCE),
        "generator": torch.Generator().manual_seed(SEED),
        "output_type": "latent",
    }
    channels = pipe.unet.config.in_channels
    if channels == 8:
        run = StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)
        picture = picture.resize((size, size), Image.LANCZOS)  # its encoder takes pictures as large as they are
        common.update(image=picture, negative_prompt=NEGATIVE, image_guidance_scale=options.get("image_guidance", 1.5))
    elif "mask" in options:
        run = StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)
        common.update(image=picture, mask_image=mask, height=size, width=size, strength=options["strength"], negative_prompt=NEGATIVE)
    elif "picture" in options:
        run = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
        picture = picture.resize((size, size), Image.LANCZOS)
        common.update(image=picture, strength=options["strength"], negative_prompt=NEGATIVE)
    else:
        run = StableDiffusionPipeline(**parts, requires_safety_checker=False)
        common.update(height=size, width=size, guidance_rescale=options.get("guidance_rescale", 0), negative_prompt=NEGATIVE)
    run.set_progress_bar_config(disable=True)
    return run(**common).images[0].contiguous()


@torch.no_grad()
def main():
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    picture, mask = pictures()
    picture.save(root / "picture.png")
    mask.save(root / "mask.png")
    cases = []
    for name, (model, sampler, options) in RUNS.items():
        size = SIZES[model]
        variant = "fp16" if list((TINY / model / "unet").glob("*.fp16.*")) else None
        pipe = StableDiffusionPipeline.from_pretrained(TINY / model, variant=variant, requires_safety_checker=False)
        for network in (pipe.text_encoder, pipe.unet, pipe.vae):
            network.float()
        latents = draw(pipe, size, sampler, options, picture, mask)
        safetensors.torch.save_file({"latents": latents}, root / f"{name}.safetensors")
        common = {"name": name, "model": model, "sampler": sampler, "steps": STEPS, "guidance": GUIDANCE, "seed": SEED}
        cases.append({**common, "prompt": PROMPT, "negative_prompt": NEGATIVE, "size": size, **options})
        print(name, tuple(latents.shape), f"{latents.std():.2f}")
    (root / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n", encoding="utf-8")
    print(sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) // 1024, "KiB")


if __name__ == "__main__":
    main()
