//! Checked batches of images: shape (n, height, width), each row a slice.

use half::f16;
use ndarray::{ArrayView2, ArrayView3, Axis};

use crate::Error;

/// The largest height and width that is served.
pub const MAX_SIDE: usize = 16_384;

/// A checked view of shape (n, height, width) whose rows are contiguous; the other strides are free.
#[derive(Clone, Copy)]
pub struct Batch<'a, T> {
    view: ArrayView3<'a, T>,
}

impl<'a, T> Batch<'a, T> {
    /// Checks the sizes (1 to [`MAX_SIDE`]; n is free) and that each row is contiguous.
    pub fn new(view: ArrayView3<'a, T>) -> Result<Self, Error> {
        let (_, height, width) = view.dim();
        check_sides(height, width)?;
        if view.strides()[2] != 1 && width > 1 && !view.is_empty() {
            return Err(Error::invalid("the last axis of the images must be contiguous"));
        }
        Ok(Self { view })
    }

    /// Number of images, height, width.
    pub fn dim(&self) -> (usize, usize, usize) {
        self.view.dim()
    }

    pub(crate) fn image(&self, index: usize) -> Image<'a, T> {
        let view = self.view.index_axis_move(Axis(0), index);
        let width = view.ncols();
        match view.to_slice() {
            Some(pixels) => Image::Contiguous { pixels, width },
            None => Image::Strided(view),
        }
    }
}

/// One image. An image in one piece is told apart because cutting rows from a slice is much the faster way.
pub(crate) enum Image<'a, T> {
    Contiguous { pixels: &'a [T], width: usize },
    Strided(ArrayView2<'a, T>),
}

impl<'a, T> Image<'a, T> {
    pub(crate) fn row(&self, y: usize) -> &'a [T] {
        match self {
            Self::Contiguous { pixels, width } => &pixels[y * width..(y + 1) * width],
            Self::Strided(view) => view
                .index_axis_move(Axis(0), y)
                .to_slice()
                .expect("Batch::new has checked that rows are contiguous"),
        }
    }
}

/// A batch of any pixel type that is served. Paper white is 1.0, 255 or true.
#[derive(Clone, Copy)]
pub enum Images<'a> {
    /// Gray values, 1.0 is white.
    Float32(Batch<'a, f32>),
    /// Gray values, 1.0 is white.
    Float16(Batch<'a, f16>),
    /// Gray values, 255 is white.
    Uint8(Batch<'a, u8>),
    /// One byte a pixel: 0 is ink, anything else is white.
    Bool(Batch<'a, u8>),
}

impl Images<'_> {
    /// Number of images, height, width.
    pub fn dim(&self) -> (usize, usize, usize) {
        match self {
            Self::Float32(batch) => batch.dim(),
            Self::Float16(batch) => batch.dim(),
            Self::Uint8(batch) | Self::Bool(batch) => batch.dim(),
        }
    }
}

pub(crate) fn check_sides(height: usize, width: usize) -> Result<(), Error> {
    let served = 1..=MAX_SIDE;
    if served.contains(&height) && served.contains(&width) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "images of {height} x {width} pixels are not served: height and width must be from 1 to {MAX_SIDE}"
    )))
}

pub(crate) fn check_length(name: &str, given: usize, wanted: usize) -> Result<(), Error> {
    if given == wanted {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} holds {given} elements, but these images need {wanted}")))
}
