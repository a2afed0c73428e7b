#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/data/pre_tokens.json: how Hugging Face's tokenizers split 500 random texts by the pattern of each family
of pre-tokenizers. Needs the module tokenizers (made with 0.23). Usage: tools/make_pre_token_cases.py

The patterns are those of the families' own tokenizer.json files. Falcon is not among them: the reference's class of
punctuation is of an older Unicode than its regular expressions, so they disagree on rare characters."""
import json
import random
import unicodedata
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + BLANKS
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + BLANKS
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def cased(suffix, number):
    lead = r"[^\r\n\p{L}\p{N}]?"
    return (f"{lead}{UPPER}*{LOWER}+{suffix}|{lead}{UPPER}+{LOWER}*{suffix}|{number}" +
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + BLANKS)


DEEPSEEK_V3 = [r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
               r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"""
               + BLANKS]
CASED_LETTERS = [
    (0x41, 0x5A), (0x61, 0x7A), (0xB5, 0xB5), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x1BA), (0x1BC, 0x1BF), (0x1C4, 0x293),
    (0x295, 0x2AF), (0x370, 0x373), (0x376, 0x377), (0x37B, 0x37D), (0x37F, 0x37F), (0x386, 0x386), (0x388, 0x38A),
    (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x3F5), (0x3F7, 0x481), (0x48A, 0x52F), (0x531, 0x556), (0x10A0, 0x10C5),
    (0x13A0, 0x13F5), (0x13F8, 0x13FD), (0x1C90, 0x1CBA), (0x1CBD, 0x1CBF), (0x1D00, 0x1D2B), (0x1D6B, 0x1D77),
    (0x1D79, 0x1D9A), (0x1E00, 0x1F15), (0x1F18, 0x1F1D), (0x1F20, 0x1F45), (0x1F48, 0x1F4D), (0x1F50, 0x1F57),
    (0x1F59, 0x1F59), (0x1F5B, 0x1F5B), (0x1F5D, 0x1F5D), (0x1F5F, 0x1F7D), (0x1F80, 0x1FB4), (0x1FB6, 0x1FBC),
    (0x1FBE, 0x1FBE), (0x1FC2, 0x1FC4), (0x1FC6, 0x1FCC), (0x1FD0, 0x1FD3), (0x1FD6, 0x1FDB), (0x1FE0, 0x1FEC),
    (0x1FF2, 0x1FF4), (0x1FF6, 0x1FFC), (0x2102, 0x2102), (0x2107, 0x2107), (0x210A, 0x2113), (0x2115, 0x2115),
    (0x2119, 0x211D), (0x2124, 0x2124), (0x2126, 0x2126), (0x2128, 0x2128), (0x212A, 0x212D), (0x212F, 0x2134),
    (0x2139, 0x2139), (0x213C, 0x213F), (0x2145, 0x2149), (0x214E, 0x214E), (0x2183, 0x2184), (0x2C00, 0x2C7B),
    (0x2C7E, 0x2CE4), (0x2CEB, 0x2CEE), (0x2CF2, 0x2CF3), (0xA640, 0xA66D), (0xA680, 0xA69B), (0xA722, 0xA76F),
    (0xA771, 0xA787), (0xA78B, 0xA78E), (0xAB70, 0xABBF), (0xFB00, 0xFB06), (0xFB13, 0xFB17), (0xFF21, 0xFF3A),
    (0xFF41, 0xFF5A), (0x10400, 0x1044F), (0x104B0, 0x104D3), (0x104D8, 0x104FB), (0x10C80, 0x10CB2), (0x10CC0, 0x10CF2),
    (0x118A0, 0x118DF), (0x1E900, 0x1E943)]
WORD = r"\s?[" + "".join(chr(a) + "-" + chr(b) for a, b in CASED_LETTERS) + "]+"
EAST_ASIAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
DEEPSEEK_LLM = [r"[\r\n]", WORD, "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$", EAST_ASIAN]
DEEPSEEK_CODER = [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", EAST_ASIAN]
BAILING = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")
SEED = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + BLANKS
BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
DIGITS = pre_tokenizers.Digits(individual_digits=True)


def split(*patterns):
    return [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]


FAMILIES = {
    "gpt-2": split(GPT2), "llama-bpe": split(LLAMA3), "glm4": split(LLAMA3), "qwen2": split(QWEN2), "qwen35": split(QWEN35),
    "gpt-4o": split(cased(CONTRACTION + "?", r"\p{N}{1,3}")), "tekken": split(cased("", r"\p{N}")),
    "deepseek-v3": split(*DEEPSEEK_V3), "deepseek-llm": split(*DEEPSEEK_LLM) + [DIGITS],
    "deepseek-coder": split(*DEEPSEEK_CODER) + [DIGITS], "starcoder": [DIGITS] + split(GPT2),
    "default": split(r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"), "bloom": split(BLOOM),
    "viking": split(BLOOM, r"\p{N}"), "seed-coder": split(SEED), "bailingmoe": split(BAILING),
}

PARTS = ("'s 'T 're 'LL 'Ve 'd '\u017f ' \u2019s a bc Hello WORLD Ab aB ß É e\u0301 \u0301 \u0327\u0301 ǅ ʰ ª 中 文字 か カ ゠ ・ ー 한 글 "
         "ไทย हिन्दी ع 1 12 1234 ½ Ⅷ ² ٣ १ . ... !? / // \\ $ += <| |> ^ ` ~ - _ ( ) “ ” 。 ， ！ ～ € © 😀 👩\u200d👧 🇩🇪 ❤\ufe0f 𝕳 𐐀 𐐨 "
         "\U000e0001 \u1fbe \u2126 \ufb05 İ ı \u200b \x01 \x7f \u00ad").split(" ")
PARTS += [" ", " ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n", "\u3000", "\u00a0", "\u2028"]
RANGES = [(0, 0x7F), (0, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0xD7F), (0x1E00, 0x2FFF), (0x3000, 0x9FFF),
          (0xA000, 0xD7FF), (0xF900, 0xFFEF), (0x10000, 0x1FFFF)]


def text(generator):
    """Assigned characters only: what is unassigned today may be a letter in another library's tables."""
    if generator.random() < 0.25:
        points = (chr(generator.randint(*generator.choice(RANGES))) for _ in range(generator.randint(1, 12)))
        return "".join(c for c in points if unicodedata.category(c) != "Cn" and c != "\x85") or "a"
    return "".join(generator.choice(PARTS) for _ in range(generator.randint(1, 12)))


def main():
    generator = random.Random(20)
    texts = []
    while len(texts) < 500:
        candidate = text(generator)
        if len(candidate.encode()) < 70:
            texts.append(candidate)
    lengths = {}
    for name, steps in FAMILIES.items():
        sequence = pre_tokenizers.Sequence(steps)
        lengths[name] = ["".join(chr(48 + len(piece.encode())) for piece, _ in sequence.pre_tokenize_str(t)) for t in texts]
    out = Path(__file__).resolve().parent.parent / "tests/data/pre_tokens.json"
    out.write_text(json.dumps({"made_by": "tools/make_pre_token_cases.py", "texts": texts, "lengths": lengths}, indent=0) + "\n")


if __name__ == "__main__":
    main()
