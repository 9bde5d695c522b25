//! Keys: every kind signs, and what does not open says why without giving anything away.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use paraphe::class::Class;
use paraphe::seal::{
    KeyError, Office, Pkcs11Key, Pkcs11Options, SealOptions, SealedPdf, Sealer, Signer, SoftwareKey,
};
use paraphe::secret::Secret;

use super::{by_certificate, by_hand, contract, sealed};
use crate::harness::{at, good};

/// Keys and certificates that OpenSSL makes, one folder for all tests.
struct Made(PathBuf);

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let made = Made(tempfile::tempdir().unwrap().keep());
    let root = "-subj /CN=Root -addext keyUsage=critical,keyCertSign";
    made.openssl(&format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20000 {root} -keyout root.key -out root.crt"));
    for (name, key) in [
        ("p256", "ec -pkeyopt ec_paramgen_curve:P-256"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("rsa", "rsa:3072"),
        ("ed", "ed25519"),
    ] {
        made.openssl(&format!(
            "req -newkey {key} -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        made.openssl(&format!("x509 -req -in {name}.csr -CA root.crt -CAkey root.key -CAcreateserial -days 20000 -out {name}.crt"));
    }
    made
});

impl Made {
    fn openssl(&self, arguments: &str) {
        self.run(Command::new("openssl").args(arguments.split(' ')));
    }

    fn run(&self, command: &mut Command) {
        let output = command.current_dir(&self.0).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{command:?}: {said}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    fn chain(&self, name: &str) -> Vec<u8> {
        [self.read(&format!("{name}.crt")), self.read("root.crt")].concat()
    }

    fn pem(&self, name: &str) -> Result<Arc<dyn Signer>, KeyError> {
        SoftwareKey::open(
            &Secret::new(self.read(&format!("{name}.key"))),
            &Secret::new(""),
            &self.chain(name),
        )
    }
}

/// These certificates are of today: so is what they seal.
fn seals(signer: Arc<dyn Signer>) -> SealedPdf {
    let now = signer.identity().certificate().not_before() + TimeDelta::days(1);
    let sealer = Sealer::On(Office::new(signer, &SealOptions::default()).unwrap());
    sealer.seal_file(&sealed(&contract(), &Sealer::Off), now).unwrap()
}

fn valid_for_others(file: &SealedPdf) -> bool {
    let on_disk = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(on_disk.path(), file.bytes()).unwrap();
    let output = Command::new("pdfsig").arg("-nocert").arg(on_disk.path()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("Signature is Valid.")
}

#[test]
fn every_kind_of_key_seals() {
    for name in ["p256", "p384", "rsa"] {
        assert!(valid_for_others(&seals(MADE.pem(name).unwrap())), "{name}");
        MADE.openssl(&format!("pkcs12 -export -inkey {name}.key -in {name}.crt -certfile root.crt -passout pass:cachet -out {name}.p12"));
        let file = Secret::new(MADE.read(&format!("{name}.p12")));
        let key = SoftwareKey::open(&file, &Secret::new("cachet"), &[]).unwrap();
        assert!(valid_for_others(&seals(key)), "{name}");
        let wrong = SoftwareKey::open(&file, &Secret::new("sceau"), &[]).unwrap_err();
        assert!(matches!(wrong, KeyError::WrongPassword), "{name}: {wrong:?}");
        assert!(wrong.to_string().contains("password or PIN does not open the key"), "{wrong}");
        assert_eq!(wrong.class(), Class::Caller);
    }
}

#[test]
fn a_key_that_cannot_seal_says_why() {
    let open = |key: Vec<u8>, certificates: &[u8]| {
        SoftwareKey::open(&Secret::new(key), &Secret::new(""), certificates).unwrap_err()
    };
    let key = || MADE.read("p256.key");
    let no_chain = open(key(), &MADE.read("p256.crt"));
    assert!(matches!(&no_chain, KeyError::NoChain { issuer } if issuer == "Root"), "{no_chain:?}");
    assert!(no_chain.to_string().contains("« Root » is missing: add the chain"), "{no_chain}");
    assert_eq!(no_chain.class(), Class::Caller);
    assert!(matches!(
        open(MADE.read("rsa.key"), &MADE.chain("p256")),
        KeyError::Mismatch { .. } | KeyError::Unsupported
    ));
    MADE.openssl("ecparam -genkey -name prime256v1 -noout -out sec1.key");
    MADE.openssl("pkcs8 -topk8 -nocrypt -in sec1.key -out other.key");
    assert!(matches!(open(MADE.read("other.key"), &MADE.chain("p256")), KeyError::Mismatch { .. }));
    assert!(matches!(open(key(), &MADE.read("root.crt")), KeyError::Usage { .. }));
    assert!(matches!(open(MADE.read("ed.key"), &MADE.chain("ed")), KeyError::Unsupported));
    assert!(matches!(open(MADE.read("sec1.key"), &MADE.chain("p256")), KeyError::Unreadable(_)));
    assert!(matches!(open(key(), b"no certificate"), KeyError::Unreadable(_)));
    assert!(matches!(open(vec![0x30, 0x03, 1, 2, 3], b""), KeyError::Unreadable(_)));
}

#[test]
fn nothing_secret_is_printed() {
    let key = MADE.pem("p256").unwrap();
    assert_eq!(format!("{key:?}"), "SoftwareKey(p256)");
    let printed = format!("{:?}", Sealer::On(Office::new(key, &SealOptions::default()).unwrap()));
    assert!(!printed.contains("BEGIN") && printed.contains("SoftwareKey(p256)"), "{printed}");
}

/// The library of the token reads its settings from the environment of the process, so the test runs
/// itself once more with them.
#[test]
fn a_token_signs_many_contracts_with_one_pin() {
    if let Some(folder) = std::env::var_os("PARAPHE_TEST_TOKEN") {
        return sign_with_token(&Made(folder.into()));
    }
    let folder = MADE.0.join("tokens");
    std::fs::create_dir(&folder).unwrap();
    let settings = MADE.0.join("softhsm2.conf");
    std::fs::write(&settings, format!("directories.tokendir = {}\n", folder.display())).unwrap();
    let softhsm = |arguments: &str| {
        let mut command = Command::new("softhsm2-util");
        command.args(arguments.split(' ')).env("SOFTHSM2_CONF", &settings);
        MADE.run(&mut command);
    };
    softhsm("--init-token --free --label office --pin 1234 --so-pin 5678");
    for (number, name) in ["p256", "p384", "rsa"].into_iter().enumerate() {
        MADE.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -out {name}.p8"));
        softhsm(&format!(
            "--import {name}.p8 --token office --label {name} --id a{number} --pin 1234"
        ));
    }
    let own = "seal::keys::a_token_signs_many_contracts_with_one_pin";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", own]).env("SOFTHSM2_CONF", &settings);
    MADE.run(command.env("PARAPHE_TEST_TOKEN", &MADE.0));
}

fn sign_with_token(made: &Made) {
    let options = |token: &str, key: &str| Pkcs11Options {
        module: "/usr/lib/softhsm/libsofthsm2.so".into(),
        token: token.to_owned(),
        key: key.to_owned(),
    };
    let open = |key: &str, pin: &str| {
        Pkcs11Key::open(&options("office", key), &Secret::new(pin), &made.chain("p256"))
    };
    assert!(matches!(open("p256", "4321"), Err(KeyError::WrongPassword)));
    let absent = Pkcs11Key::open(&options("elsewhere", "p256"), &Secret::new("1234"), b"");
    assert!(absent.unwrap_err().to_string().contains("no token with the label « elsewhere »"));
    for name in ["p256", "p384", "rsa"] {
        let options = options("office", name);
        let key = Pkcs11Key::open(&options, &Secret::new("1234"), &made.chain(name)).unwrap();
        assert!(valid_for_others(&seals(key)), "{name}");
    }
    // The token is open; a PIN is asked all the same.
    assert!(matches!(open("p256", "4321"), Err(KeyError::WrongPassword)));
    assert!(open("nobody", "1234").unwrap_err().to_string().contains("no key with the label"));
    assert!(matches!(
        Pkcs11Key::open(&options("office", "rsa"), &Secret::new("1234"), &made.chain("p256")),
        Err(KeyError::Mismatch { .. } | KeyError::Token(_))
    ));
    let prefect = open("p256", "1234").unwrap();
    assert_eq!(format!("{prefect:?}"), "Pkcs11Key(p256)");
    let day = prefect.identity().certificate().not_before() + TimeDelta::days(1);
    for number in 0..3 {
        let mut data = good("cai/interpreter-read-aloud.json");
        data["reference"] = format!("CAI-{number}").into();
        let file = sealed(&data, &Sealer::Off);
        let office = super::office();
        let file = office.sign(&file, "applicant", &by_hand(&file), at()).unwrap();
        let file = office.sign(&file, "authority", &by_certificate(&file, &prefect), day).unwrap();
        assert!(file.turn().0.is_empty());
    }
}
