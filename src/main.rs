//! Parse, run, exit code. The process holds keys, so it leaves no core dump and no other process of its user reads it.

use std::process::ExitCode;

use paraphe::cli::Cli;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

fn main() -> ExitCode {
    // Where the system refuses, units say it too (LimitCORE).
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    Cli::answer()
}
