//! Tests of http: a service in this process, a client over the network, and nothing left over when it ends.

mod access;
mod journey;
mod refusals;
mod server;
mod webhooks;
