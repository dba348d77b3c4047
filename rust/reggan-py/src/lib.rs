//! `reggan._core`: converts arrays and errors, and lets go of the interpreter while a kernel runs.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use half::f16;
use ndarray::{ArrayView4, Axis, Ix4};
use numpy::{
    Element, PyArrayDescrMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyReadwriteArray1,
    PyReadwriteArrayDyn, PyUntypedArray, PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use reggan_core::{
    Batch, BitOrder, Circles, Connectivity, Error, Fields, Foreground, Images, Level, Measures, PackedBatch,
    PixelType, Pixels, Runner, Side, Size,
};

/// The kernels of reggan. Their callers, `reggan.scoring` and `reggan.rendering`, check and convert the
/// arguments.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        Options, analyze, label, largest_component, largest_components, remove_small, render_circles, score,
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
    let (images, scores) = (images.view(options)?, scores.as_slice_mut()?);
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
    let images = images.view(options)?;
    let mut fields = Fields::default();
    let mut columns = Vec::new();
    for (name, array) in measures {
        let (field, column) = Column::of(name.extract()?, &array)?;
        fields = fields | field;
        columns.push(column);
    }
    let (count, ..) = images.dim();
    let axes = if options.spatial() { 3 } else { 2 };
    let mut columns: Vec<Values<'_>> =
        columns.iter_mut().map(|column| column.values(count, axes)).collect::<PyResult<_>>()?;
    run(py, options.threads, |runner| {
        reggan_core::analyze(images, options.sought, fields, runner, |start, measures| {
            columns.iter_mut().for_each(|column| column.write(start, measures, axes));
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
    let (images, labels) = (images.view(options)?, labels.as_slice_mut()?);
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
    let (images, mask) = (images.view(options)?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::largest_component(images, options.sought, mask, runner))
}

/// Writes into `ranks`, for each pixel of the `most` largest components, which largest its component is.
#[pyfunction]
fn largest_components(
    py: Python<'_>,
    images: ImageArray<'_>,
    most: usize,
    mut ranks: PyReadwriteArrayDyn<'_, i32>,
    options: &Options,
) -> PyResult<()> {
    let (images, ranks) = (images.view(options)?, ranks.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::largest_components(images, options.sought, most, ranks, runner)
    })
}

/// Writes into `mask`, an array of bool, which pixels are part of a component of at least `min_area` pixels.
#[pyfunction]
fn remove_small(
    py: Python<'_>,
    images: ImageArray<'_>,
    min_area: u64,
    mask: &Bound<'_, PyUntypedArray>,
    options: &Options,
) -> PyResult<()> {
    let mut mask: PyReadwriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options)?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::remove_small(images, options.sought, min_area, mask, runner)
    })
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
    run(py, checked(threads)?, |runner| {
        reggan_core::render(&circles, seed, indices, size, pixels, scores, runner)
    })
}

/// Images to read, of any pixel type that is served: (height, width), (n, height, width) or (n, 1, height,
/// width); volumes (depth, height, width) or (n, depth, height, width).
enum ImageArray<'py> {
    Float64(PyReadonlyArrayDyn<'py, f64>),
    Float32(PyReadonlyArrayDyn<'py, f32>),
    Float16(PyReadonlyArrayDyn<'py, f16>),
    Uint8(PyReadonlyArrayDyn<'py, u8>),
    Bool(PyReadonlyArrayDyn<'py, u8>),
    /// Rows of bits, their width in pixels, and their order: given as a tuple.
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
            (b'f', 8) => array.extract().map(Self::Float64),
            (b'f', 4) => array.extract().map(Self::Float32),
            (b'f', 2) => array.extract().map(Self::Float16),
            (b'u', 1) => array.extract().map(Self::Uint8),
            (b'b', 1) => as_bytes(&array)?.extract().map(Self::Bool),
            _ => Err(PyTypeError::new_err(format!("images of dtype {given} are not served"))),
        }
    }
}

impl ImageArray<'_> {
    fn view(&self, options: &Options) -> PyResult<Images<'_>> {
        fn batch<'a, T: Element>(
            array: &'a PyReadonlyArrayDyn<'_, T>,
            options: &Options,
        ) -> PyResult<Batch<'a, T>> {
            Batch::volumes(volumes(array, options.spatial())?).map_err(to_python)
        }
        Ok(match self {
            Self::Float64(array) => Images::Float64(batch(array, options)?),
            Self::Float32(array) => Images::Float32(batch(array, options)?),
            Self::Float16(array) => Images::Float16(batch(array, options)?),
            Self::Uint8(array) => Images::Uint8(batch(array, options)?),
            Self::Bool(array) => Images::Bool(batch(array, options)?),
            Self::Packed(array, width, order) => {
                let packed = PackedBatch::new(batch(array, options)?, *width, *order);
                Images::Packed(packed.map_err(to_python)?)
            }
        })
    }
}

/// (n, depth, height, width), whichever of these axes the array lacks.
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
        PyValueError::new_err(format!("images of shape {:?} do not fit the connectivity", array.shape()))
    })
}

/// Where a measure goes.
enum Column<'py> {
    Float32(PyReadwriteArrayDyn<'py, f32>, fn(&Measures) -> f32),
    Int64(PyReadwriteArrayDyn<'py, i64>, fn(&Measures) -> i64),
    Bbox(PyReadwriteArrayDyn<'py, i32>),
    Centroid(PyReadwriteArrayDyn<'py, f64>),
}

/// The memory of a column.
enum Values<'a> {
    Float32(&'a mut [f32], fn(&Measures) -> f32),
    Int64(&'a mut [i64], fn(&Measures) -> i64),
    Bbox(&'a mut [i32]),
    Centroid(&'a mut [f64]),
}

impl<'py> Column<'py> {
    fn of(name: &str, array: &Bound<'py, PyAny>) -> PyResult<(Fields, Self)> {
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
            _ => return Err(PyValueError::new_err(format!("there is no measure {name:?}"))),
        })
    }

    fn values(&mut self, count: usize, axes: usize) -> PyResult<Values<'_>> {
        fn sized<'a, T: Element>(
            array: &'a mut PyReadwriteArrayDyn<'_, T>,
            wanted: usize,
        ) -> PyResult<&'a mut [T]> {
            let values = array.as_slice_mut()?;
            if values.len() == wanted {
                return Ok(values);
            }
            Err(PyValueError::new_err(format!("{wanted} values for an array of {}", values.len())))
        }
        Ok(match self {
            Self::Float32(array, measure) => Values::Float32(sized(array, count)?, *measure),
            Self::Int64(array, measure) => Values::Int64(sized(array, count)?, *measure),
            Self::Bbox(array) => Values::Bbox(sized(array, count * 2 * axes)?),
            Self::Centroid(array) => Values::Centroid(sized(array, count * axes)?),
        })
    }
}

impl Values<'_> {
    /// Writes the measures of images from number `start` on. Of a place in a volume, images have the last two
    /// axes.
    fn write(&mut self, start: usize, measures: &[Measures], axes: usize) {
        fn fill<T>(column: &mut [T], measures: &[Measures], mut measure: impl FnMut(&Measures) -> T) {
            column.iter_mut().zip(measures).for_each(|(value, m)| *value = measure(m));
        }
        match self {
            Self::Float32(column, measure) => fill(&mut column[start..], measures, measure),
            Self::Int64(column, measure) => fill(&mut column[start..], measures, measure),
            Self::Bbox(column) => {
                for (box_, m) in column[start * 2 * axes..].chunks_exact_mut(2 * axes).zip(measures) {
                    let (low, high) = box_.split_at_mut(axes);
                    fill_place(low, &m.bbox[..3]);
                    fill_place(high, &m.bbox[3..]);
                }
            }
            Self::Centroid(column) => {
                for (place, m) in column[start * axes..].chunks_exact_mut(axes).zip(measures) {
                    place.copy_from_slice(&m.centroid[3 - axes..]);
                }
            }
        }
    }
}

fn fill_place(out: &mut [i32], place: &[u32]) {
    let skipped = place.len() - out.len();
    out.iter_mut().zip(&place[skipped..]).for_each(|(out, &side)| *out = side as i32);
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
