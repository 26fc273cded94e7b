#!/usr/bin/env python3
"""Holds tests/data/reference against diffusers and transformers on the same weights (loaded in float32, CPU) and the same noise.

    python3 tools/reference/check_reference.py [--model assets/models/emoji] [--reference tests/data/reference]

Prints ||ours - reference|| / ||reference|| for every array that manifest.json names, and exits 1 when one exceeds the bound of its
kind. Needs no network.
"""

import argparse
import json
import pathlib
import sys

import numpy
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

# Both sides are float32 on a CPU and differ in the order of sums: some 1e-6 for one network, 20 guided steps (cfg 5) multiply it.
BOUNDS = {"text": 1e-5, "unet": 1e-5, "acts": 1e-5, "latents": 1e-4, "image": 1e-4, "encode": 1e-5}


class Report:
    def __init__(self):
        self.failures = 0

    def equal(self, name, same):
        print(f"{name:44} {'equal' if same else 'DIFFERENT'}")
        self.failures += not same

    def error(self, name, kind, ours, reference):
        ours = numpy.asarray(ours, dtype=numpy.float64).reshape(reference.shape)
        reference = reference.astype(numpy.float64)
        error = numpy.linalg.norm(ours - reference) / numpy.linalg.norm(reference)
        fine = error <= BOUNDS[kind]
        print(f"{name:44} {error:.2e}{'' if fine else '  exceeds ' + str(BOUNDS[kind])}")
        self.failures += not fine


def load(model):
    def part(cls, folder):
        return cls.from_pretrained(model / folder, local_files_only=True).float().eval()

    return (
        CLIPTokenizer.from_pretrained(model / "tokenizer", local_files_only=True),
        part(CLIPTextModel, "text_encoder"),
        part(UNet2DConditionModel, "unet"),
        part(AutoencoderKL, "vae"),
        DDIMScheduler.from_pretrained(model / "scheduler", local_files_only=True),
    )


def record_acts(networks, names):
    """Hooks the named modules; of the first output of each the last row is kept: t=951 with the prompt (not the empty one)."""
    acts, hooks = {}, []
    for name in names:
        root, path = (networks["vae"], name[len("vae.") :]) if name.startswith("vae.") else (networks["unet"], name)

        def keep(_module, _inputs, output, name=name):
            tensor = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
            acts.setdefault(name, tensor[-1].numpy())

        hooks.append(root.get_submodule(path).register_forward_hook(keep))
    return acts, hooks


def check_tokens(report, tokenizer, manifest):
    def ids(text):
        return tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids

    report.equal("tokens ''", ids("") == manifest["uncond"]["token_ids"])
    for sample in manifest["samples"]:
        report.equal(f"tokens {sample['prompt']!r}", ids(sample["prompt"]) == sample["token_ids"])
    for case in manifest["tokenizer_cases"]:
        report.equal(f"tokens {case['text'][:30]!r}", ids(case["text"]) == case["ids"])


def draw(unet, scheduler, latents, text, uncond, manifest):
    """-> final latents, epsilon pair of the first step (uncond, cond)."""
    sampler, pair = manifest["sampler"], None
    scheduler.set_timesteps(sampler["steps"])
    assert scheduler.timesteps.tolist() == sampler["timesteps"]
    x = latents * scheduler.init_noise_sigma
    states = torch.cat([uncond, text])
    for t in scheduler.timesteps:
        eps_uncond, eps_cond = unet(torch.cat([x, x]), t, encoder_hidden_states=states).sample.chunk(2)
        pair = pair or (eps_uncond, eps_cond)
        eps = eps_uncond + sampler["cfg"] * (eps_cond - eps_uncond)
        x = scheduler.step(eps, t, x, eta=sampler["eta"]).prev_sample
    return x, pair


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--model", type=pathlib.Path, default=root / "assets/models/emoji")
    parser.add_argument("--reference", type=pathlib.Path, default=root / "tests/data/reference")
    options = parser.parse_args()
    manifest = json.loads((options.reference / "manifest.json").read_text(encoding="utf-8"))
    tokenizer, clip, unet, vae, scheduler = load(options.model)
    report = Report()

    def stored(name):
        return numpy.load(options.reference / name.split()[0].rstrip(":"))

    def text_of(ids):
        return clip(torch.tensor([ids])).last_hidden_state

    check_tokens(report, tokenizer, manifest)
    uncond = text_of(manifest["uncond"]["token_ids"])
    report.error("text_uncond", "text", uncond, stored(manifest["uncond"]["text"]))
    for index, sample in enumerate(manifest["samples"]):
        label = sample["text"].split(".")[0].split("_")[1]
        text = text_of(sample["token_ids"])
        report.error(f"text_{label}", "text", text, stored(sample["text"]))
        acts, hooks = record_acts({"unet": unet, "vae": vae}, manifest["acts"] if index == 0 else [])
        latents = torch.from_numpy(stored(sample["latents"]))[None]
        final, (eps_uncond, eps_cond) = draw(unet, scheduler, latents, text, uncond, manifest)
        report.error(f"unet_uncond_{label}", "unet", eps_uncond, stored(sample["unet_uncond"]))
        report.error(f"unet_cond_{label}", "unet", eps_cond, stored(sample["unet_cond"]))
        report.error(f"final_latents_{label}", "latents", final, stored(sample["final_latents"]))
        image = vae.decode(final / manifest["sampler"]["scaling_factor"]).sample
        report.error(f"image_{label}", "image", image, stored(sample["image"]))
        png = numpy.asarray(Image.open(options.reference / sample["png"]).convert("RGB"), dtype=numpy.int32)
        ours = ((image[0] / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy().astype(numpy.int32)
        print(f"{'image_' + label + '.png':44} largest difference {abs(ours - png).max()} of 255")
        for hook in hooks:
            hook.remove()
        for name, value in acts.items():
            report.error(f"acts/{name}", "acts", value, numpy.load(options.reference / "acts" / f"{name}.npy"))

    picture = numpy.asarray(Image.open(options.reference / "encode_input.png").convert("RGB"), dtype=numpy.float32)
    posterior = vae.encode(torch.from_numpy(picture / 127.5 - 1).permute(2, 0, 1)[None]).latent_dist
    report.error("encode_mean", "encode", posterior.mean, stored("encode_mean.npy"))
    report.error("encode_logvar", "encode", posterior.logvar, stored("encode_logvar.npy"))
    print(f"{report.failures} out of bounds")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
