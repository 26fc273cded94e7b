#!/usr/bin/env python3
"""Writes a single file of the true names and shapes of a published model, with random weights.

    full_size.py {sd15,sd21,sdxl,refiner,inpaint,pix2pix,ssd1b,…} OUT.safetensors [--dtype f16|f32] [--zeros] [--list OUT.json]

Names and shapes are those of the modules that diffusers and transformers make (on torch's "meta" device) from the configurations that the models were
published with, renamed as in single_file.py. The weights are normal with the standard deviation of PyTorch's initialisation, so that activations stay finite; norms are
ones and zeros. The file is written tensor by tensor and may be larger than the memory; --zeros leaves holes in it instead. --list writes the names and
shapes alone."""

import argparse
import json
import math
import pathlib
import struct
import types

import numpy
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import single_file

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
SD = {"sample_size": 64, "block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 768, "attention_head_dim": 8,
      "down_block_types": [CROSS_DOWN] * 3 + ["DownBlock2D"], "up_block_types": ["UpBlock2D"] + [CROSS_UP] * 3}
SD2 = {**SD, "sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True}
XL = {"sample_size": 128, "block_out_channels": [320, 640, 1280], "layers_per_block": 2, "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20],
      "transformer_layers_per_block": [1, 2, 10], "down_block_types": ["DownBlock2D", CROSS_DOWN, CROSS_DOWN],
      "up_block_types": [CROSS_UP, CROSS_UP, "UpBlock2D"], "use_linear_projection": True, "addition_embed_type": "text_time",
      "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}
REFINER = {**XL, "block_out_channels": [384, 768, 1536, 1536], "cross_attention_dim": 1280, "attention_head_dim": [6, 12, 24, 24],
           "transformer_layers_per_block": 4, "down_block_types": ["DownBlock2D", CROSS_DOWN, CROSS_DOWN, "DownBlock2D"],
           "up_block_types": ["UpBlock2D", CROSS_UP, CROSS_UP, "UpBlock2D"], "projection_class_embeddings_input_dim": 2560}
SSD1B = {**XL, "mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, [2, 2], [4, 4]],
         "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]}
VEGA = {**XL, "mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, [1, 1], [2, 2]],
        "reverse_transformer_layers_per_block": [[2, 2, 2], [1, 1, 1], 1]}
SMALL = {**SD, "layers_per_block": 1, "mid_block_type": None}
TINY = {**SMALL, "block_out_channels": [320, 640, 1280], "down_block_types": [CROSS_DOWN] * 3, "up_block_types": [CROSS_UP] * 3}
VAE = {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "down_block_types": ["DownEncoderBlock2D"] * 4,
       "up_block_types": ["UpDecoderBlock2D"] * 4}
CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "hidden_act": "quick_gelu", "projection_dim": 768}
CLIP_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23, "hidden_act": "gelu", "projection_dim": 1024}
CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32, "hidden_act": "gelu", "projection_dim": 1280}
# UNet, first text encoder, second text encoder.
MODELS = {
    "sd15": (SD, CLIP_L, None),
    "sd21": (SD2, CLIP_H, None),
    "sdxl": (XL, CLIP_L, CLIP_G),
    "refiner": (REFINER, None, CLIP_G),
    "inpaint": ({**SD, "in_channels": 9}, CLIP_L, None),
    "pix2pix": ({**SD, "in_channels": 8}, CLIP_L, None),
    "lcm": ({**SD, "time_cond_proj_dim": 256}, CLIP_L, None),
    "ssd1b": (SSD1B, CLIP_L, CLIP_G),
    "vega": (VEGA, CLIP_L, CLIP_G),
    "small_sd": (SMALL, CLIP_L, None),
    "tiny_sd": (TINY, CLIP_L, None),
}
SLICE = 1 << 22  # elements made at once


class Shape(types.SimpleNamespace):
    """Stands for a tensor in single_file's renaming, which asks for no values."""

    def _replace(self, **changes):
        return Shape(**{**self.__dict__, **changes})


def shapes(module):
    return {name: Shape(shape=list(tensor.shape)) for name, tensor in module.state_dict().items() if not name.endswith("position_ids")}


def open_clip(config, state, last_again):
    """As rename_open_clip, for shapes."""
    renamed = {new: state[old] for old, new in single_file.OPEN_CLIP_TOP.items()}
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    renamed["text_projection"] = Shape(shape=[width, config["projection_dim"]])
    renamed["logit_scale"] = Shape(shape=[])
    for layer in range(layers + last_again):
        for old, new in single_file.OPEN_CLIP.items():
            for kind in ("weight", "bias"):
                renamed[f"transformer.resblocks.{layer}.{new}.{kind}"] = state[f"text_model.encoder.layers.0.{old}.{kind}"]
        renamed[f"transformer.resblocks.{layer}.attn.in_proj_weight"] = Shape(shape=[3 * width, width])
        renamed[f"transformer.resblocks.{layer}.attn.in_proj_bias"] = Shape(shape=[3 * width])
    return renamed


def collect(model):
    unet, first, second = MODELS[model]
    tensors = {}
    with torch.device("meta"):
        tensors.update(single_file.prefixed("model.diffusion_model.", single_file.rename_unet(shapes(UNet2DConditionModel(**unet)), unet)))
        tensors.update(single_file.prefixed("first_stage_model.", single_file.rename_vae(shapes(AutoencoderKL(**VAE)), VAE)))
        if second:
            state = shapes(CLIPTextModelWithProjection(CLIPTextConfig(**second)))
            tensors.update(single_file.prefixed(f"conditioner.embedders.{1 if first else 0}.model.", open_clip(second, state, 0)))
        if first:
            state = shapes(CLIPTextModel(CLIPTextConfig(**first)))
            if first["hidden_act"] == "gelu":
                tensors.update(single_file.prefixed("cond_stage_model.model.", open_clip(first, state, 1)))
            else:
                where = "conditioner.embedders.0.transformer." if second else "cond_stage_model.transformer."
                tensors.update(single_file.prefixed(where, state))
    return {name: tensor.shape for name, tensor in tensors.items()}


def values(name, shape, count, generator, dtype):
    """At most SLICE of them."""
    if len(shape) < 2:
        return numpy.full(count, 1 if name.endswith("weight") else 0, dtype)
    return (generator.standard_normal(count, dtype=numpy.float32) / math.sqrt(math.prod(shape[1:]))).astype(dtype)


def write(path, tensors, dtype, zeros):
    kind, size = ("F16", 2) if dtype == numpy.float16 else ("F32", 4)
    header, at = {}, 0
    for name, shape in tensors.items():
        bytes_ = math.prod(shape) * size
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + bytes_]}
        at += bytes_
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.Generator(numpy.random.SFC64(15))
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if zeros:
            file.truncate(8 + len(text) + at)
            return
        for name, shape in tensors.items():
            left = math.prod(shape)
            while left:
                count = min(left, SLICE)
                file.write(values(name, shape, count, generator, dtype).tobytes())
                left -= count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--dtype", choices=["f16", "f32"], default="f16")
    parser.add_argument("--zeros", action="store_true")
    parser.add_argument("--list", action="store_true", help="names and shapes as JSON")
    arguments = parser.parse_args()
    tensors = collect(arguments.model)
    if arguments.list:
        arguments.out.write_text(json.dumps(tensors))
    else:
        write(arguments.out, tensors, numpy.float16 if arguments.dtype == "f16" else numpy.float32, arguments.zeros)


if __name__ == "__main__":
    main()
