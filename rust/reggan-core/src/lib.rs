//! The kernels of reggan: draw images from seeded streams, and measure their connected components exactly.
//!
//! A batch of images is thresholded into rows of bits ([`Foreground`]), the runs of ones in those rows are
//! joined into components by a union-find, and everything else ([`score`], [`analyze`], [`label`],
//! [`largest_component`]) is read off the joined runs. [`render`] goes the other way: shapes are drawn into
//! rows of bits, whose runs are blurred.
//!
//! Results are a pure function of the inputs, for any number of threads.

mod batch;
mod components;
mod error;
mod foreground;
mod packing;
mod parallel;
mod render;
mod rng;
mod score;
mod simd;

pub use batch::{Batch, BitOrder, Images, MAX_SIDE, PackedBatch};
pub use components::{
    Connectivity, Fields, Measures, Options, analyze, label, largest_component, largest_components,
    remove_small,
};
pub use error::Error;
pub use foreground::{Foreground, PixelType, Side};
pub use parallel::Runner;
pub use render::{Circles, Pixels, Renderer, Size, render};
pub use rng::{STREAM_VERSION, Stream};
pub use score::score;
pub use simd::{Level, SIMD_VARIABLE};
