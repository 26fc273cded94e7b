#!/usr/bin/env python3
"""Writes tests/data/noise.json: what torch.randn gives on the CPU for seeds and sizes around its 16-value block.

    python3 tools/reference/noise.py tests/data/noise.json

Each case is one generator and a list of consecutive calls. Long results keep their first and last 40 values.
"""

import json
import sys

import torch

KEEP = 40
CASES = [
    (0, [1, 1, 1]),
    (42, [15]),
    (42, [16]),
    (42, [17]),
    (1, [7, 3, 16, 5, 1]),  # the spare normal of the scalar path survives a block call
    (2**32 + 7, [13, 31]),  # mt19937 takes the low 32 bits
    (2**64 - 1, [89]),
    (1234567, [113, 113, 2]),
    (3, [625, 1024]),  # past one refill of the 624-word state
    (5, [4 * 16 * 16]),
    (6, [4 * 13 * 17]),
    (26, [16128]),  # value 16122 moves by 1.5e-6 when the Box-Muller angle is not rounded to float
]


def main():
    cases = []
    for seed, sizes in CASES:
        generator = torch.Generator("cpu").manual_seed(seed if seed < 2**63 else seed - 2**64)
        calls = []
        for size in sizes:
            values = torch.randn(size, generator=generator).tolist()
            short = len(values) <= 2 * KEEP
            calls.append({"size": size, "head": values if short else values[:KEEP], "tail": [] if short else values[-KEEP:]})
        cases.append({"seed": str(seed), "calls": calls})
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump({"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(), "cases": cases}, out, indent=None)
        out.write("\n")


if __name__ == "__main__":
    main()
