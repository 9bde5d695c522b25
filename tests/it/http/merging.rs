//! A list at the desk: uploaded, its columns said, mended, begun, followed, printed.

use paraphe::store::Role;

use super::desk::Desk;
use super::server::Server;

fn rows(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/fixtures/rows/{name}")).unwrap()
}

/// Uploads a file; answers with the address of its page.
fn upload(desk: &Desk<'_>, name: &str, file: &[u8]) -> String {
    let parts: [(&str, &str, &[u8]); 3] =
        [("csrf", "", desk.csrf.as_bytes()), ("step", "", b""), ("file", name, file)];
    let answer = desk.upload("/publipostages/preparation", &parts);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.headers["location"].clone()
}

/// The page once nothing is under way any more, or where it leads to.
fn settled(desk: &Desk<'_>, path: &str) -> String {
    for _ in 0..600 {
        let answer = desk.get(path);
        if answer.status == 303 {
            return answer.headers["location"].clone();
        }
        let page = answer.expect(200).text();
        if !page.contains("data-live") {
            return page;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{path} is under way still");
}

#[test]
fn a_list_is_uploaded_checked_begun_followed_and_printed() {
    let server = Server::start();
    let desk = Desk::enter(&server, Role::Supervisor, None);
    let path = upload(&desk, "liste.csv", &rows("good/semicolons.csv"));
    let page = settled(&desk, &path);
    assert!(page.contains("Tout peut partir") && page.contains("liste.csv"), "{page}");
    // The proof is a PDF of specimens, and goes by mail to whoever asks.
    let row = page.split("/epreuves/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let proof = desk.get(&format!("{path}/epreuves/{row}")).expect(200);
    assert!(proof.body.starts_with(b"%PDF-"));
    desk.get(&format!("{path}/epreuves/9999")).expect(404);
    let tried =
        desk.send(&format!("{path}/essai"), &[("row", &row), ("address", "me@example.org")]);
    assert!(tried.expect(200).text().contains("Elle est partie"));
    let wrong = desk.send(&format!("{path}/essai"), &[("row", &row), ("address", "me@")]);
    assert!(wrong.expect(200).text().contains("Elle n’est pas partie"));
    // Nobody else has it, and nothing begins without the session's token.
    for other in [Role::Agent, Role::Auditor] {
        Desk::enter(&server, other, None).get(&path).expect(404);
    }
    desk.send(&path, &[("csrf", "wrong"), ("act", "start")]).expect(403);
    assert_eq!(desk.send(&path, &[("act", "start")]).status, 303);
    assert_eq!(desk.send(&path, &[("act", "start")]).status, 303);
    let merge = settled(&desk, &path);
    assert!(merge.starts_with("/publipostages/"), "{merge}");
    let page = settled(&desk, &merge);
    assert!(page.contains("Terminé") && page.contains("liste.csv"), "{page}");
    assert!(desk.get("/publipostages").expect(200).text().contains("liste.csv"));
    for (name, kind) in
        [("/bilan.html", "text/html"), ("/tirage", "text/html"), ("/tirage.csv", "text/csv")]
    {
        let answer = desk.get(&format!("{merge}{name}")).expect(200);
        assert!(answer.headers["content-type"].starts_with(kind), "{name}");
    }
    let printed = desk.get(&format!("{merge}/tirage.pdf?sheets=1-1")).expect(200);
    assert!(printed.body.starts_with(b"%PDF-"));
    desk.get(&format!("{merge}/tirage.pdf?sheets=900-901")).expect(422);
    desk.get(&format!("{merge}/tirage.pdf?sheets=x")).expect(422);
    // An envelope comes back: its code, or the letter's reference, marks the address.
    let agent = Desk::enter(&server, Role::Agent, None);
    let back = |desk: &Desk<'_>, code: &str| {
        desk.send("/envois/retour", &[("code", code)]).expect(200).text()
    };
    assert!(back(&agent, "0A1B2C3D 1 1/1 CV-2").contains("L’adresse est marquée"));
    assert!(back(&agent, " CV-2 ").contains("L’adresse était déjà marquée"));
    assert!(back(&agent, "CV-none").contains("Aucun courrier ne porte ce code"));
    let lyon = Desk::enter(&server, Role::Agent, Some(&["lyon"]));
    assert!(back(&lyon, "CV-2").contains("Aucun courrier ne porte ce code"));
    agent.send("/envois/retour", &[("csrf", "wrong"), ("code", "CV-2")]).expect(403);
    let auditor = Desk::enter(&server, Role::Auditor, None);
    auditor.send("/envois/retour", &[("code", "CV-2")]).expect(403);
    agent.send(&merge, &[("decision", "pause")]).expect(403);
    desk.send(&merge, &[("csrf", "wrong"), ("decision", "pause")]).expect(403);
    assert_eq!(desk.send(&merge, &[("decision", "pause")]).status, 303);
    assert!(desk.get(&merge).expect(200).text().contains("En pause"));
    let lyon = Desk::enter(&server, Role::Supervisor, Some(&["lyon"]));
    lyon.get(&merge).expect(404);
    lyon.get(&format!("{merge}/tirage")).expect(404);
    lyon.send(&merge, &[("decision", "cancel")]).expect(404);
    server.mails(2);
}

#[test]
fn unknown_columns_are_said_and_faulty_rows_come_back() {
    let server = Server::start();
    let desk = Desk::enter(&server, Role::Supervisor, None);
    let path = upload(&desk, "colonnes.csv", &rows("bad/unknown-column.csv"));
    let page = settled(&desk, &path);
    assert!(page.contains("Le fichier ne peut pas être lu tel quel"), "{page}");
    assert!(page.contains("Code postale"), "{page}");
    let said = [
        ("act", "check"),
        ("heading", "Code postale"),
        ("column", "Code postal"),
        ("heading", "Vile"),
        ("column", "Ville"),
    ];
    assert_eq!(desk.send(&path, &said).status, 303);
    let page = settled(&desk, &path);
    assert!(!page.contains("ne peut pas être lu"), "{page}");
    let path = upload(&desk, "dimanche.csv", &rows("bad/sunday.csv"));
    let page = settled(&desk, &path);
    assert!(page.contains("1 ligne est à corriger"), "{page}");
    let back = desk.get(&format!("{path}/a-corriger")).expect(200);
    assert!(back.headers["content-disposition"].contains("a-corriger.csv"));
    assert!(back.text().contains("Problèmes"));
    let path = upload(&desk, "types.xlsx", &rows("bad/numbers-for-texts.xlsx"));
    settled(&desk, &path);
    let back = desk.get(&format!("{path}/a-corriger")).expect(200);
    assert!(back.body.starts_with(b"PK"), "a workbook comes back as a workbook");
    assert_eq!(desk.send(&path, &[("act", "drop")]).status, 303);
    desk.get(&path).expect(404);
    let agent = Desk::enter(&server, Role::Agent, None);
    let parts: [(&str, &str, &[u8]); 2] =
        [("csrf", "", agent.csrf.as_bytes()), ("file", "x.csv", b"x")];
    agent.upload("/publipostages/preparation", &parts).expect(403);
    let parts: [(&str, &str, &[u8]); 2] = [("csrf", "", b"wrong"), ("file", "x.csv", b"x")];
    desk.upload("/publipostages/preparation", &parts).expect(403);
    // A row of another office is no business of theirs.
    let lyon = Desk::enter(&server, Role::Supervisor, Some(&["lyon"]));
    let path = upload(&lyon, "ailleurs.csv", &rows("good/semicolons.csv"));
    assert!(settled(&lyon, &path).contains("d’un office dont vous n’avez pas la charge"));
}
