#!/usr/bin/env python3
"""Holds the source tree to the rules of docs/DESIGN.md that a machine can check.

    lint.py CHECK [--root DIR]     prints "file:line: what is wrong" for each breach; exits 1 when there is one
    lint.py selftest               builds a small tree with one breach of each kind and looks whether each is found

Checks: includes, length, ops, words, format."""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Who may include whom, as in docs/DESIGN.md. "ops/op.h" stands for that one header.
MODULES = {
    "base": set(),
    "vk": {"base"},
    "graph": {"base"},
    "weights": {"base"},
    "tokenizer": {"base"},
    "diffusion": {"base"},
    "image": {"base"},
    "prof": {"vk", "base"},
    "ops": {"graph", "vk", "base"},
    "exec": {"ops", "graph", "vk", "weights", "prof", "base"},
    "models": {"graph", "ops/op.h", "weights", "base"},
    "pipeline": {"models", "exec", "diffusion", "tokenizer", "image", "weights", "prof", "base"},
    "train": {"models", "exec", "diffusion", "tokenizer", "image", "weights", "base"},
    "eval": {"models", "exec", "diffusion", "tokenizer", "image", "weights", "base"},
    "api": {"pipeline", "train", "eval", "prof", "image", "base"},
    "cli": {"base"},
    "server": {"base"},
}
# Modules that may also include what the headers of their modules include, and modules that see all of include/brume (the others
# see brume/status.h only).
HANDED_ON = {"pipeline", "train", "eval", "api"}
PUBLIC = {"pipeline", "train", "eval", "api", "cli", "server"}
# Public types that a module below api makes or takes, in the header that declares them.
PUBLIC_TYPES = {"base": {"brume/log.h"}, "image": {"brume/image.h"}}

# What C shares with the shaders: the plain types of common/, the push constants of an op, the table of compiled shaders.
SHADER_HEADERS = {
    "common": {"ops", "exec", "diffusion", "models", "pipeline", "train"},
    "ops": {"ops"},
    "br_shaders.h": {"ops", "vk", "exec"},
}

# Headers of libraries and of operating systems, and where they may appear.
SYSTEM_HEADERS = [
    (r"vulkan/|volk\.h", {"vk", "ops", "exec", "prof"}),
    (r"jansson\.h", {"base"}),
    (r"utf8proc\.h", {"base", "tokenizer"}),
    (r"(png|zlib)\.h", {"image"}),
    (r"(sys/|unistd|fcntl|pthread|dirent|dlfcn|poll|termios|windows|io\.h|direct)", {"base"}),
]

MAX_LINES = {".c": 800, ".h": 800, ".comp": 200, ".glsl": 200, ".py": 800}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
TEXT_SUFFIXES = {".c", ".h", ".comp", ".glsl", ".cmake", ".txt", ".md", ".py", ".sh", ".def", ".json", ".in", ""}


def files(root, folders, suffixes):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts:
                yield path


def lines(path):
    return enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)


def includes(path):
    for number, line in lines(path):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def module_of(root, name):
    """The module, "shader common" and the like, or None for a header that is neither."""
    first = name.split("/")[0]
    if (root / "src" / name).exists():
        return first
    if (root / "shaders" / name).exists():
        return "shader " + first
    return None


def handed_on(root, module):
    """The modules that `module` may include, and each header that one of their headers includes."""
    allowed = set(MODULES[module])
    pending = [path for m in allowed for path in files(root, ["src/" + m], {".h"})]
    while pending:
        for _, system, name in includes(pending.pop()):
            if not system and name not in allowed and (root / "src" / name).exists():
                allowed.add(name)
                pending.append(root / "src" / name)
    return allowed


def check_includes(root):
    for folder in sorted((root / "src").iterdir()):
        if not folder.is_dir():
            continue
        module = folder.name
        if module not in MODULES:
            yield f"src/{module}:1: a module that the table of tests/lint/lint.py does not know"
            continue
        allowed = handed_on(root, module) if module in HANDED_ON else MODULES[module]
        for path in files(root, ["src/" + module], {".c", ".h", ".def"}):
            for number, system, name in includes(path):
                reason = breach(root, module, allowed, system, name)
                if reason:
                    yield f"{path.relative_to(root)}:{number}: {reason}"
    for path in files(root, ["include"], {".h"}):
        for number, _, name in includes(path):
            if "/" in name and not name.startswith("brume/"):
                yield f"{path.relative_to(root)}:{number}: a public header includes {name}"


def breach(root, module, allowed, system, name):
    if system:
        for pattern, users in SYSTEM_HEADERS:
            if re.match(pattern, name) and module not in users:
                return f"{module} includes <{name}>, which is for {', '.join(sorted(users))}"
        return None
    if name.startswith("brume/"):
        own = {"brume/status.h"} | PUBLIC_TYPES.get(module, set())
        return None if module in PUBLIC or name in own else f"{module} includes {name}; only {', '.join(sorted(own))} is for it"
    other = module_of(root, name)
    if other and other.startswith("shader "):
        users = SHADER_HEADERS.get(other.split()[1], set())
    elif name in SHADER_HEADERS:
        users = SHADER_HEADERS[name]
    elif other is None:
        return f"{name} is neither in src/ nor in shaders/; includes are written from there"
    else:
        return None if other == module or other in allowed or name in allowed else f"{module} includes {name}: {module} may not know {other}"
    return None if module in users else f"{module} includes {name}, which is for {', '.join(sorted(users))}"


def check_length(root):
    for path in files(root, ["src", "include", "shaders", "tests", "examples", "tools"], set(MAX_LINES)):
        limit = 200 if path.is_relative_to(root / "shaders") else MAX_LINES[path.suffix]
        count = sum(1 for _ in lines(path))
        if count > limit:
            yield f"{path.relative_to(root)}:{limit + 1}: {count} lines; at most {limit}: look for the second noun"


def check_ops(root):
    for number, line in lines(root / "src/ops/ops.def"):
        match = re.match(r"\s*BR_OP\((\w+)\)", line)
        if not match:
            continue
        op = match.group(1)
        for name in (f"shaders/ops/{op}.comp", f"shaders/ops/{op}.h", f"src/ops/{op}.c", f"tests/ref/{op}.c", f"tests/ops/{op}.c"):
            if not (root / name).exists():
                yield f"src/ops/ops.def:{number}: op {op} has no {name}"


def check_words(root):
    for path in files(root, ["src", "include", "shaders", "tests", "examples", "tools", "cmake", "docs", "third_party"], TEXT_SUFFIXES):
        if path.is_relative_to(root / "tests/data"):
            continue
        for number, line in lines(path):
            match = UNFINISHED.search(line)
            if match:
                yield f"{path.relative_to(root)}:{number}: {match.group(1)}"


def check_format(root):
    """The headers of shaders/ are left out: clang-format takes the fields in BR_PUSH(...) for arguments."""
    names = [str(path.relative_to(root)) for path in files(root, ["src", "include", "tests", "examples"], {".c", ".h"})]
    if not names:
        return
    result = subprocess.run(["clang-format", "--style=file", "--dry-run", *names], cwd=root, stderr=subprocess.PIPE, text=True, check=False)
    for line in result.stderr.splitlines():
        match = re.match(r"(\S+:\d+):\d+: (?:warning|error): (.*)", line)
        if match:
            yield f"{match.group(1)}: {match.group(2)}"
    if result.returncode != 0:
        yield f".clang-format:1: clang-format ended with {result.returncode}: {result.stderr.strip()[-300:]}"


CHECKS = {"includes": check_includes, "length": check_length, "ops": check_ops, "words": check_words, "format": check_format}

# For the self-test: a tree in which nothing is wrong, and for each breach the file to add and the words to find.
GOOD = {
    "src/base/a.h": "int a;\n",
    "src/base/a.c": '#include "base/a.h"\n\n#include <unistd.h>\n',
    "src/graph/graph.h": '#include "base/a.h"\n',
    "src/vk/device.h": "#include <volk.h>\n",
    "src/ops/op.h": '#include "graph/graph.h"\n',
    "src/ops/emit.h": '#include "ops/op.h"\n#include "vk/device.h"\n',
    "src/ops/ops.def": "BR_OP(add)\n",
    "src/ops/add.c": '#include "ops/add.h"\n#include "ops/emit.h"\n',
    "src/models/unet.h": '#include "ops/op.h"\n',
    "src/pipeline/p.h": '#include "models/unet.h"\n',
    "src/api/api.c": '#include "brume/x.h"\n#include "graph/graph.h"\n#include "pipeline/p.h"\n',
    "src/cli/main.c": '#include "base/a.h"\n#include "brume/x.h"\n',
    "include/brume/x.h": "int x;\n",
    "shaders/ops/add.comp": "",
    "shaders/ops/add.h": "",
    "tests/ref/add.c": "",
    "tests/ops/add.c": "",
}
BAD = [
    ("includes", "src/models/b.c", '#include "vk/device.h"\n', "src/models/b.c:1: models includes vk/device.h"),
    ("includes", "src/models/b.c", '#include "ops/emit.h"\n', "models includes ops/emit.h"),
    ("includes", "src/base/b.c", '\n#include "graph/graph.h"\n', "src/base/b.c:2: base includes graph/graph.h"),
    ("includes", "src/cli/b.c", '#include "graph/graph.h"\n', "cli includes graph/graph.h"),
    ("includes", "src/api/b.c", '#include "vk/device.h"\n', "api includes vk/device.h"),
    ("includes", "src/graph/b.c", '#include "brume/x.h"\n', "graph includes brume/x.h"),
    ("includes", "src/graph/b.c", "#  include <vulkan/vulkan.h>\n", "graph includes <vulkan/vulkan.h>"),
    ("includes", "src/cli/b.c", "#include <unistd.h>\n", "cli includes <unistd.h>"),
    ("includes", "src/models/b.c", '#include "ops/add.h"\n', "models includes ops/add.h"),
    ("includes", "src/models/b.c", '#include "b.h"\n', "neither in src/"),
    ("includes", "src/new/b.c", "int b;\n", "does not know"),
    ("includes", "include/brume/b.h", '#include "base/a.h"\n', "a public header includes base/a.h"),
    ("length", "src/base/b.c", "\n" * 801, "801 lines"),
    ("length", "shaders/ops/b.comp", "\n" * 201, "201 lines"),
    ("ops", "src/ops/ops.def", "BR_OP(add)\nBR_OP(mul)\n", "ops.def:2: op mul has no tests/ref/mul.c"),
    ("words", "src/base/b.c", "/* TO" "DO */\n", "src/base/b.c:1"),
    ("format", "src/base/b.c", "int  b;\n", "src/base/b.c:1"),
]


def write_tree(root, tree):
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def selftest(root):
    for check, name, text, expected in [(check, None, None, None) for check in CHECKS] + BAD:
        if check == "format" and not shutil.which("clang-format"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            shutil.copy(root / ".clang-format", tree)
            write_tree(tree, GOOD)
            if name:
                write_tree(tree, {name: text})
            found = list(CHECKS[check](tree))
            if expected is None and found:
                yield f"{check}: finds {found} in a good tree"
            if expected is not None and not any(expected in line for line in found):
                yield f"{check}: {name} with {text[:60]!r} gives {found}, expected {expected!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("check", choices=[*CHECKS, "selftest"])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    arguments = parser.parse_args()
    if arguments.check == "format" and not shutil.which("clang-format"):
        print("skipped: clang-format is not installed")
        return 77
    found = list(selftest(arguments.root) if arguments.check == "selftest" else CHECKS[arguments.check](arguments.root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
