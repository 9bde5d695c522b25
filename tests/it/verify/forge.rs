//! What somebody without a key can do: one more revision after the signatures, in every way that has
//! been used to show other content under a signature that still verifies.

use paraphe::seal::verify::{ChangeKind, Report, Verdict};

use super::{codes, judged, signed};

/// The last form of an object, between `obj` and `endobj`.
fn body(file: &[u8], number: u32) -> String {
    let text = String::from_utf8_lossy(file).into_owned();
    let head = format!("\n{number} 0 obj\n");
    let start = text.rfind(&head).unwrap() + head.len();
    text[start..start + text[start..].find("endobj").unwrap()].to_owned()
}

/// A file with one more revision: these objects, and nothing else.
pub(super) fn update(file: &[u8], objects: &[(u32, String)]) -> Vec<u8> {
    raw_update(file, objects, "", "")
}

/// The same with bytes before the table and lines in it.
pub(super) fn raw_update(
    file: &[u8],
    objects: &[(u32, String)],
    gap: &str,
    lines: &str,
) -> Vec<u8> {
    let tail = String::from_utf8_lossy(&file[file.len().saturating_sub(40)..]).into_owned();
    let prev = tail.split("startxref").nth(1).and_then(|it| it.split_whitespace().next());
    let prev = prev.unwrap_or("0");
    let mut out = file.to_vec();
    let mut table = String::from("xref\n");
    for (number, body) in objects {
        table += &format!("{number} 1\n{:010} 00000 n \n", out.len());
        out.extend(format!("{number} 0 obj\n{body}\nendobj\n").bytes());
    }
    out.extend(gap.bytes());
    let place = out.len();
    out.extend(table.bytes());
    out.extend(lines.bytes());
    out.extend(format!("trailer\n<</Size 900/Root 1 0 R/Info 9 0 R/Prev {prev}>>\n").bytes());
    out.extend(format!("startxref\n{place}\n%%EOF\n").bytes());
    out
}

fn stream(content: &str) -> String {
    format!("<</Length {}>>\nstream\n{content}\nendstream", content.len())
}

/// Certified by the office, signed by the applicant; the authority has not signed.
fn base() -> Vec<u8> {
    signed("certified-one")
}

/// The number of the object whose last form contains the text.
fn find(file: &[u8], text: &str) -> u32 {
    (1..60)
        .find(|it| {
            let head = format!("\n{it} 0 obj\n");
            String::from_utf8_lossy(file).contains(&head) && body(file, *it).contains(text)
        })
        .unwrap()
}

fn refused(file: &[u8], kind: ChangeKind, detail: &str) -> Report {
    let report = judged(file);
    assert_eq!(report.verdict, Verdict::NotValid, "{report:#?}");
    assert!(codes(&report).contains("signature.changed"), "{report:#?}");
    let changes = &report.signatures[0].changes;
    let named = changes.iter().any(|it| !it.permitted && it.kind == kind && it.detail == detail);
    assert!(named, "{changes:#?}");
    report
}

#[test]
fn the_files_to_forge_are_valid() {
    assert!(judged(&base()).is_valid());
    // An update that repeats an object as it was changes nothing.
    let file = base();
    let report = judged(&update(&file, &[(8, body(&file, 8))]));
    assert!(report.is_valid(), "{report:#?}");
    assert!(!report.signatures[1].covers_whole_file);
}

#[test]
fn other_words_on_the_page_are_seen() {
    let file = base();
    refused(&update(&file, &[(4, stream("BT (Nothing) Tj ET"))]), ChangeKind::Altered, "");
    let page = body(&file, 3).replace("4 0 R", "[4 0 R 90 0 R]");
    let words = stream("BT (Not) Tj ET");
    let report =
        refused(&update(&file, &[(3, page), (90, words)]), ChangeKind::Altered, "Contents");
    assert!(report.signatures.iter().all(|it| !it.intact && !it.valid));
    let font = "<</Type/Font/Subtype/Type1/BaseFont/Symbol>>".to_owned();
    refused(&update(&file, &[(8, font)]), ChangeKind::Altered, "Font");
}

#[test]
fn what_acts_or_covers_is_seen() {
    let file = base();
    let action = "/OpenAction<</S/JavaScript/JS(app.alert(1))>>";
    let catalog = body(&file, 1).replacen("<<", &format!("<<{action}"), 1);
    refused(&update(&file, &[(1, catalog)]), ChangeKind::Altered, "OpenAction");
    let page = body(&file, 3);
    let place = page.find("/Annots").unwrap();
    let open = place + page[place..].find('[').unwrap() + 1;
    let close = open + page[open..].find(']').unwrap();
    let page = format!("{} 91 0 R{}", &page[..close], &page[close..]);
    let note = "<</Type/Annot/Subtype/FreeText/Rect[0 0 500 800]/Contents(Other)>>".to_owned();
    refused(&update(&file, &[(3, page), (91, note)]), ChangeKind::Altered, "Annots");
}

#[test]
fn metadata_may_only_tell_who_saved_the_file() {
    let file = base();
    let other = body(&file, 5).replacen("<pdfaid:part>3<", "<pdfaid:part>2<", 1);
    let other = other.replacen("pdfaid:part=\"3\"", "pdfaid:part=\"2\"", 1);
    refused(&update(&file, &[(5, other)]), ChangeKind::Altered, "Metadata");
    // Written down in another way, by another program, it says the same.
    let packet = |part: &str| {
        let name = |it: &str| format!("http://www.aiim.org/{it}/ns/id/");
        let text = format!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
             xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description \
             xmlns:a=\"{}\" xmlns:u=\"{}\" id=\"W5M0MpCehiHzreSzNTczkc9d\" rdf:about=\"\">\
             <a:part>{part}</a:part><a:conformance>A</a:conformance><u:part>1</u:part>\
             </rdf:Description></rdf:RDF></x:xmpmeta>",
            name("pdfa"),
            name("pdfua"),
        );
        stream(&text).replacen("<<", "<</Type/Metadata/Subtype/XML", 1)
    };
    let report = judged(&update(&file, &[(5, packet("3"))]));
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(report.signatures[1].changes[0].kind, ChangeKind::Metadata);
    refused(&update(&file, &[(5, packet("2"))]), ChangeKind::Altered, "Metadata");
    let info = body(&file, 9);
    let later = info.replacen("<<", "<</ModDate(D:20260303000000Z)/Old 1", 1);
    refused(&update(&file, &[(9, later)]), ChangeKind::Altered, "");
    let later = "<</Title(SPECIMEN-1)/Producer(Another)>>".to_owned();
    let report = judged(&update(&file, &[(9, later)]));
    assert!(report.is_valid(), "{report:#?}");
    let later = "<</Title(SPECIMEN-2)/Producer(Another)>>".to_owned();
    refused(&update(&file, &[(9, later)]), ChangeKind::Altered, "");
    let mut trailer = update(&file, &[]);
    let at = trailer.windows(7).rposition(|it| it == b"/Info 9").unwrap();
    trailer[at + 6] = b'8';
    refused(&trailer, ChangeKind::Altered, "Info");
}

#[test]
fn a_field_keeps_its_place_its_look_and_its_signature() {
    let file = base();
    let number = find(&file, "(authority)");
    let moved = body(&file, number).replace("/Rect", "/Rect [0 0 595 842]/Old");
    refused(&update(&file, &[(number, moved)]), ChangeKind::Altered, "Old");
    let number = find(&file, "(applicant)");
    let text = body(&file, number);
    let look = "/AP<</N 92 0 R>>".to_owned();
    let other = match text.find("/AP") {
        Some(place) => format!("{}{look}/Old{}", &text[..place], &text[place + 3..]),
        None => text.replacen("<<", &format!("<<{look}"), 1),
    };
    let form = "<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 1>>\nstream\nn\nendstream";
    refused(&update(&file, &[(number, other), (92, form.to_owned())]), ChangeKind::Altered, "AP");
    let empty = text.split("/V ").next().unwrap().to_owned() + ">>";
    let report = judged(&update(&file, &[(number, empty)]));
    assert!(codes(&report).contains("signature.removed"), "{report:#?}");
}

#[test]
fn a_signature_cannot_be_taken_away() {
    let file = base();
    let catalog = body(&file, 1);
    let place = catalog.find("/AcroForm").unwrap();
    let number = catalog[place + 9..].split_whitespace().next().unwrap().parse().unwrap();
    let seal = find(&file, "(office");
    let form = |fields: &str| format!("<</Fields[{fields}]/SigFlags 3>>");
    let report = judged(&update(&file, &[(number, form(""))]));
    assert_eq!(codes(&report), ["signature.removed"].into());
    let one = update(&file, &[(number, form(&format!("{seal} 0 R")))]);
    let report = refused(&one, ChangeKind::Altered, "Fields");
    assert!(codes(&report).contains("signature.removed"), "{report:#?}");
}

#[test]
fn nothing_may_be_added_that_belongs_nowhere() {
    let file = base();
    let extra = "<</Type/Catalog/Pages 2 0 R>>".to_owned();
    refused(&update(&file, &[(93, extra)]), ChangeKind::Added, "Catalog");
    let comment = raw_update(&file, &[(8, body(&file, 8))], "%hidden\n", "");
    refused(&comment, ChangeKind::Unreadable, "");
    let freed = raw_update(&file, &[], "", "4 1\n0000000000 00001 f \n");
    refused(&freed, ChangeKind::Removed, "");
}

/// A later table may not lead back to bytes that an older revision brought.
#[test]
fn an_update_brings_what_it_lists() {
    let file = base();
    let old = file.windows(8).position(|it| it == b"\n8 0 obj").unwrap() + 1;
    let line = format!("4 1\n{old:010} 00000 n \n");
    let report = judged(&raw_update(&file, &[], "", &line));
    assert_eq!(codes(&report), ["file.foreign_entry"].into());
    let mut tail = base();
    tail.extend(b"\n1 0 obj\n<<>>\nendobj\n");
    assert_eq!(judged(&tail).verdict, Verdict::Unreadable);
}

/// Validation data may be added, but not so that it is something else as well.
#[test]
fn validation_data_plays_no_second_part() {
    let file = base();
    let catalog = body(&file, 1);
    let with = |entry: &str| catalog.replacen("<<", &format!("<<{entry}"), 1);
    let store = |list: &str| format!("<</Type/DSS/Certs {list}>>");
    let sound = [(1, with("/DSS 95 0 R")), (95, store("[96 0 R]")), (96, stream("x"))];
    let report = judged(&update(&file, &sound));
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(report.signatures[1].changes[0].kind, ChangeKind::ValidationData);
    // The page's content under the name of a certificate.
    let page = [(1, with("/DSS 95 0 R")), (95, store("[4 0 R]")), (4, stream("BT (No) Tj ET"))];
    refused(&update(&file, &page), ChangeKind::Altered, "");
    // A reference that was left open in what was signed, filled by a certificate of the store.
    let open = signed("open-reference");
    assert!(judged(&open).is_valid());
    let catalog = body(&open, 1).replacen("<<", "<</DSS 95 0 R", 1);
    let filled = [(1, catalog), (95, store("[70 0 R]")), (70, stream("BT (No) Tj ET"))];
    refused(&update(&open, &filled), ChangeKind::Added, "");
    // A list of the store that is also the page's list of annotations.
    let page = body(&file, 3).replace("/Annots", "/Annots 95 0 R/Old");
    assert_eq!(judged(&update(&file, &[(3, page)])).verdict, Verdict::NotValid);
    // The page itself as the store.
    let page = [(1, with("/DSS 3 0 R"))];
    assert_eq!(judged(&update(&file, &page)).verdict, Verdict::NotValid);
}
