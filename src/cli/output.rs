//! Files in and out: whole, or not at all.

use std::io::{Read, Write};
use std::path::Path;

use super::Failure;
use crate::document::is_control;
use crate::merge::MergeError;

/// Reads a file; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let result = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    result.map_err(|source| failure(path, source))
}

/// Writes a file beside its place and renames it, so that nobody sees half of it; `-` is standard
/// output. Documents are about persons: as a temporary file is, they are their owner's to read alone.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path == Path::new("-") {
        return std::io::stdout().write_all(bytes).map_err(|source| failure(path, source));
    }
    write_with(path, |file| file.write_all(bytes)).map(|_| ())
}

/// The same of what is written piece by piece.
pub(super) fn write_with<R, E>(
    path: &Path,
    work: impl FnOnce(&mut std::fs::File) -> Result<R, E>,
) -> Result<R, Failure>
where
    E: Into<WriteError>,
{
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = || {
        let mut file = tempfile::Builder::new().prefix(".paraphe-").tempfile_in(folder)?;
        let result = work(file.as_file_mut()).map_err(Into::into)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(result)
    };
    place().map_err(|error| match error {
        WriteError::File(source) => failure(path, source),
        WriteError::Merge(error) => error.into(),
    })
}

/// Why a file that is written piece by piece is not there.
pub(super) enum WriteError {
    File(std::io::Error),
    Merge(MergeError),
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<MergeError> for WriteError {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::File(error) => Self::File(error),
            error => Self::Merge(error),
        }
    }
}

/// Text that a terminal does not obey: characters that steer it, or turn the direction of what follows, are shown as
/// their numbers.
pub(super) fn printable(text: &str) -> String {
    let escape = |c: char| match c {
        c if is_control(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Prints a line of data; a closed pipe ends the program quietly.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(|source| failure(Path::new("standard output"), source)),
    }
}

/// Prints data as indented JSON.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

fn failure(path: &Path, source: std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), source }
}
