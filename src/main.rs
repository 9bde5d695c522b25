//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use paraphe::cli::Cli;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => {
            // Help and version are answers; anything else is a wrong command line (EX_USAGE).
            let code = if error.use_stderr() { 64 } else { 0 };
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}
