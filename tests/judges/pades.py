"""Asks programs that are not ours whether sealed and signed PDFs hold, at every stage of their life.

    pades.py PARAPHE FOLDER   renders five documents with the program PARAPHE into FOLDER, seals and signs them up to B-LTA
                              with a test authority on loopback, and has every stage judged; then what must be refused

Each file must please the judges of conformance.py; pyHanko must find every signature valid, with nothing after it but the
filling of forms, and what lasts provable by what the file holds; pdfsig must agree. One line a file, then `N passed,
N failed`. Exits with 1 when any failed.
"""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pikepdf
from asn1crypto import pem
from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig
from conformance import CONTRACT, LETTER, judge
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.content import RawContent
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import (
    async_validate_pdf_signature,
    async_validate_pdf_timestamp,
)
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    SignatureValidationSpec,
)
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.ltv.types import ValidationTimingInfo
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from werkzeug.serving import make_server

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixtures" / "good"
AT = "2026-03-02T09:00:00+01:00"  # the moment of the fixtures
NOW = datetime.fromisoformat(AT).astimezone(UTC)

# Each document, its standards, and who signs it how before the State does.
DOCUMENTS = {
    "cai": ("cai/interpreter-read-aloud", CONTRACT, {"applicant": "strokes"}),
    "minor": (
        "cai/minor-sixteen-with-representative",
        CONTRACT,
        {"applicant": "unable", "representative": "strokes"},
    ),
    "caif": (
        "caif/both-parents",
        CONTRACT,
        {"parent1": "strokes", "parent2": "strokes"},
    ),
    "exempt": ("caif/spouse-french", CONTRACT, None),
    "letter": ("convocation/first-medical-visit", LETTER, {}),
}
KEYS = {
    "root": ec.SECP256R1(), "issuing": ec.SECP256R1(), "tsa": 2048, "ocsp": ec.SECP256R1(),
    "office": ec.SECP256R1(), "prefect": 3072, "revoked": ec.SECP256R1(), "outsider": ec.SECP384R1(),
}  # fmt: skip


class Authority:
    """Keys and certificates in a folder, and the services that timestamps and proofs come from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name, kind in KEYS.items():
            key = (
                rsa.generate_private_key(65537, kind)
                if isinstance(kind, int)
                else ec.generate_private_key(kind)
            )
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.pem").write_bytes(pem)
        server = make_server(
            "127.0.0.1", 0, lambda *request: self.app(*request), threaded=True
        )
        self.address = f"http://127.0.0.1:{server.port}"
        text = (
            (HERE / "authority.yml")
            .read_text()
            .replace("ADDRESS", self.address)
            .replace("FOLDER", str(folder))
        )
        config = CertomancerConfig.from_yaml(text, key_search_dir=str(folder))
        self.app = Animator(
            AnimatorArchStore(config.pki_archs), at_time=NOW, with_web_ui=False
        )
        architecture = config.get_pki_arch(ArchLabel("test"))
        for name in KEYS:
            (folder / f"{name}.crt").write_bytes(
                pem_of(architecture.get_cert(CertLabel(name)).dump())
            )
        self.root = folder / "root.crt"
        (folder / "chain.crt").write_bytes(
            (folder / "issuing.crt").read_bytes() + self.root.read_bytes()
        )
        (folder / "pin").write_text("cachet\n")
        (folder / "office.p12").write_bytes(self.pkcs12("office"))
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def pkcs12(self, name: str) -> bytes:
        key = load_pem_private_key((self.folder / f"{name}.pem").read_bytes(), None)
        own, issuing, root = (
            load_pem_x509_certificate((self.folder / f"{it}.crt").read_bytes())
            for it in (name, "issuing", "root")
        )
        return pkcs12.serialize_key_and_certificates(
            name.encode(), key, own, [issuing, root], BestAvailableEncryption(b"cachet")
        )

    def office(self) -> list[str]:
        return [
            "--key",
            f"{self.folder}/office.p12",
            "--pin-file",
            f"{self.folder}/pin",
        ]

    def person(self, name: str) -> list[str]:
        both = self.folder / f"{name}.both"
        both.write_bytes(
            b"".join(
                (self.folder / it).read_bytes() for it in (f"{name}.crt", "chain.crt")
            )
        )
        return ["--key", f"{self.folder}/{name}.pem", "--certificates", str(both)]

    def level(self, level: str) -> list[str]:
        if level == "B-B":
            return ["--level", level]
        roots = ["--timestamp-roots", str(self.root)]
        return ["--level", level, "--timestamp", f"{self.address}/test/tsa/tsa", *roots]


def pem_of(der: bytes) -> bytes:
    return pem.armor("CERTIFICATE", der)


class Paraphe(NamedTuple):
    program: str

    def __call__(self, *arguments: object, wanted: int = 0) -> str:
        run = subprocess.run(
            [self.program, *map(str, arguments), "--at", AT],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != wanted:
            raise AssertionError(
                f"{arguments[0]}: exit code {run.returncode}, wanted {wanted}: {run.stderr.strip()}"
            )
        return run.stderr


class Stage(NamedTuple):
    file: Path
    standards: str
    signatures: int  # without timestamps
    level: str
    stamped: bool  # each signature has a timestamp of its own


def lives(paraphe: Paraphe, authority: Authority, folder: Path) -> Iterator[Stage]:
    """Every document from its rendering to the archive."""
    evidence = folder / "evidence.json"
    evidence.write_text(json.dumps({
        "agent": "Agent 12", "interpreter": "ISM-EXEMPLE n° 4471", "language": "ar", "presented": "heard",
        "device": "tablet-3", "signed_at": AT,
    }))  # fmt: skip
    strokes = folder / "strokes.json"
    line = [[20 + 3 * i, 60 + 40 * (-1) ** i * (1 - i / 60)] for i in range(60)]
    strokes.write_text(
        json.dumps(
            {"width": 300, "height": 120, "lines": [line, [[40, 110], [250, 104]]]}
        )
    )
    how = {
        "strokes": ["--strokes", strokes, "--evidence", evidence],
        "unable": ["--unable", "--evidence", evidence],
    }
    for name, (fixture, standards, persons) in DOCUMENTS.items():
        steps = iter(range(9))

        def next_file(
            what: str, name: str = name, steps: Iterator[int] = steps
        ) -> Path:
            return folder / f"{name}-{next(steps)}-{what}.pdf"

        file = next_file("unsigned")
        paraphe("render", FIXTURES / f"{fixture}.json", "-o", file)
        yield Stage(file, standards, 0, "none", False)
        if persons is None:
            persons = {only_parent(file): "strokes"}
        # One document is sealed and signed while nobody says the time, and extended when somebody does.
        level, stamped = ("B-B", False) if name == "cai" else ("B-T", True)
        sealed = next_file("sealed")
        paraphe(
            "seal", file, "-o", sealed, *authority.office(), *authority.level(level)
        )
        file, signatures = sealed, 1
        yield Stage(file, standards, signatures, level, stamped)
        acts = [
            (field, [*how[act], *authority.office()]) for field, act in persons.items()
        ]
        acts += (
            [("authority", authority.person("prefect"))]
            if standards == CONTRACT
            else []
        )
        for field, options in acts:
            signed = next_file(field)
            paraphe(
                "sign",
                file,
                "-o",
                signed,
                "--field",
                field,
                *options,
                *authority.level(level),
            )
            file, signatures = signed, signatures + 1
            yield Stage(file, standards, signatures, level, stamped)
        for level in ("B-T", "B-LT", "B-LTA", "B-LTA"):
            longer = next_file(level)
            paraphe("extend", file, "-o", longer, *authority.level(level))
            file = longer
            yield Stage(file, standards, signatures, level, stamped)


def only_parent(file: Path) -> str:
    with pikepdf.open(file) as pdf:
        return next(
            str(field.T) for field in pdf.Root.AcroForm.Fields if field.T != "authority"
        )


def valid(stage: Stage, root: Path) -> list[str]:
    """What pyHanko and pdfsig hold against the signatures of a stage."""
    return asyncio.run(pyhanko(stage, root)) + pdfsig(stage)


async def pyhanko(stage: Stage, root: Path) -> list[str]:
    trusted = load_cert_from_pemder(str(root))
    wrong = []
    reader = PdfFileReader(BytesIO(stage.file.read_bytes()))
    signatures = reader.embedded_regular_signatures
    if len(signatures) != stage.signatures:
        wrong.append(f"pyhanko {len(signatures)} signatures, wanted {stage.signatures}")
    known = {"trust_roots": [trusted], "moment": NOW, "allow_fetching": False}
    lasts = stage.level in ("B-LT", "B-LTA")
    context = ValidationContext(**known)
    if lasts:
        # From here on nobody is asked: what the file holds must do.
        context = DocumentSecurityStore.read_dss(reader).as_validation_context(
            {**known, "revocation_mode": "require"}
        )
    for signature in signatures:
        status = await async_validate_pdf_signature(signature, context, context)
        if not status.bottom_line:
            wrong.append(
                f"pyhanko {signature.field_name} is not valid: {status.summary()}"
            )
        if (
            status.modification_level is None
            or status.modification_level > ModificationLevel.FORM_FILLING
        ):
            wrong.append(
                f"pyhanko {signature.field_name} was followed by {status.modification_level}"
            )
        attached = status.timestamp_validity is not None
        if attached != (stage.stamped and stage.level != "B-B"):
            wrong.append(
                f"pyhanko {signature.field_name}: a timestamp of its own: {attached}"
            )
    stamps = reader.embedded_timestamp_signatures
    for stamp in stamps:
        status = await async_validate_pdf_timestamp(stamp, context)
        if not (status.intact and status.valid and status.trusted):
            wrong.append(f"pyhanko {stamp.field_name} is not valid: {status.summary()}")
    if not stamps and (
        stage.level == "B-LTA"
        or stage.level != "B-B"
        and stage.signatures
        and not stage.stamped
    ):
        wrong.append("pyhanko finds no timestamp over the document")
    # Its long-term validation takes the time from timestamps in signatures alone.
    if stage.level == "B-LTA" and stage.stamped:
        policy = CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build(trust_roots=[trusted]),
            revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
        )
        spec = PdfSignatureValidationSpec(
            SignatureValidationSpec(cert_validation_policy=policy)
        )
        then = ValidationTimingInfo(
            validation_time=NOW, best_signature_time=NOW, point_in_time_validation=True
        )
        for signature in signatures:
            result = await ades_lta_validation(signature, spec, timing_info=then)
            if result.ades_subindic.status.name != "PASSED":
                wrong.append(
                    f"pyhanko {signature.field_name} does not last: {result.ades_subindic}"
                )
    return wrong


def pdfsig(stage: Stage) -> list[str]:
    if stage.signatures == 0:
        return []
    run = subprocess.run(
        ["pdfsig", "-nocert", stage.file], capture_output=True, text=True, check=False
    )
    good = run.stdout.count("Signature is Valid.")
    # It does not read timestamps over the document, so it counts the others alone.
    return (
        []
        if good == stage.signatures
        else [f"pdfsig {good} valid, wanted {stage.signatures}"]
    )


def outsider(authority: Authority, file: Path, field: str, signed: Path) -> Path:
    """pyHanko signs an empty field of ours, with a certificate that we did not choose."""
    key, own, chain = (
        str(authority.folder / it)
        for it in ("outsider.pem", "outsider.crt", "chain.crt")
    )
    signer = signers.SimpleSigner.load(key, own, ca_chain_files=[chain])
    meta = signers.PdfSignatureMetadata(
        field_name=field, subfilter=fields.SigSeedSubFilter.PADES
    )
    # Its usual stamp brings a font that is not embedded, which neither standard allows.
    stamp = StaticStampStyle(
        border_width=0,
        background=RawContent(b"", box=BoxConstraints(width=1, height=1)),
    )
    with file.open("rb") as source, signed.open("wb") as target:
        writer = IncrementalPdfFileWriter(source)
        signers.PdfSigner(meta, signer=signer, stamp_style=stamp).sign_pdf(
            writer, output=target
        )
    return signed


def with_outsiders(paraphe: Paraphe, authority: Authority, folder: Path) -> Stage:
    rendered, sealed, theirs, ours = (
        folder / f"outsider-{it}.pdf" for it in ("0", "1-sealed", "2-theirs", "3-ours")
    )
    paraphe("render", FIXTURES / "cai/interpreter-read-aloud.json", "-o", rendered)
    paraphe("seal", rendered, "-o", sealed, *authority.office())
    outsider(authority, sealed, "applicant", theirs)
    paraphe(
        "sign", theirs, "-o", ours, "--field", "authority", *authority.person("prefect")
    )
    return Stage(ours, CONTRACT, 3, "B-B", False)


def broken(
    paraphe: Paraphe, authority: Authority, folder: Path
) -> dict[Path, list[str]]:
    """Ways to spoil a file that pyHanko must see. The complaint is about the judges, where they do not."""
    rendered = folder / "cai-0-unsigned.pdf"

    def sealed(name: str, change: Callable[[pikepdf.Pdf], object]) -> Path:
        changed, file = folder / f"red-{name}-0.pdf", folder / f"red-{name}-1.pdf"
        with pikepdf.open(rendered) as pdf:
            change(pdf)
            pdf.save(changed)
        paraphe("seal", changed, "-o", file, *authority.office())
        return file

    def kids_in_arrays(pdf: pikepdf.Pdf) -> None:
        for each in pdf.objects:
            if (
                isinstance(each, pikepdf.Dictionary)
                and each.get("/S") == pikepdf.Name.Form
            ):
                each.K = pikepdf.Array([each.K])

    def lock_everything(pdf: pikepdf.Pdf) -> None:
        field = next(it for it in pdf.Root.AcroForm.Fields if it.T == "applicant")
        field.Lock = pikepdf.Dictionary(
            Type=pikepdf.Name.SigFieldLock, Action=pikepdf.Name.All
        )

    flipped = folder / "red-bit.pdf"
    content = bytearray((folder / "cai-3-authority.pdf").read_bytes())
    content[len(content) // 3] ^= 1
    flipped.write_bytes(content)

    arrays = folder / "red-arrays-2.pdf"
    first = outsider(
        authority,
        sealed("arrays", kids_in_arrays),
        "applicant",
        folder / "red-arrays-first.pdf",
    )
    paraphe(
        "sign",
        first,
        "-o",
        arrays,
        "--field",
        "authority",
        *authority.person("prefect"),
    )

    locked = folder / "red-locked-2.pdf"
    first = outsider(
        authority,
        sealed("locked", lock_everything),
        "applicant",
        folder / "red-locked-first.pdf",
    )
    paraphe(
        "sign",
        first,
        "-o",
        locked,
        "--field",
        "authority",
        *authority.person("prefect"),
    )

    twins = {flipped: 3, arrays: 3, locked: 3}
    found = {}
    for file, count in twins.items():
        stage = Stage(file, "", count, "B-B", False)
        try:
            found[file] = asyncio.run(pyhanko(stage, authority.root))
        # The flipped bit can stand in what holds the file together.
        except PdfReadError as error:
            found[file] = [str(error)]
    return {
        file: [] if what else ["pyhanko has nothing against it"]
        for file, what in found.items()
    }


def refused(
    paraphe: Paraphe, authority: Authority, folder: Path
) -> dict[Path, list[str]]:
    """What the program must not do, and the level it must keep."""
    rendered, revoked = folder / "cai-0-unsigned.pdf", folder / "refused-revoked.pdf"
    paraphe(
        "seal",
        rendered,
        "-o",
        revoked,
        *authority.person("revoked"),
        *authority.level("B-T"),
    )
    said = paraphe(
        "extend",
        revoked,
        "-o",
        folder / "refused-lt.pdf",
        *authority.level("B-LT"),
        wanted=65,
    )
    wrong = [] if "has been revoked" in said else [f"said {said}"]
    return {revoked: wrong}


def main(program: str, folder: Path) -> int:
    logging.disable(logging.CRITICAL)
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "authority")
    paraphe = Paraphe(program)
    stages = list(lives(paraphe, authority, folder))
    stages.append(with_outsiders(paraphe, authority, folder))
    complaints = judge({it.file: it.standards for it in stages})
    for it in stages:
        complaints[it.file] += valid(it, authority.root)
    complaints |= broken(paraphe, authority, folder) | refused(
        paraphe, authority, folder
    )
    for file, what in sorted(complaints.items()):
        print(
            "FAIL" if what else "PASS", file.name, *(f"\n     {each}" for each in what)
        )
    failed = sum(map(bool, complaints.values()))
    print(f"{len(complaints) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
