"""Asks programs that are not ours whether PDFs are what they claim to be, and whether their QR codes can be read.

    conformance.py PATH...            every PDF at or below PATH must please every judge
    conformance.py --broken PATH...   a letter and a contract found there, broken in known ways, must each be refused
                                      for the right reason: a judge that never says no proves nothing

One line per file or way, then `N passed, N failed`. Exits with 1 when any failed or nothing was there to judge.
Runs in the virtual environment that tests/setup.sh makes: veraPDF and its wrapper lie beside it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pikepdf
import zxingcpp
from pikepdf import Dictionary, Name, Operator
from PIL import Image

JUDGES = Path(sys.prefix).parent
# For a minute of work the second compiler and the parallel collector of the JVM cost more than they bring.
VERAPDF = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JUDGES}/verapdf.jar:{JUDGES}", "VeraCheck"]
CORES = os.cpu_count() or 1

# The standards of a file follow from what it carries: only PDF/A-3 allows an attachment of any format.
LETTER, CONTRACT = "ua1,2a", "ua1,3a"

# Readers apart from ours and from each other. Each must take the whole file without a word on standard error:
# a warning there is a repair that some other reader will not make.
READERS = {
    "qpdf": ["qpdf", "--check", "FILE"],
    "poppler": ["pdftotext", "FILE", os.devnull],
    "mupdf": ["mutool", "draw", "-q", "-r", "36", "-F", "pgm", "-o", os.devnull, "FILE"],
}
NOT_ABOUT_THE_FILE = "warning: ICC support is not available"  # how Debian builds MuPDF

Complaints = dict[Path, list[str]]  # each begins with what is broken: "ua1 7.1-9 ...", "qpdf WARNING: ..."


def standards(file: Path) -> str:
    with pikepdf.open(file) as pdf:
        return CONTRACT if pdf.attachments else LETTER


def judge(files: dict[Path, str]) -> Complaints:
    """What veraPDF (for the standards given with each file) and the readers hold against the files."""
    complaints: Complaints = {file: [] for file in files}
    with ThreadPoolExecutor(CORES) as pool:
        jobs = []
        for wanted in sorted(set(files.values())):
            alike = [file for file in files if files[file] == wanted]
            # A process for each core, not a thread: veraPDF keeps global state.
            jobs += [pool.submit(verapdf, wanted, alike[i::CORES]) for i in range(min(CORES, len(alike)))]
        jobs += [pool.submit(read, reader, file) for reader in READERS for file in files]
        jobs += [pool.submit(scan, file, files[file] == LETTER) for file in files]
        for job in jobs:
            for file, what in job.result():
                complaints[file].append(what)
    return complaints


def verapdf(wanted: str, files: list[Path]) -> list[tuple[Path, str]]:
    run = subprocess.run([*VERAPDF, wanted, *files], capture_output=True, text=True, check=False)
    verdicts = {}
    for line in run.stdout.splitlines():
        verdict, flavour, file, *rules = line.split("\t")
        verdicts[Path(file), flavour] = rules if verdict != "PASS" else []
    silence = [f"no verdict: {run.stderr.strip()[-500:]}"]
    return [
        (file, f"{flavour} {rule}")
        for file in files
        for flavour in wanted.split(",")
        for rule in verdicts.get((file, flavour), silence)
    ]


def read(reader: str, file: Path) -> list[tuple[Path, str]]:
    command = [str(file) if part == "FILE" else part for part in READERS[reader]]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    words = [line for line in run.stderr.splitlines() if line != NOT_ABOUT_THE_FILE]
    if run.returncode and not words:
        words = [f"exit code {run.returncode}"]
    return [(file, f"{reader} {word}") for word in words[:3]]


def scan(file: Path, letter: bool) -> list[tuple[Path, str]]:
    """Reads the QR code of each page of a letter and of the last of a contract, as a telephone does: each must lead to
    the document that the title names."""
    try:
        with pikepdf.open(file) as pdf:
            reference = str(pdf.docinfo["/Title"]).rsplit(" ", 1)[-1]
            pages = range(1 if letter else len(pdf.pages), len(pdf.pages) + 1)
    except (pikepdf.PdfError, KeyError) as error:
        return [(file, f"qr no title to compare with: {error}")]
    complaints = []
    for page in pages:
        draw = ["pdftoppm", "-gray", "-r", "150", "-f", str(page), "-l", str(page), file]
        with Image.open(BytesIO(subprocess.run(draw, capture_output=True, check=True).stdout)) as image:
            found = [code.text for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)]
        if len(found) != 1 or not found[0].startswith("https://") or not found[0].endswith(f"/{reference}"):
            complaints.append((file, f"qr page {page}: {found} for {reference}"))
    return complaints


class Break(NamedTuple):
    name: str
    of: str
    reason: str  # how the complaint about the result must begin
    apply: Callable[[Path], bytes]


def edited(change: Callable[[pikepdf.Pdf], object]) -> Callable[[Path], bytes]:
    def apply(good: Path) -> bytes:
        saved = BytesIO()
        with pikepdf.open(good) as pdf:
            change(pdf)
            pdf.save(saved)
        return saved.getvalue()

    return apply


def without(key: str) -> Callable[[Path], bytes]:
    return edited(lambda pdf: pdf.Root.__delitem__(key))


def everywhere(change: Callable[[Dictionary], object]) -> Callable[[Path], bytes]:
    return edited(lambda pdf: [change(each) for each in pdf.objects if isinstance(each, Dictionary)])


def everywhere_without(*keys: str) -> Callable[[Path], bytes]:
    def remove(dictionary: Dictionary) -> None:
        for key in set(keys) & set(dictionary.keys()):
            del dictionary[key]

    return everywhere(remove)


def drop_title(pdf: pikepdf.Pdf) -> None:
    with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as xmp:
        del xmp["dc:title"]


def skip_heading_levels(dictionary: Dictionary) -> None:
    if dictionary.get("/S") == Name.H1:
        dictionary.S = Name.H3


def run_script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS="app.alert(1)")


def attach(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["data.json"] = b"{}"


def without_code(pdf: pikepdf.Pdf) -> None:
    """The code is the only image of a page."""
    for page in pdf.pages:
        drawn = [each for each in pikepdf.parse_content_stream(page) if each.operator != Operator("Do")]
        page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(drawn))


def flip_byte(good: Path) -> bytes:
    """Changes the first page's content where it lies, so that the compressed stream no longer adds up."""
    content = bytearray(good.read_bytes())
    with pikepdf.open(good) as pdf:
        contents = pdf.pages[0].Contents
        stream = contents if isinstance(contents, pikepdf.Stream) else contents[0]
        raw = stream.read_raw_bytes()
    content[content.index(raw) + len(raw) // 2] ^= 0xFF
    return bytes(content)


SAVED_ANEW = {of: Break(f"{of} saved anew", of, "", edited(lambda pdf: None)) for of in (LETTER, CONTRACT)}
BREAKS = [
    Break("title removed", LETTER, "ua1 7.1-9 ", edited(drop_title)),
    Break("title not shown", LETTER, "ua1 7.1-10 ", without("/ViewerPreferences")),
    Break("structure tree dropped", LETTER, "ua1 7.1-11 ", without("/StructTreeRoot")),
    Break("not marked as tagged", LETTER, "2a 6.7.2.2-1 ", without("/MarkInfo")),
    Break("language removed", LETTER, "ua1 7.2-", without("/Lang")),
    Break("heading level skipped", LETTER, "ua1 7.4.2-1 ", everywhere(skip_heading_levels)),
    Break("fonts not embedded", LETTER, "2a 6.2.11.4.1-1 ", everywhere_without("/FontFile2", "/FontFile3")),
    Break("script on opening", LETTER, "2a 6.5.1-1 ", edited(run_script)),
    Break("attachment in a letter", LETTER, "2a 6.8-5 ", edited(attach)),
    Break("attachment related to nothing", CONTRACT, "3a 6.8-3 ", everywhere_without("/AFRelationship")),
    Break("attachment not associated", CONTRACT, "3a 6.8-4 ", without("/AF")),
    Break("code not drawn", LETTER, "qr page 1: [] ", edited(without_code)),
    Break("byte flipped", LETTER, "qpdf ", flip_byte),
    Break("end cut off", LETTER, "qpdf ", lambda good: good.read_bytes()[:-100]),
]


def broken(goods: dict[str, Path]) -> Complaints:
    """Breaks the files in every known way. The complaint is about the judges, where they do not refuse."""
    with tempfile.TemporaryDirectory() as folder:
        files = {each: Path(folder, f"{each.name}.pdf") for each in [*SAVED_ANEW.values(), *BREAKS]}
        for each, file in files.items():
            file.write_bytes(each.apply(goods[each.of]))
        found = judge({file: each.of for each, file in files.items()})

    def holds(each: Break, reason: str) -> bool:
        return any(what.startswith(reason) for what in found[files[each]])

    # Saving anew may break a rule by itself (of a signed file it does): a reason counts only where that twin lacks it.
    return {
        Path(each.name): []
        if holds(each, each.reason) and not holds(SAVED_ANEW[each.of], each.reason)
        else [f"wanted {each.reason}", *found[files[each]]]
        for each in BREAKS
    }


def main(arguments: list[str]) -> int:
    red = arguments[:1] == ["--broken"]
    paths = [Path(each) for each in arguments[red:]]
    wanted: dict[Path, str] = {}
    complaints: Complaints = {}
    for file in sorted({file for path in paths for file in (path.rglob("*.pdf") if path.is_dir() else [path])}):
        try:
            wanted[file] = standards(file)
        except (pikepdf.PdfError, OSError) as error:
            complaints[file] = [f"pikepdf {error}"]
    if red:
        # Reversed, so that the first file of each sort stays.
        goods = {of: file for file, of in reversed(wanted.items())}
        missing = {Path(of): ["no such file to break"] for of in SAVED_ANEW.keys() - goods.keys()}
        complaints = missing or broken(goods)
    else:
        complaints |= judge(wanted)

    for file, what in sorted(complaints.items()):
        print("FAIL" if what else "PASS", file, wanted.get(file, ""), *(f"\n     {each}" for each in what))
    failed = sum(map(bool, complaints.values()))
    print(f"{len(complaints) - failed} passed, {failed} failed")
    return 1 if failed or not complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
