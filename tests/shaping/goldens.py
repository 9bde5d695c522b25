# /// script
# requires-python = ">=3.11"
# dependencies = ["uharfbuzz==0.57.0"]
# ///
"""Writes goldens.json beside this file: how HarfBuzz, which Typst does not use, sets words of every catalogue.

Usage: pip install uharfbuzz==0.57.0, then python goldens.py. The same catalogues, fonts and HarfBuzz give the same bytes.

For each language, the words on which shaping does most (joining, ligatures, reordering, marks, kerning), in the first
font of its list. A word is `[text, weight, advance, [[glyph, x, y], ...]]` in units of the font, from left to right.
"""

import json
import re
import tomllib
import unicodedata
from pathlib import Path

import uharfbuzz as hb

ROOT = Path(__file__).parents[2]
WEIGHTS = {"Regular": 24, "Bold": 8}  # how many words of each
LONGEST = 24  # characters; Chinese puts no space between words

fonts: dict[str, hb.Font] = {}


def font_of(family: str, weight: str) -> hb.Font:
    file = f"{family.replace(' ', '')}-{weight}.ttf"
    if file not in fonts:
        fonts[file] = hb.Font(hb.Face(hb.Blob.from_file_path(str(ROOT / "fonts" / file))))
    return fonts[file]


def shape(font: hb.Font, catalogue: dict, word: str) -> tuple[int, list[list[int]]]:
    buffer = hb.Buffer()
    buffer.add_str(word)
    buffer.language = "-".join(filter(None, [catalogue["lang"], catalogue.get("region")]))
    buffer.direction = catalogue["direction"]
    buffer.guess_segment_properties()
    buffer.flags = hb.BufferFlags.REMOVE_DEFAULT_IGNORABLES
    hb.shape(font, buffer)
    pen, glyphs = 0, []
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        glyphs.append([info.codepoint, pen + position.x_offset, position.y_offset])
        pen += position.x_advance
    return pen, glyphs


def work_done(font: hb.Font, word: str, advance: int, glyphs: list[list[int]]) -> int:
    """How far the result is from one nominal glyph a character, side by side."""
    nominal = [font.get_nominal_glyph(ord(c)) for c in word]
    moved = sum(font.get_glyph_h_advance(glyph) for glyph in nominal) != advance
    other = len(set(nominal) ^ {glyph for glyph, _, _ in glyphs})
    own_stop = unicodedata.category(word[-1]) == "Po" and not word[-1].isascii()  # it must come from this font
    return other + moved + own_stop + sum(y != 0 for _, _, y in glyphs)


def words_of(catalogue: dict, font: hb.Font) -> list[str]:
    """Words in the language's own script, without data, that the font has every character of."""
    text = " ".join(catalogue["messages"].values())
    # Typst takes half its width from a Chinese stop at the end of a line: there is none here.
    words = {word[:LONGEST].strip("，。：；、！？") for word in re.sub(r"\{\w+\}\S*|\S*\{\w+\}", " ", text).split()}
    latin = re.compile(r"[A-Za-zÀ-ɏ]")
    if not latin.search("".join(catalogue["dates"]["months"])):
        words = {word for word in words if not latin.search(word)}
    return sorted(word for word in words if len(word) > 2 and all(font.get_nominal_glyph(ord(c)) for c in word))


def goldens(catalogue: dict) -> list[list]:
    result = []
    for weight, count in WEIGHTS.items():
        font = font_of(catalogue["fonts"][0], weight)
        shaped = [(word, *shape(font, catalogue, word)) for word in words_of(catalogue, font)]
        shaped.sort(key=lambda it: (-work_done(font, *it), it[0]))
        result += [[word, weight, advance, glyphs] for word, advance, glyphs in shaped[:count]]
    return result


def main() -> None:
    lines = []
    for path in sorted((ROOT / "templates/locales").glob("*.toml")):
        catalogue = tomllib.loads(path.read_text("utf-8"))
        words = ",\n".join(json.dumps(it, ensure_ascii=False, separators=(",", ":")) for it in goldens(catalogue))
        lines.append(f'"{catalogue["tag"]}": [\n{words}\n]')
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    Path(__file__).with_name("goldens.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
