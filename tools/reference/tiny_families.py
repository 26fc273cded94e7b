#!/usr/bin/env python3
"""Writes the rest of tests/data/tiny: a small folder with random weights for each family of Stable Diffusion, and what diffusers' own pipeline of that
family computes with it.

    python3 tools/reference/tiny_families.py tests/data/tiny [NAME ...]

Every folder NAME is a pipeline saved with save_pretrained, with the layers and the keys of the real models at small widths (FAMILIES says which). The
pipeline is called with a generator of seed SEED; a hook notes what the UNet is given and what it returns. Beside the parts of the model there are

    case.json               prompt, negative_prompt (null: not given), tokens of each tokenizer, steps, guidance, seed, sampler, clip_skip,
                            timestep (of the first step), and what else the pipeline is called with
    expected.safetensors    all float32; what a family does not have is left out:
        noise               [C, h, w]     the first numbers of the seed
        step_noise          [N, C, h, w]  those that the sampler draws after them
        text, text_uncond   [T, D]        the states that the UNet attends to; those of two encoders side by side
        text_skip           [T, D]        the prompt's with clip_skip = 1
        pooled, pooled_uncond [P]         likewise time_ids, time_ids_uncond [N]
        timestep_cond       [D]           guidance embedding
        unet_in             [Cin, h, w]   what the UNet sees first (of the prompt, where it depends on that)
        eps_cond, eps_uncond, eps_image [C, h, w]  what it returns for it
        latents             [C, h, w]     after all steps
        image               [3, H, W]     the decoder's output, about -1 .. 1
        moments             [2C, h, w]    the encoder's output for the image clamped to -1 .. 1; `encoded` [C, h, w] for AutoencoderTiny
        picture, mask       [3, H, W], [H, W]  -1 .. 1 in steps of 1 / 127.5; 0 and 1: what the pipeline is given, or
        picture_latents     [C, h, w]     the same encoded (the mean), scaled as the UNet sees it

Computed in float32 on the CPU from the weights as stored. A UNet's input that hardly matters makes the script fail.
"""

import json
import logging
import pathlib
import shutil
import sys
import tempfile

import diffusers
import safetensors.torch
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tiny_models import CROSS_DOWN, CROSS_UP, LATENT, MOVES, make_tokenizer, randomise, relative

SEED = 7
# What transformers wrote before 4.31 and most files still have: the text is pooled at the largest id.
LEGACY_EOS = 2

CLIP = {"hidden_size": 16, "intermediate_size": 28, "num_attention_heads": 4, "num_hidden_layers": 3}
CLIP_BIG = {"hidden_size": 20, "intermediate_size": 36, "num_attention_heads": 5, "num_hidden_layers": 3, "hidden_act": "gelu", "projection_dim": 12}
VAE = {"block_out_channels": (4, 8), "layers_per_block": 1, "norm_num_groups": 2, "sample_size": 16}
VAE_XL = {**VAE, "scaling_factor": 0.13025}
TAESD = {
    "encoder_block_out_channels": (6, 6, 6),
    "decoder_block_out_channels": (6, 6, 6),
    "num_encoder_blocks": (1, 2, 3),
    "num_decoder_blocks": (3, 2, 1),
}

UNET_SD1 = {
    "sample_size": 8,
    "block_out_channels": (8, 8, 12),
    "down_block_types": (CROSS_DOWN, CROSS_DOWN, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", CROSS_UP, CROSS_UP),
    "layers_per_block": 1,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
UNET_SD2 = {**UNET_SD1, "attention_head_dim": (1, 2, 3), "use_linear_projection": True}
# Ids are six numbers (sizes, crop, target) of addition_time_embed_dim sinusoids each, or five (the refiner's).
UNET_XL = {
    "sample_size": 8,
    "block_out_channels": (8, 8, 12),
    "down_block_types": ("DownBlock2D", CROSS_DOWN, CROSS_DOWN),
    "up_block_types": (CROSS_UP, CROSS_UP, "UpBlock2D"),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 3),
    "attention_head_dim": (1, 2, 4),
    "use_linear_projection": True,
    "norm_num_groups": 4,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 6,
    "projection_class_embeddings_input_dim": 6 * 6 + 12,
}
UNET_REFINER = {
    **UNET_XL,
    "block_out_channels": (8, 8, 12, 12),
    "down_block_types": ("DownBlock2D", CROSS_DOWN, CROSS_DOWN, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", CROSS_UP, CROSS_UP, "UpBlock2D"),
    "layers_per_block": 1,
    "transformer_layers_per_block": 2,
    "attention_head_dim": (1, 2, 4, 4),
    "projection_class_embeddings_input_dim": 5 * 6 + 12,
}

EULER = diffusers.EulerDiscreteScheduler(**LATENT, timestep_spacing="leading", steps_offset=1)
DDIM = diffusers.DDIMScheduler(**LATENT, steps_offset=1, clip_sample=False, set_alpha_to_one=False)
XL = {"pipeline": "StableDiffusionXLPipeline", "text": (CLIP, CLIP_BIG), "vae": VAE_XL, "scheduler": EULER, "sampler": "euler"}
SD = {"pipeline": "StableDiffusionPipeline", "text": (CLIP,), "vae": VAE, "scheduler": DDIM, "sampler": "ddim"}

FAMILIES = {
    # CLIP-L and OpenCLIP-bigG side by side; sizes and crop as numbers; the second tokenizer pads with "!".
    "sdxl": {
        **XL,
        "length": 77,
        "latent": (8, 12),
        "unet": UNET_XL,
        "eos": LEGACY_EOS,
        "call": {"prompt": "a red cat", "negative_prompt": "blurry", "num_inference_steps": 4, "guidance_scale": 3.0},
    },
    # The second encoder alone, an aesthetic score in place of the target size; finishes latents that are given.
    "sdxl_refiner": {
        **XL,
        "pipeline": "StableDiffusionXLImg2ImgPipeline",
        "options": {"requires_aesthetics_score": True, "force_zeros_for_empty_prompt": False},
        "text": (None, CLIP_BIG),
        "length": 24,
        "latent": (8, 8),
        "unet": UNET_REFINER,
        "given": "latents",
        "call": {"prompt": "the blue sea", "negative_prompt": "red", "num_inference_steps": 10, "guidance_scale": 2.5, "strength": 0.4},
        "again": {"denoising_start": 0.6, "strength": None},
    },
    # Nine channels: latents, mask, masked picture.
    "inpaint": {
        **SD,
        "pipeline": "StableDiffusionInpaintPipeline",
        "length": 24,
        "latent": (8, 12),
        "unet": {**UNET_SD1, "in_channels": 9},
        "given": "masked",
        "call": {"prompt": "a red cat", "negative_prompt": "", "num_inference_steps": 4, "guidance_scale": 3.0, "strength": 1.0},
    },
    # Eight channels: latents and picture, unscaled; guidance by both.
    "pix2pix": {
        **SD,
        "pipeline": "StableDiffusionInstructPix2PixPipeline",
        "length": 24,
        "latent": (8, 8),
        "unet": {**UNET_SD1, "in_channels": 8},
        "scheduler": EULER,
        "sampler": "euler",
        "given": "picture",
        "call": {
            "prompt": "the cat and the sea",
            "negative_prompt": "",
            "num_inference_steps": 4,
            "guidance_scale": 3.0,
            "image_guidance_scale": 1.5,
        },
    },
    # The scale of guidance as sinusoids, in one evaluation.
    "lcm": {
        **SD,
        "pipeline": "LatentConsistencyModelPipeline",
        "length": 24,
        "latent": (8, 8),
        "unet": {**UNET_SD1, "time_cond_proj_dim": 13},
        "scheduler": diffusers.LCMScheduler(**LATENT),
        "sampler": "lcm",
        "call": {"prompt": "a blue cat", "num_inference_steps": 4, "guidance_scale": 8.5},
    },
    # AutoencoderTiny in place of the VAE.
    "taesd": {
        **SD,
        "length": 24,
        "latent": (6, 10),
        "unet": UNET_SD1,
        "taesd": TAESD,
        "call": {"prompt": "a cat", "negative_prompt": "red", "num_inference_steps": 3, "guidance_scale": 2.0},
    },
    # Layers of the middle and of some transformers are gone; the lists are those of segmind/SSD-1B, shortened.
    "ssd1b": {
        **XL,
        "length": 24,
        "latent": (8, 8),
        "unet": {
            **UNET_XL,
            "mid_block_type": "UNetMidBlock2D",
            "transformer_layers_per_block": (1, (2, 1), (1, 2)),
            "reverse_transformer_layers_per_block": ((1, 2, 3), (2, 1, 1), 1),
        },
        "call": {"prompt": "red and blue", "num_inference_steps": 4, "guidance_scale": 3.0},
    },
    "vega": {
        **XL,
        "length": 24,
        "latent": (8, 8),
        "unet": {
            **UNET_XL,
            "mid_block_type": "UNetMidBlock2D",
            "transformer_layers_per_block": (1, (1, 1), (2, 2)),
            "reverse_transformer_layers_per_block": ((2, 2, 2), (1, 1, 1), 1),
        },
        "call": {"prompt": "the cat", "negative_prompt": "the sea", "num_inference_steps": 3, "guidance_scale": 4.0},
    },
    # No middle block; "tiny" lacks the innermost level too. BK-SDM's cuts.
    "small_sd": {
        **SD,
        "length": 24,
        "latent": (8, 8),
        "unet": {**UNET_SD1, "mid_block_type": None},
        "call": {"prompt": "a red cat", "negative_prompt": "", "num_inference_steps": 4, "guidance_scale": 3.0},
    },
    "tiny_sd": {
        **SD,
        "length": 24,
        "latent": (8, 8),
        "unet": {
            **UNET_SD1,
            "mid_block_type": None,
            "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN),
            "up_block_types": (CROSS_UP, CROSS_UP, CROSS_UP),
        },
        "call": {"prompt": "a blue cat", "negative_prompt": "", "num_inference_steps": 4, "guidance_scale": 3.0},
    },
    # Few steps, no guidance.
    "sd_turbo": {
        **SD,
        "length": 24,
        "latent": (8, 8),
        "unet": UNET_SD2,
        "text": ({**CLIP_BIG, "projection_dim": 512},),
        "pad": "!",
        "scheduler": diffusers.EulerDiscreteScheduler(**LATENT, timestep_spacing="trailing", steps_offset=1),
        "sampler": "euler",
        "call": {"prompt": "a red cat", "num_inference_steps": 1, "guidance_scale": 0.0},
    },
    "sdxl_turbo": {
        **XL,
        "length": 24,
        "latent": (8, 8),
        "unet": UNET_XL,
        "scheduler": diffusers.EulerAncestralDiscreteScheduler(**LATENT, timestep_spacing="trailing", steps_offset=1),
        "sampler": "euler_a",
        "call": {"prompt": "the blue sea", "num_inference_steps": 3, "guidance_scale": 0.0},
    },
}


def make_text(config, tokenizer, case, index):
    classes = (CLIPTextModel, CLIPTextModelWithProjection)
    options = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": case["length"],
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": case.get("eos", tokenizer.eos_token_id),
        "pad_token_id": tokenizer.pad_token_id,
    }
    return classes[index](CLIPTextConfig(**options, **config))


def make_vae(case):
    if "taesd" in case:
        return AutoencoderTiny(**case["taesd"])
    blocks = len(case["vae"]["block_out_channels"])
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks, up_block_types=("UpDecoderBlock2D",) * blocks, **case["vae"]
    )


def make(case, folder):
    generator = torch.Generator().manual_seed(20)
    parts = dict(case.get("options", {}))
    cross = 0
    for index, config in enumerate(case["text"]):
        suffix = ("", "_2")[index]
        if config is None:
            parts["text_encoder"] = parts["tokenizer"] = None
            continue
        pad = {"pad_token": "!"} if index == 1 or case.get("pad") else {}
        parts["tokenizer" + suffix] = make_tokenizer(folder, {"model_max_length": case["length"], **pad})
        parts["text_encoder" + suffix] = make_text(config, parts["tokenizer" + suffix], case, index)
        cross += config["hidden_size"]
    parts["unet"] = UNet2DConditionModel(cross_attention_dim=cross, **case["unet"])
    parts["vae"] = make_vae(case)
    for name in ("text_encoder", "text_encoder_2", "unet", "vae"):
        if parts.get(name):
            parts[name] = randomise(parts[name], generator).to(torch.float16)
    parts["scheduler"] = case["scheduler"]
    if len(case["text"]) == 1:
        parts.update(safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    else:
        parts["add_watermarker"] = False
    pipe = getattr(diffusers, case["pipeline"])(**parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


class Hook:
    """Notes the first call of the UNet."""

    def __init__(self, unet):
        self.seen = None
        self.unet = unet
        self.handle = unet.register_forward_hook(self.note, with_kwargs=True)

    def note(self, _, args, kwargs, output):
        if self.seen is None:
            self.seen = (args, kwargs, output[0])


def encode(vae, picture):
    """The mean, not scaled."""
    output = vae.encode(picture)
    return output.latents if hasattr(output, "latents") else output.latent_dist.mode()


def picture_inputs(case, pipe, out):
    """What is given beside the prompt, for the pipeline; what it means goes to `out`."""
    given = case.get("given")
    if not given:
        return {}
    generator = torch.Generator().manual_seed(11)
    height, width = (side * pipe.vae_scale_factor for side in case["latent"])
    if given == "latents":
        out["picture_latents"] = torch.randn((1, 4, *case["latent"]), generator=generator)
        return {"image": out["picture_latents"]}
    # Smooth, so that it survives whatever is done to pictures.
    picture = torch.nn.functional.interpolate(torch.rand((1, 3, 3, 4), generator=generator), (height, width), mode="bilinear")
    picture = (255 * picture).round() / 255
    out["picture"] = 2 * picture - 1
    if given == "picture":
        out["picture_latents"] = encode(pipe.vae, out["picture"])
        return {"image": picture}
    mask = torch.zeros((1, 1, height, width))
    mask[..., 3 : height - 5, width // 3 :] = 1
    out["mask"] = mask[0]
    return {"image": picture, "mask_image": mask, "height": height, "width": width}


def take_noise(case, pipe):
    """The numbers that the pipeline draws: at first, then in its steps."""
    shape = (1, 4, *case["latent"])
    generator = torch.Generator().manual_seed(SEED)
    out = {"noise": torch.randn(shape, generator=generator)}
    if isinstance(pipe.scheduler, (diffusers.LCMScheduler, diffusers.EulerAncestralDiscreteScheduler)):
        steps = case["call"]["num_inference_steps"] - isinstance(pipe.scheduler, diffusers.LCMScheduler)
        out["step_noise"] = torch.stack([torch.randn(shape, generator=generator)[0] for _ in range(steps)])[None]
    return out


def call(case, pipe, changes, inputs):
    options = {**case["call"], **changes}
    options = {key: value for key, value in options.items() if value is not None}
    height, width = (side * pipe.vae_scale_factor for side in case["latent"])
    if case.get("given") is None:
        inputs = {"height": height, "width": width}
    return pipe(**options, **inputs, generator=torch.Generator().manual_seed(SEED), output_type="latent").images


def note_unet(hook, out):
    """Puts the first call's inputs and outputs into `out`, and gives (sample, timestep, other arguments)."""
    args, kwargs, result = hook.seen
    sample, timestep = args
    rows = len(sample)
    names = {1: ("cond",), 2: ("uncond", "cond"), 3: ("cond", "image", "uncond")}[rows]
    cond, uncond = names.index("cond"), names.index("uncond") if "uncond" in names else None
    added = kwargs.get("added_cond_kwargs") or {}
    batches = {"text": kwargs["encoder_hidden_states"], "pooled": added.get("text_embeds"), "time_ids": added.get("time_ids")}
    for name, batch in batches.items():
        if batch is not None:
            out[name] = batch[cond : cond + 1]
            if uncond is not None:
                out[name + "_uncond"] = batch[uncond : uncond + 1]
    if kwargs.get("timestep_cond") is not None:
        out["timestep_cond"] = kwargs["timestep_cond"][:1]
    out["unet_in"] = sample[cond : cond + 1]
    for index, name in enumerate(names):
        out["eps_" + name] = result[index : index + 1]
    return sample, timestep, kwargs


def check_matters(unet, sample, timestep, kwargs, expected):
    """Everything that the UNet is given has to show in what it returns."""

    def moved(what, sample, **changes):
        value = relative(unet(sample, timestep, **{**kwargs, **changes})[0], expected)
        print(f"    {what}: {value:.1e}")
        if value < MOVES:
            raise SystemExit(f"{what} hardly matters")

    for channel in range(0, sample.shape[1], 4):
        moved(f"channel {channel}", torch.cat([sample[:, :channel], 0 * sample[:, channel : channel + 1], sample[:, channel + 1 :]], 1))
    added = kwargs.get("added_cond_kwargs") or {}
    for name in added:
        if added[name] is not None:
            moved(name, sample, added_cond_kwargs={**added, name: added[name].roll(1, 1)})
    if kwargs.get("timestep_cond") is not None:
        moved("timestep_cond", sample, timestep_cond=kwargs["timestep_cond"].roll(1, 1))
    moved("text", sample, encoder_hidden_states=kwargs["encoder_hidden_states"].flip(2))


def compute(case, pipe):
    out = take_noise(case, pipe)
    inputs = picture_inputs(case, pipe, out)
    hook = Hook(pipe.unet)
    out["latents"] = call(case, pipe, {}, inputs)
    hook.handle.remove()
    sample, timestep, kwargs = note_unet(hook, out)
    check_matters(pipe.unet, sample, timestep, kwargs, hook.seen[2])
    if "again" in case:
        out["latents_again"] = call(case, pipe, case["again"], inputs)
    encoded = pipe.encode_prompt(
        prompt=case["call"]["prompt"], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False, clip_skip=1
    ) if hasattr(pipe, "encode_prompt") else None
    if encoded:
        out["text_skip"] = encoded[0]
    vae = pipe.vae
    out["image"] = vae.decode(out["latents"] / vae.config.scaling_factor).sample
    again = vae.encode(out["image"].clamp(-1, 1))
    if hasattr(again, "latents"):
        out["encoded"] = again.latents
    else:
        out["moments"] = again.latent_dist.parameters
    return {name: tensor[0].float().contiguous() for name, tensor in out.items()}, float(timestep)


def describe(case, pipe, timestep):
    known = {"num_inference_steps": "steps", "guidance_scale": "guidance", "image_guidance_scale": "image_guidance"}
    document = {"negative_prompt": None, **{known.get(key, key): value for key, value in case["call"].items()}}
    for suffix in ("", "_2"):
        tokenizer = getattr(pipe, "tokenizer" + suffix, None)
        if tokenizer is None:
            continue
        for kind, text in (("", document["prompt"]), ("_uncond", document["negative_prompt"])):
            if text is not None:
                document["tokens" + suffix + kind] = tokenizer(
                    text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True
                ).input_ids
    document.update(seed=SEED, sampler=case["sampler"], clip_skip=1, timestep=timestep)
    document.update({"again": case["again"]} if "again" in case else {})
    return document


def write(name, case, root):
    print(name)
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        pipe = make(case, pathlib.Path(scratch))
        pipe.save_pretrained(folder)
    for part in ("text_encoder", "text_encoder_2", "unet", "vae"):
        if getattr(pipe, part, None) is not None:
            getattr(pipe, part).float()
    expected, timestep = compute(case, pipe)
    for key, value in expected.items():
        if not torch.isfinite(value).all():
            raise SystemExit(f"{key} is not finite")
    safetensors.torch.save_file(expected, folder / "expected.safetensors")
    (folder / "case.json").write_text(json.dumps(describe(case, pipe, timestep)) + "\n", encoding="utf-8")
    print("   ", {k: f"{tuple(v.shape)} {v.std():.2f}" for k, v in expected.items()})
    print("   ", sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) // 1024, "KiB")


def write_taesdxl(root):
    """An AutoencoderTiny by itself, to be put in place of sdxl's VAE: its picture of sdxl's latents."""
    print("taesdxl")
    folder = root / "taesdxl"
    shutil.rmtree(folder, ignore_errors=True)
    config = {"block_out_channels": (7, 7), "num_blocks": (1, 2)}
    vae = AutoencoderTiny(
        encoder_block_out_channels=config["block_out_channels"],
        decoder_block_out_channels=config["block_out_channels"],
        num_encoder_blocks=config["num_blocks"],
        num_decoder_blocks=config["num_blocks"][::-1],
    )
    vae = randomise(vae, torch.Generator().manual_seed(21)).to(torch.float16)
    vae.save_pretrained(folder)
    vae.float()
    latents = safetensors.torch.load_file(root / "sdxl" / "expected.safetensors")["latents"]
    image = vae.decode(latents[None] / vae.config.scaling_factor).sample
    expected = {"latents": latents, "image": image[0], "encoded": vae.encode(image.clamp(-1, 1)).latents[0]}
    safetensors.torch.save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


@torch.no_grad()
def main():
    root = pathlib.Path(sys.argv[1])
    logging.disable(logging.WARNING)
    for name in sys.argv[2:] or [*FAMILIES, "taesdxl"]:
        if name == "taesdxl":
            write_taesdxl(root)
        else:
            write(name, FAMILIES[name], root)


if __name__ == "__main__":
    main()
