#!/usr/bin/env python3
"""Writes tests/data/refiner: what diffusers draws with tests/data/tiny/sdxl for the first part of the noise levels and sdxl_refiner for the rest.

    python3 tools/reference/refiner.py tests/data/refiner

cases.json lists runs; NAME.safetensors has, for each, `handed_over` [C, h, w], the latents that StableDiffusionXLPipeline leaves at denoising_end, and `latents`,
what StableDiffusionXLImg2ImgPipeline makes of them from denoising_start on, in float32 on the CPU. Both draw from one generator.
"""

import json
import pathlib
import shutil
import sys

import safetensors.torch
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

TINY = pathlib.Path(__file__).resolve().parents[2] / "tests/data/tiny"
SCHEDULERS = {
    "euler": EulerDiscreteScheduler,
    "euler_a": EulerAncestralDiscreteScheduler,
    "ddim": DDIMScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
}
# sampler, steps, where the refiner begins
RUNS = (("euler", 10, 0.5), ("euler_a", 5, 0.4), ("ddim", 5, 0.35), ("dpmpp_2m", 6, 0.5))
COMMON = {"prompt": "the red cat", "negative_prompt": "the sea", "guidance_scale": 3.0}
WIDTH, HEIGHT, SEED = 24, 16, 20


def open_pipeline(kind, folder):
    pipe = kind.from_pretrained(TINY / folder, add_watermarker=False)
    for network in (pipe.text_encoder, pipe.text_encoder_2, pipe.unet, pipe.vae):
        if network is not None:
            network.float()
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def main():
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    base = open_pipeline(StableDiffusionXLPipeline, "sdxl")
    refiner = open_pipeline(StableDiffusionXLImg2ImgPipeline, "sdxl_refiner")
    config, cases = base.scheduler.config, []
    for sampler, steps, start in RUNS:
        for pipe in (base, refiner):
            pipe.scheduler = SCHEDULERS[sampler].from_config(config, clip_sample=False)
        generator = torch.Generator().manual_seed(SEED)
        common = {**COMMON, "num_inference_steps": steps, "generator": generator, "output_type": "latent"}
        handed_over = base(**common, width=WIDTH, height=HEIGHT, denoising_end=start).images
        latents = refiner(**common, image=handed_over, denoising_start=start).images
        tensors = {"handed_over": handed_over[0].contiguous(), "latents": latents[0].contiguous()}
        safetensors.torch.save_file(tensors, root / f"{sampler}.safetensors")
        cases.append({"sampler": sampler, "steps": steps, "start": start, "seed": SEED, "width": WIDTH, "height": HEIGHT, **COMMON})
        print(sampler, {name: f"{tensor.std():.2f}" for name, tensor in tensors.items()})
    (root / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
