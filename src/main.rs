//! Parse, run, exit code. The process holds keys, so it leaves no core dump and no other process of its user reads it.

use std::process::ExitCode;

use paraphe::cli::Cli;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::disable_transparent_huge_pages;

fn main() -> ExitCode {
    // Where the system refuses, units say it too (LimitCORE).
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // Linux makes huge pages of memory that was given back in part, and takes up the rest again: a merge grew with the
    // hours. Letters are made as fast without.
    let _ = disable_transparent_huge_pages(true);
    Cli::answer()
}
