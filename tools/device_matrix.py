"""What `tools/device-lab matrix` checks on each device, and the documents it writes of it."""

import datetime
import json
import struct
import subprocess
import zlib

import main_loop

PICTURE = ["--steps", "4", "-s", "7", "a red apple"]
SHADERS = ["brume", "shaders", "--stats", "--disassemble", "--json"]
SD15 = ["--arch", "sd15", "--size", "512x512"]
# More models, where looking at them is cheap: title, options.
MORE_MODELS = {"radv-navi31": {"The model that ships, 64×64": [], "Stable Diffusion XL, 1024×1024": ["--arch", "sdxl", "--size", "1024x1024"]}}
HOT = 0.01  # share of the work from which on a shader is hot


def one_line(text):
    """The last line that says what went wrong."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("qemu:")]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1].strip()[:300]


def count_main_loops(shaders):
    """Puts what the code shows in the place of the code, which is megabytes."""
    for shader in shaders:
        if slots := main_loop.main_loop(shader):
            shader["numbers"]["main_loop"] = slots[0] / max(slots[1], 1)
        del shader["executables"]


def check(lab, device, run_on, args):
    """Runs every check and keeps the results in the lab's folder."""
    folder = lab.folder / "results"
    folder.mkdir(parents=True, exist_ok=True)
    missing = lab.missing(device)
    if missing:
        print(f"{device.name}: skipped: {missing}", flush=True)
        return
    picture = folder / f"{device.name}.png"
    picture.unlink(missing_ok=True)
    checks = {
        "devices": ["brume", "devices", "--json"],
        "picture": ["brume", "txt2img", "-q", "-o", str(picture), *PICTURE],
        "shaders": [*SHADERS, *SD15],
    }
    for title, model in MORE_MODELS.get(device.name, {}).items():
        checks[title] = [*SHADERS, *model]
    if not device.executes or args.slow:
        checks["sd15"] = ["brume", "bench", *SD15, "--stage", "all", "--runs", "1", "--json"]
    results = {"date": datetime.date.today().isoformat()}
    for name, words in checks.items():
        code, seconds, result = run_on(lab, device, words, args.timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out = (result.stdout or b"").decode(errors="replace")
        entry = {"code": code, "seconds": round(seconds, 1), "error": one_line((result.stderr or b"").decode(errors="replace"))}
        if code == 0:
            del entry["error"]
            if words[-1] == "--json" or "--json" in words:
                entry["json"] = main_loop.read_report(out)
                count_main_loops(entry["json"].get("shaders", []))
        results[name] = entry
        said = "timed out" if code is None else "ok" if code == 0 else f"failed with {code}: {entry['error']}"
        print(f"{device.name}: {name}: {said}, {seconds:.1f} s", flush=True)
        (folder / f"{device.name}.json").write_text(json.dumps(results))


# ---- the documents ----

DEVICES_HEAD = """# Devices

Every Vulkan driver of the [device lab](device-lab.md), and how far Brume gets on it. `tools/device-lab matrix` writes this page and
[shader-stats.md](shader-stats.md); what is below was measured, nothing is assumed.

- **executes** devices run the work; their pictures are compared with lavapipe's of this system.
- **stubbed** devices are the real drivers, with their real compilers, on Mesa's DRM shims: everything is planned, compiled, recorded and submitted, and
  the work itself is a no-op. That finds limits, missing features, compiler failures and spills; it says nothing about results or speed.
- *small picture*: a whole `brume txt2img` of the model that ships, 4 steps. *SD1.5 512×512*: text encoder, UNet step with guidance and decoder of the real
  shape with noise for weights (`brume bench --arch sd15 --stage all`), planned, recorded and submitted twice. Seconds are of the host; what Mesa's cache held of an earlier run
  was not compiled again.
- The shims of Mali and PowerVR have 4 GiB of memory, and no error for more: an object of it is created all the same, and freed twice when it is mapped
  ("double free detected" inside `libpanfrost_noop_drm_shim.so`, below `drmIoctl`). Where that is what became of a check, it stands beside it.
- Intel is missing: its shim is not packaged, and no Intel device was at hand. ANV's statistics are mapped by its source alone.
"""

STATS_HEAD = """# What the drivers' compilers make of the shaders

Every pipeline of Stable Diffusion 1.5 at 512×512 (text encoder, a UNet step with guidance, decoder, encoder) on every driver of the
[device lab](device-lab.md): `brume shaders --arch sd15 --size 512x512 --stats`, written by `tools/device-lab matrix`. Most work first; *work* is the share of all
multiplications and additions; from 1 % on a shader is hot, and bold. A dash: the driver does not say.

*registers* are of 32 bits an invocation (Adreno's vectors of 4 and Apple's halves are converted), *spills* what the driver calls so (Adreno: stores to private
memory), *scratch* bytes of memory an invocation, *waves* the subgroups (Apple: invocations) that a core holds at once by the driver's estimate, *cycles* its
static estimate, which counts loops in its own way: compare builds of one shader on one driver, not drivers. *loop* is the share of multiply-adds and matrix
instructions among the vector instructions of the main loop, where a driver shows its code (`tools/main_loop.py` says how they are counted).
"""


def picture_verdict(results, device, lab):
    """Of a device that executes: how far its picture is from lavapipe's."""
    reference, own = lab.folder / "results/lavapipe.png", lab.folder / f"results/{device.name}.png"
    if device.name == "lavapipe":
        return "the reference"
    if not reference.exists() or not own.exists():
        return ""
    left, right = read_png(reference), read_png(own)
    if left[:2] != right[:2]:
        return "another size"
    differences = [abs(a - b) for a, b in zip(left[2], right[2])]
    return f"largest difference {max(differences)} of 255, mean {sum(differences) / len(differences):.3f}"


def read_png(path):
    """(width, height, RGB bytes) of an 8-bit RGB picture as Brume writes it."""
    data, position, packed = path.read_bytes(), 8, b""
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8:position + 8 + length]
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", body)
        elif kind == b"IDAT":
            packed += body
        position += 12 + length
    raw, stride, rows, above = zlib.decompress(packed), 3 * width, [], bytes(3 * width)
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride):
            a, b, c = row[x - 3] if x >= 3 else 0, above[x], above[x - 3] if x >= 3 else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row[x] = row[x] + (0, a, b, (a + b) // 2, nearest)[kind] & 255
        rows.append(bytes(row))
        above = rows[-1]
    return width, height, b"".join(rows)


def cell(entry):
    if entry is None:
        return "not run"
    if entry["code"] == 0:
        return f"ok, {entry['seconds']:.0f} s"
    return "timed out" if entry["code"] is None else f"**failed**: {entry['error']}"


def limits(info):
    subgroups = str(info["subgroup_min"])
    if info["subgroup_max"] != info["subgroup_min"]:
        subgroups += f"–{info['subgroup_max']}"
    extras = [word for key, word in (("f16_arithmetic", "f16 arithmetic"), ("integer_dot", "int dot"), ("cooperative_matrix", "coop. matrix"))
              if info[key]]
    return (f"{info['dtype']}{', ' if extras else ''}{', '.join(extras)} | {subgroups} | {info['max_invocations']} | "
            f"{info['max_shared_bytes'] // 1024} KiB | {info['max_binding_bytes'] / 2**30:.3g} GiB")


def write_devices(lab, devices, all_results, path):
    lines = [DEVICES_HEAD, "| device | kind | driver | uses | subgroups | invocations | shared | binding |", "|---|---|---|---|---|---|---|---|"]
    for device in devices:
        results = all_results.get(device.name)
        if results and results["devices"]["code"] == 0:
            info = results["devices"]["json"]["devices"][0]
            lines.append(f"| {device.title} (`{device.name}`) | {'executes' if device.executes else 'stubbed'} | {info['driver']}, "
                         f"{info['driver_info']} | {limits(info)} |")
        else:
            lines.append(f"| {device.title} (`{device.name}`) | not run | | | | | | |")
    lines += ["", "| device | devices | shaders | small picture | SD1.5 512×512 | |", "|---|---|---|---|---|---|"]
    for device in devices:
        results = all_results.get(device.name, {})
        sd15 = results.get("sd15")
        last = "not run: it executes, see below" if device.executes and results and not sd15 else cell(sd15)
        words = [picture_verdict(results, device, lab) if device.executes and results.get("picture", {}).get("code") == 0 else "", device.note]
        lines.append(f"| `{device.name}` | {cell(results.get('devices'))} | {shader_cell(results.get('shaders'))} | {cell(results.get('picture'))} | {last} | "
                     f"{'; '.join(word for word in words if word)} |")
    dates = sorted({results["date"] for results in all_results.values()})
    lines += ["", "SD1.5 on a device that executes takes minutes, on SwiftShader most of an hour: `tools/device-lab matrix --slow`. A whole picture of one step, 512×512 of a "
              "file of random weights, took SwiftShader 16 minutes ([performance.md](performance.md#loops-written-out-beforehand-swiftshader)).", "",
              f"Measured {' to '.join(sorted({dates[0], dates[-1]})) if dates else 'never'}. Debian sid's Mesa moves; `tools/device-lab setup --again` follows it."]
    path.write_text("\n".join(lines) + "\n")


def shader_cell(entry):
    if not entry or entry["code"] != 0:
        return cell(entry)
    report = entry["json"]
    count = sum(1 for shader in report["shaders"] if shader["numbers"].get("spills"))
    said = f"spills in {count}{'' if spilling(report, HOT) else ', not hot'}" if count else "no spills"
    if not report["has_statistics"]:
        said = "no statistics"
    return f"{len(report['shaders'])} pipelines, {said}"


def number(shader, *names):
    for name in names:
        if name in shader["numbers"]:
            return f"{shader['numbers'][name]:g}" if shader["numbers"][name] < 1e5 else f"{shader['numbers'][name]:.0f}"
    return "–"


def loop(shader):
    return f"{shader['numbers']['main_loop']:.2f}" if "main_loop" in shader["numbers"] else "–"


def work(report):
    """Of every shader of a report: its share of all multiplications and additions."""
    flops = [sum(shader["flops"].values()) for shader in report["shaders"]]
    return [own / sum(flops) for own in flops]


def having(report, key, least):
    """The names of the shaders for which the driver's number `key` is not zero and which do at least that share of the work."""
    return sorted({shader["shader"] for shader, share in zip(report["shaders"], work(report))
                   if shader["numbers"].get(key) and share >= least})


def spilling(report, least=0.0):
    return having(report, "spills", least)


def scratching(report, least=0.0):
    return having(report, "scratch_bytes", least)


def table(report, least):
    """Rows of the shaders with at least that share of the work."""
    lines = ["| work | shader | constants | text, unet, vae, encode | registers | spills | scratch | waves | loop | instructions | cycles | bytes |",
             "|--:|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for shader, share in zip(report["shaders"], work(report)):
        if share < least:
            continue
        constants = " ".join(f"{name}={value}" for name, value in shader["constants"].items()).replace("local_size_x", "X")
        uses = ", ".join(str(count) for count in shader["dispatches"].values())
        name = f"**{shader['shader']}**" if share >= HOT else shader["shader"]
        lines.append(f"| {100 * share:.2f} % | {name} | {constants} | {uses} | " + " | ".join(
            [number(shader, "registers"), number(shader, "spills"), number(shader, "scratch_bytes"), number(shader, "waves", "threads"),
             loop(shader), number(shader, "instructions"), number(shader, "cycles"), number(shader, "code_bytes")]) + " |")
    return lines + [""]


def verdict(report, device):
    hot = [share for share in work(report) if share >= HOT]
    names, hot_names = spilling(report), spilling(report, HOT)
    said = f"{', '.join(hot_names)} of them spill" if hot_names else "none of them spills"
    lines = [f"Hot: {len(hot)} pipelines with {100 * sum(hot):.1f} % of the work; {said}.", ""]
    return lines + ([f"Spills in {', '.join(names)}.", ""] if names else [])


def write_stats(devices, all_results, path):
    lines = [STATS_HEAD]
    for device in devices:
        results = all_results.get(device.name, {})
        entry = results.get("shaders")
        lines += [f"## {device.title} (`{device.name}`)", ""]
        if device.note:
            lines += [device.note[0].upper() + device.note[1:] + ".", ""]
        if not entry or entry["code"] != 0:
            lines += [f"{cell(entry).capitalize() if entry else 'Not run'}.", ""]
            continue
        report = entry["json"]
        lines += [f"{report['device']}, {report['driver']}, {report['dtype']}: {len(report['shaders'])} pipelines.", ""]
        if not report["has_statistics"]:
            lines += ["The driver has no `VK_KHR_pipeline_executable_properties`, so it tells nothing about its code.", ""]
            continue
        lines += verdict(report, device) + table(report, 0)
        for title in MORE_MODELS.get(device.name, {}):
            more = results.get(title)
            lines += [f"### {title} (`{device.name}`)", ""]
            if more and more["code"] == 0:
                lines += [f"{len(more['json']['shaders'])} pipelines; those with at least 0.1 % of the work:", ""]
                lines += verdict(more["json"], device) + table(more["json"], 0.001)
            else:
                lines += [f"{cell(more).capitalize()}.", ""]
    path.write_text("\n".join(lines))


def write(lab, devices, docs):
    folder = lab.folder / "results"
    all_results = {d.name: json.loads((folder / f"{d.name}.json").read_text()) for d in devices if (folder / f"{d.name}.json").exists()}
    write_devices(lab, devices, all_results, docs / "devices.md")
    write_stats(devices, all_results, docs / "shader-stats.md")
    print(f"wrote {docs / 'devices.md'} and {docs / 'shader-stats.md'}")
