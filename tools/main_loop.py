#!/usr/bin/env python3
"""How much of the main loops of matrix products and convolutions is multiply-adds, from the drivers' own disassembly.

    tools/device-lab run radv-navi31 -- brume shaders --disassemble --json … > shaders.json
    tools/main_loop.py shaders.json

The main loop is the block with the most multiply-adds; of attention that of the scores. Counted are vector instructions in slots of issue: one each (two in a
VOPD pair of RDNA 3), 32 for a matrix instruction. v_wmma of RDNA 3 has 16³ multiply-adds, of which a SIMD makes 128 a cycle (512 f16 FLOP a cycle and CU by AMD's figures; Mesa's compiler counts 32 too);
hmma.16816 has half of them, of which a quarter of GA102's SM makes 64 with sums of 32 bits (NVIDIA's GA102 whitepaper: 71 TFLOPS beside 35.6 of f32). Loads, stores,
barriers, branches and scalar instructions are not counted. Drivers: RADV, NVK, Turnip; the others show no disassembly."""

import argparse
import json
import re
import sys

# Of a representation: where a block begins, an instruction (group 1: its name), those that are no vector arithmetic, multiply-adds, matrix instructions.
FORMS = {
    "Assembly": (r"BB\d+:", r"(?:^\s*|::\s*)(v_\w+)", r"$.", r"v_(dual_)?(fma|fmac|mad|pk_fma|dot2)", r"v_wmma"),
    "NAK assembly": (r"block \d+", r"^(?:@!?u?p\d+)?\s+(?!u)(?:\S+\s+=\s+)?([a-z][\w.]*)", r"(ld|st|bar|membar|bra|bsync|bssy|bclear|nop|exit|warpsync)",
                     r"ffma", r"hmma"),
    "IR3 Assembly": (r"(l\d+:|.*\b(br|jump)\b)", r"^(?:\(\w+\))*([a-z][\w.]*) ", r"(ld|st|bar|nop|br|jump|end|isam)", r"mad\.f32", r"$."),
}
MATRIX_SLOTS = 32


def repeats(line):
    """How often Adreno executes an instruction: (rptN) N times more."""
    found = re.search(r"\(rpt(\d)\)", line)
    return 1 + int(found[1]) if found else 1


def count(text, form):
    """(slots of multiply-adds, slots of all vector arithmetic) of the main loop."""
    begins, instruction, other, mad, matrix = form
    blocks = [[0, 0]]
    for line in text.splitlines():
        if re.match(begins, line):
            blocks.append([0, 0])
        for name in re.findall(instruction, line):
            if re.match(other, name):
                continue
            is_matrix = re.match(matrix, name)
            slots = MATRIX_SLOTS if is_matrix else repeats(line)
            blocks[-1][0] += slots if is_matrix or re.match(mad, name) else 0
            blocks[-1][1] += slots
    return max(blocks)


def main_loops(report):
    """(share of all work, shader, its constants, multiply-adds, vector arithmetic) of each linear, conv2d and ordinary attention shader that shows its code."""
    everything = sum(sum(shader["flops"].values()) for shader in report["shaders"])
    for shader in report["shaders"]:
        texts = [(text["text"], FORMS[text["name"]]) for executable in shader["executables"] for text in executable["representations"]
                 if text["name"] in FORMS]
        if texts and re.match("linear|conv2d|attention_f", shader["shader"]):
            yield (sum(shader["flops"].values()) / everything, shader["shader"], shader["constants"], *count(*texts[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="what brume shaders --disassemble --json printed; more may follow it")
    text = open(parser.parse_args().file, encoding="utf-8").read()
    for share, name, constants, mads, vector in main_loops(json.loads(text[:text.rindex("}") + 1])):
        said = " ".join(f"{key}={value}" for key, value in constants.items()).replace("local_size_x", "X")
        print(f"{100 * share:6.2f} %  {mads:5} / {vector:5} = {mads / max(vector, 1):.3f}  {name}  {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
