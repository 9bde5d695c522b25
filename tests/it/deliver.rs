//! Mail: what a message says, that independent readers agree, and that it leaves once.

mod bounce;
mod cases;
mod compose;
mod hostile;
mod inbox;
mod judged;
mod maillog;
mod postfix;
mod processes;
mod rate;
mod rotation;
pub(crate) mod server;
mod smtp;
mod webhook;
mod worker;
