"""Counts instructions per document and step, warm, by Callgrind: the one figure that a busy machine does not move.

    instructions.py THROUGHPUT [KIND:LANGUAGE...]     (`tests/peers/run instructions` builds the program and calls this)

Two runs that differ in the number of documents; what the second has more is theirs.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FEW, MANY = 20, 50
CASES = ["letter:fr", "letter:ar", "contract:fr", "contract:ar"]

# A step is what its function and all that it calls have run.
STEPS = {
    "check": r"paraphe::document::\S*Document\S*::check\b",
    "content": r"paraphe::document::content::\S*compose\b",
    "compile": r"typst::compile\S*",
    "evaluate": r"typst_eval::eval\b",
    "export": r"typst_pdf::pdf\b|typst_pdf::convert::convert\b",
    "evict": r"comemo::\S*evict\b",
}


def count(program: str, kind: str, language: str, documents: int) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"]
        subprocess.run([*valgrind, program, kind, language, "bare", str(documents)], check=True, stdout=subprocess.DEVNULL)
        annotate = ["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--show-percs=no", str(out)]
        lines = subprocess.run(annotate, capture_output=True, text=True, check=True).stdout.splitlines()
    counts = {}
    for line in lines:
        if found := re.match(r"\s*([\d,]+)\s+(\S.*)", line):
            number, name = int(found[1].replace(",", "")), found[2]
            if name.startswith("PROGRAM TOTALS"):
                counts["all"] = number
            for step, pattern in STEPS.items():
                if re.search(rf":({pattern})(::h[0-9a-f]+)?('\d+)? \[", name):
                    counts[step] = max(counts.get(step, 0), number)
    return counts


def main(program: str, *cases: str) -> None:
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"Millions of instructions per document, {version}.\n")
    print("| | all |", *(f"{step} |" for step in STEPS))
    print("|---|--:|" + "--:|" * len(STEPS))
    for case in cases or CASES:
        kind, language = case.split(":")
        few, many = (count(program, kind, language, documents) for documents in (FEW, MANY))
        each = {step: (many[step] - few.get(step, 0)) / (MANY - FEW) / 1e6 for step in many}
        print(f"| {kind}, {language} | {each['all']:.2f} |", *(f"{each.get(step, 0):.2f} |" for step in STEPS))


if __name__ == "__main__":
    main(*sys.argv[1:])
