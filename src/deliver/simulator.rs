//! Recipients of tests that play what happens out there: a refusal, a bounce, a delay, no answer.
//!
//! An address in, its part out. Only mail that is written into a folder asks for one, so nothing of it leaves.

use super::transport::Attempt;
use crate::store::Return;

/// Where they live: a domain that nobody can have (RFC 2606, 2).
const DOMAIN: &str = "simulator.example";

/// What a recipient plays at a try.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// How the try ends; nothing: as it does without a part.
    pub(super) attempt: Option<Attempt>,
    /// What a report says afterwards.
    pub(super) report: Option<Return>,
}

/// The part of a recipient at the n-th try, from 1; nothing for everybody else.
pub(super) fn part(recipient: &str, attempt: u32) -> Option<Part> {
    let (name, domain) = recipient.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(DOMAIN) {
        return None;
    }
    let refused = |permanent: bool, reply: &str| Part {
        attempt: Some(Attempt::Refused { permanent, reply: reply.to_owned() }),
        report: None,
    };
    Some(match name {
        "refused" => refused(true, "550 5.1.1 no such mailbox (simulated)"),
        "delay" if attempt == 1 => refused(false, "451 4.7.1 try again later (simulated)"),
        "doubt" => Part {
            attempt: Some(Attempt::InDoubt("no answer in time (simulated)".to_owned())),
            report: None,
        },
        "bounce" => {
            let reply = "5.2.2 mailbox full (simulated)".to_owned();
            Part { attempt: None, report: Some(Return::Bounced { reply, status: None }) }
        }
        _ => Part::default(),
    })
}
