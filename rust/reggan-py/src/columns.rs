//! Measures of images, one output array each.

use numpy::Element;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use reggan_core::{Fields, Measures};

use crate::arrays::WriteArrayDyn;

/// The output array of a measure.
pub(crate) enum Column<'py> {
    Float32(WriteArrayDyn<'py, f32>, fn(&Measures) -> f32),
    Int64(WriteArrayDyn<'py, i64>, fn(&Measures) -> i64),
    Bbox(WriteArrayDyn<'py, i32>),
    Centroid(WriteArrayDyn<'py, f64>),
}

/// Writes the measures of consecutive images, starting at a position.
pub(crate) type Writer<'a> = Box<dyn FnMut(usize, &[Measures]) + Send + 'a>;

impl<'py> Column<'py> {
    pub(crate) fn of(name: &str, array: &Bound<'py, PyAny>) -> PyResult<(Fields, Self)> {
        Ok(match name {
            "score" => (Fields::SCORE, Self::Float32(array.extract()?, |m| m.score)),
            "count" => (Fields::COUNT, Self::Int64(array.extract()?, |m| m.count.into())),
            "area" => (Fields::AREA, Self::Int64(array.extract()?, |m| m.area as i64)),
            "largest_area" => {
                (Fields::LARGEST_AREA, Self::Int64(array.extract()?, |m| m.largest_area as i64))
            }
            "bbox" => (Fields::BBOX, Self::Bbox(array.extract()?)),
            "centroid" => (Fields::CENTROID, Self::Centroid(array.extract()?)),
            "holes" => (Fields::HOLES, Self::Int64(array.extract()?, |m| m.holes.into())),
            "euler" => (Fields::EULER, Self::Int64(array.extract()?, |m| m.euler)),
            "winding_rank" => (Fields::SCORE, Self::Int64(array.extract()?, |m| m.winding_rank.into())),
            _ => return Err(PyValueError::new_err(format!("unknown measure {name:?}"))),
        })
    }

    /// A writer for `count` images. `axes` is 2 (y and x) or 3 (z, y and x).
    pub(crate) fn writer(&mut self, count: usize, axes: usize) -> PyResult<Writer<'_>> {
        match self {
            Self::Float32(array, measure) => writer(array, count, 1, |out, m| out[0] = measure(m)),
            Self::Int64(array, measure) => writer(array, count, 1, |out, m| out[0] = measure(m)),
            Self::Bbox(array) => writer(array, count, 2 * axes, move |out, m| {
                let (low, high) = m.bbox.split_at(3);
                let sides = low[3 - axes..].iter().chain(&high[3 - axes..]);
                out.iter_mut().zip(sides).for_each(|(out, &side)| *out = side as i32);
            }),
            Self::Centroid(array) => {
                writer(array, count, axes, move |out, m| out.copy_from_slice(&m.centroid[3 - axes..]))
            }
        }
    }
}

fn writer<'a, T: Element>(
    array: &'a mut WriteArrayDyn<'_, T>,
    count: usize,
    per_image: usize,
    write: impl Fn(&mut [T], &Measures) + Send + 'a,
) -> PyResult<Writer<'a>> {
    let values = array.as_slice_mut()?;
    if values.len() != count * per_image {
        let text = format!("{count} x {per_image} values do not fit an array of {}", values.len());
        return Err(PyValueError::new_err(text));
    }
    Ok(Box::new(move |start, measures| {
        let places = values[start * per_image..].chunks_exact_mut(per_image);
        places.zip(measures).for_each(|(out, measures)| write(out, measures));
    }))
}
