#!/usr/bin/env python3
"""Writes tests/data/ckpt: small files as torch.save makes them (torch 2.15.0), and what is in them as safetensors; and seeds for the fuzzer in
tests/fuzz/corpus/ckpt.

    ckpt_fixtures.py [ROOT]      ROOT is the source tree
"""

import collections
import pathlib
import pickle
import sys
import zipfile

import numpy
import safetensors.torch
import torch


class Evil:
    """What a pickle can do to those who load it."""

    def __reduce__(self):
        import os
        return os.system, ("echo this was run > /tmp/brume-was-run",)


def tensors():
    generator = torch.Generator().manual_seed(13)
    base = torch.randn(5, 7, 3, generator=generator)
    return collections.OrderedDict([
        ("layer.weight", base),
        ("layer.bias", torch.nn.Parameter(torch.randn(11, generator=generator))),
        ("half", torch.randn(3, 13, generator=generator).half()),
        ("bfloat", torch.randn(17, generator=generator).bfloat16()),
        ("double", torch.randn(2, 3, generator=generator).double()),
        ("ids", torch.arange(19).reshape(1, 19)),
        ("bytes", torch.arange(5, dtype=torch.uint8)),
        ("scalar", torch.tensor(2.5)),
        ("none", torch.zeros(0, 4)),
        ("row", base[2]),  # shares its storage
        ("float8", torch.randn(6, generator=generator).to(torch.float8_e4m3fn)),
    ])


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    out, corpus = root / "tests/data/ckpt", root / "tests/fuzz/corpus/ckpt"
    out.mkdir(parents=True, exist_ok=True)
    corpus.mkdir(parents=True, exist_ok=True)
    state = tensors()
    safetensors.torch.save_file({name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, out / "expected.safetensors")
    torch.save(state, out / "plain.pt")
    torch.save(state, out / "protocol4.pt", pickle_protocol=4)
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))])
    torch.save({"epoch": 4, "global_step": 470000, "loss": numpy.float64(0.125), "rate": 1e-4, "big": 1 << 80, "name": "übung", "flags": {True, False},
                "state_dict": state, "optimizer_states": [optimizer.state_dict()], "hyper_parameters": {"size": torch.Size([3, 4]), "dtype": torch.float16}},
               out / "training.ckpt")
    inversion = torch.nn.ParameterDict({"*": torch.nn.Parameter(torch.ones(2, 8))})
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": inversion}, out / "inversion.pt")
    torch.save({"a": torch.ones(3, 4).t()}, out / "strided.pt")
    torch.save({"a": torch.ones(3), "b": Evil()}, out / "evil.pt")
    torch.save({"a": torch.ones(3)}, out / "legacy.pt", _use_new_zipfile_serialization=False)
    for path in sorted(out.iterdir()):
        if path.suffix in (".pt", ".ckpt"):
            (corpus / path.name).write_bytes(path.read_bytes())
            if zipfile.is_zipfile(path):
                archive = zipfile.ZipFile(path)
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                (corpus / f"{path.stem}.pkl").write_bytes(archive.read(name))
    (corpus / "builtin.pkl").write_bytes(pickle.dumps({"a": [1, 2.5, None, "x", b"y", (1, 2)], 3: {4}}, protocol=5))


if __name__ == "__main__":
    main()
