#!/usr/bin/env python3
"""SPIR-V of the shaders that glslang of Debian 12 cannot compile: shaders/prebuilt/, beside the hash of what each was made of.

    tools/prebuilt_shaders.py --check                          fails when a source has changed since
    tools/prebuilt_shaders.py [--glslang COMMAND] [--spirv-val COMMAND]    makes them anew; glslang 13 or later, SPIRV-Tools 2023.4 or later

A COMMAND may have words of its own, such as the loader of another Debian's tree. What is hashed is the text that the compiler sees: included files in place, and
without the branches of #if NAME, #ifdef NAME and #ifndef NAME that the defines rule out."""

import argparse
import hashlib
import pathlib
import re
import shlex
import subprocess
import sys

SHADERS = pathlib.Path(__file__).resolve().parent.parent / "shaders"
PREBUILT = SHADERS / "prebuilt"
SUMS = PREBUILT / "SHA256SUMS"
# What a shader is made for, and what SPIRV-Tools checks it against: matrices came with the memory model of Vulkan 1.2, VK_NV_cooperative_matrix2 wants SPIR-V 1.6.
TARGETS = ("vulkan1.1", "vulkan1.2")
REDUCE_TARGETS = ("vulkan1.3", "vulkan1.3")
MAGIC = b"\x03\x02\x23\x07"


def variants():
    """(name, source, defines) of every br_shader(... MATRIX) of variants.cmake; foreach(X a b) above it is expanded."""
    loops, found = {}, []
    for line in (SHADERS / "variants.cmake").read_text().splitlines():
        words = re.findall(r"[^\s()]+", line.split("#")[0])
        if words[:1] == ["foreach"]:
            loops[words[1]] = words[2:]
        elif words[:1] == ["endforeach"]:
            loops.popitem()
        elif words[:1] == ["br_shader"] and "MATRIX" in words:
            lines = [" ".join(words[1:])]
            for name, values in loops.items():
                lines = [one.replace("${" + name + "}", value) for one in lines for value in values]
            found += [(one.split()[0], one.split()[1], [word for word in one.split()[2:] if word != "MATRIX"]) for one in lines]
    return found


def seen(path, defines, included):
    """The lines that the compiler sees of a file. `included`: files with an include guard that were there already."""
    if path in included:
        return []
    included.add(path)
    lines, taken = [], [True]  # of every #if around the line: True, False, or None where this tool does not know
    for line in path.read_text().splitlines():
        directive = re.match(r"\s*#\s*(\w+)\s*(.*?)\s*$", line)
        word, rest = directive.groups() if directive else ("", "")
        if word in ("if", "ifdef", "ifndef"):
            known = re.fullmatch(r"[A-Z][A-Z0-9_]*", rest) and (rest in defines or rest.startswith("BR_") and word == "if")
            taken.append((defines.get(rest, "0") != "0" if word == "if" else (rest in defines) == (word == "ifdef")) if known else None)
            continue
        if word in ("else", "elif") and taken[-1] is not None:
            taken[-1] = not taken[-1] if word == "else" else None
            continue
        if word == "endif":
            taken.pop()
            continue
        if False in taken:
            continue
        match = re.match(r'"(.*)"', rest) if word == "include" else None
        lines += seen(SHADERS / match.group(1), defines, included) if match else [line]
    return lines


def targets(words):
    return REDUCE_TARGETS if "BR_REDUCE=1" in words else TARGETS


def digest(name, source, words):
    defines = dict(word.split("=") for word in words)
    text = "\n".join([name, source, targets(words)[0], *sorted(words), *seen(SHADERS / source, defines, set())])
    return hashlib.sha256(text.encode()).hexdigest()


def make(name, source, words, glslang, validator):
    out = PREBUILT / f"{name}.spv"
    subprocess.run([*glslang, "--quiet", "-V", "--target-env", targets(words)[0], f"-I{SHADERS}", *(f"-D{word}" for word in words), "-o", str(out),
                    str(SHADERS / source)], check=True)
    subprocess.run([*validator, "--target-env", targets(words)[1], str(out)], check=True)
    print(f"{out.relative_to(SHADERS.parent)}: {out.stat().st_size} bytes")


def stale():
    kept = dict(reversed(line.split()) for line in SUMS.read_text().splitlines())
    names = set()
    for name, source, words in variants():
        names.add(name)
        path = PREBUILT / f"{name}.spv"
        if not path.exists() or path.read_bytes()[:4] != MAGIC:
            yield f"{path.name} is missing"
        elif kept.get(name) != digest(name, source, words):
            yield f"{path.name} is older than {source} or what that includes"
    for path in sorted(PREBUILT.glob("*.spv")):
        if path.stem not in names:
            yield f"{path.name} belongs to no shader of variants.cmake"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    parser.add_argument("--glslang", default="glslangValidator", metavar="COMMAND")
    parser.add_argument("--spirv-val", default="spirv-val", metavar="COMMAND")
    args = parser.parse_args()
    if args.check:
        problems = list(stale())
        for problem in problems:
            print(f"shaders/prebuilt: {problem}: run tools/prebuilt_shaders.py")
        return 1 if problems else 0
    PREBUILT.mkdir(exist_ok=True)
    for path in PREBUILT.glob("*.spv"):
        path.unlink()
    sums = []
    for name, source, words in variants():
        make(name, source, words, shlex.split(args.glslang), shlex.split(args.spirv_val))
        sums.append(f"{digest(name, source, words)} {name}\n")
    SUMS.write_text("".join(sums))
    return 0


if __name__ == "__main__":
    sys.exit(main())
