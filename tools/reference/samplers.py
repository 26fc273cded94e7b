#!/usr/bin/env python3
"""Writes tests/data/samplers.json: what the schedulers of diffusers make of a small made-up model.

    python3 tools/reference/samplers.py tests/data/samplers.json

The model is a function that C reproduces exactly enough (see model below), x has 5 elements, and the noise of evaluation k is
a formula too, so a run is told by its scheduler_config.json, the number of steps and eta. "x" is the result of the schedulers' own step() in
float64, on the betas and sigmas that they keep in float32; "f32" is how far (relative) the same run in float32, as pipelines do
it, ends from there. Three things are not in diffusers and are built here
from what is: Euler a with Karras sigmas (the sigmas of EulerDiscreteScheduler), Euler a with prediction type "sample" (the
output is turned into the noise it stands for), and a first timestep that occurs twice (set_begin_index(0), as the pipelines do).
"""

import json
import math
import sys

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

SIZE = 5
SWEPT = (
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    EulerAncestralDiscreteScheduler,
    HeunDiscreteScheduler,
    DPMSolverMultistepScheduler,
)
CLASSES = {
    cls.__name__: cls
    for cls in (
        *SWEPT,
        PNDMScheduler,
        UniPCMultistepScheduler,
    )
}
KARRAS = ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler"]
STEPS = [1, 2, 5, 20, 50]
LATENT = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def noise(k):
    """Evaluation k of the model, from 0; -1 is x_T."""
    return torch.tensor([1.3 * math.sin(1.7 * k + 2.3 * j + 0.5) for j in range(SIZE)], dtype=torch.float64)


def model(x, t):
    """x: [5] float64, t: a number."""
    wave = torch.tensor([math.cos(0.01 * t + j) for j in range(SIZE)], dtype=torch.float64)
    return 0.6 * x + 0.3 * torch.tanh(torch.roll(x, -1)) + 0.1 * wave


step_now = 0


def fixed_noise(shape, dtype=torch.float32, **_):
    return noise(step_now).reshape(shape).to(dtype)


class TorchInDouble:
    """The torch module as step() sees it in the float64 run: some schedulers cast x to torch.float32."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


STEP_MODULES = [sys.modules[cls.__module__] for cls in CLASSES.values()]
for module in STEP_MODULES:
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = fixed_noise


def make(config):
    arguments = {k: v for k, v in config.items() if not k.startswith("_")}
    name = config["_class_name"]
    if name in ("DDIMScheduler", "DDPMScheduler"):
        arguments.setdefault("clip_sample", False)
    if name == "EulerAncestralDiscreteScheduler":
        arguments.pop("use_karras_sigmas", None)
        if arguments.get("prediction_type") == "sample":
            arguments["prediction_type"] = "epsilon"
    return CLASSES[name](**arguments)


def prepare(config, steps):
    scheduler = make(config)
    scheduler.set_timesteps(steps)
    if config["_class_name"] == "EulerAncestralDiscreteScheduler" and config.get("use_karras_sigmas"):
        twin = make({**config, "_class_name": "EulerDiscreteScheduler"})
        twin.set_timesteps(steps)
        scheduler.sigmas, scheduler.timesteps = twin.sigmas, twin.timesteps
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler


def draw(scheduler, config, eta, dtype):
    global step_now
    name = config["_class_name"]
    x = (noise(-1).to(dtype) * scheduler.init_noise_sigma).reshape(1, SIZE).to(dtype)
    for k, t in enumerate(scheduler.timesteps):
        step_now = k
        shown = scheduler.scale_model_input(x, t)
        out = model(shown.reshape(SIZE).double(), float(t)).reshape(1, SIZE).to(dtype)
        if name == "EulerAncestralDiscreteScheduler" and config.get("prediction_type") == "sample":
            out = (x - out) / scheduler.sigmas[scheduler.step_index]
        extra = {"eta": eta} if name == "DDIMScheduler" else {}
        x = scheduler.step(out, t, x, **extra).prev_sample
        assert x.dtype == dtype
    return x.reshape(-1)


def draw_in_double(config, steps, eta):
    scheduler = prepare(config, steps)
    for name in ("alphas_cumprod", "final_alpha_cumprod", "one", "sigmas"):
        if isinstance(getattr(scheduler, name, None), torch.Tensor):
            setattr(scheduler, name, getattr(scheduler, name).double())
    try:
        for module in STEP_MODULES:
            module.torch = TorchInDouble()
        return draw(scheduler, config, eta, torch.float64)
    finally:
        for module in STEP_MODULES:
            module.torch = torch


def run(config, steps, eta):
    scheduler = prepare(config, steps)
    single = draw(scheduler, config, eta, torch.float32).double()
    double = draw_in_double(config, steps, eta)
    times = scheduler.timesteps.double()
    result = {
        "steps": steps,
        "init": float(scheduler.init_noise_sigma),
        "timesteps": [float(times[0]), float(times[-1]), float(times.sum())],
        "f32": float(f"{(single - double).norm() / double.norm():.2g}"),
        "x": [float(f"{v:.10g}") for v in double.tolist()],
    }
    if eta:
        result["eta"] = eta
    return result


def configs():
    for name in (cls.__name__ for cls in SWEPT):
        for karras in [False, True] if name in KARRAS else [False]:
            extra = {"use_karras_sigmas": True} if karras else {}
            for prediction in ["epsilon", "v_prediction", "sample"]:
                common = {"_class_name": name, "prediction_type": prediction, **extra}
                for spacing in ["leading", "linspace", "trailing"]:
                    yield {**common, **LATENT, "timestep_spacing": spacing}, STEPS, 0
                for betas in ["linear", "squaredcos_cap_v2"]:
                    yield {**common, "beta_schedule": betas}, STEPS, 0
    # What the sweep above leaves at its default.
    ddim = {"_class_name": "DDIMScheduler", **LATENT}
    dpm = {"_class_name": "DPMSolverMultistepScheduler", **LATENT}
    euler = {"_class_name": "EulerDiscreteScheduler", **LATENT}
    yield {**ddim, "set_alpha_to_one": False}, [2, 20], 0
    yield {**ddim, "set_alpha_to_one": False}, [2, 20], 0.7
    yield {**ddim, "prediction_type": "v_prediction"}, [5, 50], 1.0
    yield {**ddim, "num_train_timesteps": 89, "beta_end": 0.2, "timestep_spacing": "trailing"}, [1, 13, 89], 0
    yield {"_class_name": "DDIMScheduler", "num_train_timesteps": 7, "trained_betas": [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]}, [7], 0
    yield {"_class_name": "DDPMScheduler", **LATENT, "variance_type": "fixed_large"}, [5, 20], 0
    yield {"_class_name": "DDPMScheduler", **LATENT, "variance_type": "fixed_small_log"}, [13], 0
    yield {**euler, "final_sigmas_type": "sigma_min"}, [5, 20], 0
    yield {**euler, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5], 0
    yield {**dpm, "final_sigmas_type": "sigma_min"}, [5, 13, 20], 0
    yield {**dpm, "final_sigmas_type": "sigma_min", "euler_at_final": True}, [20], 0
    yield {**dpm, "final_sigmas_type": "sigma_min", "lower_order_final": False}, [5], 0
    yield {**dpm, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5], 0
    yield {"_class_name": "DPMSolverMultistepScheduler", "beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, [5, 20], 0
    yield {"_class_name": "HeunDiscreteScheduler"}, [13], 0
    yield from multistep_configs()


def multistep_configs():
    pndm = {"_class_name": "PNDMScheduler", "skip_prk_steps": True}
    for prediction in ["epsilon", "v_prediction"]:
        for spacing in ["leading", "linspace", "trailing"]:
            yield {**pndm, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [2, 5, 20], 0
    yield {**pndm, **LATENT}, [1, 3, 4, 50], 0
    yield {**pndm, "beta_schedule": "linear", "set_alpha_to_one": True}, [13], 0
    yield {**pndm, "beta_schedule": "squaredcos_cap_v2"}, [13], 0

    unipc = {"_class_name": "UniPCMultistepScheduler"}
    sde = {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"}
    for solver in [unipc, sde]:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            for spacing in ["leading", "linspace", "trailing"]:
                yield {**solver, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [5, 20], 0
            yield {**solver, **LATENT, "prediction_type": prediction, "use_karras_sigmas": True}, [5, 20], 0
        yield {**solver, **LATENT}, [1, 2, 3, 14, 15, 50], 0
        yield {**solver, "beta_schedule": "linear"}, [13], 0
        yield {**solver, "beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True}, [13], 0
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min"}, [5, 20], 0
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min", "lower_order_final": False}, [5], 0
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5, 20], 0
    yield {**unipc, "beta_schedule": "squaredcos_cap_v2"}, [20], 0


def main():
    groups = [{"config": config, "runs": [run(config, n, eta) for n in steps]} for config, steps, eta in configs()]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups) + "\n]\n")


if __name__ == "__main__":
    main()
