"""Writes the country names of every language, beside this file, from the CLDR data that Babel carries.

Usage: pip install Babel==2.18.0, then python generate.py. The same Babel gives the same bytes.
A new language is one more line in LANGUAGES.
"""

import json
import sys
import unicodedata
from pathlib import Path

import babel
from babel.core import Locale, get_global

BABEL = "2.18.0"

# Catalogue tag -> CLDR locale.
LANGUAGES = {
    "am": "am",
    "ar": "ar",
    "bn": "bn",
    "en": "en",
    "es": "es",
    "fa": "fa",
    "fr": "fr",
    "hy": "hy",
    "ka": "ka",
    "prs": "fa_AF",
    "ps": "ps",
    "pt": "pt_PT",  # the catalogue is in European Portuguese
    "ro": "ro",
    "ru": "ru",
    "so": "so",
    "sq": "sq",
    "ta": "ta",
    "ti": "ti",
    "tr": "tr",
    "uk": "uk",
    "ur": "ur",
    "zh-Hans": "zh_Hans",
}

# Two-letter codes that CLDR names but that are no country: reserved, grouped or private use. XK is not in ISO 3166-1
# either, but passports and permits use it for Kosovo.
NOT_ISO = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
COUNT = 250


def country_codes():
    """The officially assigned alpha-2 codes, in order."""
    named = {code for code in Locale.parse("en").territories if len(code) == 2 and code.isalpha()}
    codes = sorted(named - NOT_ISO)
    if len(codes) != COUNT:
        sys.exit(f"{len(codes)} country codes, not {COUNT}: NOT_ISO wants a look")
    return codes


def country_file(tag, locale, codes):
    """The TOML of one language. A name that CLDR lacks is left out, never borrowed from another language."""
    territories = Locale.parse(locale).territories
    names = {code: territories[code] for code in codes if territories.get(code, code) != code}
    lines = [
        f"# Country names, {tag}: CLDR {get_global('cldr')['version']}, locale {locale}. See README.md.",
        f"# Made by generate.py. Named: {len(names)} of {len(codes)}; missing: {len(codes) - len(names)}.",
        "[countries]",
    ]
    for code, name in names.items():
        lines.append(f"{code} = {json.dumps(unicodedata.normalize('NFC', name), ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def main():
    if babel.__version__ != BABEL:
        sys.exit(f"Babel {BABEL} is wanted, {babel.__version__} is here")
    codes = country_codes()
    for tag, locale in LANGUAGES.items():
        path = Path(__file__).with_name(f"{tag}.toml")
        path.write_text(country_file(tag, locale, codes), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
