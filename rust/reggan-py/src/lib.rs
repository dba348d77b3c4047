//! `reggan._core`: converts arrays and errors, and lets go of the interpreter while a kernel runs.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use half::f16;
use numpy::{
    Element, PyArrayDescrMethods, PyReadonlyArray1, PyReadonlyArray3, PyReadwriteArray1, PyReadwriteArray2,
    PyReadwriteArrayDyn, PyUntypedArray, PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use reggan_core::{
    Batch, Circles, Connectivity, Error, Fields, Foreground, Images, Measures, Options, Pixels, Runner, Side,
    Size,
};

/// The kernels of reggan. Their callers, `reggan.scoring` and `reggan.rendering`, check and convert the
/// arguments.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{analyze, label, largest_component, render_circles, score};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MAX_SIDE", reggan_core::MAX_SIDE)?;
        module.add("STREAM_VERSION", reggan_core::STREAM_VERSION)
    }
}

/// Writes the score of every image into `scores`.
#[pyfunction]
fn score(
    py: Python<'_>,
    images: ImageArray<'_>,
    scores: PyReadwriteArray1<'_, f32>,
    threshold: f64,
    foreground: &str,
    connectivity: u32,
    threads: Option<usize>,
) -> PyResult<()> {
    let options = options(threshold, foreground, connectivity)?;
    let (images, mut scores) = (images.view()?, scores);
    let scores = scores.as_slice_mut()?;
    run(py, threads, |runner| reggan_core::score(images, options, scores, runner))
}

/// Writes the measures of every image, one array a measure.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one array a measure")]
fn analyze(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut score: PyReadwriteArray1<'_, f32>,
    mut count: PyReadwriteArray1<'_, i64>,
    mut area: PyReadwriteArray1<'_, i64>,
    mut largest_area: PyReadwriteArray1<'_, i64>,
    mut holes: PyReadwriteArray1<'_, i64>,
    mut bbox: PyReadwriteArray2<'_, i32>,
    threshold: f64,
    foreground: &str,
    connectivity: u32,
    threads: Option<usize>,
) -> PyResult<()> {
    let options = options(threshold, foreground, connectivity)?;
    let images = images.view()?;
    let mut measures = vec![Measures::default(); images.dim().0];
    run(py, threads, |runner| reggan_core::analyze(images, options, Fields::ALL, &mut measures, runner))?;
    write(&mut score, measures.iter().map(|m| m.score))?;
    write(&mut count, measures.iter().map(|m| m.count.into()))?;
    write(&mut area, measures.iter().map(|m| m.area as i64))?;
    write(&mut largest_area, measures.iter().map(|m| m.largest_area as i64))?;
    write(&mut holes, measures.iter().map(|m| m.holes.into()))?;
    let bbox = bbox.as_slice_mut()?;
    for (out, m) in bbox.chunks_exact_mut(4).zip(&measures) {
        let [_, top, left, _, bottom, right] = m.bbox.map(|side| side as i32);
        out.copy_from_slice(&[top, left, bottom, right]);
    }
    Ok(())
}

/// Writes the component number of every pixel into `labels`.
#[pyfunction]
fn label(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut labels: PyReadwriteArrayDyn<'_, i32>,
    threshold: f64,
    foreground: &str,
    connectivity: u32,
    threads: Option<usize>,
) -> PyResult<()> {
    let options = options(threshold, foreground, connectivity)?;
    let (images, labels) = (images.view()?, labels.as_slice_mut()?);
    run(py, threads, |runner| reggan_core::label(images, options, labels, runner))
}

/// Writes into `mask`, an array of bool, which pixels are part of the largest component.
#[pyfunction]
fn largest_component(
    py: Python<'_>,
    images: ImageArray<'_>,
    mask: &Bound<'_, PyUntypedArray>,
    threshold: f64,
    foreground: &str,
    connectivity: u32,
    threads: Option<usize>,
) -> PyResult<()> {
    let options = options(threshold, foreground, connectivity)?;
    let mut mask: PyReadwriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view()?, mask.as_slice_mut()?);
    run(py, threads, |runner| reggan_core::largest_component(images, options, mask, runner))
}

/// Draws the images `indices` of `seed` into `images`, an array of uint8 or float32, and their scores into
/// `scores`.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the renderer's four, and what every renderer needs")]
fn render_circles(
    py: Python<'_>,
    count: (u32, u32),
    radius: (f64, f64),
    blur: (f64, f64),
    clustering: (f64, f64),
    seed: u64,
    indices: PyReadonlyArray1<'_, u64>,
    images: PixelArray<'_>,
    scores: Option<PyReadwriteArray1<'_, f32>>,
    threads: Option<usize>,
) -> PyResult<()> {
    let circles = Circles::new(count, radius, blur, clustering).map_err(to_python)?;
    let (mut images, mut scores) = (images, scores);
    let (indices, size) = (indices.as_slice()?, images.size()?);
    let pixels = images.pixels()?;
    let scores = scores.as_mut().map(|scores| scores.as_slice_mut()).transpose()?;
    run(py, threads, |runner| reggan_core::render(&circles, seed, indices, size, pixels, scores, runner))
}

/// Images to read, of any pixel type that is served.
enum ImageArray<'py> {
    Float32(PyReadonlyArray3<'py, f32>),
    Float16(PyReadonlyArray3<'py, f16>),
    Uint8(PyReadonlyArray3<'py, u8>),
    Bool(PyReadonlyArray3<'py, u8>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for ImageArray<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (py, array) = (object.py(), object.cast::<PyUntypedArray>()?);
        let given = array.dtype();
        if given.is_equiv_to(&dtype::<f32>(py)) {
            array.extract().map(Self::Float32)
        } else if given.is_equiv_to(&dtype::<f16>(py)) {
            array.extract().map(Self::Float16)
        } else if given.is_equiv_to(&dtype::<u8>(py)) {
            array.extract().map(Self::Uint8)
        } else if given.is_equiv_to(&dtype::<bool>(py)) {
            as_bytes(&array)?.extract().map(Self::Bool)
        } else {
            Err(PyTypeError::new_err(format!("images of dtype {given} are not served")))
        }
    }
}

impl ImageArray<'_> {
    fn view(&self) -> PyResult<Images<'_>> {
        fn batch<'a, T: Element>(array: &'a PyReadonlyArray3<'_, T>) -> PyResult<Batch<'a, T>> {
            Batch::new(array.as_array()).map_err(to_python)
        }
        Ok(match self {
            Self::Float32(array) => Images::Float32(batch(array)?),
            Self::Float16(array) => Images::Float16(batch(array)?),
            Self::Uint8(array) => Images::Uint8(batch(array)?),
            Self::Bool(array) => Images::Bool(batch(array)?),
        })
    }
}

/// Images to write: (n, height, width), C-contiguous.
#[derive(FromPyObject)]
enum PixelArray<'py> {
    Float32(PyReadwriteArrayDyn<'py, f32>),
    Uint8(PyReadwriteArrayDyn<'py, u8>),
}

impl PixelArray<'_> {
    fn size(&self) -> PyResult<Size> {
        let shape = match self {
            Self::Float32(array) => array.shape(),
            Self::Uint8(array) => array.shape(),
        };
        match *shape {
            [_, height, width] => Ok(Size { height, width }),
            _ => Err(PyValueError::new_err("images to write must have the shape (n, height, width)")),
        }
    }

    fn pixels(&mut self) -> PyResult<Pixels<'_>> {
        Ok(match self {
            Self::Float32(array) => Pixels::Float32(array.as_slice_mut()?),
            Self::Uint8(array) => Pixels::Uint8(array.as_slice_mut()?),
        })
    }
}

/// An array of bool, which may hold any bytes, as what it is in memory.
fn as_bytes<'py>(array: &Bound<'py, PyUntypedArray>) -> PyResult<Bound<'py, PyAny>> {
    array.call_method1("view", (dtype::<u8>(array.py()),))
}

fn write<T: Element>(
    array: &mut PyReadwriteArray1<'_, T>,
    values: impl ExactSizeIterator<Item = T>,
) -> PyResult<()> {
    let out = array.as_slice_mut()?;
    if out.len() != values.len() {
        return Err(PyValueError::new_err(format!(
            "{} measures for an array of {}",
            values.len(),
            out.len()
        )));
    }
    out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
    Ok(())
}

fn options(threshold: f64, foreground: &str, connectivity: u32) -> PyResult<Options> {
    let side = match foreground {
        "dark" => Side::Dark,
        "light" => Side::Light,
        _ => {
            return Err(PyValueError::new_err(format!(
                "foreground {foreground:?} is not \"dark\" or \"light\""
            )));
        }
    };
    let connectivity = match connectivity {
        4 => Connectivity::Four,
        8 => Connectivity::Eight,
        _ => return Err(PyValueError::new_err(format!("connectivity {connectivity} is not 4 or 8"))),
    };
    let foreground = Foreground::new(side, threshold).map_err(to_python)?;
    Ok(Options { foreground, connectivity })
}

/// Runs a kernel without holding the interpreter. What a signal handler raises meanwhile ends the call.
fn run(
    py: Python<'_>,
    threads: Option<usize>,
    kernel: impl FnOnce(&Runner<'_>) -> Result<(), Error> + Send,
) -> PyResult<()> {
    let threads = threads
        .map(|threads| {
            NonZeroUsize::new(threads)
                .ok_or_else(|| PyValueError::new_err("threads is 0, but must be at least 1"))
        })
        .transpose()?;
    let raised = Mutex::new(None);
    let interrupt = || {
        let signal = Python::attach(|py| py.check_signals().err());
        let stop = signal.is_some();
        *raised.lock().unwrap_or_else(PoisonError::into_inner) = signal;
        stop
    };
    let result = py.detach(|| kernel(&Runner::new(threads, &interrupt)));
    result.map_err(|error| {
        let raised = raised.into_inner().unwrap_or_else(PoisonError::into_inner);
        raised.unwrap_or_else(|| to_python(error))
    })
}

fn to_python(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Invalid(_) | Error::NotANumber { .. } => PyValueError::new_err(text),
        Error::Interrupted => PyKeyboardInterrupt::new_err(text),
        Error::Threads(_) => PyRuntimeError::new_err(text),
    }
}
