//! `reggan._core`: converts arrays and errors, and lets go of the interpreter while a kernel runs.

mod arrays;
mod columns;

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use arrays::{ImageArray, PixelArray, as_bytes};
use columns::Column;
use numpy::{PyReadonlyArray1, PyReadwriteArray1, PyReadwriteArrayDyn, PyUntypedArray};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use reggan_core::{
    Circles, Connectivity, Error, Fields, Foreground, Level, PixelType, Pixels, Runner, Side, Size,
};

/// The kernels of reggan. Their callers, `reggan.scoring` and `reggan.rendering`, check and convert the
/// arguments.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        Options, Renderer, analyze, label, largest_component, largest_components, remove_small, score,
        simd_info,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MAX_SIDE", reggan_core::MAX_SIDE)?;
        module.add("STREAM_VERSION", reggan_core::STREAM_VERSION)
    }
}

/// The name of the instruction set that is used, and of all that this machine has, the plainest first.
#[pyfunction]
fn simd_info() -> PyResult<(&'static str, Vec<&'static str>)> {
    let available = Level::available().into_iter().map(Level::name).collect();
    Ok((Level::chosen().map_err(to_python)?.name(), available))
}

/// What is looked for in images, and on how many threads; None is all cores.
#[pyclass(frozen, module = "reggan._core")]
struct Options {
    sought: reggan_core::Options,
    threads: Option<NonZeroUsize>,
}

#[pymethods]
impl Options {
    #[new]
    fn new(threshold: f64, foreground: &str, connectivity: u32, threads: Option<usize>) -> PyResult<Self> {
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
            6 => Connectivity::Six,
            18 => Connectivity::Eighteen,
            26 => Connectivity::TwentySix,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "connectivity {connectivity} is not 4, 8, 6, 18 or 26"
                )));
            }
        };
        let foreground = Foreground::new(side, threshold).map_err(to_python)?;
        let sought = reggan_core::Options { foreground, connectivity };
        Ok(Self { sought, threads: checked(threads)? })
    }

    /// Whether the connectivity is one of volumes.
    #[getter]
    fn spatial(&self) -> bool {
        self.sought.connectivity.is_spatial()
    }

    /// (limit, negate): a pixel of this type counts when `(pixel <= limit) != negate`. The limit is a value of
    /// the type. A bool is the byte that it is in memory.
    fn limit(&self, dtype: &str) -> PyResult<(f64, bool)> {
        let pixels = match dtype {
            "float64" => PixelType::Float64,
            "float32" => PixelType::Float32,
            "float16" => PixelType::Float16,
            "uint8" => PixelType::Uint8,
            "bool" => PixelType::Bool,
            _ => return Err(PyTypeError::new_err(format!("images of dtype {dtype} are not served"))),
        };
        Ok(self.sought.foreground.limit(pixels))
    }

    /// The same for bits of which the ones count.
    fn of_bits(&self) -> PyResult<Self> {
        let foreground = Foreground::new(Side::Light, 0.5).map_err(to_python)?;
        let sought = reggan_core::Options { foreground, ..self.sought };
        Ok(Self { sought, threads: self.threads })
    }
}

/// Writes the score of every image into `scores`.
#[pyfunction]
fn score(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut scores: PyReadwriteArrayDyn<'_, f32>,
    options: &Options,
) -> PyResult<()> {
    let (images, scores) = (images.view(options.spatial())?, scores.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::score(images, options.sought, scores, runner))
}

/// Writes measures of every image, one array a measure, by their names.
#[pyfunction]
fn analyze(
    py: Python<'_>,
    images: ImageArray<'_>,
    measures: &Bound<'_, PyDict>,
    options: &Options,
) -> PyResult<()> {
    let images = images.view(options.spatial())?;
    let mut fields = Fields::default();
    let mut columns = Vec::new();
    for (name, array) in measures {
        let (field, column) = Column::of(name.extract()?, &array)?;
        fields = fields | field;
        columns.push(column);
    }
    let (count, ..) = images.dim();
    let axes = if options.spatial() { 3 } else { 2 };
    let writers = columns.iter_mut().map(|column| column.writer(count, axes));
    let mut writers = writers.collect::<PyResult<Vec<_>>>()?;
    run(py, options.threads, |runner| {
        reggan_core::analyze(images, options.sought, fields, runner, |start, measures| {
            writers.iter_mut().for_each(|write| write(start, measures));
        })
    })
}

/// Writes the component number of every pixel into `labels`.
#[pyfunction]
fn label(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut labels: PyReadwriteArrayDyn<'_, i32>,
    options: &Options,
) -> PyResult<()> {
    let (images, labels) = (images.view(options.spatial())?, labels.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::label(images, options.sought, labels, runner))
}

/// Writes into `mask`, an array of bool, which pixels are part of the largest component.
#[pyfunction]
fn largest_component(
    py: Python<'_>,
    images: ImageArray<'_>,
    mask: &Bound<'_, PyUntypedArray>,
    options: &Options,
) -> PyResult<()> {
    let mut mask: PyReadwriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options.spatial())?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::largest_component(images, options.sought, mask, runner))
}

/// Writes into `ranks`, for each pixel of the `most` largest components, which largest its component is.
#[pyfunction]
fn largest_components(
    py: Python<'_>,
    most: usize,
    images: ImageArray<'_>,
    mut ranks: PyReadwriteArrayDyn<'_, i32>,
    options: &Options,
) -> PyResult<()> {
    let (images, ranks) = (images.view(options.spatial())?, ranks.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::largest_components(images, options.sought, most, ranks, runner)
    })
}

/// Writes into `mask`, an array of bool, which pixels are part of a component of at least `min_area` pixels.
#[pyfunction]
fn remove_small(
    py: Python<'_>,
    min_area: u64,
    images: ImageArray<'_>,
    mask: &Bound<'_, PyUntypedArray>,
    options: &Options,
) -> PyResult<()> {
    let mut mask: PyReadwriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options.spatial())?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::remove_small(images, options.sought, min_area, mask, runner)
    })
}

/// What is drawn.
#[pyclass(frozen, module = "reggan._core")]
struct Renderer(reggan_core::Renderer);

#[pymethods]
impl Renderer {
    #[staticmethod]
    fn circles(
        count: (u32, u32),
        radius: (f64, f64),
        blur: (f64, f64),
        clustering: (f64, f64),
    ) -> PyResult<Self> {
        let circles = Circles::new(count, radius, blur, clustering).map_err(to_python)?;
        Ok(Self(reggan_core::Renderer::Circles(circles)))
    }

    /// Draws the images `indices` of `seed` into `images`, an array of uint8 or float32, and their scores into
    /// `scores`.
    fn render(
        &self,
        py: Python<'_>,
        seed: u64,
        indices: PyReadonlyArray1<'_, u64>,
        mut images: PixelArray<'_>,
        mut scores: Option<PyReadwriteArray1<'_, f32>>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let (indices, size) = (indices.as_slice()?, images.size()?);
        let pixels = images.pixels()?;
        let scores = scores.as_mut().map(|scores| scores.as_slice_mut()).transpose()?;
        run(py, checked(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }

    #[expect(clippy::too_many_arguments, reason = "which images, and where their scores go")]
    /// Writes the scores that the images `indices` of `seed` have as uint8 or as float32; the images are not kept.
    fn scores(
        &self,
        py: Python<'_>,
        seed: u64,
        indices: PyReadonlyArray1<'_, u64>,
        size: (usize, usize),
        float32: bool,
        mut scores: PyReadwriteArray1<'_, f32>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let (indices, size) = (indices.as_slice()?, Size { height: size.0, width: size.1 });
        let pixels = if float32 { Pixels::NoFloat32 } else { Pixels::NoUint8 };
        let scores = Some(scores.as_slice_mut()?);
        run(py, checked(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }
}

fn checked(threads: Option<usize>) -> PyResult<Option<NonZeroUsize>> {
    let zero = || PyValueError::new_err("threads is 0, but must be at least 1");
    threads.map(|threads| NonZeroUsize::new(threads).ok_or_else(zero)).transpose()
}

/// Runs a kernel without holding the interpreter. What a signal handler raises meanwhile ends the call.
fn run(
    py: Python<'_>,
    threads: Option<NonZeroUsize>,
    kernel: impl FnOnce(&Runner<'_>) -> Result<(), Error> + Send,
) -> PyResult<()> {
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
