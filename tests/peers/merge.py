"""Measures how a mail merge holds when its list gets long: what a row costs, and how much memory the program takes.

    merge.py PARAPHE [ROWS]       (`tests/peers/run merge [ROWS]` builds the program and calls this)

A list of 5,000 rows in eleven languages in turn, one of ROWS and the short one again, each from the file to the outbox on
the defaults, in a folder of its own. CPU time is that of the process with all its threads: on a machine that others use
it differs from run to run, hence the short list twice. Prints a Markdown table and, last, what became of the two aims:
a row of the long list costs at most a tenth more than one of the short, and memory grows by at most a tenth from row
5,000 on.
"""

import csv
import datetime
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

SHORT = 5_000
AIM = 1.1
LANGUAGES = ("ar", "en", "fr", "prs", "zh-Hans", "am", "ta", "ru", "ur", "es", "ka")
STEPS = ("visite médicale", "entretien individuel")
POSTCODES = ("69003", "69100", "01000", "69008")
HEADER = (
    "Référence;Dossier;Direction;Étape;Langue;Nom;Prénoms;Date de naissance;N° étranger;Adresse;"
    "Code postal;Ville;Courriel;Date;Début;Fin;Agent;Qualité de l’agent"
)


class Moment(NamedTuple):
    done: int  # letters
    rss_mb: float


class Run(NamedTuple):
    rows: int
    check_ms: float  # CPU a row
    make_ms: float
    seconds: float
    moments: list[Moment]  # while letters are made

    def rss_mb(self, done: int) -> float:
        """The most at any moment until so many letters were made."""
        return max((it.rss_mb for it in self.moments if it.done <= done), default=float("nan"))


def working_day() -> datetime.date:
    """A Tuesday or Wednesday from a month on that is no holiday with a date of its own."""
    holidays = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
    days = (datetime.date.today() + datetime.timedelta(days=30 + it) for it in range(30))
    return next(it for it in days if it.weekday() in (1, 2) and (it.month, it.day) not in holidays)


def write_list(path: Path, rows: int) -> None:
    day = working_day().strftime("%d/%m/%Y")
    with path.open("w", newline="") as file:
        file.write(HEADER + "\n")
        out = csv.writer(file, delimiter=";")
        for n in range(rows):
            hour = 8 + n % 8
            email = "" if n % 20 in (3, 9, 14) else f"p{n}.specimen@example.org"
            person = [LANGUAGES[n % len(LANGUAGES)], "SPECIMEN", "Amina", 1990, f"69{n:08}", f"{n} rue des Lilas"]
            place = [POSTCODES[n * 7 % 4], "Lyon", email, day, f"{hour}h", f"{hour + 1}h"]
            row = [f"CV-{n:06}", f"D-{n}", "sample", STEPS[n // 4 % 2], *person, *place]
            out.writerow([*row, "Camille EXEMPLE", "gestionnaire"])


def resident_mb(pid: int) -> float:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def merge(program: str, rows: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        write_list(Path(folder) / "list.csv", rows)
        begun = cpu_of_children()
        subprocess.run([program, "merge", "list.csv", "--dry-run"], cwd=folder, check=True, capture_output=True)
        check_ms = (cpu_of_children() - begun) / rows * 1_000
        started = time.monotonic()
        begun = cpu_of_children()
        told, moments = io.StringIO(), []
        process = subprocess.Popen(
            [program, "merge", "list.csv"], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

        def listen() -> None:
            # A line every few seconds: `480/5000 letters, …`
            for line in process.stderr:
                told.write(line)
                if found := re.match(r"(\d+)/\d+ letters", line):
                    moments.append(Moment(int(found[1]), resident_mb(process.pid)))

        listener = threading.Thread(target=listen)
        listener.start()
        account = process.stdout.read()
        listener.join()
        if process.wait() or f"{rows} rows = {rows} issued" not in account:
            sys.exit(f"the merge of {rows} rows: {account}{told.getvalue()[-2_000:]}")
        # It checks them too, as the dry run did.
        make_ms = (cpu_of_children() - begun) / rows * 1_000 - check_ms
        return Run(rows, check_ms, make_ms, time.monotonic() - started, moments)


def main(program: str, rows: int = 100_000) -> None:
    print("| rows | CPU ms a row: check | the letter | rows a second, both | MB by row 5,000 | at the most |")
    print("|--:|--:|--:|--:|--:|--:|", flush=True)
    runs = []
    for count in (SHORT, rows, SHORT):
        runs.append(run := merge(program, count))
        print(
            f"| {count} | {run.check_ms:.1f} | {run.make_ms:.1f} | {count / run.seconds:.0f} "
            f"| {run.rss_mb(SHORT):.0f} | {run.rss_mb(count):.0f} |",
            flush=True,
        )
    before, long, after = runs
    cost = (long.check_ms + long.make_ms) / ((before.check_ms + before.make_ms + after.check_ms + after.make_ms) / 2)
    growth = long.rss_mb(rows) / long.rss_mb(SHORT)
    for name, ratio in (("cost of a row", cost), ("memory", growth)):
        print(f"{name}, {rows} rows against {SHORT}: {ratio:.2f} ({'at most' if ratio <= AIM else 'MORE THAN'} {AIM})")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
