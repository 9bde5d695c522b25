//! Timestamp authorities that answer, are down, refuse or lie; and servers of proofs that are not there.
//!
//! OpenSSL is the authority. A lie is a true answer to another question, or an answer changed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use paraphe::class::Class;
use paraphe::seal::{
    Level, Office, SealError, SealOptions, SealedPdf, Sealer, Signer, SoftwareKey, TimestampOptions,
};
use paraphe::secret::Secret;

use super::{AUTHORITY, by_hand, contract, sealed};
use crate::harness::{at, free_port};

/// What an authority does.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    OtherNonce,
    OtherHash,
    ForgedSignature,
    Refuses,
    Babbles,
    Fails,
}

/// A timestamp authority of OpenSSL, in a folder for all tests.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    std::fs::write(folder.join("ts.cnf"), SETTINGS).unwrap();
    std::fs::write(folder.join("serial"), "01\n").unwrap();
    for (name, usage) in [("tsa", "critical,timeStamping"), ("other", "critical,timeStamping")] {
        let arguments = format!(
            "req -x509 -newkey rsa:2048 -nodes -days 20000 -subj /CN={name} -keyout {name}.key \
             -out {name}.crt -addext keyUsage=critical,digitalSignature \
             -addext extendedKeyUsage={usage}"
        );
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&folder)
            .output();
        assert!(output.unwrap().status.success());
    }
    folder
});

const SETTINGS: &str = "[tsa]\ndefault_tsa = it\n[it]\nserial = serial\ndigests = sha256\n\
    default_policy = 1.2.3.4\nsigner_digest = sha256\ncrypto_device = builtin\n\
    accuracy = secs:1, millisecs:500\nordering = yes\ntsa_name = yes\ness_cert_id_alg = sha256\n";

/// An authority on loopback; its address.
fn authority(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let question = body(&mut stream);
            let (status, answer) = match manner {
                Manner::Fails => ("500 Down", Vec::new()),
                Manner::Babbles => ("200 OK", b"<html>".to_vec()),
                // PKIStatusInfo: rejection, with the bit of systemFailure.
                Manner::Refuses => {
                    ("200 OK", vec![0x30, 12, 0x30, 10, 2, 1, 2, 3, 5, 6, 0, 0, 0, 0x40])
                }
                manner => ("200 OK", answer(question, manner)),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(&[head.as_bytes(), &answer].concat()).unwrap();
        }
    });
    format!("http://{address}/")
}

fn body(stream: &mut impl Read) -> Vec<u8> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let length = text.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        let start = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
        if request.len() - start >= length.trim().parse().unwrap() || end == 0 {
            return request.split_off(start);
        }
    }
}

fn answer(mut question: Vec<u8>, manner: Manner) -> Vec<u8> {
    // A query ends with the nonce of eight bytes and with the wish for certificates.
    let nonce = question.len() - 4;
    let hash = question.windows(2).position(|it| it == [4, 32]).unwrap() + 2;
    match manner {
        Manner::OtherNonce => question[nonce] ^= 1,
        Manner::OtherHash => question[hash] ^= 1,
        _ => {}
    }
    let folder = tempfile::tempdir_in(&*FOLDER).unwrap();
    std::fs::write(folder.path().join("q"), question).unwrap();
    // One at a time: all count on one file of serial numbers.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let output = Command::new("openssl")
        .args(["ts", "-reply", "-config", "ts.cnf", "-signer", "tsa.crt", "-inkey", "tsa.key"])
        .args(["-queryfile".as_ref(), folder.path().join("q").as_os_str()])
        .args(["-out".as_ref(), folder.path().join("a").as_os_str()])
        .current_dir(&*FOLDER)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut answer = std::fs::read(folder.path().join("a")).unwrap();
    if manner == Manner::ForgedSignature {
        *answer.last_mut().unwrap() ^= 1;
    }
    answer
}

fn office(level: Level, url: String, root: &str, room: usize) -> Sealer {
    let authorities = std::fs::read_to_string(FOLDER.join(format!("{root}.crt"))).unwrap();
    let timestamp = Some(TimestampOptions { url, authorities, room });
    let signer = AUTHORITY.signer("Direction territoriale de Lyon").unwrap();
    let options = SealOptions { level, letters: false, timestamp };
    Sealer::On(Office::new(signer, &options).unwrap())
}

fn stamped(manner: Manner) -> SealedPdf {
    sealed(&contract(), &office(Level::BaselineT, authority(manner), "tsa", 4096))
}

#[test]
fn a_timestamp_raises_the_seal() {
    let office = office(Level::BaselineT, authority(Manner::Honest), "tsa", 4096);
    let file = sealed(&contract(), &office);
    let reason = file.shortfall().map(ToString::to_string);
    assert_eq!((file.level(), reason), (Level::BaselineT, None));
    let file = office.sign(&file, "applicant", &by_hand(&file), at()).unwrap();
    assert_eq!(file.level(), Level::BaselineT);
}

/// The file is good at B-B, says why it is no more, and is raised later.
#[test]
fn without_a_true_timestamp_the_level_reached_is_kept_and_said() {
    for (manner, wanted, class) in [
        (Manner::OtherNonce, "its answer is for another request", Class::Us),
        (Manner::OtherHash, "its answer is about something else", Class::Us),
        (Manner::ForgedSignature, "its signature is wrong", Class::Us),
        (Manner::Refuses, "refuses (status 2, failure 25)", Class::Later),
        (Manner::Babbles, "answers what is no timestamp", Class::Us),
        (Manner::Fails, "does not answer", Class::Later),
    ] {
        let file = stamped(manner);
        let reason = file.shortfall().unwrap();
        assert!(reason.to_string().contains(wanted), "{reason}");
        assert_eq!((file.level(), reason.class()), (Level::BaselineB, class), "{reason}");
        let later = office(Level::BaselineT, authority(Manner::Honest), "tsa", 4096);
        let file = later.extend(&file, Level::BaselineT, at()).unwrap();
        assert_eq!(file.level(), Level::BaselineT);
    }
    let nobody = office(Level::BaselineT, "http://127.0.0.1:9/".to_owned(), "tsa", 4096);
    let file = sealed(&contract(), &nobody);
    assert_eq!(file.shortfall().unwrap().class(), Class::Later);
    let error = nobody.extend(&file, Level::BaselineT, at()).unwrap_err();
    assert_eq!(error.class(), Class::Later, "{error}");
    let stranger = office(Level::BaselineT, authority(Manner::Honest), "other", 4096);
    let reason = sealed(&contract(), &stranger).shortfall().unwrap().to_string();
    assert!(reason.contains("leads to no root we were told of"), "{reason}");
}

#[test]
fn a_token_longer_than_its_room_is_refused() {
    let office = office(Level::BaselineT, authority(Manner::Honest), "tsa", 100);
    let document = crate::harness::SHOP.check(&contract()).unwrap();
    let pdf = crate::harness::SHOP.try_render(&document).unwrap();
    let error = office.seal(&pdf, &document, &crate::harness::SHOP.rulebook, at()).unwrap_err();
    assert!(matches!(error, SealError::HoleFull { .. }), "{error}");
    assert!(
        error.to_string().contains("there is room for")
            && error.to_string().ends_with("raise the room")
    );
    assert_eq!(error.class(), Class::Us);
}

#[test]
fn a_level_beyond_the_first_needs_an_authority() {
    let signer = AUTHORITY.signer("Direction territoriale de Lyon").unwrap();
    let options = SealOptions { level: Level::BaselineLTA, ..SealOptions::default() };
    let error = Office::new(signer, &options).unwrap_err();
    assert!(matches!(error, SealError::NoTimestampAuthority), "{error}");
}

/// The test authority publishes no list, so nothing proves that it has revoked nobody.
#[test]
fn without_proofs_the_time_is_kept() {
    let office = office(Level::BaselineT, authority(Manner::Honest), "tsa", 4096);
    let file = sealed(&contract(), &office);
    let error = office.extend(&file, Level::BaselineLTA, at()).unwrap_err();
    assert!(
        error.to_string().contains("does not say where its revocation is published"),
        "{error}"
    );
    assert_eq!(error.class(), Class::Caller);
}

/// A key whose certificates say where their lists are, and at which port of this machine that is.
fn listed(port: u16, how: &str) -> (std::sync::Arc<dyn Signer>, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let script = format!(
        "set -e
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20000 -subj /CN=Root \
            -addext keyUsage=critical,keyCertSign,cRLSign -keyout root.key -out root.crt
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Office -keyout key -out csr
        printf '{how}\nkeyUsage = critical, digitalSignature\n' > ext
        openssl x509 -req -in csr -CA root.crt -CAkey root.key -CAcreateserial -days 20000 -extfile ext -out crt
        touch index; echo 01 > number
        printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\n' > ca.cnf
        openssl ca -config ca.cnf -gencrl -keyfile root.key -cert root.crt -crldays 20000 -out crl.pem
        openssl crl -in crl.pem -outform DER -out crl"
    )
    .replace("PORT", &port.to_string());
    let output = Command::new("bash").args(["-c", &script]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (key, chain) = (read("key"), [read("crt"), read("root.crt")].concat());
    let signer = SoftwareKey::open(&Secret::new(key), &Secret::new(""), &chain).unwrap();
    (signer, folder)
}

/// Neither list nor answer can be had: the file is good at B-T, says so, and is raised when the server is back.
#[test]
fn without_a_list_the_level_reached_is_kept_and_said() {
    let list = "crlDistributionPoints = URI:http://127.0.0.1:PORT/crl";
    let answer = "authorityInfoAccess = OCSP;URI:http://127.0.0.1:PORT/ocsp";
    for how in [list.to_owned(), answer.to_owned(), format!("{answer}\n{list}")] {
        let port = free_port();
        let (signer, folder) = listed(port, &how);
        let now = signer.identity().certificate().not_before() + chrono::TimeDelta::minutes(1);
        let low = Sealer::On(Office::new(signer.clone(), &SealOptions::default()).unwrap());
        let office = {
            let authorities = std::fs::read_to_string(FOLDER.join("tsa.crt")).unwrap();
            let url = authority(Manner::Honest);
            let timestamp = Some(TimestampOptions { url, authorities, room: 4096 });
            let options = SealOptions { level: Level::BaselineT, letters: false, timestamp };
            Sealer::On(Office::new(signer, &options).unwrap())
        };
        let file = office.seal_file(&sealed(&contract(), &Sealer::Off), now).unwrap();
        let error = office.extend(&file, Level::BaselineLT, now).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("not revoked cannot be had") && said.ends_with("extend the file later")
        );
        assert_eq!((file.level(), error.class()), (Level::BaselineT, Class::Later));
        // From below, the step that succeeds is kept.
        let plain = sealed(&contract(), &Sealer::Off);
        let low = low.seal_file(&plain, now).unwrap();
        let kept = office.extend(&low, Level::BaselineLTA, now).unwrap();
        let why = kept.shortfall().unwrap();
        assert_eq!((kept.level(), why.class()), (Level::BaselineT, Class::Later), "{why}");
        if !how.contains("crl") {
            continue;
        }
        let server = TcpListener::bind(("127.0.0.1", port)).unwrap();
        std::thread::spawn(move || {
            for stream in server.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                let (status, body) = match request[..length].starts_with(b"GET /crl") {
                    true => ("200 OK", std::fs::read(folder.join("crl")).unwrap()),
                    false => ("404 Not Found", Vec::new()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        });
        let whole = office.extend(&kept, Level::BaselineLTA, now).unwrap();
        assert_eq!(whole.shortfall().map(ToString::to_string), None);
        assert_eq!(whole.level(), Level::BaselineLTA);
    }
}
