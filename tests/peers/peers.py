"""Measures Paraphe against other engines: the same documents, in one run, each engine in turn.

    peers.py THROUGHPUT JUDGES [DOCUMENTS [ROUNDS]]      (tests/peers/run installs all of it and calls this)

Every engine is warm: one process, started and warmed up before the clock runs. CPU time is the process's own, with its
threads and children, for one document at a time; wall time would measure the neighbours. The engines take turns in
rounds, so that a slow minute of the machine meets them all. Prints a Markdown table.

The peers get the data that Paraphe's templates get and its catalogue, and are favoured where they cannot follow: they
draw no QR code of their own (qr.json), check no rule and choose no layout.
"""

import json
import multiprocessing
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KINDS = ["letter", "letter-ar", "contract", "contract-ar"]
WARM_UP = 3

Data = dict
Engine = Callable[[Data], bytes]


class Run(NamedTuple):
    cpu_ms: list[float]
    bytes: int
    rss_mb: float


# ---------------------------------------------------------------- the documents
def template_data(program: str, kind: str) -> Data:
    """What Paraphe's template of this kind reads."""
    told = subprocess.run([program, kind, "data"], capture_output=True, text=True, check=True).stdout
    qr = json.loads((HERE / "qr.json").read_text())
    return json.loads(told) | {"specimen": True, "density": "normal", "qr": qr}


@cache
def messages() -> dict[str, list]:
    """The French catalogue as Paraphe hands it to its templates: words, and names of values."""
    catalogue = tomllib.loads((ROOT / "templates/locales/fr.toml").read_text())
    split = {key: re.split(r"\{(\w+)\}", text) for key, text in catalogue["messages"].items()}
    return {
        key: [{"name": part} if i % 2 else part for i, part in enumerate(parts) if part] for key, parts in split.items()
    }


def another(first: Data, number: int) -> Data:
    """Another document like the first. Like real ones, no two have the same reference, person and address."""
    data = json.loads(json.dumps(first))
    values = data["sides"][0]["values"]
    data["reference"] = values["reference"] = f"{data['reference'][:-6]}{number:06}"
    values["foreigner_number"] = f"69{number:08}"
    if "recipient" in data:
        data["recipient"][0] = f"MADAME AMINA SPECIMEN {number}"
    else:
        values["person"] = data["signatures"][0]["values"][0]["name"] = f"Madame Amina SPECIMEN {number}"
        values["address"] = f"{number} rue des Lilas, 69003 Lyon"
    return data


# ---------------------------------------------------------------- the peers
def typst(first: Data, folder: Path) -> Engine:
    """Typst's binding for Python on Paraphe's own templates and fonts: what is left is the way in and out."""
    import typst as binding

    for part in ("brand", "document"):
        shutil.copytree(ROOT / "templates" / part, folder / part)
    (folder / "locales").mkdir()
    (folder / "locales/fr.json").write_text(json.dumps({"messages": messages()}))
    fonts = binding.Fonts(False, False, [ROOT / "fonts"])
    (folder / "attachment.json").write_text(json.dumps(first["sides"][0]["values"]))
    template = folder / "document" / f"{first['template']}.typ"
    standard = "a-2a" if "recipient" in first else "a-3a"
    compiler = binding.Compiler(template, root=folder, font_paths=fonts)

    def render(data: Data) -> bytes:
        (folder / "data.json").write_text(json.dumps(data))
        return compiler.compile(pdf_standards=["ua-1", standard])

    return render


def weasyprint(first: Data, folder: Path) -> Engine:
    """HTML and CSS with the same content and look. Templates and style sheet are read once."""
    (folder / "fonts.conf").write_text(
        f'<?xml version="1.0"?><fontconfig><dir>{ROOT}/fonts</dir><cachedir>{folder}</cachedir></fontconfig>'
    )
    os.environ["FONTCONFIG_FILE"] = str(folder / "fonts.conf")
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup, escape
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    def show(value: str | list | dict) -> Markup:
        if isinstance(value, dict):
            return Markup("<br>").join(show(line) for line in value["lines"])
        text = value if isinstance(value, str) else "".join(p if isinstance(p, str) else p["raw"] for p in value)
        return Markup('<span class="data">{}</span>').format(text) if len(text) <= 28 else escape(text)

    def say(values: dict, key: str, own: dict | None = None) -> Markup:
        named = values | (own or {})
        return Markup().join(p if isinstance(p, str) else show(named[p["name"]]) for p in messages()[key])

    def code(qr: dict) -> Markup:
        return Markup(
            '<svg class="code" viewBox="0 0 {size} {size}"><title>{}</title><path stroke="#000" d="{path}"/></svg>'
        ).format(say({}, "label.verify"), **qr)

    template = Environment(autoescape=True, loader=FileSystemLoader(HERE)).get_template(
        f"{first['template']}.html"
    )
    drawings = {
        file.stem: quote(file.read_text().replace("currentColor", "#0b5563"))
        for file in (ROOT / "templates/document/pictograms").glob("*.svg")
    }
    icons = [f".{name} {{ background-image: url('data:image/svg+xml,{svg}') }}" for name, svg in drawings.items()]
    fonts = FontConfiguration()
    style = CSS(string=(HERE / "page.css").read_text() + "".join(icons), font_config=fonts)
    images: dict = {}

    def render(data: Data) -> bytes:
        values = data["sides"][0]["values"]
        html = template.render(
            data,
            say=partial(say, values),
            value=lambda name: show(values[name]),
            show=show,
            code=partial(code, data["qr"]),
        )
        return HTML(string=html).write_pdf(stylesheets=[style], font_config=fonts, cache=images, pdf_variant="pdf/ua-1")

    return render


PARAPHE = "Paraphe"
PEERS = {"typst 0.15.2 (Python)": typst, "WeasyPrint 70.0": weasyprint}


def cpu_ms() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000 * sum(each.ru_utime + each.ru_stime for each in used)


ENGINES: dict[str, Engine] = {}


def measure_peer(peer: str, first: Data, start: int, count: int, keep: Path) -> Run:
    """Runs in the peer's own process, which lives as long as the benchmark."""
    if peer not in ENGINES:
        ENGINES[peer] = PEERS[peer](first, Path(tempfile.mkdtemp()))
        for number in range(WARM_UP):
            ENGINES[peer](another(first, number))
    render = ENGINES[peer]
    times = []
    for number in range(start, start + count):
        data = another(first, number)
        before = cpu_ms()
        pdf = render(data)
        times.append(cpu_ms() - before)
    keep.write_bytes(pdf)
    return Run(times, len(pdf), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure_paraphe(program: str, kind: str, count: int) -> Run:
    line = subprocess.run([program, kind, str(count)], capture_output=True, text=True, check=True).stdout
    told = json.loads(line)
    return Run(told["cpu_ms"], told["bytes"], told["rss_mb"])


# ---------------------------------------------------------------- the table
def standards(judges: str, file: Path) -> str:
    """Which of PDF/UA-1 and PDF/A-2a veraPDF grants the file."""
    command = ["java", "-cp", f"{judges}/verapdf.jar:{judges}", "VeraCheck", "ua1,2a", file]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    granted = [flavour for verdict, flavour, *_ in (line.split("\t") for line in lines) if verdict == "PASS"]
    return ", ".join(granted) or "none"


def main(program: str, judges: str, count: int = 40, rounds: int = 5) -> None:
    runs: dict[tuple[str, str], list[Run]] = {}
    firsts = {kind: template_data(program, kind) for kind in KINDS if not kind.endswith("-ar")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # what the peers lay down goes with it
        processes = multiprocessing.get_context("spawn")
        pools = {
            (kind, peer): ProcessPoolExecutor(1, processes) for kind in firsts for peer in PEERS
        }
        kept = {each: Path(folder, f"{' '.join(each)}.pdf") for each in pools}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for kind in KINDS:
                runs.setdefault((kind, PARAPHE), []).append(measure_paraphe(program, kind, count))
            for (kind, peer), pool in pools.items():
                start = WARM_UP + number * count
                job = pool.submit(measure_peer, peer, firsts[kind], start, count, kept[kind, peer])
                runs.setdefault((kind, peer), []).append(job.result())
        for pool in pools.values():
            pool.shutdown()
        granted = {each: standards(judges, file) for each, file in kept.items()}

    print(f"CPU milliseconds per document: the median of {rounds} x {count}, and the range of the rounds' medians.")
    print("Paraphe's own files are judged by tests/run.\n")
    print("| document | engine | CPU ms | rounds | times Paraphe | kB | peak MB | veraPDF grants |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for kind, engine in sorted(runs, key=lambda each: KINDS.index(each[0])):
        each = runs[kind, engine]
        rounds_medians = [statistics.median(run.cpu_ms) for run in each]
        median, ours = (statistics.median(ms for run in of for ms in run.cpu_ms) for of in (each, runs[kind, PARAPHE]))
        print(
            f"| {kind} | {engine} | {median:.1f} | {min(rounds_medians):.1f}-{max(rounds_medians):.1f} "
            f"| {median / ours:.1f} | {each[-1].bytes / 1000:.0f} | {max(run.rss_mb for run in each):.0f} "
            f"| {granted.get((kind, engine), '')} |"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
