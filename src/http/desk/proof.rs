//! A letter of a list as its person would get it, marked as a specimen: as a PDF, or mailed to whoever tries it.
//!
//! The data of a letter in, a file or the answer of the mail server out. Nothing is kept, and nothing of it stands in
//! the outbox.

use serde::Serialize;

use super::super::auth::Caller;
use super::super::problem::Refusal;
use super::super::state::Service;
use crate::deliver::{Attempt, ComposeError, Dispatch, Enclosure, Outgoing};
use crate::document::Document;
use crate::pipeline::{IssueError, fresh_id};
use crate::render::{Haste, Marks};

/// What became of a mail that was tried.
#[derive(Debug, Serialize)]
pub(super) struct Went {
    /// Whether the server took it.
    taken: bool,
    /// Its words, or what is wrong with the address.
    reply: String,
}

/// The specimen of a letter, and the letter.
pub(super) async fn render(
    service: &Service,
    caller: &Caller,
    input: Vec<u8>,
) -> Result<(Vec<u8>, Document), Refusal> {
    let (own, caller, at) = (service.clone(), caller.clone(), service.at());
    let work = move || {
        let pipeline = caller.pipeline(&own);
        let document = Document::check(&input, &pipeline.rulebook, at).map_err(IssueError::Data)?;
        let marks = Marks { specimen: true, ..pipeline.marks(&document) };
        let pdf =
            pipeline.renderer.render(&document, &pipeline.rulebook, &marks, at, Haste::Desk)?;
        Ok::<_, IssueError>((pdf.bytes().to_vec(), document))
    };
    Ok(service.on_a_core(work).await??)
}

/// Mails the specimen of a letter to an address of the agent's.
pub(super) async fn mail(
    service: &Service,
    caller: &Caller,
    input: Vec<u8>,
    address: &str,
) -> Result<Went, Refusal> {
    let (file, document) = render(service, caller, input).await?;
    let (pipeline, at) = (caller.pipeline(service), service.at());
    let id = fresh_id(at);
    let first = id.to_string();
    let (recipient, earlier) = (address, &[][..]);
    let dispatch = Dispatch { id, recipient, first: &first, sequence: 0, earlier, test: true };
    let enclosure = Enclosure::Attached(&file);
    let mail = pipeline.mailer.compose(&document, &pipeline.rulebook, enclosure, &dispatch, at);
    let mail = match mail {
        Ok(mail) => mail,
        Err(ComposeError::Recipient(error)) => {
            return Ok(Went { taken: false, reply: error.to_string() });
        }
        Err(error) => return Err(IssueError::from(error).into()),
    };
    let config = service.config();
    let tests = config.for_tests();
    let config = if caller.test && !config.is_trial() { &tests } else { config };
    let transport = config.transport().map_err(|error| {
        tracing::error!("no way out for mail: {error}");
        Refusal::ours()
    })?;
    let letter = Outgoing { id, recipient: &mail.recipient, message: &mail.bytes };
    let attempt = transport.send(&letter, std::future::ready(true)).await;
    transport.close().await;
    Ok(match attempt {
        Attempt::Accepted(reply) => Went { taken: true, reply },
        Attempt::Refused { reply, .. } | Attempt::InDoubt(reply) => Went { taken: false, reply },
        Attempt::Broken { reason, .. } => Went { taken: false, reply: reason },
        Attempt::Withdrawn => Went { taken: false, reply: String::new() },
    })
}
