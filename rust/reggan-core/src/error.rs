//! The error type of this crate.

/// Why a call did not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument is not supported. The text says what was given and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// An image holds NaN. `image` is the position of the first such image in the batch.
    #[error("image {image} holds NaN, which is neither ink nor paper; clean the images first")]
    NotANumber {
        /// Position in the batch.
        image: usize,
    },
    /// The `interrupt` callback of the caller returned true.
    #[error("interrupted")]
    Interrupted,
    /// Working memory could not be allocated.
    #[error(
        "{bytes} bytes of working memory cannot be allocated; try fewer threads (threads=1) or smaller images"
    )]
    OutOfMemory {
        /// Size of the failed allocation.
        bytes: usize,
    },
    /// The worker threads could not be started.
    #[error("cannot start the worker threads: {0}; try threads=1")]
    Threads(String),
}

impl Error {
    /// The same error for an image position that is `images` higher.
    pub(crate) fn after(self, images: usize) -> Self {
        match self {
            Self::NotANumber { image } => Self::NotANumber { image: images + image },
            other => other,
        }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}
