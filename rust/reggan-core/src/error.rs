//! The one error of this crate.

/// Why a call did not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument is outside of what is served; the text says what was given and what is allowed.
    #[error("{0}")]
    Invalid(String),
    /// An image holds a value that is not a number. `image` is the lowest such position in the batch.
    #[error("image {image} holds NaN, which is neither ink nor paper; clean the images first")]
    NotANumber {
        /// Position in the batch.
        image: usize,
    },
    /// The caller's `interrupt` said to stop.
    #[error("interrupted")]
    Interrupted,
    /// Working memory could not be had.
    #[error(
        "{bytes} bytes of working memory cannot be allocated; try fewer threads (threads=1), or smaller images"
    )]
    OutOfMemory {
        /// That were asked for at once.
        bytes: usize,
    },
    /// The threads of the pool could not be started.
    #[error("the worker threads could not be started: {0}; try threads=1")]
    Threads(String),
}

impl Error {
    /// The same error where the images of a call come after `images` others.
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
