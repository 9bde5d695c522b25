//! A letter's mail as it would leave, for other eyes than its person's.
//!
//! A checked letter and an address in, one message out. Nothing is kept of it.

use chrono::{DateTime, Utc};

use super::{IssueError, Pipeline, fresh_id};
use crate::deliver::{Dispatch, Enclosure};
use crate::document::Document;
use crate::render::Haste;
use crate::store::NewDelivery;

impl Pipeline {
    /// The mail of a letter, rendered, sealed and composed as its issue would, but to `recipient` alone
    /// and marked as a test in its subject. It has an id of its own, so that a calendar that takes it in
    /// does not mix it up with the person's appointment.
    pub fn sample(
        &self,
        letter: &Document,
        recipient: &str,
        at: DateTime<Utc>,
    ) -> Result<NewDelivery, IssueError> {
        let pdf =
            self.renderer.render(letter, &self.rulebook, &self.marks(letter), at, Haste::Desk)?;
        let sealed = self.sealer.seal(&pdf, letter, &self.rulebook, at)?;
        let id = fresh_id(at);
        let first = id.to_string();
        let dispatch =
            Dispatch { id, recipient, first: &first, sequence: 0, earlier: &[], test: true };
        let enclosure = Enclosure::Attached(sealed.bytes());
        let mail = self.mailer.compose(letter, &self.rulebook, enclosure, &dispatch, at)?;
        Ok(NewDelivery {
            id,
            recipient: mail.recipient,
            message: mail.bytes,
            message_id: mail.message_id,
            not_before: None,
            late_after: None,
            link_until: None,
        })
    }
}
