#!/usr/bin/env python3
"""AUTOMATIC1111's prompt syntax as a public implementation of it reads it: tests/data/prompts/cases.json, and the weighted text states of tiny models,
tests/data/prompts/states.safetensors; with the textual inversion embeddings that some of them use, tests/data/prompts/*.safetensors.

    git clone https://github.com/shiimizu/ComfyUI_smZNodes && git -C ComfyUI_smZNodes checkout 9562d76c3cf206a3c2362e2baf8bbf717a4869a5
    python3 tools/reference/prompts.py ComfyUI_smZNodes

That repository has the webui's parser, its cutting into chunks, its embedding look-up and its weighting rule as modules of their own; they are
imported as they are. What of ComfyUI they import is not called here and is replaced by empty modules. The states are transformers' of the
token ids, by tests/data/tiny/sd1 and sd2, whose embedding table is resized for the vectors of the embeddings.

In forms/ are the same vectors in other forms of file, and an embedding for tests/data/tiny/sdxl.

cases.json:
    cases   [{prompt, pieces: [[text, weight] or null for BREAK], chunks: [[ids]], weights: [[...]]}]; ids are the emoji tokenizer's, without bos, eos and padding
    states  [{name, model, prompt, clip_skip, embeddings}]; name is the tensor's, [n · T, D]; embeddings are files beside this one

Left out is what Brume does otherwise, as src/tokenizer/prompt.h says: prompts that the parser raises ValueError at, and digits beyond 0 to 9. BREAK inside
brackets is taken as a break, which there it is not."""

import json
import pathlib
import random
import sys
import types

import safetensors.torch
import torch
from transformers import CLIPTextModel, CLIPTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "data" / "prompts"
TINY = ROOT / "tests" / "data" / "tiny"

SYNTAX = [
    "normal text", "an (important) word", "(unbalanced", "\\(literal\\]", "(unnecessary)(parens)",
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "((red)) apple", "[[red]] apple", "([red]) apple", "[(red)] apple", "(red", "red)", "[red", "red]",
    "((red) apple", "(red)) apple", "[red]] apple", "[[red] apple", "(red] apple)", "[red) apple]", "(red:1.3", "red:1.3)", "red:1.3", "(red:1.3) apple",
    "(red :1.3)", "(red: 1.3 )", "(red:\t1.3\n)", "(red:.5)", "(red:5.)", "(red:+1.5)", "(red:-0.5)", "(red:0)", "(red:1.0) apple", "(red:1.1)(apple)",
    "(red:1.21)((apple))", "(a:1.1)(b:1.10)(c:1.100)", "(red:abc)", "(red:)", "(:1.3)", "()", "[]", "(())", "(", ")", "[", "]", ":", "::", "(:", ":)", "([", "])",
    "\\", "\\\\", "\\\\\\", "\\(", "\\)", "\\[", "\\]", "\\:", "a\\b", "\\(red\\)", "(\\(red\\):1.3)", "\\((red)\\)", "(red\\)", "(red\\:1.3)", "\\\\(red)",
    "red:apple", "red: apple, blue :heart", "(red:apple:1.3)", "(a:1.2:1.3)", "((a:1.2) b:1.5)", "[a:b:0.5]", "[a|b]", "a AND b", "(a, b:1.5), c",
    "(a:0.00001)", "(a:123.456)", "(a:1.000000000000000000001)", "(a:0.1)(b:0.10000000000000000001)", "((((((((((deep))))))))))", "[[[[[[[[[[deep]]]]]]]]]]",
    "(:1.5)red", "red(apple)", "(re)d", "r(e)d", "r[e]d", "(red)(apple)", "(red)[apple]", "(red) (apple)", "a(b(c(d)e)f)g", "a[b[c[d]e]f]g",
    "(a:1.5)b(c:1.5)", "(a:1)b(c:1)", "{red}", "<red>", "red, ((apple)), [heart], (sun:0.7)", "(\u732b:1.3) \u72d0", "(\u0645\u0631\u062d\u0628\u0627)", "(\U0001f98a:1.2)",
    "(e\u0301)", "[\u00e9]\u0301", "(a\u00a0:\u00a01.2\u00a0)", "(a:\u20031.2)", "(\u200b:1.2)", "(caf\u00e9:1.4) \u2603",
]
BREAKS = [
    "BREAK", "a BREAK b", "a BREAKb", "aBREAK b", "a BREAK", "BREAK a", "a BREAK BREAK b", "a  BREAK\n\tb", "break", "a Break b", "a,BREAK,b", "a_BREAK b",
    "a BREAK_ b", "(a) BREAK [b]", "(a BREAK b)", "(a BREAK b:1.3)", "[a BREAK b] c", "((a BREAK b) c:0.8)", "(a)BREAK(b)", "a:BREAK:b", "\\BREAK", "BREAK\\(", "a BREAK1", "1BREAK a",
    "a\u00e9BREAK", "\u00e9 BREAK \u732b", "a\u00a0BREAK\u2003b", "BREAKBREAK", "a-BREAK-b", "a BREAK b BREAK c BREAK d", "red " * 40 + "BREAK " + "blue " * 40,
    "red " * 80 + "BREAK " + "blue " * 80, "BREAK BREAK", "(BREAK)", "a (b BREAK) c", "red " * 75 + "BREAK a", "BREAK " + "red " * 76, "\u0301BREAK", "a\u0301BREAK",
]


def long_prompts():
    """Around the 75th token, and around 20 tokens before it."""
    prompts = ["red " * n for n in (73, 74, 75, 76, 77, 149, 150, 151, 225, 300)]
    for comma in (0, 10, 53, 54, 55, 56, 57, 60, 70, 73, 74, 75, 76):
        words = ["red"] * 90
        words.insert(comma, ",")
        prompts.append(" ".join(words))
    for commas in ((50, 60), (60, 74), (74, 75), (56, 74, 130, 140), (20, 70, 145, 146), (74, 149), (73, 147, 148)):
        words = ["red"] * 200
        for comma in commas:
            words.insert(comma, ",")
        prompts.append(" ".join(words))
    prompts.append(", ".join(["(red apple:1.2)"] * 60))
    prompts.append("(" + "red apple, " * 40 + ":1.3) blue " + "[heart] " * 50)
    prompts.append(", ".join(f"(w{i}:{1 + i / 100:.2f})" for i in range(90)))
    prompts.append("red, " * 75 + "apple")
    prompts.append("x" * 400)
    return prompts


def random_prompts(count):
    pieces = ["red", "apple", "blue heart", "(", ")", "[", "]", "((", "))", ":1.3)", ":0.5)", ":1.1)", ": 2 )", ":", "\\(", "\\)", "\\[", "\\]", "\\\\", "\\", ",",
              ", ", " ", "BREAK", " BREAK ", "\n", "cat face", "\u732b", "\u00e9", "12", "(sun:0.7)", "[sky]", "(a", "b)", "AND", "|"]
    rng = random.Random(19)
    return ["".join(rng.choice(pieces) for _ in range(rng.randint(1, 24))) for _ in range(count)]


def import_reference(checkout):
    """The modules of the checkout, with empty ones in place of what they import and do not need here."""
    sys.path.insert(0, str(checkout))
    for name, members in {
        "comfy": {}, "comfy.model_management": {}, "comfy.sd1_clip": {"expand_directory_list": None}, "modules.shared": {"logger": None, "opts": None},
    }.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    sys.modules["comfy"].model_management = sys.modules["comfy.model_management"]
    from modules.text_processing import emphasis, parsing, textual_inversion
    sys.modules["modules.text_processing.prompt_parser"] = parsing
    import modules.text_processing
    modules.text_processing.prompt_parser = parsing
    from modules.text_processing import classic_engine
    return parsing, emphasis, textual_inversion, classic_engine


class Reference:
    def __init__(self, checkout):
        self.parsing, self.emphasis, self.inversion, self.engine = import_reference(checkout)
        self.parse = self.parsing.parse_prompt_attention
        self.parsing.parse_prompt_attention = lambda text: [["BREAK", -1] if text == "BREAK" else [text, weight] for text, weight in self.parse(text)]

    def pieces(self, prompt):
        """None where Brume does otherwise."""
        try:
            pieces = self.parse(prompt)
        except ValueError:
            return None
        if any("BREAK" in text and text != "BREAK" and weight < 0 for text, weight in pieces):
            return None # merged with a neighbour of weight -1
        return [None if text == "BREAK" else [text, weight] for text, weight in pieces]

    def chunks(self, tokenizer, prompt, database=None):
        """[(77 ids, 77 weights, fixes)]; padded with eos."""
        engine = types.SimpleNamespace(
            tokenize=lambda texts: tokenizer(texts, truncation=False, add_special_tokens=False)["input_ids"], chunk_length=75,
            id_start=tokenizer.bos_token_id, id_end=tokenizer.eos_token_id, comma_token=tokenizer.get_vocab().get(",</w>"),
            embeddings=database or self.inversion.EmbeddingDatabase(tokenizer))
        chunks, _ = self.engine.ClassicTextProcessingEngine.tokenize_line(engine, prompt)
        return chunks

    def states(self, model, tokenizer, chunk, clip_skip):
        def encode(tokens):
            output = model(input_ids=tokens, output_hidden_states=True)
            return output.last_hidden_state if clip_skip == 1 else model.text_model.final_layer_norm(output.hidden_states[-clip_skip])
        engine = types.SimpleNamespace(id_end=tokenizer.eos_token_id, id_pad=tokenizer.pad_token_id, encode_with_transformers=encode,
                                       emphasis=self.emphasis.EmphasisOriginal())
        return self.engine.ClassicTextProcessingEngine.process_tokens(engine, [chunk.tokens], [chunk.multipliers])[0]


def make_cases(reference):
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "assets" / "models" / "emoji" / "tokenizer")
    end = tokenizer.eos_token_id
    cases = []
    for prompt in dict.fromkeys(SYNTAX + BREAKS + long_prompts() + random_prompts(250)):
        pieces = reference.pieces(prompt)
        if pieces is None:
            continue
        chunks = reference.chunks(tokenizer, prompt)
        ids = [chunk.tokens[1:chunk.tokens.index(end)] for chunk in chunks]
        weights = [chunk.multipliers[1:1 + len(i)] for chunk, i in zip(chunks, ids)]
        assert all(chunk.multipliers[1 + len(i):] == [1.0] * (76 - len(i)) for chunk, i in zip(chunks, ids))
        cases.append({"prompt": prompt, "pieces": pieces, "chunks": ids, "weights": weights})
    return cases


STATES = [
    ("sd1", "a red cat", 1, []), ("sd1", "a (red:1.5) cat", 1, []), ("sd1", "a [red] ((cat)), (blue:0.3)", 1, []), ("sd1", "a (red:1.5) cat", 2, []),
    ("sd2", "(the blue cat:1.3) and [the] sea", 1, []), ("sd2", "the blue cat, and the sea", 2, []), ("sd1", "red BREAK (blue:1.2)", 1, []),
    ("sd2", "red cat, " * 30 + "(the sea:1.4)", 1, []), ("sd1", "the (red:-0.5) cat", 1, []),
    ("sd1", "a cat in the style of ornament, red", 1, ["ornament"]), ("sd1", "(ornament:1.2) and [speck] (Ornament-2)", 1, ["ornament", "speck", "ornament-2"]),
    ("sd1", "red " * 73 + "ornament blue", 1, ["ornament"]), ("sd1", "ornaments, an ornament", 2, ["ornament"]),
]


def make_embeddings(width):
    generator = torch.Generator().manual_seed(7)
    make = lambda *shape: torch.randn(shape, generator=generator) * 0.5
    files = {"ornament": {"emb_params": make(3, width)}, "speck": {"<speck>": make(width)}, "ornament-2": {"emb_params": make(2, width).half()}}
    for name, tensors in files.items():
        safetensors.torch.save_file(tensors, OUT / f"{name}.safetensors")
    # The same vectors in torch's files: as the webui saves them, as textual inversion's own code did, as old diffusers did; and SDXL's form.
    forms, ornament = OUT / "forms", files["ornament"]["emb_params"]
    forms.mkdir(exist_ok=True)
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": ornament}, "name": "ornament", "step": 0, "sd_checkpoint": None}, forms / "webui.pt")
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(ornament)})}, forms / "original.pt")
    torch.save({"<ornament>": ornament}, forms / "learned_embeds.bin")
    safetensors.torch.save_file({"clip_l": make(2, 16), "clip_g": make(2, 20)}, forms / "xl.safetensors")
    return {name: torch.atleast_2d(next(iter(tensors.values()))).float() for name, tensors in files.items()}


def make_states(reference, vectors):
    about, tensors = [], {}
    for number, (name, prompt, clip_skip, used) in enumerate(STATES):
        tokenizer = CLIPTokenizer.from_pretrained(TINY / name / "tokenizer")
        model = CLIPTextModel.from_pretrained(TINY / name / "text_encoder", variant="fp16" if name == "sd1" else None, dtype=torch.float32).eval()
        database = reference.inversion.EmbeddingDatabase(tokenizer)
        first = {}
        table = model.get_input_embeddings().weight.detach()
        for key in used:
            embedding = reference.inversion.create_embedding_from_data({"emb_params": vectors[key]}, key)
            database.register_embedding(embedding)
            first[key] = len(table)
            table = torch.cat([table, vectors[key]])
        model.resize_token_embeddings(len(table))
        model.get_input_embeddings().weight.data[:] = table
        states = []
        for chunk in reference.chunks(tokenizer, prompt, database):
            for fix in chunk.fixes:
                start = 1 + fix.offset
                chunk.tokens[start:start + fix.embedding.vectors] = range(first[fix.embedding.name], first[fix.embedding.name] + fix.embedding.vectors)
            with torch.no_grad():
                states.append(reference.states(model, tokenizer, chunk, clip_skip))
        tensors[f"states_{number:02d}"] = torch.cat(states).contiguous()
        about.append({"name": f"states_{number:02d}", "model": name, "prompt": prompt, "clip_skip": clip_skip, "embeddings": used})
    safetensors.torch.save_file(tensors, OUT / "states.safetensors")
    return about


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    reference = Reference(pathlib.Path(sys.argv[1]).resolve())
    cases = make_cases(reference)
    states = make_states(reference, make_embeddings(24))
    lines = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
    more = ",\n".join(json.dumps(state, separators=(",", ":")) for state in states)
    (OUT / "cases.json").write_text('{"cases": [\n' + lines + '\n], "states": [\n' + more + "\n]}\n")
    print(f"{len(cases)} prompts, {len(states)} states")


if __name__ == "__main__":
    main()
