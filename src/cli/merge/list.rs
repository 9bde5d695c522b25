//! Where the rows come from: a file, or the letters of a session.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use super::super::journey::scope;
use super::super::output::print;
use super::super::{Failure, Options};
use crate::merge::session::{Change, Session, letters};
use crate::pipeline::Pipeline;

/// Rows, to be read as often as need be.
pub(super) struct List {
    /// What it is called in reports.
    pub(super) name: String,
    path: PathBuf,
    /// Of a session: a file that stands nowhere.
    made: Option<File>,
}

impl List {
    /// A file, which must be there.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let list = Self { name, path: path.to_owned(), made: None };
        list.open().map(|_| list)
    }

    /// The letters that follow those of a session. A session that nobody is convened to is at fault.
    pub(super) async fn of_session(
        pipeline: &Pipeline,
        (session, change): &(Session, Change),
        options: &Options,
    ) -> Result<Self, Failure> {
        let (file, count) = letters(pipeline, &scope(), session, change, options.at()).await?;
        let name = format!("{} {} {}", session.step, session.date, session.start.format("%H:%M"));
        if count == 0 {
            eprintln!("{name}: nobody is convened to this session, or everybody has this letter");
            return Err(Failure::Data);
        }
        print(&format!("{name}: {count} convened"))?;
        Ok(Self { path: PathBuf::from(&name), name, made: Some(file) })
    }

    /// From its beginning.
    pub(super) fn open(&self) -> Result<File, Failure> {
        let open = || match &self.made {
            None => File::open(&self.path),
            Some(file) => {
                let mut file = file.try_clone()?;
                file.rewind().map(|()| file)
            }
        };
        open().map_err(|source| Failure::File { path: self.path.display().to_string(), source })
    }

    /// As the operator named it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
