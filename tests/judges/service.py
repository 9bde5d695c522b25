"""Uses a running service as an office does, and finds all of it again after a restore.

    service.py make URL METRICS KEY TRUST PERSON STATE PARAPHE     a contract is issued and signed by everybody, a list
                                                                   becomes letters, all mails leave; STATE notes it
    service.py verify URL METRICS KEY TRUST PERSON STATE PARAPHE   the same documents, byte by byte; the contract verifies

TRUST is the certificate of the seal, PERSON a key of somebody who signs for the State (PKCS#12, password `test`), PARAPHE
the program, which verifies files. Metrics are read by the reference parser of OpenMetrics. Exits with 1 when anything is
not as it should be.
"""

import base64
import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

verb, url, metrics, key, trust, person, state, paraphe = sys.argv[1:]


def call(method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    request = urllib.request.Request(url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


def ask(*args: str) -> bytes:
    return subprocess.run([paraphe, *args], check=True, stdout=subprocess.PIPE).stdout


def report(file: bytes) -> dict:
    """What `paraphe verify` says, at an exit code that it means."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as there:
        there.write(file)
        there.flush()
        args = [paraphe, "verify", there.name, "--trust", trust, "--json"]
        return json.loads(subprocess.run(args, check=False, stdout=subprocess.PIPE).stdout)


def sign(document: str) -> None:
    """Everybody signs in turn: persons on a tablet, the State by certificate."""
    for version in range(1, 9):
        file = call("GET", f"/v1/documents/{document}/file")
        waiting = [it["field"] for it in report(file)["waiting"]]
        if not waiting:
            return
        shown = hashlib.sha256(file).hexdigest()
        act: dict = {"field": waiting[0]}
        if waiting[0] == "authority":
            pkcs12 = base64.b64encode(Path(person).read_bytes()).decode()
            act |= {"act": "certificate"}
            act |= {"certificate": {"pkcs12": pkcs12, "password": "test", "shown": shown}}
        else:
            lines = [[[10, 80], [60, 20], [90, 70]]]
            now = datetime.datetime.now(datetime.UTC).isoformat()
            act |= {"act": "strokes", "strokes": {"width": 300, "height": 100, "lines": lines}}
            act |= {
                "evidence": {
                    "agent": "A-17",
                    "language": "fr",
                    "presented": "read",
                    "device": "tablet 3",
                    "signed_at": now,
                    "shown": shown,
                }
            }
        tag = f'"v{version}"'
        call("POST", f"/v1/documents/{document}/signatures", json.dumps(act).encode(), If_Match=tag)
    sys.exit("the contract is never complete")


def documents() -> dict[str, str]:
    """The hash of every document's file."""
    items = json.loads(call("GET", "/v1/documents?limit=100"))["items"]
    return {
        it["id"]: hashlib.sha256(call("GET", f"/v1/documents/{it['id']}/file")).hexdigest()
        for it in items
    }


def mails() -> list[str]:
    return [it["state"] for it in json.loads(call("GET", "/v1/deliveries?limit=100"))["items"]]


def wait(what: str, done) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.2)
    sys.exit(f"{what}: not within two minutes; mails are {mails()}")


def series() -> set[str]:
    with urllib.request.urlopen(f"{metrics}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {sample.name for family in families for sample in family.samples}


if verb == "make":
    contract = json.loads(call("POST", "/v1/documents", ask("schema", "cai", "--example")))["id"]
    sign(contract)
    rows = ask("schema", "convocation", "--csv")
    call("POST", "/v1/merges?file=rows.csv", rows, Content_Type="text/csv")
    wait("the list", lambda: len(documents()) > len(rows.splitlines()) - 1)
    wait("the mails", lambda: mails() and set(mails()) == {"accepted"})
    kept = {"contract": contract, "documents": documents(), "mails": len(mails())}
    Path(state).write_text(json.dumps(kept))
    told = series()
    for name in ["paraphe_step_seconds_bucket", "paraphe_mails", "paraphe_certificate_days_left"]:
        assert name in told, f"{name} is not told: {sorted(told)}"
else:
    kept = json.loads(Path(state).read_text())
    assert documents() == kept["documents"], "other documents than before"
    assert len(mails()) == kept["mails"] and set(mails()) == {"accepted"}, mails()
    found = report(call("GET", f"/v1/documents/{kept['contract']}/file"))
    assert found["verdict"] == "valid" and not found["waiting"], json.dumps(found, indent=1)
    assert "paraphe_mails" in series()
print(f"{len(kept['documents'])} documents, {kept['mails']} mails")
