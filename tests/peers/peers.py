"""Measures Paraphe against other engines: the same documents, in one run, each engine in turn.

    peers.py THROUGHPUT JUDGES NODE [DOCUMENTS [ROUNDS]]      (tests/peers/run installs all of it and calls this)

Every engine is warm: one process, started and warmed up before the clock runs. CPU time is the process's own, with its
threads and all its children, for one document at a time; wall time would measure the neighbours. The engines take turns
in rounds, so that a slow minute of the machine meets them all. Prints Markdown tables.

The peers get the data that Paraphe's templates get and its catalogue, and are favoured where they cannot follow: they
draw no QR code of their own (qr.json), check no rule and choose no layout. "The floor" is no engine: it splices, deflates
and assembles a file that Paraphe has set (floor.rs).
"""

import base64
import json
import math
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
KINDS = ["letter", "contract"]
LANGUAGES = {"French": "fr", "French + Arabic": "fr-ar"}
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
    told = subprocess.run([program, kind, "fr", "data"], capture_output=True, text=True, check=True).stdout
    qr = json.loads((HERE / "qr.json").read_text())
    return json.loads(told) | {"specimen": True, "density": "normal", "pages": 0, "qr": qr}


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
def typst(first: Data, folder: Path, kept: str = "compiler") -> Engine:
    """Typst's binding for Python on Paraphe's own templates and fonts: what is left is the way in and out.
    `kept` from one document to the next: the "compiler", only the "fonts", or nothing, as when `typst.compile` is called."""
    import typst as binding

    for part in ("brand", "document"):
        shutil.copytree(ROOT / "templates" / part, folder / part)
    shutil.copy(HERE / "contract.typ", folder / "document")  # with feet of Typst's own
    (folder / "locales").mkdir()
    (folder / "locales/fr.json").write_text(json.dumps({"messages": messages()}))
    (folder / "attachment.json").write_text(json.dumps(first["sides"][0]["values"]))
    code = pixels(first["qr"])
    (folder / "codes.grey").write_bytes(code)
    side = math.isqrt(len(code))
    template = folder / "document" / f"{first['template']}.typ"
    options = {"pdf_standards": ["ua-1", "a-2a" if "recipient" in first else "a-3a"]}
    found = {"root": folder, "font_paths": [ROOT / "fonts"], "ignore_system_fonts": True}
    fonts = binding.Fonts(False, False, found["font_paths"])

    def compiler() -> binding.Compiler:
        return binding.Compiler(template, root=folder, font_paths=fonts)

    one = compiler()

    def render(data: Data) -> bytes:
        (folder / "data.json").write_text(json.dumps(data | {"qr": {"size": side, "at": 0}}))
        if kept == "nothing":
            return binding.compile(template, **found, **options)
        return (one if kept == "compiler" else compiler()).compile(**options)

    return render


def pixels(qr: dict) -> bytes:
    """The code's modules as Paraphe's templates read them: four grey pixels a side."""
    rows = [bytearray(b"\xff" * 4 * qr["size"]) for _ in range(qr["size"])]
    for x, y, length in re.findall(r"M(\d+) (\d+)\.5h(\d+)", qr["path"]):
        rows[int(y)][4 * int(x) : 4 * (int(x) + int(length))] = bytes(4 * int(length))
    return b"".join(bytes(row) * 4 for row in rows)


def html(first: Data) -> tuple[Callable[[Data], str], str]:
    """Makes the HTML page of a document with the same content and look, and gives its style sheet."""
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup, escape

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

    template = Environment(autoescape=True, loader=FileSystemLoader(HERE)).get_template(f"{first['template']}.html")
    drawings = {
        file.stem: quote(file.read_text().replace("currentColor", "#0b5563"))
        for file in (ROOT / "templates/document/pictograms").glob("*.svg")
    }
    icons = [f".{name} {{ background-image: url('data:image/svg+xml,{svg}') }}" for name, svg in drawings.items()]

    def page(data: Data) -> str:
        values = data["sides"][0]["values"]
        return template.render(
            data,
            say=partial(say, values),
            value=lambda name: show(values[name]),
            show=show,
            code=partial(code, data["qr"]),
        )

    return page, (HERE / "page.css").read_text() + "".join(icons)


def only_our_fonts(folder: Path) -> None:
    """For engines that ask fontconfig."""
    (folder / "fonts.conf").write_text(
        f'<?xml version="1.0"?><fontconfig><dir>{ROOT}/fonts</dir><cachedir>{folder}</cachedir></fontconfig>'
    )
    os.environ["FONTCONFIG_FILE"] = str(folder / "fonts.conf")


def weasyprint(first: Data, folder: Path) -> Engine:
    """Template and style sheet are read once."""
    only_our_fonts(folder)
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    page, css = html(first)
    fonts = FontConfiguration()
    style = CSS(string=css, font_config=fonts)
    images: dict = {}

    def render(data: Data) -> bytes:
        document = HTML(string=page(data))
        return document.write_pdf(stylesheets=[style], font_config=fonts, cache=images, pdf_variant="pdf/ua-1")

    return render


def chromium(first: Data, folder: Path, node: str) -> Engine:
    """Headless Chromium kept warm, driven through playwright-core; what it cannot do is the foot of a page as HTML of the
    page, so it gets one as its own kind of footer."""
    only_our_fonts(folder)
    page, css = html(first)
    browser = shutil.which("chromium")
    driver = subprocess.Popen(
        ["node", HERE / "chromium.cjs", browser],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"NODE_PATH": f"{node}/node_modules", "HOME": str(folder)},
    )
    style = f"<style>{css} .foot {{ display: none }}</style>"

    def render(data: Data) -> bytes:
        number = '<i class="pageNumber"></i> sur <i class="totalPages"></i>'
        foot = f'<p style="font: 9px Noto Sans; margin: 0 16mm">{data["reference"]} Page {number}</p>'
        order = {"html": page(data).replace("<body", f"{style}<body", 1), "foot": foot}
        driver.stdin.write(json.dumps(order).encode() + b"\n")
        driver.stdin.flush()
        return base64.b64decode(driver.stdout.readline())

    return render


PARAPHE, FLOOR = "Paraphe", "the floor"


def peers(node: str) -> dict[str, Callable[[Data, Path], Engine]]:
    found = {
        "Typst 0.15.2, Python binding": typst,
        "the same, a compiler for each": partial(typst, kept="fonts"),
        "the same, called for each": partial(typst, kept="nothing"),
        "WeasyPrint 70.0": weasyprint,
    }
    return found | ({"Chromium, warm": partial(chromium, node=node)} if shutil.which("chromium") else {})


def cpu_ms() -> float:
    """CPU time of this process and of all below it, alive or gone."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return 1000 * sum(each.ru_utime + each.ru_stime for each in used) + 1e-6 * sum(map(thread_ns, children(os.getpid())))


def children(process: int) -> list[int]:
    """The processes below one that are alive."""
    try:
        lists = [file.read_text() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:  # it has just ended
        return []
    own = [int(each) for each in " ".join(lists).split()]
    return own + [below for each in own for below in children(each)]


def thread_ns(process: int) -> int:
    try:
        return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{process}/task").glob("*/schedstat"))
    except OSError:
        return 0


def peak_mb() -> float:
    """The largest resident memory of this process and those below it, shared pages counted once for each."""
    return sum(map(peak_kb, [os.getpid(), *children(os.getpid())])) / 1024


def peak_kb(process: int) -> int:
    try:
        told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:  # it has just ended
        return 0
    return int(told[1]) if told else 0


ENGINES: dict[str, Engine] = {}


def measure_peer(peer: str, node: str, first: Data, start: int, count: int, keep: Path) -> Run:
    """Runs in the peer's own process, which lives as long as the benchmark."""
    if peer not in ENGINES:
        ENGINES[peer] = peers(node)[peer](first, Path(tempfile.mkdtemp()))
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
    return Run(times, len(pdf), peak_mb())


def measure_paraphe(program: str, kind: str, language: str, count: int, keep: Path) -> Run:
    command = [program, kind, language, str(count), "1", str(keep)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Run(told["cpu_ms"], told["bytes"], told["rss_mb"])


def measure_floor(program: str, like: Path, count: int) -> Run:
    command = [program, "floor", str(like), str(10 * count)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Run(told["cpu_ms"], like.stat().st_size, 0)


# ---------------------------------------------------------------- the table
def standards(judges: str, file: Path) -> str:
    """Which of PDF/UA-1 and PDF/A (2a, or 3a where something is attached) veraPDF grants the file."""
    archive = "3a" if b"/EmbeddedFile" in file.read_bytes() else "2a"
    command = ["java", "-cp", f"{judges}/verapdf.jar:{judges}", "VeraCheck", f"ua1,{archive}", file]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    granted = [flavour for verdict, flavour, *_ in (line.split("\t") for line in lines) if verdict == "PASS"]
    return ", ".join(granted) or "none"


def medians(runs: list[Run]) -> tuple[float, list[float]]:
    """Of all documents, and of each round."""
    return statistics.median(ms for run in runs for ms in run.cpu_ms), [statistics.median(run.cpu_ms) for run in runs]


def span(numbers: list[float]) -> str:
    return f"{min(numbers):.1f}–{max(numbers):.1f}"


def main(program: str, judges: str, node: str, count: int = 40, rounds: int = 5) -> None:
    runs: dict[tuple[str, str], list[Run]] = {}
    firsts = {kind: template_data(program, kind) for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # what the peers lay down goes with it
        processes = multiprocessing.get_context("spawn")
        pools = {(kind, peer): ProcessPoolExecutor(1, processes) for kind in KINDS for peer in peers(node)}
        ours = {(kind, f"{PARAPHE}, {name}"): tag for kind in KINDS for name, tag in LANGUAGES.items()}
        kept = {each: Path(folder, f"{number}.pdf") for number, each in enumerate([*ours, *pools])}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for (kind, engine), tag in ours.items():
                run = measure_paraphe(program, kind, tag.removeprefix("fr-"), count, kept[kind, engine])
                runs.setdefault((kind, engine), []).append(run)
            for (kind, peer), pool in pools.items():
                start = WARM_UP + number * count
                job = pool.submit(measure_peer, peer, node, firsts[kind], start, count, kept[kind, peer])
                runs.setdefault((kind, peer), []).append(job.result())
            for kind in KINDS:
                floor = measure_floor(program, kept[kind, f"{PARAPHE}, French"], count)
                runs.setdefault((kind, FLOOR), []).append(floor)
        for pool in pools.values():
            pool.shutdown()
        granted = {each: standards(judges, file) for each, file in kept.items()}

    print(f"CPU milliseconds per document, one at a time: the median of {rounds} × {count}, and the range of the rounds'")
    print("medians. The ratios are of the same rounds.\n")
    for kind in KINDS:
        _, base = medians(runs[kind, f"{PARAPHE}, French"])
        print(f"| {kind} | CPU ms | rounds | times Paraphe | rounds | kB | peak MB | veraPDF grants |")
        print("|---|--:|--:|--:|--:|--:|--:|---|")
        for _, engine in sorted((each for each in runs if each[0] == kind), key=lambda each: medians(runs[each])[0]):
            each = runs[kind, engine]
            median, by_round = medians(each)
            ratios = [theirs / our for theirs, our in zip(by_round, base, strict=True)]
            memory = f"{max(run.rss_mb for run in each):.0f}" if engine != FLOOR else ""
            print(
                f"| {engine} | {median:.2f} | {span(by_round)} | {statistics.median(ratios):.1f} | {span(ratios)} "
                f"| {each[-1].bytes / 1000:.0f} | {memory} | {granted.get((kind, engine), '')} |"
            )
        print()


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
