#!/usr/bin/env python3
"""Rewrites a diffusers folder as one file under the names of the original code, the other way round from what src/weights/names.c does:

    single_file.py FOLDER OUT.{safetensors,ckpt} [--parts unet,vae,text] [--no-prefix] [--keep-names] [--round DTYPE] [--dtype DTYPE]

UNet and VAE as LDM names them (CompVis/latent-diffusion, openaimodel.py and model.py), Stable Diffusion 1's text encoder as transformers does, those
of Stable Diffusion 2 and XL as their files do: OpenCLIP with q, k and v in one matrix, the projection turned round, and for Stable Diffusion 2 the last
layer that nobody runs. --no-prefix leaves out "model.diffusion_model." and the like (for --parts of one part), --keep-names keeps diffusers' names behind
the part's. --round rounds floats to a type first, --dtype stores them as one (f32, f16, bf16, f8_e4m3, f8_e5m2). A .ckpt is a ZIP archive as torch.save
writes it, with what trainers leave beside the weights. Needs nothing but Python."""

import argparse
import bisect
import collections
import io
import json
import math
import pathlib
import pickle
import struct
import sys
import types
import zipfile

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4, "U8": 1}
STORAGES = {"F64": "Double", "F32": "Float", "F16": "Half", "BF16": "BFloat16", "I64": "Long", "I32": "Int", "U8": "Byte"}
Tensor = collections.namedtuple("Tensor", "dtype shape data")


# ---- safetensors ----

def read_safetensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    begin = 8 + size
    return {name: Tensor(entry["dtype"], entry["shape"], data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]])
            for name, entry in header.items()}


def read_part(folder):
    """Every tensor of one component: a file, or shards."""
    files = sorted(folder.glob("*.safetensors"))
    tensors = {}
    for path in files:
        tensors.update(read_safetensors(path))
    return tensors


def write_safetensors(path, tensors, metadata=None):
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(tensor.data)]}
        at += len(tensor.data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.data)


# ---- numbers ----

def fp8_values(exponent_bits, mantissa_bits):
    """Value of each of the 128 codes without sign; None where it is no number."""
    bias, values = 2 ** (exponent_bits - 1) - 1, []
    for code in range(128):
        exponent, mantissa = code >> mantissa_bits, code & (1 << mantissa_bits) - 1
        if exponent == 0:
            value = mantissa * 2.0 ** (1 - bias - mantissa_bits)
        else:
            value = (1 + mantissa / 2 ** mantissa_bits) * 2.0 ** (exponent - bias)
        special = code == 127 if exponent_bits == 4 else exponent == 2 ** exponent_bits - 1
        values.append(None if special else value)
    return values


FP8 = {"F8_E4M3": fp8_values(4, 3), "F8_E5M2": fp8_values(5, 2)}


def floats(tensor):
    count = len(tensor.data) // SIZES[tensor.dtype]
    if tensor.dtype == "BF16":
        return struct.unpack(f"<{count}f", b"".join(b"\0\0" + tensor.data[i:i + 2] for i in range(0, 2 * count, 2)))
    if tensor.dtype in FP8:
        table = FP8[tensor.dtype]
        return [math.copysign(table[byte & 127] if table[byte & 127] is not None else math.nan, -1 if byte & 128 else 1) for byte in tensor.data]
    return struct.unpack(f"<{count}{ {'F64': 'd', 'F32': 'f', 'F16': 'e'}[tensor.dtype] }", tensor.data)


def nearest_fp8(dtype):
    """A function from a float to its code: ties to the even one, beyond the largest number that one."""
    table = [value for value in FP8[dtype] if value is not None]
    known = {}

    def code(value):
        if value not in known:
            size = abs(value)
            above = min(bisect.bisect_left(table, size), len(table) - 1)
            best = min((max(above - 1, 0), above), key=lambda i: (abs(table[i] - size), i % 2))
            known[value] = best | (128 if math.copysign(1, value) < 0 else 0)
        return known[value]
    return code


def to_bf16(value):
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return struct.pack("<H", (bits + 0x7fff + (bits >> 16 & 1)) >> 16 & 0xffff)


def convert(tensor, dtype):
    if not dtype or tensor.dtype == dtype or not tensor.dtype.startswith(("F", "BF")):
        return tensor
    values = floats(tensor)
    if dtype in FP8:
        code = nearest_fp8(dtype)
        data = bytes(code(value) for value in values)
    elif dtype == "BF16":
        data = b"".join(map(to_bf16, values))
    else:
        data = struct.pack(f"<{len(values)}{ {'F32': 'f', 'F16': 'e'}[dtype] }", *values)
    return Tensor(dtype, tensor.shape, data)


# ---- names ----

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
          "conv_shortcut": "skip_connection"}
UNET = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "time_embedding.cond_proj": "time_embed.cond_proj", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
        "conv_norm_out": "out.0", "conv_out": "out.2", "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
OPEN_CLIP_TOP = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight",
                 "text_model.embeddings.position_embedding.weight": "positional_embedding", "text_model.final_layer_norm.weight": "ln_final.weight",
                 "text_model.final_layer_norm.bias": "ln_final.bias"}


def per_block(value, count):
    return value if isinstance(value, list) else [value] * count


def unet_blocks(config):
    """The order in which LDM's modules are listed, block by block."""
    places = dict(UNET)
    count = len(config["block_out_channels"])
    layers = per_block(config.get("layers_per_block", 2), count)
    number = 1
    for block in range(count):
        for layer in range(layers[block]):
            places[f"down_blocks.{block}.resnets.{layer}"] = f"input_blocks.{number}.0"
            places[f"down_blocks.{block}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        places[f"down_blocks.{block}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
        number += 1
    number = 0
    for block in range(count):
        attends = config["up_block_types"][block].startswith("CrossAttn")
        for layer in range(layers[count - 1 - block] + 1):
            places[f"up_blocks.{block}.resnets.{layer}"] = f"output_blocks.{number}.0"
            places[f"up_blocks.{block}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        places[f"up_blocks.{block}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.{2 if attends else 1}.conv"
    return places


def rename_unet(tensors, config):
    places, renamed = unet_blocks(config), {}
    for name, tensor in tensors.items():
        where = max((place for place in places if name.startswith(place + ".")), key=len)
        tail = name[len(where) + 1:]
        if ".resnets." in where + ".":
            layer, kind = tail.rsplit(".", 1)
            tail = f"{RESNET[layer]}.{kind}"
        renamed[f"{places[where]}.{tail}"] = tensor
    return renamed


def rename_vae(tensors, config):
    count, renamed = len(config["block_out_channels"]), {}
    for name, tensor in tensors.items():
        words = name.split(".")
        new = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        if words[1] in ("down_blocks", "up_blocks"):
            level = int(words[2]) if words[1] == "down_blocks" else count - 1 - int(words[2])
            side = words[1].removesuffix("_blocks")
            tail = ".".join(words[5:]).replace("conv_shortcut", "nin_shortcut")
            new = f"{words[0]}.{side}.{level}." + (f"block.{words[4]}.{tail}" if words[3] == "resnets" else f"{side}sample.{tail}")
        elif words[1] == "mid_block":
            tail = ".".join(words[4:])
            if words[2] == "resnets":
                new = f"{words[0]}.mid.block_{int(words[3]) + 1}.{tail.replace('conv_shortcut', 'nin_shortcut')}"
            else:
                layer, kind = tail.rsplit(".", 1)
                new = f"{words[0]}.mid.attn_1.{VAE_ATTENTION[layer]}.{kind}"
                if len(tensor.shape) == 2:
                    tensor = tensor._replace(shape=[*tensor.shape, 1, 1])
        renamed[new] = tensor
    return renamed


def transposed(tensor):
    rows, columns = tensor.shape
    size = SIZES[tensor.dtype]
    at = [tensor.data[i:i + size] for i in range(0, len(tensor.data), size)]
    return Tensor(tensor.dtype, [columns, rows], b"".join(at[r * columns + c] for c in range(columns) for r in range(rows)))


def rename_open_clip(tensors, layers, last_again):
    renamed = {}
    for name, tensor in tensors.items():
        if name in OPEN_CLIP_TOP:
            renamed[OPEN_CLIP_TOP[name]] = tensor
        elif name == "text_projection.weight":
            renamed["text_projection"] = transposed(tensor)
    for layer in range(layers + last_again):
        old, new = f"text_model.encoder.layers.{min(layer, layers - 1)}.", f"transformer.resblocks.{layer}."
        for before, after in OPEN_CLIP.items():
            for kind in ("weight", "bias"):
                renamed[f"{new}{after}.{kind}"] = tensors[f"{old}{before}.{kind}"]
        for kind in ("weight", "bias"):
            three = [tensors[f"{old}self_attn.{which}_proj.{kind}"] for which in "qkv"]
            shape = [3 * three[0].shape[0], *three[0].shape[1:]]
            renamed[f"{new}attn.in_proj_{kind}"] = Tensor(three[0].dtype, shape, b"".join(part.data for part in three))
    renamed["logit_scale"] = Tensor("F32", [], struct.pack("<f", 4.6052))
    return renamed


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def rename_texts(folder, configs):
    first, second = configs.get("text_encoder"), configs.get("text_encoder_2")
    renamed = {}
    if second:
        own = rename_open_clip(read_part(folder / "text_encoder_2"), second["num_hidden_layers"], 0)
        renamed.update(prefixed(f"conditioner.embedders.{1 if first else 0}.model.", own))
    if first:
        tensors = read_part(folder / "text_encoder")
        if second:
            renamed.update(prefixed("conditioner.embedders.0.transformer.", tensors))
        elif first["hidden_act"] == "gelu":
            renamed.update(prefixed("cond_stage_model.model.", rename_open_clip(tensors, first["num_hidden_layers"], 1)))
        else:
            ids = Tensor("I64", [1, 77], b"".join(struct.pack("<q", i) for i in range(77)))
            renamed.update(prefixed("cond_stage_model.transformer.", {**tensors, "text_model.embeddings.position_ids": ids}))
    return renamed


def collect(folder, arguments):
    configs = {part: json.loads((folder / part / "config.json").read_text()) for part in ("text_encoder", "text_encoder_2", "unet", "vae")
               if (folder / part / "config.json").exists()}
    if arguments.keep_names:
        return {f"{part}.{name}": tensor for part in configs for name, tensor in read_part(folder / part).items()}
    tensors = {}
    if "unet" in arguments.parts:
        tensors.update(prefixed("" if arguments.no_prefix else "model.diffusion_model.", rename_unet(read_part(folder / "unet"), configs["unet"])))
    if "vae" in arguments.parts:
        tensors.update(prefixed("" if arguments.no_prefix else "first_stage_model.", rename_vae(read_part(folder / "vae"), configs["vae"])))
    if "text" in arguments.parts:
        tensors.update(rename_texts(folder, configs))
    if len(arguments.parts) == 3:  # what a training run leaves in the file
        tensors["alphas_cumprod"] = Tensor("F32", [3], struct.pack("<3f", 0.9, 0.5, 0.1))
        tensors["model_ema.decay"] = Tensor("F32", [], struct.pack("<f", 0.9999))
    return tensors


# ---- torch.save ----

def fake_torch():
    """The names that the pickle of a checkpoint mentions, without torch."""
    torch, utils, lightning = (types.ModuleType(name) for name in ("torch", "torch._utils", "pytorch_lightning.callbacks.model_checkpoint"))
    for name in STORAGES.values():
        setattr(torch, f"{name}Storage", type(f"{name}Storage", (), {"__module__": "torch"}))
    lightning.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": lightning.__name__})

    def _rebuild_tensor_v2(*arguments):
        raise NotImplementedError
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = utils.__name__, "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    package, callbacks = types.ModuleType("pytorch_lightning"), types.ModuleType("pytorch_lightning.callbacks")
    return {"torch": torch, "torch._utils": utils, "pytorch_lightning": package, "pytorch_lightning.callbacks": callbacks, lightning.__name__: lightning}


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


class Saved:
    """Pickles as a tensor of torch does."""

    def __init__(self, rebuild, storage, shape):
        self.rebuild, self.storage, self.shape = rebuild, storage, tuple(shape)

    def __reduce__(self):
        strides, step = [], 1
        for size in reversed(self.shape):
            strides.insert(0, step)
            step *= size
        return self.rebuild, (self.storage, 0, self.shape, tuple(strides), False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, item):
        return ("storage", item.kind, item.key, "cpu", item.count) if isinstance(item, Storage) else None


def write_ckpt(path, tensors):
    modules = fake_torch()
    sys.modules.update(modules)
    state = collections.OrderedDict()
    for key, (name, tensor) in enumerate(tensors.items()):
        kind = getattr(modules["torch"], STORAGES[tensor.dtype] + "Storage")
        storage = Storage(kind, str(key), len(tensor.data) // SIZES[tensor.dtype])
        state[name] = Saved(modules["torch._utils"]._rebuild_tensor_v2, storage, tensor.shape)
    checkpoint = modules["pytorch_lightning.callbacks.model_checkpoint"].ModelCheckpoint
    document = {"epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": state, "callbacks": {checkpoint: {"monitor": "val/loss"}}}
    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(document)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def member(name, data):
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
        member("data.pkl", stream.getvalue())
        member("byteorder", b"little")
        for key, tensor in enumerate(tensors.values()):
            member(f"data/{key}", tensor.data)
        member("version", b"3\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--parts", default="unet,vae,text", type=lambda text: text.split(","))
    parser.add_argument("--no-prefix", action="store_true")
    parser.add_argument("--keep-names", action="store_true")
    parser.add_argument("--round", default="", type=str.upper)
    parser.add_argument("--dtype", default="", type=str.upper)
    arguments = parser.parse_args()
    tensors = collect(arguments.folder, arguments)
    tensors = {name: convert(convert(tensor, arguments.round), arguments.dtype) for name, tensor in tensors.items()}
    if arguments.out.suffix == ".safetensors":
        write_safetensors(arguments.out, tensors)
    else:
        write_ckpt(arguments.out, tensors)


if __name__ == "__main__":
    main()
