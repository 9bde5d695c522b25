//! Why a document was not issued: one variant a step.

use crate::class::Class;
use crate::deliver::ComposeError;
use crate::document::Problem;
use crate::render::RenderError;
use crate::seal::SealError;
use crate::store::StoreError;

/// Why a document was not issued or not signed. Nothing was kept then.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The data is at fault: each problem with its place.
    #[error("the data is at fault")]
    Data(Vec<Problem>),
    /// A page template is at fault.
    #[error(transparent)]
    Render(RenderError),
    /// No seal or signature.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No message.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was cut short by the end of the program.
    #[error("the program is ending; try again")]
    Ending,
}

impl IssueError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Data(_) => Class::Caller,
            Self::Render(_) => Class::Us,
            Self::Seal(error) => error.class(),
            Self::Compose(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Ending => Class::Later,
        }
    }
}

impl From<RenderError> for IssueError {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Data(problems) => Self::Data(problems),
            error => Self::Render(error),
        }
    }
}
