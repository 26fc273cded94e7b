#!/usr/bin/env python3
"""Token ids of transformers' CLIPTokenizer (the Python one, without ftfy) for tests/data/tokenizer_cases.json and tests/data/clip_cases.json.

    tokenizer_cases.py [FOLDER]      needs transformers (made with 4.57.6 on Python 3.11); ftfy must not be installed

Every prompt stays within Unicode 14, which Python 3.11 and every newer one know. `used` counts all ids of the prompt before truncation, `ids` are the
first 77 of them without padding. The first of "folders" is the emoji
model's as it is; the others have the same vocabulary and what "files" says beside it. clip_cases.json is about the whole vocabulary of
assets/tokenizer/clip, once padded as CLIP and once as OpenCLIP does."""

import json
import pathlib
import random
import shutil
import sys
import tempfile
import unicodedata

from transformers import CLIPTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]

PLAIN = [
    "", " ", "   \t\n ", "red apple", "a red apple", "A RED APPLE", "cat face, noto", "blue heart on a pink background",
    "  leading and trailing  ", "two  spaces", "tab\tand\nnewline\r\nand return\rend", "a", "!", "x" * 300, "red " * 100, "apple " * 75, "apple " * 76,
    "a fox on a blue background, highly detailed, 4k, trending", "photo of an astronaut riding a horse on mars",
]
CONTRACTIONS = [
    "it's", "IT'S", "don't", "DON'T", "they're", "we've", "I'm", "you'll", "she'd", "rock'n'roll", "'s", "''s", "'sapple", "o'clock",
    "it\u2019s", "'re've'm'll'd't's", "' s", "'S'T'RE", "l'apple", "'\u017f", "a'\u017fb", "'l", "'v", "'rest", "'tis",
]
PUNCTUATION = [
    "!!!", "...", "?!?!", "a,b;c:d", "(red:1.2), [apple]", "{a|b}", "a_b-c+d=e", "100%", "$5.00", "#tag @name", "a/b\\c", "\"quoted\"",
    "\u201cquoted\u201d \u2018single\u2019", "a\u2014b\u2013c", "\u2026", "\u00bfqu\u00e9?", "\u00ab ha \u00bb", "\u3001\u3002\uff01\uff1f",
    "<>", "<|", "|>", "~`^&*", "-" * 90, "\u20ac\u00a3\u00a5\u20bf", "\u00a9\u00ae\u2122", "\u00b1\u00d7\u00f7\u2260\u221e", ". . . .",
]
DIGITS = [
    "0", "12345", "3d", "v1.5", "1,000,000", "a1b2c3", "\u0661\u0662\u0663", "\u0967\u0968\u0969", "\u0e51\u0e52", "\uff11\uff12",
    "\u00bd\u00b2\u00b3", "\u2160\u2161\u216b \u2170", "\u2460\u2461 \u24b6\u24d0", "\U0001d7ce\U0001d7d9", "\u4e00\u4e8c\u4e09", "\u3007",
]
SCRIPTS = [
    "\u4e00\u53ea\u72d0\u72f8", "\u732bcat\u732b", "\u308a\u3093\u3054 \u30ea\u30f3\u30b4 \u6797\u6a8e", "\uff8a\uff9f\uff9d", "\u304b\u3099\u304c",
    "\uc0ac\uacfc \uace0\uc591\uc774", "\u1109\u1161\u1100\u116a", "\u062a\u0641\u0627\u062d\u0629 \u062d\u0645\u0631\u0627\u0621",
    "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\u05ea\u05e4\u05d5\u05d7 \u05d0\u05d3\u05d5\u05dd",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u0932\u093e\u0932 \u0938\u0947\u092c", "\u0915\u094d\u0937\u093f \u0939\u093f\u0928\u094d\u0926\u0940",
    "\u0e41\u0e2d\u0e1b\u0e40\u0e1b\u0e34\u0e49\u0e25\u0e2a\u0e35\u0e41\u0e14\u0e07", "\u043a\u0440\u0430\u0441\u043d\u043e\u0435 \u042f\u0411\u041b\u041e\u041a\u041e",
    "\u0456\u0457\u0491 \u0419\u0438\u0306", "\u03ba\u03cc\u03ba\u03ba\u03b9\u03bd\u03bf \u03bc\u03ae\u03bb\u03bf",
    "\u039f\u0394\u039f\u03a3", "\u03a3", "\u0391\u03a3\u0391", "\u0391\u03a3.", "\u0391\u03a3'", "\u0391.\u03a3", "\u0391\u03a3\u0301", "\u0391\u03a3\u0301\u0391",
    "\u03a3\u0391\u03a3 \u03a3\u0391\u03a3", "\u0391\u03a3<|endoftext|>\u0391", "1\u03a3", "a\u03a31", "\u2160\u03a3", "\u1fb3\u1fbc\u0345",
    "\u0130stanbul ISTANBUL \u0131", "i\u0307", "stra\u00dfe STRASSE \u1e9e", "\u01c5\u01c4\u01c6", "\ufb01\ufb02\ufb05", "\u017f", "\u212a \u212b \u2126",
    "caf\u00e9 cafe\u0301 CAF\u00c9", "\u00c5ngstr\u00f6m A\u030angstro\u0308m", "a\u0327\u0301 a\u0301\u0327", "\u1e69 s\u0323\u0307 s\u0307\u0323",
    "Ti\u1ebfng Vi\u1ec7t", "Ti\u0065\u0302\u0301ng Vi\u0065\u0323\u0302t", "\u0344\u0340\u0341\u0343", "z\u0351\u036b\u0343\u036a\u0302\u036b",
    "\u0345", "a\u0345b", "\u03b1\u0345", "\u10d0\u10d1 \u10a0\u10a1 \u1c90\u1c91", "\u13a0\uab70", "\u0531\u0582 \u0587", "\u2c00\u2c30", "\U00010400\U00010428",
    "\u0f40\u0f71\u0f72", "\u1200\u1208", "\u1780\u17d2\u1798", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u1e9b\u0323", "\ud55c\uae00 \u1112\u1161\u11ab",
    "\U0001d538\U0001d53b \U0001d400", "\uff21\uff22\uff43", "\ufdfa", "\ufb1d", "\uf900\ufa0e\U0002f800", "\U00020000\U0002a6d6a", "\u3400\u9fff",
    "\U0001fab7", "\ua7b0\ua64a", "\u1c80\u1c88", "\u2de0\u0488a",
]
EMOJI = [
    "\U0001f600", "\U0001f44b\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f469\U0001f3ff\u200d\U0001f680",
    "\u2764\ufe0f", "\u2764", "\u2764\ufe0f\u200d\U0001f525", "\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3", "\U0001f3f4\u200d\u2620\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "red \U0001f34e apple\U0001f34e", "\U0001f600" * 30, "\u263a\ufe0e",
]
HIDDEN = [
    "a\x01b", "a\x1cb\x1db\x1eb\x1fb", "a\x7fb\x80b", "a\x0bb\x0cb", "a\x85b", "a\u00a0b", "a\u2003b\u2009b\u202fb\u205fb\u3000b", "a\u2028b\u2029b", "a\u200bb",
    "a\u200cb\u200db", "a\u00adb", "\ufeffa", "a\u180eb", "a\u2060b", "a\ufffdb", "a\ue000b", "a\U000f0000b", "a\u202eb", "a\ufffeb\uffffb", "\u1680a",
    "\u200b", "\u00a0", "\u200b \u200b", "a \u200b b",
]
SPECIAL = [
    "<|endoftext|>", "<|startoftext|>", "red<|endoftext|>apple", "red <|endoftext|> apple", "<|ENDOFTEXT|>", "<|EndOfText|> apple",
    "<|endoftext|><|endoftext|>", "<|startoftext|>a<|endoftext|>", "<|endoftext|", "<|endof text|>", "<|endoftext|>'s", "<|\u017ftartoftext|>",
    "< |endoftext|>", "a<|endoftext|>" * 50,
]


def long_prompts():
    rng = random.Random(2025)
    words = ["apple", "Red", "fox", "it's", "42", "caf\u00e9", "\u732b", "\U0001f98a", "background,", "\u03a3\u0391\u03a3"]
    text = ""
    while len(text.encode()) < 10000:
        text += rng.choice(words) + " "
    return [text, "supercalifragilisticexpialidocious" * 60, "\u00e9" * 2000, "e\u0301" * 500, "\U0001f98a" * 200]


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": True, "single_word": False, "special": False, **flags}


BOS, EOS = token("<|startoftext|>", special=True), token("<|endoftext|>", special=True)
FOUR = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
# What lies beside vocab.json and merges.txt.
FOLDERS = [
    {},
    {"tokenizer_config.json": {"model_max_length": 10 ** 9, "max_len": 5}, "special_tokens_map.json": {**FOUR, "pad_token": "!"}},
    {"tokenizer_config.json": {"max_len": 9, "pad_token": "0", "unk_token": "!"},
     "special_tokens_map.json": {"eos_token": EOS, "sep_token": "a", "additional_special_tokens": ["red</w>", token("app", lstrip=True)]}},
    {"tokenizer_config.json": {**FOUR, "model_max_length": 20, "mask_token": None, "pad_token": {"__type": "AddedToken", **EOS}, "added_tokens_decoder": {
        "2046": BOS, "2047": EOS, "2048": token("apple", lstrip=True, rstrip=True), "2049": token("app"), "2050": token("THEY'", rstrip=True),
        "2051": token("1", special=True, normalized=False)}},
     "special_tokens_map.json": {"pad_token": "!"}, "added_tokens.json": {"fox": 2052}},
    {"tokenizer_config.json": {**FOUR, "model_max_length": int(1e30)}, "added_tokens.json": {"apple": 2048, "\u0391\u03a3": 2049, "on": 2050}},
    {"tokenizer.json": {"added_tokens": [{"id": 2046, **BOS}, {"id": 2047, **EOS}, {"id": 2048, **token("'ve")}]}},
]
FOLDER_PROMPTS = [
    "", "a red apple on", "RED apple! app apples pineapple", "we've THEY'RE they're 11", "It is \u0391\u03a3\u0391 \u0391\u03a3", "<|endoftext|> x <|ENDOFTEXT|>",
    "fox app appl apple", "!!! !", "red</w> red", " apple apple ",
]


MORE = [
    "(masterpiece:1.2), best quality, ((detailed)), [blurry], a \\(red\\) fox BREAK sunset", "8k uhd, dslr, soft lighting, film grain, Fujifilm XT3",
    "portrait of a woman, oil on canvas, trending on artstation, by greg rutkowski and alphonse mucha", "<lora:add_detail:0.8>, cyberpunk city",
    "embedding:easynegative, lowres, bad anatomy, bad hands, text, error", "1girl, solo, long_hair, looking_at_viewer", "score_9, score_8_up, rating_safe",
    "an h\u00f4tel in \u00cele-de-France", "\u5bcc\u58eb\u5c71\u3068\u685c\u3001\u6d6e\u4e16\u7d75\u98a8", "\u4e00\u53ea\u53ef\u7231\u7684\u5927\u718a\u732b\u5728\u5403\u7af9\u5b50",
    "\uace0\uc591\uc774\uac00 \ucc3d\uac00\uc5d0 \uc549\uc544 \uc788\ub2e4", "\u0642\u0637\u0629 \u0639\u0644\u0649 \u0627\u0644\u0633\u0637\u062d", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u05d7\u05ea\u05d5\u05dc \u05e2\u05dc \u05d4\u05d2\u05d2", "\u091b\u0924 \u092a\u0930 \u092c\u093f\u0932\u094d\u0932\u0940", "\u0e41\u0e21\u0e27\u0e1a\u0e19\u0e2b\u0e25\u0e31\u0e07\u0e04\u0e32",
    "\u043a\u043e\u0442 \u043d\u0430 \u043a\u0440\u044b\u0448\u0435", "\u03b3\u03ac\u03c4\u03b1 \u03c3\u03c4\u03b7 \u03c3\u03c4\u03ad\u03b3\u03b7", "con m\u00e8o tr\u00ean m\u00e1i nh\u00e0",
    "\U0001f9d1\u200d\U0001f91d\u200d\U0001f9d1 \U0001f9d1\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f9d1\U0001f3ff", "\U0001f1fa\U0001f1f3\U0001f1ea\U0001f1fa\U0001f1ef",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032fA\u036b\u0357\u0334\u0362\u0335\u031c\u0330\u0354", "o\u0308\u0304 \u022b q\u0307\u0323",
    "\x02\x03\x04", "a\x08b\x0ec\x1bd", "\u2066left\u2069 \u202bright\u202c", "\u0600\u06dd\u070f", "\ufff9a\ufffab\ufffb", "\U000e0001\U000e0041",
]


def random_prompts():
    """Two or three runs of characters of one script each, seeded."""
    rng = random.Random(49408)
    scripts = [(0x21, 0x7e), (0xa1, 0x17f), (0x370, 0x3ff), (0x400, 0x4ff), (0x5d0, 0x5ea), (0x620, 0x64a), (0x905, 0x939), (0xe01, 0xe2e), (0x1100, 0x11ff),
               (0x2010, 0x2027), (0x2190, 0x21ff), (0x2460, 0x24ff), (0x3041, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xff01, 0xffdc),
               (0x1f300, 0x1f64f), (0x1f680, 0x1f6ff), (0x300, 0x36f)]
    prompts = []
    for _ in range(60):
        runs = ["".join(chr(rng.randint(*script)) for _ in range(rng.randint(1, 9))) for script in rng.choices(scripts, k=rng.randint(2, 3))]
        prompts.append(rng.choice(["", " "]).join(runs))
    return prompts


def clip_vocabulary(merges):
    """As openai/CLIP's simple_tokenizer makes it."""
    printable = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(line.split()) for line in merges]
    return {token: number for number, token in enumerate(tokens + ["<|startoftext|>", "<|endoftext|>"])}


def clip_cases(prompts, pad):
    merges = ROOT / "assets/tokenizer/clip/merges.txt"
    vocabulary = clip_vocabulary(merges.read_text(encoding="utf-8").splitlines()[1:])
    if len(vocabulary) != 49408:
        raise SystemExit(f"{len(vocabulary)} tokens, expected 49408")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(merges, folder)
        pathlib.Path(folder, "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        tokenizer = CLIPTokenizer.from_pretrained(folder, pad_token=pad)
    return cases_of(tokenizer, 77, prompts)


def folder_cases(files):
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(ROOT / "assets/models/emoji/tokenizer" / name, folder)
        for name, value in files.items():
            pathlib.Path(folder, name).write_text(json.dumps(value), encoding="utf-8")
        tokenizer = CLIPTokenizer.from_pretrained(folder)
    length = tokenizer.model_max_length if tokenizer.model_max_length < 10 ** 6 else 77
    return {"files": files, **cases_of(tokenizer, length, FOLDER_PROMPTS)}


def cases_of(tokenizer, length, prompts):
    cases = []
    for prompt in prompts:
        used = len(tokenizer(prompt).input_ids)
        ids = tokenizer(prompt, truncation=True, max_length=length).input_ids
        cases.append({"prompt": prompt, "used": used, "ids": ids})
    return {"length": length, "pad": tokenizer.pad_token_id, "cases": cases}


def check(prompts):
    for prompt in prompts:
        if "\0" in prompt:
            raise SystemExit(f"a prompt with NUL is no C string: {prompt!r}")
        prompt.encode("utf-8")
    print(f"{len(prompts)} prompts, Python knows Unicode {unicodedata.unidata_version}", file=sys.stderr)


def write(path, folders):
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"folders": [\n')
        for number, folder in enumerate(folders):
            cases = folder.pop("cases")
            file.write(",\n" if number else "")
            file.write(json.dumps(folder)[:-1] + ', "cases": [\n')
            file.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
            file.write("]}")
        file.write("\n]}\n")


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/data")
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "assets/models/emoji/tokenizer")
    if tokenizer.fix_text is not None:
        raise SystemExit("ftfy is installed: it changes the ids")
    prompts = PLAIN + CONTRACTIONS + PUNCTUATION + DIGITS + SCRIPTS + EMOJI + HIDDEN + SPECIAL + long_prompts()
    prompts = list(dict.fromkeys(prompts))
    check(prompts)
    folders = [cases_of(tokenizer, tokenizer.model_max_length, prompts)] + [folder_cases(files) for files in FOLDERS]
    write(out / "tokenizer_cases.json", folders)
    more = list(dict.fromkeys(prompts + MORE + random_prompts()))
    check(more)
    write(out / "clip_cases.json", [clip_cases(more, "<|endoftext|>"), clip_cases(FOLDER_PROMPTS, "!")])


if __name__ == "__main__":
    main()
