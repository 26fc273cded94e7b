#!/usr/bin/env python3
"""Writes tests/data/quant: GGUF's blocks as the gguf package decodes and encodes them.

    python3 tools/reference/gguf_fixtures.py tests/data/quant

blocks.safetensors holds for every type T "T.blocks" (random bytes, scales among them that are zero, subnormal, huge, infinite and not
a number) and "T.values", what they decode to; "source", values of several distributions; and for the types that the
package encodes "T.encoded", the blocks it makes of them."""

import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the 16-bit scales of a block stand.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}
ENCODED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
EXTREME = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x7C00, 0x7E00]


def random_blocks(rng, name, count):
    quant = GGMLQuantizationType[name]
    blocks = rng.integers(0, 256, (count, GGML_QUANT_SIZES[quant][1]), dtype=np.uint8)
    for i in range(count):
        for at in HALVES[name]:
            usual = np.float16(rng.normal() * 0.01).view(np.uint16)
            bits = EXTREME[i] if i < len(EXTREME) else EXTREME[int(rng.integers(len(EXTREME)))] if i < 10 else usual
            blocks[i, at:at + 2] = [bits & 255, bits >> 8]
    return blocks


def source(rng):
    """[11, 512]: a row a distribution; every value and every scale is finite in 16 bits."""
    rows = [
        rng.normal(size=512) * 0.03,
        rng.uniform(-1, 1, 512),
        rng.standard_t(3, 512),
        np.abs(rng.normal(size=512)) + 0.5,  # all above zero
        -np.abs(rng.normal(size=512)) - 0.5,
        np.zeros(512),
        np.where(rng.random(512) < 0.02, rng.normal(size=512) * 100, rng.normal(size=512) * 0.01),  # outliers
        rng.normal(size=512) * 1e-7,  # scales are subnormal halves
        np.full(512, 0.75),
        rng.normal(size=512) * 10000,
        np.repeat([1.0, -1.0, 0.0, 2.5], 128),
    ]
    return np.stack(rows).astype(np.float32)


def add_metadata(writer):
    writer.add_name("tiny")
    writer.add_file_type(7)
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -3)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -300)
    writer.add_int32("test.i32", -70000)
    writer.add_float32("test.f32", 0.25)
    writer.add_bool("test.bool", True)
    writer.add_uint64("test.u64", 1 << 40)
    writer.add_int64("test.i64", -(1 << 40))
    writer.add_float64("test.f64", 0.1)
    writer.add_array("test.numbers", [3, 5, 7])
    writer.add_array("test.words", ["one", "", "drei \u00e4"])


def write_tiny(rng, folder):
    writer = GGUFWriter(folder / "tiny.gguf", "sd1")
    writer.add_custom_alignment(64)
    add_metadata(writer)
    values = {}

    def add(name, data, raw=None):
        writer.add_tensor(name, data, raw_dtype=raw)
        values[name] = dequantize(data, raw) if raw else data.astype(np.float32)

    add("f32", rng.normal(size=(3, 5)).astype(np.float32))
    add("f16", rng.normal(size=(7, 2, 3, 3)).astype(np.float16))
    add("i32", np.arange(13, dtype=np.int32))
    add("f64", rng.normal(size=(1, 3)))
    bf16 = GGMLQuantizationType.BF16
    add("bf16", quantize(rng.normal(size=(5, 11)).astype(np.float32), bf16), bf16)
    for name in TYPES:
        quant = GGMLQuantizationType[name]
        add(name.lower(), random_blocks(rng, name, 23)[10:].reshape(13, -1), quant)
    # [32, 8, 3, 3] as 9 rows of 256.
    flat = random_blocks(rng, "Q4_K", 19)[10:].reshape(9, -1)
    writer.add_array("comfy.gguf.orig_shape.flat", [32, 8, 3, 3])
    writer.add_tensor("flat", flat, raw_dtype=GGMLQuantizationType.Q4_K)
    values["flat"] = dequantize(flat, GGMLQuantizationType.Q4_K).reshape(32, 8, 3, 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(values, folder / "tiny.safetensors")


def main():
    folder = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(20240611)
    tensors = {"source": source(rng)}
    with np.errstate(invalid="ignore", over="ignore"):
        for name in TYPES:
            blocks = random_blocks(rng, name, 13)
            tensors[f"{name}.blocks"] = blocks
            tensors[f"{name}.values"] = dequantize(blocks, GGMLQuantizationType[name])
        for name in ENCODED:
            tensors[f"{name}.encoded"] = quantize(tensors["source"], GGMLQuantizationType[name])
    save_file(tensors, folder / "blocks.safetensors")
    write_tiny(rng, folder)


if __name__ == "__main__":
    main()
