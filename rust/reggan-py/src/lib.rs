//! `reggan._core`: converts arrays and errors, and lets go of the interpreter while a kernel runs.

mod arrays;
mod columns;

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use arrays::{
    BlurArrays, ImageArray, PixelArray, WriteArray1, WriteArray2, WriteArray3, WriteArrayDyn, as_bytes,
};
use columns::Column;
use ndarray::{ArrayView1, s};
use numpy::{PyReadonlyArray1, PyUntypedArray};
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use reggan_core::{
    BinaryBlobs, Border, Circles, Connectivity, Error, Fields, Foreground, Level, PixelType, Pixels,
    Polygons, Runner, Scene, Side, Size, Spheres,
};

/// The kernels of reggan. Their callers, `reggan.scoring` and `reggan.rendering`, check and convert the
/// arguments.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        Options, Renderer, analyze, gaussian_blur, label, largest_component, largest_components,
        remove_small, score, simd_info,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::watch_forks(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MAX_SIDE", reggan_core::MAX_SIDE)?;
        module.add("STREAM_VERSION", reggan_core::STREAM_VERSION)
    }
}

/// Has the threads of a forked child started anew: they are not in it, but the pool is, and the child's process id may
/// be that of its parent if it is in another namespace.
fn watch_forks(py: Python<'_>) -> PyResult<()> {
    // Systems without fork have no hook for it.
    if let Some(register) = py.import("os")?.getattr_opt("register_at_fork")? {
        let hooks = PyDict::new(py);
        hooks.set_item("after_in_child", wrap_pyfunction!(forked, py)?)?;
        register.call((), Some(&hooks))?;
    }
    Ok(())
}

#[pyfunction]
fn forked() {
    reggan_core::forked();
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
    mut scores: WriteArrayDyn<'_, f32>,
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
    mut labels: WriteArrayDyn<'_, i32>,
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
    let mut mask: WriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options.spatial())?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::largest_component(images, options.sought, mask, runner))
}

/// Writes into `ranks`, for each pixel of the `most` largest components, which largest its component is.
#[pyfunction]
fn largest_components(
    py: Python<'_>,
    most: usize,
    images: ImageArray<'_>,
    mut ranks: WriteArrayDyn<'_, i32>,
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
    let mut mask: WriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options.spatial())?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::remove_small(images, options.sought, min_area, mask, runner)
    })
}

/// Blurs image i of `images` by `sigmas[i]` into `blurred`, of the same shape (n, height, width) and type.
#[pyfunction]
fn gaussian_blur(
    py: Python<'_>,
    images: &Bound<'_, PyUntypedArray>,
    blurred: &Bound<'_, PyUntypedArray>,
    sigmas: PyReadonlyArray1<'_, f64>,
    border: &str,
    outside: f32,
    threads: Option<usize>,
) -> PyResult<()> {
    let mut arrays = BlurArrays::of(images, blurred)?;
    let (size, sigmas, border) = (arrays.size()?, sigmas.as_slice()?, border_of(border)?);
    let blur = arrays.blur()?;
    run(py, checked(threads)?, |runner| {
        reggan_core::gaussian_blur(blur, size, sigmas, border, outside, runner)
    })
}

fn border_of(name: &str) -> PyResult<Border> {
    match name {
        "paper" => Ok(Border::Paper),
        "reflect" => Ok(Border::Reflect),
        "periodic" => Ok(Border::Periodic),
        _ => Err(PyValueError::new_err(format!(
            "border {name:?} is not \"paper\", \"reflect\" or \"periodic\""
        ))),
    }
}

/// What is drawn.
#[pyclass(frozen, module = "reggan._core")]
struct Renderer(reggan_core::Renderer);

/// Depth, height, width.
type Sides = (usize, usize, usize);

fn size_of((depth, height, width): Sides) -> Size {
    Size { depth, height, width }
}

#[pymethods]
impl Renderer {
    #[staticmethod]
    fn binary_blobs(
        count: (u32, u32),
        threshold: f64,
        dark: bool,
        reduced: usize,
        border: &str,
    ) -> PyResult<Self> {
        let blobs = BinaryBlobs::new(count, threshold, dark, reduced, border_of(border)?);
        Ok(Self(reggan_core::Renderer::BinaryBlobs(blobs.map_err(to_python)?)))
    }

    #[staticmethod]
    fn circles(
        count: (u32, u32),
        radius: (f64, f64),
        blur: (f64, f64),
        clustering: (f64, f64),
        antialias: bool,
        border: &str,
    ) -> PyResult<Self> {
        let circles = Circles::new(count, radius, blur, clustering, antialias, border_of(border)?);
        Ok(Self(reggan_core::Renderer::Circles(circles.map_err(to_python)?)))
    }

    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "one for each field of the spec")]
    fn polygons(
        count: (u32, u32),
        irregularity: f64,
        vertices: u32,
        smoothing: f64,
        boxes: f64,
        distance: f64,
        margin: f64,
        color: bool,
    ) -> PyResult<Self> {
        let polygons =
            Polygons::new(count, irregularity, vertices, smoothing, boxes, distance, margin, color);
        Ok(Self(reggan_core::Renderer::Polygons(polygons.map_err(to_python)?)))
    }

    #[staticmethod]
    fn spheres(count: (u32, u32), radius: (f64, f64), blur: (f64, f64), border: &str) -> PyResult<Self> {
        let spheres = Spheres::new(count, radius, blur, border_of(border)?).map_err(to_python)?;
        Ok(Self(reggan_core::Renderer::Spheres(spheres)))
    }

    /// Planes of an image: 1, or 3 if it is RGB.
    #[getter]
    fn planes(&self) -> usize {
        self.0.planes()
    }

    /// The most shapes that an image has.
    fn most_shapes(&self, size: Sides) -> usize {
        self.0.most_shapes(size_of(size))
    }

    /// Bytes of working memory that a thread needs at least to draw an image.
    fn scratch(&self, size: Sides) -> usize {
        self.0.scratch(size_of(size))
    }

    /// Draws the images `indices` of `seed` into `images`, an array of uint8 or float32, and their scores into
    /// `scores`.
    #[expect(clippy::too_many_arguments, reason = "which images, and where they and their scores go")]
    fn render(
        &self,
        py: Python<'_>,
        seed: u64,
        indices: PyReadonlyArray1<'_, u64>,
        size: Sides,
        mut images: PixelArray<'_>,
        mut scores: Option<WriteArray1<'_, f32>>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let (indices, size) = (indices.as_slice()?, size_of(size));
        let pixels = images.pixels()?;
        let scores = scores.as_mut().map(|scores| scores.as_slice_mut()).transpose()?;
        run(py, checked(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }

    /// Writes the scores that the images `indices` of `seed` have as uint8 or as float32; the images are not kept.
    #[expect(clippy::too_many_arguments, reason = "which images, and where their scores go")]
    fn scores(
        &self,
        py: Python<'_>,
        seed: u64,
        indices: PyReadonlyArray1<'_, u64>,
        size: Sides,
        float32: bool,
        mut scores: WriteArray1<'_, f32>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let (indices, size) = (indices.as_slice()?, size_of(size));
        let pixels = if float32 { Pixels::NoFloat32 } else { Pixels::NoUint8 };
        let scores = Some(scores.as_slice_mut()?);
        run(py, checked(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }

    /// Writes what the images `indices` of `seed` are drawn from: for each its number of shapes and its sigma, and for
    /// each of at most as many shapes as there is room for its center, its radius and its color. What lies beyond the
    /// number of shapes is left as it is.
    #[expect(clippy::too_many_arguments, reason = "which images, and where the parts of their scenes go")]
    fn scenes(
        &self,
        py: Python<'_>,
        seed: u64,
        indices: PyReadonlyArray1<'_, u64>,
        size: Sides,
        mut counts: WriteArray1<'_, i64>,
        mut sigmas: WriteArray1<'_, f64>,
        mut centers: WriteArray3<'_, f64>,
        mut radii: WriteArray2<'_, f64>,
        mut colors: WriteArray3<'_, f32>,
        threads: Option<usize>,
    ) -> PyResult<()> {
        let indices = indices.as_slice()?;
        let (mut counts, mut sigmas) = (counts.as_array_mut(), sigmas.as_array_mut());
        let (mut centers, mut radii) = (centers.as_array_mut(), radii.as_array_mut());
        let mut colors = colors.as_array_mut();
        let write = |start: usize, scenes: &[Scene]| {
            for (image, scene) in (start..).zip(scenes) {
                counts[image] = scene.shapes.len() as i64;
                sigmas[image] = scene.sigma;
                for (number, shape) in scene.shapes.iter().enumerate() {
                    let place = s![image, number, ..];
                    centers.slice_mut(place).assign(&ArrayView1::from(&shape.center));
                    colors.slice_mut(place).assign(&ArrayView1::from(&shape.color));
                    radii[[image, number]] = shape.radius;
                }
            }
        };
        run(py, checked(threads)?, |runner| {
            reggan_core::scenes(&self.0, seed, indices, size_of(size), runner, write)
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
        Error::OutOfMemory { .. } => PyMemoryError::new_err(text),
        Error::Threads(_) => PyRuntimeError::new_err(text),
    }
}
