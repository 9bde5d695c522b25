"""Prints a run of letters and asks programs that are not ours whether it is what the machine that fills envelopes wants.

    printing.py PARAPHE FOLDER    makes runs in FOLDER with the program PARAPHE, duplex and one-sided, and judges them:
                                  veraPDF (PDF/UA-1 and PDF/A-2a) and the readers of conformance.py the files, dmtxread
                                  the mark of every sheet, pdftotext where the address stands; then breaks a run in known
                                  ways, each of which must be refused for the right reason

One line per file or way, then `N passed, N failed`. Exits with 1 when any failed. Runs in the virtual environment that
tests/setup.sh makes. The window is that of a DL envelope (NF Z 11-001): x 90 to 205 mm, y 42 to 92 mm on the sheet.
"""

import csv
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
from conformance import CORES, LETTER, read, verapdf

AT = "2026-03-02T09:00:00+01:00"
LANGUAGES = sorted(file.stem for file in Path(__file__).parents[2].glob("templates/locales/*.toml"))
LETTERS = 66
PART = 50  # that many are laid out together: the file is joined from parts
HEADER = (
    "Référence;Dossier;Direction;Étape;Langue;Nom;Prénoms;Date de naissance;N° étranger;Adresse;Code postal;Ville;"
    "Date;Début;Fin;Agent;Qualité de l’agent"
)
MM = 25.4 / 72


def rows() -> str:
    lines = [HEADER]
    for n in range(LETTERS):
        step = ("medical_visit", "individual_interview")[n % 2]
        place = ("69003;Lyon", "01000;Bourg-en-Bresse", "69100;Villeurbanne")[n % 3]
        lines.append(
            f"CV-{n:03};D-{n};sample;{step};{LANGUAGES[n % len(LANGUAGES)]};SPECIMEN;Amina;1990;69{n:08};"
            f"{n} rue des Lilas;{place};23/03/2026;{8 + n % 8}h;{9 + n % 8}h;Camille EXEMPLE;gestionnaire"
        )
    return "\n".join(lines) + "\n"


def make(paraphe: str, folder: Path) -> list[tuple[Path, list[dict[str, str]], bool]]:
    """The files of a run on both sides and of one on one side, with their envelopes."""
    folder.mkdir(parents=True)
    (folder / "list.csv").write_text(rows())
    (folder / "paraphe.toml").write_text(f'data = "{folder}/data"\n')
    made = []
    for name, options in (("duplex", []), ("simplex", ["--one-sided"])):
        command = [paraphe, "merge", folder / "list.csv", "--config", folder / "paraphe.toml", "--at", AT]
        subprocess.run([*command, "--print", folder / f"{name}.pdf", *options], check=True, stdout=subprocess.DEVNULL)
        with (folder / f"{name}.csv").open(encoding="utf-8-sig") as text:
            envelopes = list(csv.DictReader(text, delimiter=";"))
        counts = sorted({each["Feuilles"] for each in envelopes})
        for index, count in enumerate(counts, 1):
            file = folder / (f"{name}.pdf" if len(counts) == 1 else f"{name}-{index}.pdf")
            made.append((file, [each for each in envelopes if each["Feuilles"] == count], name == "duplex"))
    return made


def marks(file: Path, page: int) -> str:
    """What dmtxread makes of the left margin between the folds: 3 to 20 mm from the left, 104 to 124 mm from the top."""
    with tempfile.TemporaryDirectory() as folder:
        draw = ["pdftoppm", "-r", "300", "-png", "-singlefile", "-f", str(page), "-l", str(page)]
        place = ["-x", "35", "-y", "1228", "-W", "200", "-H", "236"]
        subprocess.run([*draw, *place, file, f"{folder}/mark"], check=True)
        command = ["dmtxread", "-N1", "-m", "30000", f"{folder}/mark.png"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def window(file: Path, page: int) -> tuple[str, list[float]]:
    """The words that the window may show, and the box around them in millimetres: left, top, right, bottom."""
    command = ["pdftotext", "-bbox", "-f", str(page), "-l", str(page), file, "-"]
    tree = ElementTree.fromstring(subprocess.run(command, capture_output=True, check=True).stdout)
    words = []
    for word in tree.iter("{http://www.w3.org/1999/xhtml}word"):
        left, top, right, bottom = (float(word.attrib[name]) * MM for name in ("xMin", "yMin", "xMax", "yMax"))
        if right > 90 and left < 205 and bottom > 42 and top < 92:
            words.append((word.text or "", left, top, right, bottom))
    if not words:
        return "", [0, 0, 0, 0]
    _, lefts, tops, rights, bottoms = zip(*words, strict=True)
    return " ".join(word[0] for word in words), [min(lefts), min(tops), max(rights), max(bottoms)]


def sampled(count: int) -> list[int]:
    """The first sheets, the last ones and those where parts meet; all with PARAPHE_LONG."""
    if os.environ.get("PARAPHE_LONG"):
        return list(range(count))
    return sorted({index for around in (2, PART, count - 2) for index in range(around - 2, around + 2)} & set(range(count)))


def inspect(file: Path, envelopes: list[dict[str, str]], duplex: bool) -> list[str]:
    """What is wrong with the sheets: order, marks, windows."""
    complaints = []
    with pikepdf.open(file) as pdf:
        pages = len(pdf.pages)
        run = str(pdf.docinfo["/Title"]).split()[1]
    per_sheet = 2 if duplex else 1
    sheets = [(each, n) for each in envelopes for n in range(1, int(each["Feuilles"]) + 1)]
    if pages != len(sheets) * per_sheet:
        complaints.append(f"pages {pages} for {len(sheets)} sheets")
    for index in sampled(len(sheets)):
        (each, n), page = sheets[index], 1 + index * per_sheet
        if page > pages:
            break
        wanted = f"{run} {each['Pli']} {n}/{each['Feuilles']} {each['Référence']}"
        found = marks(file, page)
        if found != wanted:
            complaints.append(f"mark of page {page}: {found!r} for {wanted!r}")
        if n == 1:
            text, (left, top, right, bottom) = window(file, page)
            if text != each["Adresse"].replace(" / ", " "):
                complaints.append(f"window of page {page}: shows {text!r}")
            # The address field of 80 x 24 mm; a word's box is higher than its capitals by what accents want.
            if left < 109.5 or top < 53.5 or right > 190.5 or bottom > 80:
                complaints.append(f"window of page {page}: address from {left:.1f},{top:.1f} to {right:.1f},{bottom:.1f}")
    return complaints


def move_address(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].contents_add(b"1 0 0 1 60 0 cm", prepend=True)


def drop_sheet(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[2:4]


def lose_part(pdf: pikepdf.Pdf) -> None:
    """What joining would do if it forgot the tags of a part."""
    kids = pdf.Root.StructTreeRoot.ParentTree.Kids
    for page in pdf.pages:
        if int(page.get("/StructParents", -1)) >= int(kids[1].Limits[0]):
            del page.StructParents
    del kids[1]


BREAKS = {
    "address moved": ("window of page 1: ", move_address),
    "sheet dropped": ("pages ", drop_sheet),
    "tags of a part lost": ("ua1 7.1-3 ", lose_part),
}


def main(paraphe: str, folder: Path) -> int:
    made = make(paraphe, folder)
    duplex = next(each for each in made if each[2])
    judged = {str(file): (file, envelopes, both) for file, envelopes, both in made}
    for name, (_, change) in BREAKS.items():
        file = folder / f"{name}.pdf"
        with pikepdf.open(duplex[0]) as pdf:
            change(pdf)
            pdf.save(file)
        judged[name] = (file, duplex[1], True)
    with ThreadPoolExecutor(CORES) as pool:
        files = [each[0] for each in judged.values()]
        verdicts = [pool.submit(verapdf, LETTER, files[i::CORES]) for i in range(CORES)]
        verdicts += [pool.submit(read, reader, file) for reader in ("qpdf", "mupdf") for file in files]
        sheets = {name: pool.submit(inspect, *each) for name, each in judged.items()}
        complaints = {name: each.result() for name, each in sheets.items()}
        for verdict in verdicts:
            for file, what in verdict.result():
                complaints[next(name for name, each in judged.items() if each[0] == file)].append(what)
    failed = 0
    for name, what in complaints.items():
        reason = BREAKS[name][0] if name in BREAKS else None
        good = any(each.startswith(reason) for each in what) if reason else not what
        failed += not good
        print("PASS" if good else "FAIL", name, *([] if good else [f"\n     {each}" for each in what[:20] or ["taken"]]))
    print(f"{len(complaints) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).absolute()))
