//! What the store knows of a row's letter before it is issued: the same one, its number, its address.
//!
//! A checked document in, problems out.

use crate::assets::hex;
use crate::document::{Document, Problem, Severity};
use crate::store::{By, Filter, IdempotencyKey, Page, Scope, Store, StoreError};

/// Compares a letter with those that have left.
pub async fn known(
    store: &Store,
    scope: &Scope,
    document: &Document,
) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    if !scope.allows(document.office_id()) {
        return Err(StoreError::NotFound("office"));
    }
    let reference = document.reference();
    let digest = document.digest();
    let key = IdempotencyKey::new(hex(&digest));
    if store.receipt(&key, &digest).await?.is_some() {
        problems.push(problem("rows.issued_before", Severity::Warning, "/reference", reference));
    } else {
        let by = Some(By::Reference(reference.to_owned()));
        let filter = Filter { by, ..Filter::default() };
        if !store.list(scope, &filter, Page { after: None, most: 1 }).await?.is_empty() {
            problems.push(problem("rows.reference_used", Severity::Error, "/reference", reference));
        }
    }
    for email in document.emails() {
        if let Some(status) = store.address_problem(email).await? {
            let pointer = "/applicant/email";
            problems.push(problem("rows.address_bounced", Severity::Practice, pointer, &status));
        }
    }
    if document.emails().is_empty()
        && let Some(day) = store.returned_on(&post_address(document)).await?
    {
        let (pointer, day) = ("/applicant/address", day.format("%d/%m/%Y").to_string());
        problems.push(problem("rows.address_returned", Severity::Practice, pointer, &day));
    }
    Ok(problems)
}

/// Who gets a letter by post, and where: the same for every letter of a person at an address.
pub(super) fn post_address(document: &Document) -> String {
    let number = document.foreigner_numbers().first().copied().unwrap_or_default();
    [&[number.to_owned()], document.recipient().as_slice()].concat().join("\n")
}

fn problem(code: &'static str, severity: Severity, pointer: &str, found: &str) -> Problem {
    let values = vec![("found", found.to_owned())];
    Problem { code, severity, pointer: pointer.to_owned(), values }
}
