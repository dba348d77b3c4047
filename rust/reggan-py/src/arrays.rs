//! NumPy arrays as the inputs and outputs of the kernels.

use std::ops::{Deref, DerefMut};

use half::f16;
use ndarray::{ArrayView4, Axis, Dimension, Ix1, Ix2, Ix3, Ix4, IxDyn};
use numpy::{
    BorrowError, Element, PyArray, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray, PyReadonlyArray3,
    PyReadonlyArrayDyn, PyReadwriteArray, PyReadwriteArray3, PyReadwriteArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use reggan_core::{Batch, BitOrder, Blur, Images, PackedBatch, Pixels, Repair};

use crate::to_python;

/// Images to read, of any supported pixel type. Images have shape (height, width), (n, height, width) or (n,
/// 1, height, width); volumes have shape (depth, height, width) or (n, depth, height, width).
pub(crate) enum ImageArray<'py> {
    Float64(PyReadonlyArrayDyn<'py, f64>),
    Float32(PyReadonlyArrayDyn<'py, f32>),
    Float16(PyReadonlyArrayDyn<'py, f16>),
    Uint8(PyReadonlyArrayDyn<'py, u8>),
    Bool(PyReadonlyArrayDyn<'py, u8>),
    /// Rows of bits, their width in pixels and their bit order, passed as a tuple.
    Packed(PyReadonlyArrayDyn<'py, u8>, usize, BitOrder),
}

impl<'a, 'py> FromPyObject<'a, 'py> for ImageArray<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(array) = object.cast::<PyUntypedArray>() else {
            let (bits, width, order): (_, _, String) = object.extract()?;
            let order = match order.as_str() {
                "big" => BitOrder::Big,
                "little" => BitOrder::Little,
                _ => {
                    return Err(PyValueError::new_err(format!(
                        "bitorder {order:?} is not \"big\" or \"little\""
                    )));
                }
            };
            return Ok(Self::Packed(bits, width, order));
        };
        let given = array.dtype();
        match (given.kind(), given.itemsize()) {
            (b'f', 8) => read(&array).map(Self::Float64),
            (b'f', 4) => read(&array).map(Self::Float32),
            (b'f', 2) => read(&array).map(Self::Float16),
            (b'u', 1) => read(&array).map(Self::Uint8),
            (b'b', 1) => read(&as_bytes(&array)?).map(Self::Bool),
            _ => Err(PyTypeError::new_err(format!("images of dtype {given} are not supported"))),
        }
    }
}

impl ImageArray<'_> {
    pub(crate) fn view(&self, spatial: bool) -> PyResult<Images<'_>> {
        fn batch<'a, T: Element>(
            array: &'a PyReadonlyArrayDyn<'_, T>,
            spatial: bool,
        ) -> PyResult<Batch<'a, T>> {
            Batch::volumes(volumes(array, spatial)?).map_err(to_python)
        }
        Ok(match self {
            Self::Float64(array) => Images::Float64(batch(array, spatial)?),
            Self::Float32(array) => Images::Float32(batch(array, spatial)?),
            Self::Float16(array) => Images::Float16(batch(array, spatial)?),
            Self::Uint8(array) => Images::Uint8(batch(array, spatial)?),
            Self::Bool(array) => Images::Bool(batch(array, spatial)?),
            Self::Packed(array, width, order) => {
                let packed = PackedBatch::new(batch(array, spatial)?, *width, *order);
                Images::Packed(packed.map_err(to_python)?)
            }
        })
    }
}

/// Adds the missing axes of (n, depth, height, width).
fn volumes<'a, T: Element>(
    array: &'a PyReadonlyArrayDyn<'_, T>,
    spatial: bool,
) -> PyResult<ArrayView4<'a, T>> {
    let view = array.as_array();
    let view = match (view.ndim(), spatial) {
        (2, false) => view.insert_axis(Axis(0)).insert_axis(Axis(0)),
        (3, false) => view.insert_axis(Axis(1)),
        (3, true) => view.insert_axis(Axis(0)),
        _ => view,
    };
    view.into_dimensionality::<Ix4>().map_err(|_| {
        PyValueError::new_err(format!("images of shape {:?} do not match the connectivity", array.shape()))
    })
}

/// Images to write, C-contiguous.
pub(crate) enum PixelArray<'py> {
    Float32(PyReadwriteArrayDyn<'py, f32>),
    Uint8(PyReadwriteArrayDyn<'py, u8>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for PixelArray<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if is_float32(&object)? { write(&object).map(Self::Float32) } else { write(&object).map(Self::Uint8) }
    }
}

impl PixelArray<'_> {
    pub(crate) fn pixels(&mut self) -> PyResult<Pixels<'_>> {
        Ok(match self {
            Self::Float32(array) => Pixels::Float32(array.as_slice_mut()?),
            Self::Uint8(array) => Pixels::Uint8(array.as_slice_mut()?),
        })
    }
}

/// Images to read and images to write, both (n, height, width) and C-contiguous.
pub(crate) enum BlurArrays<'py> {
    Float32(PyReadonlyArray3<'py, f32>, PyReadwriteArray3<'py, f32>),
    Uint8(PyReadonlyArray3<'py, u8>, PyReadwriteArray3<'py, u8>),
}

impl<'py> BlurArrays<'py> {
    pub(crate) fn of(
        images: &Bound<'py, PyUntypedArray>,
        blurred: &Bound<'py, PyUntypedArray>,
    ) -> PyResult<Self> {
        Ok(if is_float32(images)? {
            Self::Float32(read(images)?, write(blurred)?)
        } else {
            Self::Uint8(read(images)?, write(blurred)?)
        })
    }

    /// Height and width.
    pub(crate) fn size(&self) -> PyResult<(usize, usize)> {
        let (images, blurred) = match self {
            Self::Float32(images, blurred) => (images.as_array().dim(), blurred.as_array().dim()),
            Self::Uint8(images, blurred) => (images.as_array().dim(), blurred.as_array().dim()),
        };
        if images != blurred {
            return Err(PyValueError::new_err("input and output must have the same shape"));
        }
        Ok((images.1, images.2))
    }

    pub(crate) fn blur(&mut self) -> PyResult<Blur<'_>> {
        Ok(match self {
            Self::Float32(images, blurred) => {
                Blur::Float32 { images: images.as_slice()?, blurred: blurred.as_slice_mut()? }
            }
            Self::Uint8(images, blurred) => {
                Blur::Uint8 { images: images.as_slice()?, blurred: blurred.as_slice_mut()? }
            }
        })
    }
}

/// Images to repair and their repaired copies, of the same dtype.
pub(crate) struct RepairArrays<'a, 'py> {
    images: Images<'a>,
    repaired: PixelsOut<'py>,
}

enum PixelsOut<'py> {
    Float64(PyReadwriteArrayDyn<'py, f64>),
    Float32(PyReadwriteArrayDyn<'py, f32>),
    Float16(PyReadwriteArrayDyn<'py, f16>),
    Bytes(PyReadwriteArrayDyn<'py, u8>),
}

impl<'a, 'py> RepairArrays<'a, 'py> {
    pub(crate) fn of(images: &'a ImageArray<'py>, repaired: &Bound<'py, PyUntypedArray>) -> PyResult<Self> {
        let images = images.view(false)?;
        let repaired = match images {
            Images::Float64(_) => PixelsOut::Float64(write(repaired)?),
            Images::Float32(_) => PixelsOut::Float32(write(repaired)?),
            Images::Float16(_) => PixelsOut::Float16(write(repaired)?),
            Images::Uint8(_) => PixelsOut::Bytes(write(repaired)?),
            Images::Bool(_) => PixelsOut::Bytes(write(&as_bytes(repaired)?)?),
            Images::Packed(_) => return Err(PyTypeError::new_err("packed images cannot be repaired")),
        };
        Ok(Self { images, repaired })
    }

    pub(crate) fn repair(&mut self) -> PyResult<Repair<'a, '_>> {
        Ok(match (self.images, &mut self.repaired) {
            (Images::Float64(images), PixelsOut::Float64(array)) => {
                Repair::Float64 { images, repaired: array.as_slice_mut()? }
            }
            (Images::Float32(images), PixelsOut::Float32(array)) => {
                Repair::Float32 { images, repaired: array.as_slice_mut()? }
            }
            (Images::Float16(images), PixelsOut::Float16(array)) => {
                Repair::Float16 { images, repaired: array.as_slice_mut()? }
            }
            (Images::Uint8(images), PixelsOut::Bytes(array)) => {
                Repair::Uint8 { images, repaired: array.as_slice_mut()? }
            }
            (Images::Bool(images), PixelsOut::Bytes(array)) => {
                Repair::Bool { images, repaired: array.as_slice_mut()? }
            }
            _ => return Err(PyTypeError::new_err("images and their copies must have the same dtype")),
        })
    }
}

fn is_float32(array: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(array.cast::<PyUntypedArray>()?.dtype().is_equiv_to(&dtype::<f32>(array.py())))
}

/// Borrows an array of these elements for reading.
fn read<'py, T: Element, D: Dimension>(array: &Bound<'py, PyAny>) -> PyResult<PyReadonlyArray<'py, T, D>> {
    array.cast::<PyArray<T, D>>()?.try_readonly().map_err(in_use)
}

/// Borrows an array of these elements for writing.
fn write<'py, T: Element, D: Dimension>(array: &Bound<'py, PyAny>) -> PyResult<PyReadwriteArray<'py, T, D>> {
    array.cast::<PyArray<T, D>>()?.try_readwrite().map_err(in_use)
}

/// An array to write, as an argument. Extracting a `PyReadwriteArray` would report an array in use as a wrong
/// type.
pub(crate) struct WriteArray<'py, T: Element, D: Dimension>(PyReadwriteArray<'py, T, D>);

pub(crate) type WriteArray1<'py, T> = WriteArray<'py, T, Ix1>;
pub(crate) type WriteArray2<'py, T> = WriteArray<'py, T, Ix2>;
pub(crate) type WriteArray3<'py, T> = WriteArray<'py, T, Ix3>;
pub(crate) type WriteArrayDyn<'py, T> = WriteArray<'py, T, IxDyn>;

impl<'a, 'py, T: Element, D: Dimension> FromPyObject<'a, 'py> for WriteArray<'py, T, D> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        write(&object).map(Self)
    }
}

impl<'py, T: Element, D: Dimension> Deref for WriteArray<'py, T, D> {
    type Target = PyReadwriteArray<'py, T, D>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Element, D: Dimension> DerefMut for WriteArray<'_, T, D> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

fn in_use(error: BorrowError) -> PyErr {
    PyRuntimeError::new_err(format!(
        "{error} by a call in another thread; wait until that call is done, or use a copy in a process that was \
         forked during the call"
    ))
}

/// Views an array of bool as bytes, whose values may be any.
pub(crate) fn as_bytes<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyAny>> {
    array.call_method1("view", (dtype::<u8>(array.py()),))
}
