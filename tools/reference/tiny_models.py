#!/usr/bin/env python3
"""Writes tests/data/tiny: small model folders with random weights, as diffusers writes them, and what diffusers computes with them.

    python3 tools/reference/tiny_models.py tests/data/tiny

Every folder NAME is a StableDiffusionPipeline saved with save_pretrained. Between them they use the configuration keys that real
models use, each with a value that changes the result: the script changes them back one by one and fails when an output moves by less than
MOVES. Beside the parts of the model there are

    case.json               prompts, token ids, steps, guidance, sampler
    expected.safetensors    all float32:
        noise               [C, h, w]     standard normal
        text, text_uncond   [T, D]
        eps_cond, eps_uncond [C, h, w]    the UNet's output at the first timestep, for scale_model_input(noise · init_noise_sigma)
        latents             [C, h, w]     after all steps
        image               [3, H, W]     the decoder's output, about -1 .. 1
        moments             [2C, h, w]    the encoder's output for the image clamped to -1 .. 1

Computed in float32 on the CPU from the weights as stored (float16, bfloat16 or float32). The pipeline of Stable Diffusion ignores the VAE's
shift_factor; here it is honoured, as diffusers' pipelines for models that have one do: picture = decode(latents / scaling + shift).
"""

import json
import pathlib
import shutil
import sys
import tempfile

import safetensors.torch
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

# Relative change that each key has to make: 20 times what the test allows for a stage in float32.
MOVES = 2e-3
LATENT = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
MERGES = ["t h", "th e</w>", "r e", "re d</w>", "b l", "bl u", "blu e</w>", "c a", "ca t</w>", "o f</w>", "a n", "an d</w>"]
CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"

CASES = {
    # Stable Diffusion 1.x: four blocks, one number for all heads, picture 8 times the latents.
    "sd1": {
        "dtype": torch.float16,
        "save": {"variant": "fp16"},
        "latent": (8, 8),
        "prompts": ("a red cat", "blurry"),
        "steps": 4,
        "guidance": 3.0,
        "tokens": {"model_max_length": 77},
        "text": {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2},
        "unet": {
            "sample_size": 8,
            "block_out_channels": (8, 8, 16, 16),
            "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", CROSS_UP, CROSS_UP, CROSS_UP),
            "layers_per_block": 2,
            "attention_head_dim": 8,
            "norm_num_groups": 4,
        },
        "vae": {"block_out_channels": (4, 8, 8, 8), "layers_per_block": 2, "norm_num_groups": 4, "sample_size": 64},
        "scheduler": DDIMScheduler(**LATENT, steps_offset=1, clip_sample=False, set_alpha_to_one=False),
        "sampler": "ddim",
        "moving": {"unet": {"attention_head_dim": 4, "flip_sin_to_cos": False}, "text": {"hidden_act": "gelu"}},
    },
    # Stable Diffusion 2.x: heads of a fixed width, linear projections, exact GELU, padding with "!", v-prediction.
    "sd2": {
        "dtype": torch.bfloat16,
        "save": {"max_shard_size": "60KB"},
        "latent": (11, 8),
        "prompts": ("the blue cat, and the sea", ""),
        "steps": 5,
        "guidance": 2.5,
        "tokens": {"model_max_length": 77, "pad_token": "!"},
        "text": {
            "hidden_size": 20,
            "intermediate_size": 44,
            "num_attention_heads": 5,
            "num_hidden_layers": 3,
            "hidden_act": "gelu",
        },
        "unet": {
            "sample_size": 12,
            "block_out_channels": (8, 16, 24),
            "down_block_types": (CROSS_DOWN, CROSS_DOWN, "DownBlock2D"),
            "up_block_types": ("UpBlock2D", CROSS_UP, CROSS_UP),
            "layers_per_block": 1,
            "attention_head_dim": (2, 4, 6),
            "use_linear_projection": True,
            "upcast_attention": True,
            "norm_num_groups": 4,
        },
        "vae": {"block_out_channels": (8, 12), "layers_per_block": 2, "norm_num_groups": 2, "sample_size": 24},
        "scheduler": EulerDiscreteScheduler(**LATENT, prediction_type="v_prediction", timestep_spacing="trailing", steps_offset=1),
        "sampler": "euler",
        "moving": {"unet": {"attention_head_dim": (1, 2, 3)}, "text": {"hidden_act": "quick_gelu"}},
    },
    # What is rarely changed, and sizes that nothing divides.
    "odd": {
        "dtype": torch.float32,
        "save": {},
        "latent": (9, 13),
        "prompts": ("of the cat the red the blue and red cat of", "red"),
        "steps": 3,
        "guidance": 1.5,
        "tokens": {"model_max_length": 13},
        "text": {
            "hidden_size": 18,
            "intermediate_size": 35,
            "num_attention_heads": 3,
            "num_hidden_layers": 1,
            "layer_norm_eps": 1e-2,
            "max_position_embeddings": 13,
        },
        "unet": {
            "sample_size": (9, 13),
            "block_out_channels": (6, 10, 14),
            "down_block_types": (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN),
            "up_block_types": (CROSS_UP, "UpBlock2D", CROSS_UP),
            "layers_per_block": (1, 2, 1),
            "transformer_layers_per_block": (1, 2, 1),
            "attention_head_dim": (3, 5, 7),
            "norm_num_groups": 2,
            "norm_eps": 1e-1,
            "freq_shift": 1,
            "flip_sin_to_cos": False,
        },
        "vae": {
            "block_out_channels": (6, 10, 14),
            "layers_per_block": 1,
            "norm_num_groups": 2,
            "sample_size": (36, 52),
            "scaling_factor": 0.6,
            "force_upcast": False,
        },
        "scheduler": DPMSolverMultistepScheduler(**LATENT, timestep_spacing="leading", steps_offset=1),
        "sampler": "dpmpp_2m",
        "moving": {
            "unet": {"freq_shift": 0, "flip_sin_to_cos": True, "norm_eps": 1e-5, "attention_head_dim": (2, 2, 2)},
            "text": {"layer_norm_eps": 1e-5},
        },
    },
    # A VAE of the later kind: no quantisation convolutions, no attention, a shift, five channels. Only the middle block attends.
    "bare": {
        "dtype": torch.float16,
        "save": {"variant": "fp16", "max_shard_size": "40KB"},
        "latent": (7, 5),
        "prompts": ("red", ""),
        "steps": 4,
        "guidance": 2.0,
        "tokens": {"model_max_length": 17},
        "text": {
            "hidden_size": 15,
            "intermediate_size": 31,
            "num_attention_heads": 5,
            "num_hidden_layers": 2,
            "max_position_embeddings": 17,
        },
        "unet": {
            "sample_size": 7,
            "in_channels": 5,
            "out_channels": 5,
            "block_out_channels": (9, 15),
            "down_block_types": ("DownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "UpBlock2D"),
            "layers_per_block": 3,
            "attention_head_dim": 5,
            "norm_num_groups": 3,
        },
        "vae": {
            "latent_channels": 5,
            "block_out_channels": (9, 15),
            "layers_per_block": 1,
            "norm_num_groups": 3,
            "sample_size": 14,
            "scaling_factor": 1.5305,
            "shift_factor": 0.3,
            "use_quant_conv": False,
            "use_post_quant_conv": False,
            "mid_block_add_attention": False,
        },
        "scheduler": DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
            steps_offset=1,
            clip_sample=False,
        ),
        "sampler": "ddim",
        "moving": {"unet": {"attention_head_dim": 3, "flip_sin_to_cos": False}, "text": {"num_attention_heads": 3}},
    },
    # Rows of 64 to 512: what quantized types need, GGUF's K types 256. As narrow as that allows.
    "wide": {
        "dtype": torch.float16,
        "save": {},
        "latent": (8, 8),
        "prompts": ("the cat and the sea", ""),
        "steps": 3,
        "guidance": 2.0,
        "tokens": {"model_max_length": 77},
        "text": {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_hidden_layers": 1},
        "unet": {
            "sample_size": 8,
            "block_out_channels": (32, 64),
            "down_block_types": (CROSS_DOWN, CROSS_DOWN),
            "up_block_types": (CROSS_UP, CROSS_UP),
            "layers_per_block": 1,
            "attention_head_dim": 4,
            "norm_num_groups": 8,
        },
        "vae": {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 16},
        "scheduler": EulerDiscreteScheduler(**LATENT, timestep_spacing="leading", steps_offset=1),
        "sampler": "euler",
        "moving": {"unet": {"attention_head_dim": 2}},
    },
}


def make_tokenizer(folder, options):
    """The 256 bytes inside and at the end of words, a few merges, the two marks."""
    symbols = list(bytes_to_unicode().values())
    symbols += [s + "</w>" for s in symbols]
    symbols += [m.replace(" ", "") for m in MERGES] + ["<|startoftext|>", "<|endoftext|>"]
    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    vocab.write_text(json.dumps({s: i for i, s in enumerate(symbols)}), encoding="utf-8")
    merges.write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    return CLIPTokenizer(str(vocab), str(merges), **options)


def randomise(network, generator):
    """Every layer contributes and no gain explodes: products keep the variance, norms and biases are not 1 and 0, queries and keys are
    large enough that softmax prefers something."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("bias"):
                parameter.copy_(0.3 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(1 + 0.3 * noise)
            elif "embedding.weight" in name:
                parameter.copy_(noise)
            else:
                sharp = any(part in name for part in ("to_q", "to_k", "q_proj", "k_proj"))
                parameter.copy_((1.4 if sharp else 1.0) * noise / parameter[0].numel() ** 0.5)
    return network.eval()


def make(case, folder):
    generator = torch.Generator().manual_seed(20)
    tokenizer = make_tokenizer(folder, case["tokens"])
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **case["text"],
    )
    blocks = len(case["vae"]["block_out_channels"])
    unet = UNet2DConditionModel(cross_attention_dim=case["text"]["hidden_size"], **case["unet"])
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks, up_block_types=("UpDecoderBlock2D",) * blocks, **case["vae"]
    )
    networks = [randomise(n, generator).to(case["dtype"]) for n in (CLIPTextModel(text_config), unet, vae)]
    return StableDiffusionPipeline(
        text_encoder=networks[0],
        unet=networks[1],
        vae=networks[2],
        tokenizer=tokenizer,
        scheduler=case["scheduler"],
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def text_states(text_encoder, ids):
    return text_encoder(torch.tensor([ids])).last_hidden_state


def compute(case, pipe):
    """{name: tensor without the batch dimension}, {name: token ids}"""
    tokenizer, text_encoder, unet, vae, scheduler = pipe.tokenizer, pipe.text_encoder, pipe.unet, pipe.vae, pipe.scheduler

    def encode(prompt):
        return tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True).input_ids

    ids = {"tokens": encode(case["prompts"][0]), "tokens_uncond": encode(case["prompts"][1])}
    out = {"text": text_states(text_encoder, ids["tokens"]), "text_uncond": text_states(text_encoder, ids["tokens_uncond"])}
    out["noise"] = torch.randn((1, unet.config.in_channels, *case["latent"]), generator=torch.Generator().manual_seed(7))

    scheduler.set_timesteps(case["steps"])
    x = out["noise"] * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        shown = scheduler.scale_model_input(x, t)
        cond, uncond = (unet(shown, t, encoder_hidden_states=out[name]).sample for name in ("text", "text_uncond"))
        out.setdefault("eps_cond", cond)
        out.setdefault("eps_uncond", uncond)
        x = scheduler.step(uncond + case["guidance"] * (cond - uncond), t, x).prev_sample
    out["latents"] = x
    out["image"] = vae.decode(x / vae.config.scaling_factor + (vae.config.shift_factor or 0)).sample
    out["moments"] = vae.encode(out["image"].clamp(-1, 1)).latent_dist.parameters
    return {name: tensor[0].contiguous() for name, tensor in out.items()}, ids


def relative(a, b):
    return float((a - b).norm() / b.norm())


def check_moves(case, pipe, ids, expected):
    """Each key of case["moving"], put elsewhere, has to show in the output."""
    t = pipe.scheduler.timesteps[0]
    pipe.scheduler.set_timesteps(case["steps"])
    shown = pipe.scheduler.scale_model_input(expected["noise"][None] * pipe.scheduler.init_noise_sigma, t)
    for part, keys in case["moving"].items():
        for key, value in keys.items():
            if part == "unet":
                config = {k: v for k, v in pipe.unet.config.items() if not k.startswith("_")}
                twin = UNet2DConditionModel(**{**config, key: value}).eval()
                twin.load_state_dict(pipe.unet.state_dict())
                moved = relative(twin(shown, t, encoder_hidden_states=expected["text"][None]).sample[0], expected["eps_cond"])
            else:
                twin = CLIPTextModel(CLIPTextConfig(**{**pipe.text_encoder.config.to_dict(), key: value})).eval()
                twin.load_state_dict(pipe.text_encoder.state_dict())
                moved = relative(text_states(twin, ids["tokens"])[0], expected["text"])
            print(f"    {part}.{key}: {moved:.1e}")
            if moved < MOVES:
                raise SystemExit(f"{part}.{key} hardly matters")


def write(name, case, root):
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        pipe = make(case, pathlib.Path(scratch))
        pipe.save_pretrained(folder, **case["save"])
    for network in (pipe.text_encoder, pipe.unet, pipe.vae):
        network.float()
    expected, ids = compute(case, pipe)
    check_moves(case, pipe, ids, expected)
    safetensors.torch.save_file(expected, folder / "expected.safetensors")
    document = {
        "prompt": case["prompts"][0],
        "negative_prompt": case["prompts"][1],
        "steps": case["steps"],
        "guidance": case["guidance"],
        "sampler": case["sampler"],
        **ids,
    }
    (folder / "case.json").write_text(json.dumps(document) + "\n", encoding="utf-8")
    print(name, {k: f"{v.std():.2f}" for k, v in expected.items()})
    print("   ", sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) // 1024, "KiB")


@torch.no_grad()
def main():
    root = pathlib.Path(sys.argv[1])
    for name, case in CASES.items():
        write(name, case, root)


if __name__ == "__main__":
    main()
