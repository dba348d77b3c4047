//! Checked batches of images and volumes, of shape (n, depth, height, width).

use std::ops::Range;

use half::f16;
use ndarray::{ArrayView3, ArrayView4, Axis, Slice};

use crate::Error;

/// The largest supported depth, height and width.
pub const MAX_SIDE: usize = 32_768;

/// The most pixels in a volume, since labels are `i32`. Images are always smaller.
const MAX_PIXELS: u64 = i32::MAX as u64;

/// A checked view of shape (n, depth, height, width). Rows are contiguous; the other strides are arbitrary.
/// Images have depth 1.
#[derive(Clone, Copy)]
pub struct Batch<'a, T> {
    view: ArrayView4<'a, T>,
}

impl<'a, T> Batch<'a, T> {
    /// Images of shape (n, height, width). Fails if a side is not from 1 to [`MAX_SIDE`], or if rows are not
    /// contiguous. The batch may be empty.
    pub fn new(view: ArrayView3<'a, T>) -> Result<Self, Error> {
        Self::volumes(view.insert_axis(Axis(1)))
    }

    /// Volumes of shape (n, depth, height, width). Fails like [`Batch::new`], and if a volume has more than
    /// 2^31 - 1 pixels.
    pub fn volumes(view: ArrayView4<'a, T>) -> Result<Self, Error> {
        let (_, depth, height, width) = view.dim();
        check_sides(depth, height, width)?;
        if view.strides()[3] != 1 && width > 1 && !view.is_empty() {
            return Err(Error::invalid("the last axis of the images must be contiguous"));
        }
        Ok(Self { view })
    }

    /// Number of images, depth, height, width.
    pub fn dim(&self) -> (usize, usize, usize, usize) {
        self.view.dim()
    }

    pub(crate) fn slice(&self, images: Range<usize>) -> Self {
        Self { view: self.view.slice_axis_move(Axis(0), Slice::from(images)) }
    }

    /// The rows of an image from top to bottom, and of a volume slice by slice. Each item starts with the row
    /// and may continue with the pixels that follow it in the image.
    pub(crate) fn rows(&self, index: usize) -> Rows<'a, T> {
        let (_, depth, height, width) = self.dim();
        let view = self.view.index_axis_move(Axis(0), index);
        let (next, end) = (0, depth * height);
        match view.to_slice() {
            Some(pixels) => Rows { pixels: Pixels::Contiguous { pixels, width }, next, end },
            None => Rows { pixels: Pixels::Strided { view, height }, next, end },
        }
    }
}

/// The rows of one image.
#[derive(Clone)]
pub(crate) struct Rows<'a, T> {
    pixels: Pixels<'a, T>,
    next: usize,
    end: usize,
}

impl<'a, T> Rows<'a, T> {
    /// The rows of one image.
    pub(crate) fn of(pixels: &'a [T], width: usize) -> Self {
        Self { next: 0, end: pixels.len() / width, pixels: Pixels::Contiguous { pixels, width } }
    }

    /// The next `count` rows, if they are contiguous.
    #[inline(always)]
    pub(crate) fn next_block(&mut self, count: usize) -> Option<&'a [T]> {
        match self.pixels {
            Pixels::Contiguous { pixels, width } if self.next + count <= self.end => {
                let first = self.next;
                self.next += count;
                Some(&pixels[first * width..self.next * width])
            }
            _ => None,
        }
    }

    /// The rows after the next `count` rows.
    pub(crate) fn skip_rows(mut self, count: usize) -> Self {
        self.next = (self.next + count).min(self.end);
        self
    }
}

/// Contiguous images are a case of their own because slicing their rows is much faster.
#[derive(Clone)]
enum Pixels<'a, T> {
    Contiguous { pixels: &'a [T], width: usize },
    Strided { view: ArrayView3<'a, T>, height: usize },
}

impl<'a, T> Iterator for Rows<'a, T> {
    type Item = &'a [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [T]> {
        if self.next == self.end {
            return None;
        }
        let row = self.next;
        self.next += 1;
        Some(match &self.pixels {
            Pixels::Contiguous { pixels, width } => &pixels[row * width..],
            Pixels::Strided { view, height } => view
                .index_axis_move(Axis(0), row / height)
                .index_axis_move(Axis(0), row % height)
                .to_slice()
                .expect("Batch::volumes has checked that rows are contiguous"),
        })
    }
}

/// Images of one bit a pixel, packed into bytes.
#[derive(Clone, Copy)]
pub struct PackedBatch<'a> {
    pub(crate) bytes: Batch<'a, u8>,
    width: usize,
    pub(crate) order: BitOrder,
}

/// Which bit of a byte holds its first pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOrder {
    /// The most significant.
    Big,
    /// The least significant.
    Little,
}

impl<'a> PackedBatch<'a> {
    /// Images `width` pixels wide, whose rows are the rows of `bytes`. Bits beyond the width are ignored.
    pub fn new(bytes: Batch<'a, u8>, width: usize, order: BitOrder) -> Result<Self, Error> {
        let (_, depth, height, given) = bytes.dim();
        check_sides(depth, height, width)?;
        let wanted = width.div_ceil(8);
        if given != wanted {
            return Err(Error::invalid(format!(
                "rows of {width} pixels need {wanted} bytes, but have {given}"
            )));
        }
        Ok(Self { bytes, width, order })
    }

    fn dim(&self) -> (usize, usize, usize, usize) {
        let (count, depth, height, _) = self.bytes.dim();
        (count, depth, height, self.width)
    }
}

/// A batch of any supported pixel type. White (paper) is 1.0, 255 or true.
#[derive(Clone, Copy)]
pub enum Images<'a> {
    /// Gray values, 1.0 is white.
    Float64(Batch<'a, f64>),
    /// Gray values, 1.0 is white.
    Float32(Batch<'a, f32>),
    /// Gray values, 1.0 is white.
    Float16(Batch<'a, f16>),
    /// Gray values, 255 is white.
    Uint8(Batch<'a, u8>),
    /// One byte a pixel: 0 is ink, any other value is white.
    Bool(Batch<'a, u8>),
    /// One bit a pixel: 0 is ink, 1 is white.
    Packed(PackedBatch<'a>),
}

impl Images<'_> {
    /// Number of images, depth, height, width.
    pub fn dim(&self) -> (usize, usize, usize, usize) {
        match self {
            Self::Float64(batch) => batch.dim(),
            Self::Float32(batch) => batch.dim(),
            Self::Float16(batch) => batch.dim(),
            Self::Uint8(batch) | Self::Bool(batch) => batch.dim(),
            Self::Packed(batch) => batch.dim(),
        }
    }

    pub(crate) fn slice(&self, images: Range<usize>) -> Self {
        match self {
            Self::Float64(batch) => Self::Float64(batch.slice(images)),
            Self::Float32(batch) => Self::Float32(batch.slice(images)),
            Self::Float16(batch) => Self::Float16(batch.slice(images)),
            Self::Uint8(batch) => Self::Uint8(batch.slice(images)),
            Self::Bool(batch) => Self::Bool(batch.slice(images)),
            Self::Packed(batch) => Self::Packed(PackedBatch { bytes: batch.bytes.slice(images), ..*batch }),
        }
    }
}

pub(crate) fn check_sides(depth: usize, height: usize, width: usize) -> Result<(), Error> {
    let supported = 1..=MAX_SIDE;
    if ![depth, height, width].iter().all(|side| supported.contains(side)) {
        return Err(Error::invalid(format!(
            "images of {depth} x {height} x {width} pixels are not supported: depth (1 for images), \
             height and width must be from 1 to {MAX_SIDE}"
        )));
    }
    let pixels = [depth, height, width].iter().map(|&side| side as u64).product::<u64>();
    if pixels > MAX_PIXELS {
        return Err(Error::invalid(format!(
            "volumes of {depth} x {height} x {width} pixels are not supported: at most {MAX_PIXELS} pixels"
        )));
    }
    Ok(())
}

pub(crate) fn check_length(name: &str, given: usize, wanted: usize) -> Result<(), Error> {
    if given == wanted {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} has {given} elements, but these images need {wanted}")))
}
