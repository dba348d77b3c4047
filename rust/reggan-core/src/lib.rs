//! The kernels of reggan: draw images from seeded streams, and measure their connected components exactly.
//!
//! A batch of images is thresholded into rows of bits ([`Foreground`]). [`score`] is swept from the bits of many rows at
//! once; where components must be told apart ([`analyze`], [`label`], [`largest_component`]), the runs of ones in the
//! rows are joined by a union-find. [`render`] goes the other way: shapes are drawn into rows of bits, whose runs are
//! blurred.
//!
//! Results are a pure function of the inputs, for any number of threads.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

mod batch;
mod components;
mod error;
mod foreground;
mod memory;
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
pub use parallel::{Runner, forked};
pub use render::{
    BinaryBlobs, Blur, Border, Circles, Pixels, Polygons, Renderer, Scene, Shape, Size, Spheres,
    gaussian_blur, render, scenes,
};
pub use rng::{STREAM_VERSION, Stream};
pub use score::score;
pub use simd::{Level, SIMD_VARIABLE};
