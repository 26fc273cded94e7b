#!/usr/bin/env python3
"""Writes trajectories.safetensors beside the small models of tests/data/tiny: where every sampler takes their latents.

    python3 tools/reference/trajectories.py tests/data/tiny/sd1 tests/data/tiny/sd2 ...

Run after tiny_models.py, from whose expected.safetensors the text states and the starting noise are. The schedulers are those of samplers.py, with the
model's own scheduler_config.json as diffusers' from_config takes it over; instead of the made-up model there the UNet predicts, in float32, with the guidance of
case.json and, beside x, the channels that inpainting and instruct-pix2pix give it. Noise is drawn, a whole picture's at a time and only when a sampler uses it, from torch's generator with seed SEED.
One tensor a sampler, [C, h, w] float32; the file's metadata tell steps, seed, and the relative error of diffusers' own UNet in 16-bit floats."""

import inspect
import json
import pathlib
import sys

import safetensors.torch
import torch
from diffusers import UNet2DConditionModel  # before samplers, which puts stand-ins in scipy's place

import samplers

SEED, STEPS = 7, 4
# Sampler: class of diffusers and what it is given beside the model's configuration; or a function of samplers.SAMPLERS along a class's noise levels.
CLASSES = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "lms": ("LMSDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_a": ("EulerDiscreteScheduler", {"_sampler": "dpm2_a"}),
    "dpmpp_2s_a": ("EulerDiscreteScheduler", {"_sampler": "dpmpp_2s_a"}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m_sde": ("EulerDiscreteScheduler", {"_sampler": "dpmpp_3m_sde"}),
    "dpmpp_sde": ("DPMSolverSDEScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "ipndm": ("EulerDiscreteScheduler", {"_sampler": "ipndm"}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}


class SeededNoise:
    """samplers.noise, drawn in the order in which it is used: after the starting noise where that is the seed's, and after the noise of the latents of an
    inpainted picture."""

    def __init__(self, case, expected):
        self.start, self.generator = expected["noise"], torch.Generator().manual_seed(SEED)
        if "seed" in case:
            assert case["seed"] == SEED and torch.equal(torch.randn(self.start.shape, generator=self.generator), self.start)
        if "mask" in expected:
            torch.randn(self.start.shape, generator=self.generator)

    def __call__(self, k):
        return (self.start if k < 0 else torch.randn(self.start.shape, generator=self.generator)).flatten().double()


def config_for(scheduler, name, extra):
    known = inspect.signature(samplers.CLASSES[name].__init__).parameters
    kept = {k: v for k, v in scheduler.items() if k in known and not k.startswith("_")}
    return {"_class_name": name, **kept, **extra}


def inputs_of(expected, row):
    """What the UNet is told beside x and t: for the prompt (row "") or the other one ("_uncond")."""
    arguments = {"encoder_hidden_states": expected["text" + row][None]}
    if "pooled" in expected:
        arguments["added_cond_kwargs"] = {"text_embeds": expected["pooled" + row][None], "time_ids": expected["time_ids" + row][None]}
    if "timestep_cond" in expected:
        arguments["timestep_cond"] = expected["timestep_cond"][None]
    return arguments


def predictor(unet, expected, case):
    """(x flat float64, t) -> the guided prediction of the UNet, flat float64."""
    shape = expected["noise"].shape
    extra = expected["unet_in"][None, shape[0] :] if "unet_in" in expected else torch.zeros(1, 0, *shape[1:])

    def predict(x, t):
        shown = x.float().reshape(1, *shape)

        def output(row, beside):
            return unet(torch.cat([shown, beside], dim=1), t, **inputs_of(expected, row)).sample

        out = output("", extra)
        if "eps_image" in expected:
            image, neither = output("_uncond", extra), output("_uncond", torch.zeros_like(extra))
            out = neither + case["guidance"] * (out - image) + case["image_guidance"] * (image - neither)
        elif "eps_uncond" in expected:
            neither = output("_uncond", extra)
            out = neither + case["guidance"] * (out - neither)
        return out.double().flatten()

    return predict


def half_error(folder, expected, case):
    """What the first prediction loses where diffusers itself computes in float16."""
    unet = load_unet(folder, torch.float16)
    arguments = {name: value.half() for name, value in inputs_of(expected, "").items() if torch.is_tensor(value)}
    if "pooled" in expected:
        arguments["added_cond_kwargs"] = {name: value.half() for name, value in inputs_of(expected, "")["added_cond_kwargs"].items()}
    out = unet(expected["unet_in"][None].half(), case["timestep"], **arguments).sample[0].float()
    return float((out - expected["eps_cond"]).norm() / expected["eps_cond"].norm())


def load_unet(folder, dtype):
    half = any((folder / "unet").glob("*.fp16*"))
    return UNet2DConditionModel.from_pretrained(folder / "unet", variant="fp16" if half else None, torch_dtype=dtype).eval()


@torch.no_grad()
def write(folder):
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    unet = load_unet(folder, torch.float32)
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    expected = safetensors.torch.load_file(folder / "expected.safetensors")
    out = {}
    samplers.SIZE = expected["noise"].numel()
    samplers.model = predictor(unet, expected, case)
    begins_with_latents = "picture_latents" in expected and "picture" not in expected  # the refiner: its own sampler will do
    for sampler, (name, extra) in ({} if begins_with_latents else CLASSES).items():
        samplers.noise = SeededNoise(case, expected)
        config = config_for(scheduler, name, extra)
        if "_sampler" in config:
            x, _ = samplers.draw_from_k_diffusion(config, config["_sampler"], STEPS, {}, torch.float32)
        else:
            x = samplers.draw(samplers.prepare(config, STEPS), config, {}, torch.float32)
        out[sampler] = x.reshape(expected["noise"].shape).float().contiguous()
    print(folder.name, {k: f"{v.std():.2f}" for k, v in out.items()})
    about = {"steps": str(STEPS), "seed": str(SEED)}
    if "unet_in" in expected:
        about["f16_error"] = f"{half_error(folder, expected, case):.2e}"
    safetensors.torch.save_file(out, folder / "trajectories.safetensors", about)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        write(pathlib.Path(folder))
