#!/usr/bin/env python3
"""How much of the main loops of matrix products, convolutions and attention is multiply-adds, from the drivers' own disassembly.

    tools/device-lab run radv-navi31 -- brume shaders --disassemble --json … > shaders.json
    tools/main_loop.py shaders.json

The main loop is the block with the most multiply-adds; of attention that of the scores, and with matrix units all blocks of the loop over the keys but those that
a condition which is the same for the whole subgroup jumps over (the last keys' mask; maxima that rise). Counted are vector instructions in slots of issue: one each
(two in a VOPD pair of RDNA 3), 32 for a matrix instruction. v_wmma of RDNA 3 has 16³ multiply-adds, of which a SIMD makes 128 a cycle (512 f16 FLOP a cycle and CU
by AMD's figures; Mesa's compiler counts 32 too); hmma.16816 has half of them, of which a quarter of GA102's SM makes 64 with sums of 32 bits (NVIDIA's GA102
whitepaper: 71 TFLOPS beside 35.6 of f32). Loads, stores, barriers, branches and scalar instructions are not counted. Drivers: RADV, NVK, Turnip, PanVK from Valhall on,
and Honeykrisp, which prints its code before the report (tools/device-lab asks for that). Bifrost's clauses are not read, the others show no disassembly."""

import argparse
import json
import re
import sys

# Of a representation: where a block begins (group 1: what jumps call it), an instruction (group 1: its name), those that are no vector arithmetic, multiply-adds,
# matrix instructions, and jumps (groups: the condition, the block).
FORMS = {
    "Assembly": (r"(BB\d+):", r"(?:^\s*|::\s*)(v_\w+)", r"$.", r"v_(dual_)?(fma|fmac|mac|mad|pk_fma|dot2)", r"v_wmma", r"\s*s_c?branch_?(\w*) (BB\d+)"),
    "NAK assembly": (r"block(?:\.u)? \d+ ?(L\d+)?", r"^(?:@!?u?p\d+)?\s+(?!u)(?:\S+\s+=\s+)?([a-z][\w.]*)",
                     r"(ld|st|bar|membar|bra|bsync|bssy|bclear|nop|exit|warpsync)", r"ffma", r"hmma", r"(\S*\s+)bra (?:!?\w+ )?(L\d+)"),
    "Valhall": (r"()\s*$", r"^\s+([A-Z][\w.]*)", r"(LOAD|STORE|LD_|ST_|LEA|ATOM|BRANCH|BARRIER|NOP)", r"FMA\.f32", r"$.", r"$."),
    "AGX": (r"(block\d+) \{", r"^ +(?:[^=]*= )?([a-z_]\w*)", r"(local_|device_|stack_|jmp|push_exec|pop_exec|if_|else_|while_|barrier|threadgroup|wait|stop|nop|phi)",
            r"ffma", r"$.", r"$."),
    "IR3 Assembly": (r"(l\d+:|.*\b(br|jump)\b)", r"^(?:\(\w+\) ?)*([a-z][\w.]*) ", r"(ld|st|bar|nop|br|jump|end|isam)", r"mad\.f32", r"$.", r"$."),
}
# A condition that is the same for the whole subgroup, by the line of its jump.
UNIFORM = r"\s*(s_cbranch_scc|bra !?up)"
MATRIX_SLOTS = 32
ATTENTION_KEYS = 32  # BR_ATTENTION_MATRIX_KEYS of shaders/ops/attention.h


class Block:
    def __init__(self, label):
        self.label = label
        self.mads = self.matrix = self.vector = 0  # slots; mads: matrix instructions too
        self.jumps = []  # (label, uniform)


def repeats(line):
    """How often Adreno executes an instruction: (rptN) N times more."""
    found = re.search(r"\(rpt(\d)\)", line)
    return 1 + int(found[1]) if found else 1


def blocks_of(text, form):
    begins, instruction, other, mad, matrix, jump = form
    blocks = [Block("")]
    for line in text.splitlines():
        if found := re.match(begins, line):
            blocks.append(Block(found[1]))
        if found := re.match(jump, line):
            blocks[-1].jumps.append((found[2], bool(re.match(UNIFORM, line))))
        for name in re.findall(instruction, line):
            if re.match(other, name):
                continue
            is_matrix = bool(re.match(matrix, name))
            slots = MATRIX_SLOTS if is_matrix else repeats(line)
            blocks[-1].mads += slots if is_matrix or re.match(mad, name) else 0
            blocks[-1].matrix += slots if is_matrix else 0
            blocks[-1].vector += slots
    return blocks


def count(blocks):
    """(slots of multiply-adds, slots of all vector arithmetic) of the main loop."""
    return max((block.mads, block.vector) for block in blocks)


def count_keys(blocks, inner_turns):
    """(slots of matrix instructions, of all vector arithmetic) of attention's loop over the keys. inner_turns: of a block that is a loop by itself."""
    place = {block.label: i for i, block in enumerate(blocks)}
    matrix = [i for i, block in enumerate(blocks) if block.matrix]
    last = next(i for i in range(matrix[-1], len(blocks)) if any(place[label] < matrix[0] for label, _ in blocks[i].jumps))
    first = min(place[label] for label, _ in blocks[last].jumps)
    skipped = set()
    for i in range(first, last):
        for label, uniform in blocks[i].jumps:
            between = range(i + 1, place[label])
            if uniform and not any(blocks[j].matrix for j in between):
                skipped |= set(between)
    slots = vector = 0
    for i in range(first, last + 1):
        block = blocks[i]
        turns = 0 if i in skipped else inner_turns if any(label == block.label for label, _ in block.jumps) else 1
        slots += turns * block.matrix
        vector += turns * block.vector
    return slots, vector


def form_of(representation):
    """None: not read. RADV and PanVK call theirs by the same name."""
    name = representation["name"]
    if name == "Assembly" and not representation["text"].startswith("BB0:"):
        name = "" if representation["text"].startswith("clause") else "Valhall"
    return FORMS.get(name)


def main_loop(shader):
    """(multiply-adds, vector arithmetic) of a linear, conv2d or attention shader that shows its code, in slots of its main loop; None of others."""
    texts = [(text["text"], form_of(text)) for executable in shader["executables"] for text in executable["representations"] if form_of(text)]
    if not texts or not re.match(r"(linear|conv2d)(?!_parts)|attention_(f|broadcast|matrix)", shader["shader"]):
        return None
    blocks = blocks_of(*texts[0])
    if shader["shader"].startswith("attention_matrix"):
        return count_keys(blocks, ATTENTION_KEYS // shader["constants"]["KEYS_AT_ONCE"])
    return count(blocks)


def printed_code(text):
    """Of a pipeline as Honeykrisp prints it: its constants in their order, and its blocks after registers were allotted."""
    constants = [int(word, 16) for word in re.findall(r"(?m)^spec\[\d+\] = (0x\w+)", text)]
    blocks = [block for block in re.split(r"(?m)^(?=block\d+ \{)", text) if re.match(r"block", block) and "$r" in block]
    return constants, "".join(blocks)


def read_report(text):
    """What a command printed as JSON. What the device lab says may follow it; before it may be the code of a report of shaders, in its order."""
    start = re.search(r"(?m)^\{$", text).start()
    report = json.loads(text[start:text.rindex("}") + 1])
    for shader, printed in zip(report.get("shaders", []), text[:start].split("shader: MESA_SHADER_COMPUTE")[1:]):
        constants, code = printed_code(printed)
        if constants != [int(value) for value in shader["constants"].values()]:
            raise ValueError(f"{shader['shader']}: the code printed is of a pipeline with the constants {constants}")
        shader["executables"][0]["representations"].append({"name": "AGX", "text": code})
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="what brume shaders --disassemble --json printed")
    shaders = read_report(open(parser.parse_args().file, encoding="utf-8").read())["shaders"]
    everything = sum(sum(shader["flops"].values()) for shader in shaders)
    for shader in shaders:
        if slots := main_loop(shader):
            said = " ".join(f"{key}={value}" for key, value in shader["constants"].items()).replace("local_size_x", "X")
            share = 100 * sum(shader["flops"].values()) / everything
            print(f"{slots[0]:5} / {slots[1]:5} = {slots[0] / max(slots[1], 1):.3f}  {share:6.2f} %  {shader['shader']}  {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
