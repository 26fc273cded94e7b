#!/usr/bin/env python3
"""Writes tests/data/forward.json: betas, alpha_bar and the forward process as diffusers' DDPMScheduler has them.

    python3 tools/reference/forward.py tests/data/forward.json

x_0 and the noise are formulas that tests/unit/schedule.c repeats; "x_t" and "v" are add_noise and get_velocity at each timestep.
"""

import json
import math
import sys

import torch
from diffusers import DDPMScheduler

SIZE = 7
CONFIGS = [
    {"beta_schedule": "linear"},
    {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"},
    {"beta_schedule": "squaredcos_cap_v2"},
    {"num_train_timesteps": 89, "beta_start": 0.001, "beta_end": 0.3, "beta_schedule": "linear"},
    {"num_train_timesteps": 3, "trained_betas": [0.125, 0.3, 0.7]},
]
AT = [0, 1, 2, 44, 88, 300, 499, 500, 998, 999]


def main():
    x_0 = torch.tensor([[math.cos(0.9 * j) for j in range(SIZE)]], dtype=torch.float32)
    noise = torch.tensor([[1.3 * math.sin(2.3 * j + 0.5) for j in range(SIZE)]], dtype=torch.float32)
    groups = []
    for config in CONFIGS:
        scheduler = DDPMScheduler(**config)
        points = []
        for t in (t for t in AT if t < scheduler.config.num_train_timesteps):
            time = torch.tensor([t])
            points.append(
                {
                    "t": t,
                    "beta": float(scheduler.betas[t]),
                    "alpha_bar": float(scheduler.alphas_cumprod[t]),
                    "x_t": scheduler.add_noise(x_0, noise, time)[0].tolist(),
                    "v": scheduler.get_velocity(x_0, noise, time)[0].tolist(),
                }
            )
        total = float(scheduler.alphas_cumprod.double().sum())
        groups.append({"config": {"_class_name": "DDPMScheduler", **config}, "alpha_bar_sum": total, "points": points})
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups) + "\n]\n")


if __name__ == "__main__":
    main()
