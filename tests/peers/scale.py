"""Measures how Paraphe's cost holds when there is more of everything: letters, threads, languages.

    scale.py THROUGHPUT [LETTERS]       (`tests/peers/run scale [LETTERS]` builds the program and calls this)

CPU time is each thread's own. Letters a second are by the wall clock: they mean something on a calm machine only, and
two threads are measured against two processes in turn, round by round.
"""

import json
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

Told = dict
ROUNDS = 5


def throughput(program: str, *arguments: object) -> Told:
    command = [program, *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def percentile(numbers: list[float], part: float) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(part * len(numbers)))]


def row(name: str, told: Told, *more: str) -> None:
    cpu, check = told["cpu_ms"], told["check_ms"]
    median = statistics.median(cpu)
    print(
        f"| {name} | {median:.2f} | {statistics.median(check):.2f} | {percentile(cpu, 0.99) / median:.2f} "
        f"| {told['per_second']:.0f} | {told['rss_mb']:.0f} | {' '.join(more)} |"
    )


def main(program: str, letters: int = 2000) -> None:
    few = min(letters, 2000)
    print("| warm, each document another person's | CPU ms | of it check | p99 / median | a second | MB | |")
    print("|---|--:|--:|--:|--:|--:|---|")

    one = throughput(program, "letter", "fr", few)
    row("letter, French, 1 thread", one)
    shares = []
    for _ in range(ROUNDS):
        two = throughput(program, "letter", "fr", few, 2)
        with ThreadPoolExecutor(2) as pool:
            apart = list(pool.map(lambda _: throughput(program, "letter", "fr", few // 2), range(2)))
        shares.append(two["per_second"] / sum(told["per_second"] for told in apart))
    row("letter, French, 2 threads", two)
    share = f"{statistics.median(shares):.2f} of their rate, {min(shares):.2f} to {max(shares):.2f}"
    row("the same, each of 2 processes", apart[0], f"2 threads reach {share}")

    # Each language against itself alone, for they do not cost the same.
    tags = throughput(program, "languages")
    mixed = throughput(program, "letter", ",".join(tags), few)
    alone = [statistics.median(throughput(program, "letter", tag, 60)["cpu_ms"]) for tag in tags]
    ratio = statistics.mean(mixed["cpu_ms"]) / statistics.mean(alone)
    row(f"letter, {len(tags)} languages in turn", mixed, f"{ratio:.2f} of one language at a time")

    row("contract, French", throughput(program, "contract", "fr", few // 2))
    row("contract, French and Arabic", throughput(program, "contract", "ar", few // 2))

    long = throughput(program, "letter", "fr", letters)
    ends = [end for end in (1_000, 10_000, 100_000) if end <= letters]
    costs = [f"{statistics.median(long['cpu_ms'][end - 500 : end]):.2f}" for end in ends]
    memory = f"{long['rss_mb_settled']:.1f} MB by letter {min(5_000, letters // 2)}, {long['rss_mb']:.1f} MB at the end"
    row(f"letter, French, {letters} of them", long, f"{' / '.join(costs)} ms at {ends}; {memory}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
