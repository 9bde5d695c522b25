"""Asks mail programs that are not ours whether messages are what they claim to be.

    mail.py FOLDER            every NAME.eml of the folder must be read as NAME.json says, by Python's own parser and by
                              mail-parser, and its DKIM signature must verify with dkimpy under the record in dkim.txt
    mail.py --broken FOLDER   the same messages, each changed in one place, must be refused: a judge that never says no
                              proves nothing

The last line is `N passed, N failed`. Exits with 1 when any failed or nothing was there to judge.
"""

import email
import email.policy
import json
import logging
import sys
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path

import dkim
import mailparser

logging.disable()  # mail-parser says of each calendar that it does not know the type


def signed(message: bytes, record: str) -> bool:
    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        return record.encode() if name.rstrip(b".") == b"paraphe._domainkey.example.org" else None

    return dkim.verify(message, dnsfunc=lookup, logger=logging.getLogger("silent"))


def by_python(raw: bytes, wanted: dict) -> Iterator[str]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = list(message.walk())
    defects = [defect for part in parts for defect in part.defects]
    defects += [defect for part in parts for header in part.values() for defect in header.defects]
    yield from (f"defect: {defect}" for defect in defects)
    structure = [part.get_content_type() for part in parts]
    calendar = ["text/calendar"] if wanted["events"] else []
    expected = ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", *calendar, "application/pdf"]
    if structure != [*expected, *calendar]:
        yield f"structure: {structure}"
    for name, value in {
        "To": wanted["to"],
        "Message-ID": wanted["message_id"],
        "Auto-Submitted": "auto-generated",
        "Date": "Mon, 02 Mar 2026 08:00:00 +0000",
    }.items():
        if message[name] != value:
            yield f"{name}: {message[name]}"
    if parseaddr(message["From"]) != parseaddr(message["Reply-To"]) or "\n" in message["Subject"]:
        yield "From, Reply-To or Subject"
    if not message["Subject"].endswith(wanted["reference"]) or "Spécimen-sur-Rhône" not in message["From"]:
        yield f"Subject or From: {message['Subject']}, {message['From']}"
    names = [part.get_filename() for part in message.iter_attachments() if part.get_filename()]
    if names != [f"{wanted['stem']}.pdf"] + [f"{wanted['stem']}.ics"] * len(calendar):
        yield f"names: {names}"
    pdf = next(part for part in parts if part.get_content_type() == "application/pdf")
    if pdf.get_content() != wanted["file"].encode():
        yield "the file is not the file"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    if not all(body and wanted["reference"] in body.get_content() for body in (plain, html)):
        yield "the reference is not in the text"
    languages = "fr" if wanted["language"] == "fr" else f"fr, {wanted['language']}"
    if plain["Content-Language"] != languages:
        yield f"language: {plain['Content-Language']}"


def by_mail_parser(raw: bytes, wanted: dict) -> Iterator[str]:
    message = mailparser.parse_from_bytes(raw)
    if message.defects:
        yield f"defects: {message.defects}"
    if not message.subject.endswith(wanted["reference"]):
        yield f"subject: {message.subject}"
    names = {part["filename"] for part in message.attachments if part["filename"].endswith((".pdf", ".ics"))}
    if f"{wanted['stem']}.pdf" not in names:
        yield f"names: {names}"
    plain = email.message_from_bytes(raw, policy=email.policy.default).get_body(("plain",)).get_content()
    if message.text_plain[0].split() != plain.split():
        yield "the text differs from what Python reads"


def complaints(raw: bytes, wanted: dict, record: str) -> list[str]:
    found = [f"python: {it}" for it in by_python(raw, wanted)]
    found += [f"mail-parser: {it}" for it in by_mail_parser(raw, wanted)]
    return found if signed(raw, record) else [*found, "dkim: the signature does not verify"]


def broken(raw: bytes) -> Iterator[tuple[str, bytes]]:
    head, body = raw.split(b"\r\n\r\n", 1)
    yield "a word of the subject", raw.replace(b"votre", b"notre", 1)
    yield "a second sender", b"From: a@example.com\r\n" + raw
    yield "a part's type", head + b"\r\n\r\n" + body.replace(b"text/html", b"text/htm", 1)
    yield "a line more", raw + b"more\r\n"
    yield "a part's end", raw.replace(b"=mixed--", b"=mixed", 1)


def main() -> int:
    red = "--broken" in sys.argv
    folder = Path(sys.argv[-1])
    record = (folder / "dkim.txt").read_text()
    passed = failed = 0
    for path in sorted(folder.glob("*.eml")):
        raw, wanted = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
        cases = broken(raw) if red else [("", raw)]
        for what, message in cases:
            found = complaints(message, wanted, record)
            good = bool(found) == red
            passed, failed = passed + good, failed + (not good)
            print(f"{'ok  ' if good else 'FAIL'} {path.stem} {what} {'; '.join(found)}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
