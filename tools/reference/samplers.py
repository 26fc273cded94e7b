#!/usr/bin/env python3
"""Writes tests/data/samplers.json: what the schedulers of diffusers make of a small made-up model.

    python3 tools/reference/samplers.py tests/data/samplers.json

The model is a function that C reproduces exactly enough (see model below), x has 5 elements, and the noise of evaluation k is
a formula too, so a run is told by its scheduler_config.json, the number of steps and eta. "x" is the result of the schedulers' own step() in
float64, on the betas and sigmas that they keep in float32; "f32" is how far (relative) the same run in float32, as pipelines do
it, ends from there. What is not in diffusers is built here
from what is: Euler a with Karras sigmas (the sigmas of EulerDiscreteScheduler), Euler a with prediction type "sample" (the
output is turned into the noise it stands for), a first timestep that occurs twice (set_begin_index(0), as the pipelines do), and
the samplers of k-diffusion that have no class (see SAMPLERS), written down from their published formulas; such a group names
the "sampler". scipy and torchsde are replaced by the few functions below, so that neither is needed and the Brownian motion of
DPMSolverSDEScheduler is made of the noise that the formula gives.
"""

import functools
import json
import math
import sys
import types

import diffusers.utils.import_utils
import mpmath
import numpy as np
import torch


def quad(f, a, b, **_):
    """scipy.integrate.quad for polynomials of degree 15 and less."""
    points, weights = np.polynomial.legendre.leggauss(8)
    return ((b - a) / 2 * sum(w * f(a + (b - a) / 2 * (1 + p)) for p, w in zip(points, weights)),)


def stand_in(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module
    return module


@functools.lru_cache(maxsize=None)
def beta_ppf(probability, a, b):
    """scipy.stats.beta.ppf."""
    if probability in (0, 1):
        return float(probability)
    return float(mpmath.findroot(lambda x: mpmath.betainc(a, b, 0, x, regularized=True) - probability, (0, 1), solver="anderson"))


beta = types.SimpleNamespace(ppf=beta_ppf)
stand_in("scipy", stats=stand_in("scipy.stats", beta=beta), integrate=stand_in("scipy.integrate", quad=quad))
stand_in("torchsde")
diffusers.utils.import_utils._scipy_available = True

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_deis_multistep import DEISMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_heun_discrete import HeunDiscreteScheduler
from diffusers.schedulers.scheduling_ipndm import IPNDMScheduler
from diffusers.schedulers.scheduling_k_dpm_2_ancestral_discrete import KDPM2AncestralDiscreteScheduler
from diffusers.schedulers.scheduling_k_dpm_2_discrete import KDPM2DiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_lms_discrete import LMSDiscreteScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_tcd import TCDScheduler
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
        LMSDiscreteScheduler,
        KDPM2DiscreteScheduler,
        KDPM2AncestralDiscreteScheduler,
        DPMSolverSDEScheduler,
        DEISMultistepScheduler,
        LCMScheduler,
        TCDScheduler,
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


class BrownianMotion:
    """BrownianTreeNoiseSampler whose motion is made of noise(k): the step to the middle draws its part, the whole step the rest."""

    def __init__(self, x, *_):
        self.x, self.start = x, None

    def __call__(self, start, end):
        drawn = noise(step_now).reshape(self.x.shape).to(self.x.dtype)
        if start == self.start:
            part = ((start - self.middle) / (start - end)) ** 0.5 * self.part
            return part + ((self.middle - end) / (start - end)) ** 0.5 * drawn
        self.start, self.middle, self.part = start, end, drawn
        return drawn


def rescale_zero_terminal_snr(betas):
    """As diffusers', but for the square root: torch's differs from the rounded one in places, and from processor to processor."""
    roots = np.sqrt(torch.cumprod(1.0 - betas, dim=0).numpy())
    first, last = roots[0], roots[-1]
    alphas_bar = ((roots - last) * (first / (first - last))) ** 2
    return torch.from_numpy(1 - np.concatenate([alphas_bar[:1], alphas_bar[1:] / alphas_bar[:-1]]))


STEP_MODULES = [sys.modules[cls.__module__] for cls in CLASSES.values()]
for module in STEP_MODULES:
    if hasattr(module, "randn_tensor"):
        module.randn_tensor = fixed_noise
    if hasattr(module, "rescale_zero_terminal_snr"):
        module.rescale_zero_terminal_snr = rescale_zero_terminal_snr
    if hasattr(module, "BrownianTreeNoiseSampler"):
        module.BrownianTreeNoiseSampler = BrownianMotion


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


# Align Your Steps, https://research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html
AYS = {
    "ays": [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029],
    "ays_sdxl": [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029],
}


def published_sigmas(schedule, alphas_cumprod, steps):
    """The schedules that user interfaces have and diffusers does not, as ComfyUI and AUTOMATIC1111 compute them."""
    alphas = alphas_cumprod.double().numpy()
    sigmas = ((1 - alphas) / alphas) ** 0.5
    if schedule == "sgm_uniform":
        times = np.linspace(len(sigmas) - 1, 0, steps + 1)[:-1]
        return np.exp(np.interp(times, np.arange(len(sigmas)), np.log(sigmas)))
    if schedule == "simple":
        return np.array([sigmas[-(1 + int(i * (len(sigmas) / steps)))] for i in range(steps)])
    table = AYS[schedule]
    places = np.linspace(0, 1, len(table))
    return np.exp(np.interp(np.linspace(0, 1, steps), places, np.log(table)))


def prepare(config, steps):
    scheduler = make(config)
    scheduler.set_timesteps(steps)
    if "_schedule" in config:
        sigmas = published_sigmas(config["_schedule"], scheduler.alphas_cumprod, steps)
        logs = np.log(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).numpy() ** 0.5)
        scheduler.timesteps = torch.tensor([float(scheduler._sigma_to_t(s, logs)) for s in sigmas], dtype=torch.float64)
        scheduler.sigmas = torch.tensor([*sigmas, 0.0], dtype=torch.float32)
    if config["_class_name"] == "EulerAncestralDiscreteScheduler" and config.get("use_karras_sigmas"):
        twin = make({**config, "_class_name": "EulerDiscreteScheduler"})
        twin.set_timesteps(steps)
        scheduler.sigmas, scheduler.timesteps = twin.sigmas, twin.timesteps
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler


def ancestral_split(sigma, to, eta):
    up = min(to, eta * (to**2 * (sigma**2 - to**2) / sigma**2) ** 0.5)
    return (to**2 - up**2) ** 0.5, up


def sample_dpmpp_2s_ancestral(denoise, x, sigmas, draw_noise, eta, s_noise):
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i], i)
        down, up = ancestral_split(sigmas[i], sigmas[i + 1], eta)
        if down == 0:
            x = x + (x - denoised) / sigmas[i] * (down - sigmas[i])
        else:
            t, t_next = -math.log(sigmas[i]), -math.log(down)
            h = t_next - t
            middle = math.exp(-(t + h / 2))
            x_2 = middle / sigmas[i] * x - math.expm1(-h / 2) * denoised
            x = down / sigmas[i] * x - math.expm1(-h) * denoise(x_2, middle)
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * draw_noise()
    return x


def sample_dpmpp_3m_sde(denoise, x, sigmas, draw_noise, eta, s_noise):
    found, widths = [], []
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i], i)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        h = math.log(sigmas[i]) - math.log(sigmas[i + 1])
        h_eta = h * (eta + 1)
        phi_2 = math.expm1(-h_eta) / h_eta + 1
        phi_3 = phi_2 / h_eta - 0.5
        x = math.exp(-h_eta) * x - math.expm1(-h_eta) * denoised
        if len(found) >= 2:
            r0, r1 = widths[-1] / h, widths[-2] / h
            d1_0, d1_1 = (denoised - found[-1]) / r0, (found[-1] - found[-2]) / r1
            d1 = d1_0 + (d1_0 - d1_1) * r0 / (r0 + r1)
            d2 = (d1_0 - d1_1) / (r0 + r1)
            x = x + phi_2 * d1 - phi_3 * d2
        elif found:
            x = x + phi_2 * (denoised - found[-1]) / (widths[-1] / h)
        if eta:
            x = x + s_noise * sigmas[i + 1] * math.sqrt(-math.expm1(-2 * h * eta)) * draw_noise()
        found.append(denoised)
        widths.append(h)
    return x


def sample_dpmpp_2m_sde(denoise, x, sigmas, draw_noise, eta, s_noise):
    before = h_before = None
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i], i)
        if sigmas[i + 1] == 0:
            x = denoised
            continue
        h = math.log(sigmas[i]) - math.log(sigmas[i + 1])
        h_eta = h * eta
        x = sigmas[i + 1] / sigmas[i] * math.exp(-h_eta) * x - math.expm1(-h - h_eta) * denoised
        if before is not None:
            x = x - 0.5 * math.expm1(-h - h_eta) * (h / h_before) * (denoised - before)
        if eta:
            x = x + s_noise * sigmas[i + 1] * math.sqrt(-math.expm1(-2 * h_eta)) * draw_noise()
        before, h_before = denoised, h
    return x


def sample_dpm_2_ancestral(denoise, x, sigmas, draw_noise, eta, s_noise):
    for i in range(len(sigmas) - 1):
        d = (x - denoise(x, sigmas[i], i)) / sigmas[i]
        down, up = ancestral_split(sigmas[i], sigmas[i + 1], eta)
        if down == 0:
            x = x + d * (down - sigmas[i])
            continue
        middle = math.exp((math.log(sigmas[i]) + math.log(down)) / 2)
        x_2 = x + d * (middle - sigmas[i])
        x = x + (x_2 - denoise(x_2, middle)) / middle * (down - sigmas[i])
        x = x + s_noise * up * draw_noise()
    return x


def sample_euler_ancestral(denoise, x, sigmas, draw_noise, eta, s_noise):
    for i in range(len(sigmas) - 1):
        denoised = denoise(x, sigmas[i], i)
        down, up = ancestral_split(sigmas[i], sigmas[i + 1], eta)
        x = x + (x - denoised) / sigmas[i] * (down - sigmas[i])
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * draw_noise()
    return x


def sample_ipndm(denoise, x, sigmas, draw_noise, eta, s_noise):
    """IPNDMScheduler's own step, along these noise levels; the class expects v of models that see x on the scale of the data."""
    levels = torch.tensor(sigmas, dtype=torch.float64)
    scheduler = IPNDMScheduler()
    scheduler.set_timesteps(len(sigmas) - 1)
    scheduler.set_begin_index(0)
    scheduler.alphas = 1 / (levels**2 + 1) ** 0.5
    scheduler.betas = levels * scheduler.alphas
    x = x * scheduler.alphas[0].to(x.dtype)
    for i, t in enumerate(scheduler.timesteps):
        alpha, beta = (float(values[i]) for values in (scheduler.alphas, scheduler.betas))
        denoised = denoise(x / alpha, sigmas[i], i)
        x = scheduler.step((alpha * x - denoised) / beta, t, x).prev_sample
    return x


# k-diffusion's samplers that diffusers has no class for, or no eta and s_noise.
SAMPLERS = {
    "dpmpp_2s_a": sample_dpmpp_2s_ancestral,
    "dpmpp_3m_sde": sample_dpmpp_3m_sde,
    "dpmpp_2m_sde": sample_dpmpp_2m_sde,
    "dpm2_a": sample_dpm_2_ancestral,
    "euler_a": sample_euler_ancestral,
    "ipndm": sample_ipndm,
}


class Denoiser:
    """The model as k-diffusion wraps it. Lists what it was shown."""

    def __init__(self, scheduler, config, dtype):
        alphas = scheduler.alphas_cumprod.double().numpy()
        self.log_sigmas = np.log(((1 - alphas) / alphas) ** 0.5)
        self.prediction, self.dtype = config.get("prediction_type", "epsilon"), dtype
        self.rungs = [float(t) for t in scheduler.timesteps]
        self.timesteps = []

    def __call__(self, x, sigma, rung=None):
        global step_now
        step_now = len(self.timesteps)
        if rung is not None:
            t = self.rungs[rung]
        else:
            t = float(np.interp(math.log(sigma), self.log_sigmas, np.arange(len(self.log_sigmas))))
        self.timesteps.append(t)
        out = model((x / (sigma**2 + 1) ** 0.5).double(), t).to(self.dtype)
        if self.prediction == "epsilon":
            return x - sigma * out
        if self.prediction == "v_prediction":
            return x / (sigma**2 + 1) - sigma / (sigma**2 + 1) ** 0.5 * out
        return out


def draw_from_k_diffusion(config, sampler, steps, options, dtype):
    """The run and the timesteps it visited."""
    scheduler = prepare(config, steps)
    denoiser = Denoiser(scheduler, config, dtype)
    sigmas = [float(s) for s in scheduler.sigmas]
    x = (noise(-1).to(dtype) * scheduler.init_noise_sigma).to(dtype)
    if scheduler.init_noise_sigma == 1:  # a class on the scale of the forward process
        x = x * (sigmas[0] ** 2 + 1) ** 0.5
    options = {"eta": 1.0, "s_noise": 1.0, **options}
    x = SAMPLERS[sampler](denoiser, x, sigmas, lambda: noise(step_now).to(dtype), **options)
    return x, torch.tensor(denoiser.timesteps, dtype=torch.float64)


def draw(scheduler, config, options, dtype):
    global step_now
    name = config["_class_name"]
    options = dict(options)
    begin = options.pop("begin", 0)
    timesteps = scheduler.timesteps[begin * scheduler.order :]
    if begin:  # as the image-to-image pipelines do, from the picture noise(-2)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(begin * scheduler.order)
        picture, fresh = (noise(k).to(dtype).reshape(1, SIZE) for k in (-2, -1))
        x = scheduler.add_noise(picture, fresh, timesteps[:1]).to(dtype)
    else:
        x = (noise(-1).to(dtype) * scheduler.init_noise_sigma).reshape(1, SIZE).to(dtype)
    for k, t in enumerate(timesteps):
        step_now = k
        shown = scheduler.scale_model_input(x, t)
        out = model(shown.reshape(SIZE).double(), float(t)).reshape(1, SIZE).to(dtype)
        if name == "EulerAncestralDiscreteScheduler" and config.get("prediction_type") == "sample":
            out = (x - out) / scheduler.sigmas[scheduler.step_index]
        x = scheduler.step(out, t, x, **options).prev_sample
        assert x.dtype == dtype
    return x.reshape(-1)


def widen_midpoints(scheduler):
    """KDPM2's levels between those of the schedule, which it computes from them in float32."""
    sigmas = torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1:-1:2]])
    following = torch.cat([sigmas[1:], sigmas[:1] * 0])
    up = torch.zeros_like(sigmas)
    if hasattr(scheduler, "sigmas_up"):
        up = torch.nan_to_num((following**2 * (sigmas**2 - following**2) / sigmas**2) ** 0.5)
    down = (following**2 - up**2) ** 0.5
    middles = (sigmas * down) ** 0.5
    if hasattr(scheduler, "sigmas_up"):
        scheduler.sigmas_up, scheduler.sigmas_down = up.repeat_interleave(2), down.repeat_interleave(2)
        scheduler.sigmas_interpol = middles.repeat_interleave(2)
    else:
        scheduler.sigmas_interpol = torch.cat([middles[:1], middles.repeat_interleave(2)])
    scheduler.timesteps = scheduler.timesteps.double()
    logs = scheduler.log_sigmas.double().numpy()
    scheduler.timesteps[1::2] = torch.tensor([float(scheduler._sigma_to_t(m, logs)) for m in middles[:-2].numpy()]).double()


def draw_in_double(config, steps, options):
    """The run and the timesteps it visited."""
    scheduler = prepare(config, steps)
    for name in ("alphas_cumprod", "final_alpha_cumprod", "one", "sigmas"):
        if isinstance(getattr(scheduler, name, None), torch.Tensor):
            setattr(scheduler, name, getattr(scheduler, name).double())
    if hasattr(scheduler, "sigmas_interpol"):
        widen_midpoints(scheduler)
    try:
        for module in STEP_MODULES:
            module.torch = TorchInDouble()
        visited = scheduler.timesteps[options.get("begin", 0) * scheduler.order :]
        return draw(scheduler, config, options, torch.float64), visited.double()
    finally:
        for module in STEP_MODULES:
            module.torch = torch


def run(config, steps, options):
    scheduler = prepare(config, steps)
    sampler = config.get("_sampler")
    if sampler:
        single, _ = draw_from_k_diffusion(config, sampler, steps, options, torch.float32)
        double, times = draw_from_k_diffusion(config, sampler, steps, options, torch.float64)
        single = single.double()
    else:
        single = draw(scheduler, config, options, torch.float32).double()
        double, times = draw_in_double(config, steps, options)
    return {
        "steps": steps,
        "init": float(scheduler.init_noise_sigma),
        "timesteps": [float(times[0]), float(times[-1]), float(times.sum())],
        "f32": float(f"{(single - double).norm() / double.norm():.2g}"),
        "x": [float(f"{v:.10g}") for v in double.tolist()],
        **options,
    }


def configs():
    for name in (cls.__name__ for cls in SWEPT):
        for karras in [False, True] if name in KARRAS else [False]:
            extra = {"use_karras_sigmas": True} if karras else {}
            for prediction in ["epsilon", "v_prediction", "sample"]:
                common = {"_class_name": name, "prediction_type": prediction, **extra}
                for spacing in ["leading", "linspace", "trailing"]:
                    yield {**common, **LATENT, "timestep_spacing": spacing}, STEPS, {}
                for betas in ["linear", "squaredcos_cap_v2"]:
                    yield {**common, "beta_schedule": betas}, STEPS, {}
    # What the sweep above leaves at its default.
    ddim = {"_class_name": "DDIMScheduler", **LATENT}
    dpm = {"_class_name": "DPMSolverMultistepScheduler", **LATENT}
    euler = {"_class_name": "EulerDiscreteScheduler", **LATENT}
    yield {**ddim, "set_alpha_to_one": False}, [2, 20], {}
    yield {**ddim, "set_alpha_to_one": False}, [2, 20], {"eta": 0.7}
    yield {**ddim, "prediction_type": "v_prediction"}, [5, 50], {"eta": 1.0}
    yield {**ddim, "num_train_timesteps": 89, "beta_end": 0.2, "timestep_spacing": "trailing"}, [1, 13, 89], {}
    yield {"_class_name": "DDIMScheduler", "num_train_timesteps": 7, "trained_betas": [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5]}, [7], {}
    yield {"_class_name": "DDPMScheduler", **LATENT, "variance_type": "fixed_large"}, [5, 20], {}
    yield {"_class_name": "DDPMScheduler", **LATENT, "variance_type": "fixed_small_log"}, [13], {}
    yield {**euler, "final_sigmas_type": "sigma_min"}, [5, 20], {}
    yield {**euler, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5], {}
    yield {**dpm, "final_sigmas_type": "sigma_min"}, [5, 13, 20], {}
    yield {**dpm, "final_sigmas_type": "sigma_min", "euler_at_final": True}, [20], {}
    yield {**dpm, "final_sigmas_type": "sigma_min", "lower_order_final": False}, [5], {}
    yield {**dpm, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5], {}
    yield {"_class_name": "DPMSolverMultistepScheduler", "beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, [5, 20], {}
    yield {"_class_name": "HeunDiscreteScheduler"}, [13], {}


def multistep_configs():
    pndm = {"_class_name": "PNDMScheduler", "skip_prk_steps": True}
    for prediction in ["epsilon", "v_prediction"]:
        for spacing in ["leading", "linspace", "trailing"]:
            yield {**pndm, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [2, 5, 20], {}
    yield {**pndm, **LATENT}, [1, 3, 4, 50], {}
    yield {**pndm, "beta_schedule": "linear", "set_alpha_to_one": True}, [13], {}
    yield {**pndm, "beta_schedule": "squaredcos_cap_v2"}, [13], {}

    unipc = {"_class_name": "UniPCMultistepScheduler"}
    sde = {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"}
    for solver in [unipc, sde]:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            for spacing in ["leading", "linspace", "trailing"]:
                yield {**solver, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [5, 20], {}
            yield {**solver, **LATENT, "prediction_type": prediction, "use_karras_sigmas": True}, [5, 20], {}
        yield {**solver, **LATENT}, [1, 2, 3, 14, 15, 50], {}
        yield {**solver, "beta_schedule": "linear"}, [13], {}
        yield {**solver, "beta_schedule": "squaredcos_cap_v2", "use_karras_sigmas": True}, [13], {}
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min"}, [5, 20], {}
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min", "lower_order_final": False}, [5], {}
        yield {**solver, **LATENT, "final_sigmas_type": "sigma_min", "use_karras_sigmas": True}, [5, 20], {}
    yield {**unipc, "beta_schedule": "squaredcos_cap_v2"}, [20], {}

    deis = {"_class_name": "DEISMultistepScheduler"}
    for prediction in ["epsilon", "v_prediction", "sample"]:
        for spacing in ["leading", "linspace", "trailing"]:
            yield {**deis, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [5, 20], {}
        yield {**deis, **LATENT, "prediction_type": prediction, "use_karras_sigmas": True}, [5, 20], {}
    yield {**deis, **LATENT}, [1, 2, 3, 14, 15, 50], {}
    yield {**deis, **LATENT, "lower_order_final": False}, [5], {}
    yield {**deis, **LATENT, "use_exponential_sigmas": True}, [5, 20], {}
    for betas in ["linear", "squaredcos_cap_v2"]:
        yield {**deis, "beta_schedule": betas}, [13], {}


def few_step_configs():
    for name in ["LCMScheduler", "TCDScheduler"]:
        for prediction in ["epsilon", "v_prediction", "sample"]:
            yield {"_class_name": name, "prediction_type": prediction}, [1, 2, 4, 8, 13, 50], {}
        yield {"_class_name": name, "beta_schedule": "linear", "original_inference_steps": 100}, [4, 13], {}
    yield {"_class_name": "LCMScheduler", "timestep_scaling": 0.01}, [4], {}
    for eta in [0.0001, 0.3, 0.7, 1.0]:
        yield {"_class_name": "TCDScheduler"}, [4, 13], {"eta": eta}


def ladder_configs():
    """Samplers on x = x_0 + sigma · noise."""
    for name in ["LMSDiscreteScheduler", "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DPMSolverSDEScheduler"]:
        sampler = {"_class_name": name}
        # KDPM2 and the SDE solver know no prediction type "sample".
        for prediction in ["epsilon", "v_prediction", "sample"][: 3 if name == "LMSDiscreteScheduler" else 2]:
            for spacing in ["leading", "linspace", "trailing"]:
                yield {**sampler, **LATENT, "prediction_type": prediction, "timestep_spacing": spacing}, [5, 20], {}
            yield {**sampler, **LATENT, "prediction_type": prediction, "use_karras_sigmas": True}, [5, 20], {}
        yield {**sampler, **LATENT}, [2, 3, 4, 50], {}
        yield sampler, [13], {}
        yield {**sampler, "beta_schedule": "squaredcos_cap_v2"}, [13], {}
    yield {"_class_name": "DPMSolverSDEScheduler", **LATENT}, [5, 20], {"s_noise": 1.1}

    euler = {"_class_name": "EulerDiscreteScheduler", **LATENT}
    for sampler in ["dpmpp_2s_a", "dpmpp_3m_sde", "ipndm"]:
        named = {**euler, "_sampler": sampler}
        for prediction in ["epsilon", "v_prediction", "sample"]:
            for karras in [False, True]:
                yield {**named, "prediction_type": prediction, "use_karras_sigmas": karras}, [1, 2, 5, 20], {}
        yield {**named, "timestep_spacing": "leading"}, [3, 5, 20], {}
    yield {"_class_name": "DPMSolverMultistepScheduler", **LATENT, "_sampler": "dpmpp_2m_sde"}, [13], {"eta": 0.6, "s_noise": 1.1}
    for sampler in ["euler_a", "dpm2_a", "dpmpp_2s_a", "dpmpp_3m_sde"]:
        yield {**euler, "_sampler": sampler}, [13], {"eta": 0.6, "s_noise": 1.1}


def schedule_configs():
    """Noise levels other than the training schedule's, and zero terminal SNR."""
    euler = {"_class_name": "EulerDiscreteScheduler", **LATENT}
    multistep = {"_class_name": "DPMSolverMultistepScheduler", **LATENT}
    names = ["HeunDiscreteScheduler", "LMSDiscreteScheduler", "KDPM2DiscreteScheduler", "DPMSolverSDEScheduler"]
    for switch in ["use_exponential_sigmas", "use_beta_sigmas"]:
        for config in [euler, multistep, {**multistep, "_class_name": "UniPCMultistepScheduler"}]:
            yield {**config, switch: True}, [1, 5, 20], {}
        for name in names:
            yield {**euler, "_class_name": name, switch: True}, [5, 20], {}
        yield {**euler, switch: True, "timestep_spacing": "leading"}, [13], {}
        yield {**multistep, switch: True, "beta_schedule": "squaredcos_cap_v2"}, [13], {}
    for schedule in ["sgm_uniform", "simple", "ays", "ays_sdxl"]:
        for config in [euler, multistep]:
            yield {**config, "_schedule": schedule}, [2, 5, 11, 20], {}
    zero_snr = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing", **LATENT}
    for name in ["DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
                 "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]:  # fmt: skip
        yield {"_class_name": name, **zero_snr}, [5, 20], {}
    yield {"_class_name": "DDIMScheduler", **zero_snr, "prediction_type": "sample", "num_train_timesteps": 89}, [13], {}


def begun_configs():
    """Runs that begin in the middle, from a noised picture. PNDMScheduler and LMSDiscreteScheduler are left out: the former then
    takes the second timestep for the third, the latter weighs derivatives that it does not have."""
    classes = (
        DDIMScheduler,
        DDPMScheduler,
        EulerDiscreteScheduler,
        EulerAncestralDiscreteScheduler,
        HeunDiscreteScheduler,
        KDPM2DiscreteScheduler,
        KDPM2AncestralDiscreteScheduler,
        DPMSolverMultistepScheduler,
        DEISMultistepScheduler,
        UniPCMultistepScheduler,
        LCMScheduler,
    )
    for cls in classes:
        for begin in (1, 5, 12):
            yield {"_class_name": cls.__name__, **LATENT}, [13], {"begin": begin}


def group_of(config, steps, options):
    named = {key: config["_" + key] for key in ("sampler", "schedule") if "_" + key in config}
    shown = {k: v for k, v in config.items() if k.lstrip("_") not in named}
    return {**named, "config": shown, "runs": [run(config, n, options) for n in steps]}


def main():
    groups = [group_of(*case) for generate in (configs, multistep_configs, few_step_configs, ladder_configs, schedule_configs, begun_configs) for case in generate()]
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(group, separators=(",", ":")) for group in groups) + "\n]\n")


if __name__ == "__main__":
    main()
