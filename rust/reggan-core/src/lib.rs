//! The kernels of reggan: they render images from seeded random streams and measure connected components
//! exactly.
//!
//! A batch of images is thresholded into rows of bits ([`Foreground`]). [`score`] sweeps the bits of many
//! rows at once. Where components need labels ([`analyze`], [`label`], [`largest_component`]), a union-find
//! joins the runs of ones in the rows. [`render`] draws shapes into rows of bits and blurs them.
//!
//! Results are a pure function of the inputs. They do not depend on the number of threads.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

mod batch;
mod components;
mod error;
mod foreground;
mod memory;
mod morphology;
mod packing;
mod parallel;
mod paths;
mod render;
mod repair;
mod rng;
mod score;
mod search;
mod simd;

pub use batch::{Batch, BitOrder, Images, MAX_SIDE, PackedBatch};
pub use components::{
    BETTI_NUMBERS, Connectivity, Fields, Measures, Options, analyze, betti, label, largest_component,
    largest_components, remove_small,
};
pub use error::Error;
pub use foreground::{Foreground, PixelType, Side};
pub use morphology::{Layer, MAX_DIAMETER, minimum_width, narrow_pixels, open_layer, short_runs};
pub use parallel::{Runner, forked};
pub use paths::{geodesic_diameter, geodesic_distance, spans};
pub use render::{
    BinaryBlobs, Blur, Border, Circles, Pixels, Polygons, Renderer, Scene, Shape, Size, Spheres,
    gaussian_blur, render, scenes,
};
pub use repair::{Method, Repair, repair_connected};
pub use rng::{STREAM_VERSION, Stream};
pub use score::score;
pub use search::{Counted, Effort, Grays, Searches, Term, Wide, repair_by_search};
pub use simd::{Level, SIMD_VARIABLE};
