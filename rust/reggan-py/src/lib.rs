//! `reggan._core`: converts arrays and errors, and releases the interpreter while a kernel runs.

mod arrays;
mod columns;

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use arrays::{
    BlurArrays, ImageArray, PixelArray, RepairArrays, WriteArray1, WriteArray2, WriteArray3, WriteArrayDyn,
    as_bytes,
};
use columns::Column;
use ndarray::{ArrayView1, s};
use numpy::{PyReadonlyArray1, PyReadonlyArray3, PyUntypedArray};
use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use reggan_core::{
    BinaryBlobs, Border, Circles, Connectivity, Counted, Effort, Error, Fields, Foreground, Grays, Layer,
    Level, Method, PixelType, Pixels, Polygons, Runner, Scene, Side, Size, Spheres, Term,
};

/// The kernels of reggan. Their callers, `reggan.scoring` and `reggan.rendering`, check and convert the
/// arguments.
#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        Options, Renderer, Searches, analyze, betti, gaussian_blur, geodesic_diameter, geodesic_distance,
        label, largest_component, largest_components, minimum_width, narrow_pixels, open_layer, remove_small,
        repair_by_search, repair_connected, score, short_runs, simd_info, spans,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::watch_forks(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("BETTI_NUMBERS", reggan_core::BETTI_NUMBERS)?;
        module.add("MAX_DIAMETER", reggan_core::MAX_DIAMETER)?;
        module.add("MAX_SIDE", reggan_core::MAX_SIDE)?;
        module.add("STREAM_VERSION", reggan_core::STREAM_VERSION)
    }
}

/// Makes forked children start their own threads. A child inherits the thread pool, but not its threads, and
/// may have the process id of its parent if it is in another namespace.
fn watch_forks(py: Python<'_>) -> PyResult<()> {
    // Systems without fork have no such hook.
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

/// The name of the instruction set in use, and the names of all that this machine supports, from the slowest
/// to the fastest.
#[pyfunction]
fn simd_info() -> PyResult<(&'static str, Vec<&'static str>)> {
    let available = Level::available().into_iter().map(Level::name).collect();
    Ok((Level::chosen().map_err(to_python)?.name(), available))
}

/// What to find in images, and the number of threads; None uses all cores.
#[pyclass(frozen, module = "reggan._core")]
struct Options {
    inner: reggan_core::Options,
    threads: Option<NonZeroUsize>,
}

#[pymethods]
impl Options {
    #[new]
    #[pyo3(signature = (threshold, foreground, connectivity, threads, *, periodic=false))]
    fn new(
        threshold: f64,
        foreground: &str,
        connectivity: u32,
        threads: Option<usize>,
        periodic: bool,
    ) -> PyResult<Self> {
        let side = match foreground {
            "dark" => Side::Dark,
            "light" => Side::Light,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "foreground {foreground:?} is not \"dark\" or \"light\""
                )));
            }
        };
        let connectivity = connectivity_of(connectivity)?;
        let foreground = Foreground::new(side, threshold).map_err(to_python)?;
        let inner = reggan_core::Options { foreground, connectivity, periodic };
        Ok(Self { inner, threads: check_threads(threads)? })
    }

    /// Whether the connectivity is one of volumes.
    #[getter]
    fn spatial(&self) -> bool {
        self.inner.connectivity.is_spatial()
    }

    /// (limit, negate): a pixel of this type is foreground if `(pixel <= limit) != negate`. The limit is a
    /// value of the type. A bool is compared as its byte in memory.
    fn limit(&self, dtype: &str) -> PyResult<(f64, bool)> {
        let pixels = match dtype {
            "float64" => PixelType::Float64,
            "float32" => PixelType::Float32,
            "float16" => PixelType::Float16,
            "uint8" => PixelType::Uint8,
            "bool" => PixelType::Bool,
            _ => return Err(PyTypeError::new_err(format!("images of dtype {dtype} are not supported"))),
        };
        Ok(self.inner.foreground.limit(pixels))
    }

    /// The same options for bits whose ones are foreground.
    fn of_bits(&self) -> PyResult<Self> {
        let foreground = Foreground::new(Side::Light, 0.5).map_err(to_python)?;
        let inner = reggan_core::Options { foreground, ..self.inner };
        Ok(Self { inner, threads: self.threads })
    }
}

/// Writes the score of every image to `scores`.
#[pyfunction]
fn score(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut scores: WriteArrayDyn<'_, f32>,
    options: &Options,
) -> PyResult<()> {
    let (images, scores) = (images.view(options.spatial())?, scores.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::score(images, options.inner, scores, runner))
}

/// Writes measures of every image to the arrays in `measures`, by their names.
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
        reggan_core::analyze(images, options.inner, fields, runner, |start, measures| {
            writers.iter_mut().for_each(|write| write(start, measures));
        })
    })
}

/// Writes the numbers of components and holes of every image to `numbers`, and how many are smaller than `min_area`.
#[pyfunction]
fn betti(
    py: Python<'_>,
    min_area: u64,
    images: ImageArray<'_>,
    mut numbers: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, numbers) = (images.view(options.spatial())?, numbers.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::betti(images, options.inner, min_area, numbers, runner))
}

/// Writes the component number of every pixel to `labels`.
#[pyfunction]
fn label(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut labels: WriteArrayDyn<'_, i32>,
    options: &Options,
) -> PyResult<()> {
    let (images, labels) = (images.view(options.spatial())?, labels.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::label(images, options.inner, labels, runner))
}

/// Writes to `mask`, an array of bool, which pixels are in the largest component.
#[pyfunction]
fn largest_component(
    py: Python<'_>,
    images: ImageArray<'_>,
    mask: &Bound<'_, PyUntypedArray>,
    options: &Options,
) -> PyResult<()> {
    let mut mask: WriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask) = (images.view(options.spatial())?, mask.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::largest_component(images, options.inner, mask, runner))
}

/// Writes to `ranks` the rank by area, from 1, of each pixel's component if it is one of the `most` largest,
/// else 0.
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
        reggan_core::largest_components(images, options.inner, most, ranks, runner)
    })
}

/// Writes to `mask`, an array of bool, which pixels are in a component of at least `min_area` pixels.
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
        reggan_core::remove_small(images, options.inner, min_area, mask, runner)
    })
}

/// Writes to `repaired`, of the shape and dtype of the images, their repaired copies, and to `changed` how many
/// pixels of each image changed between ink and paper. `method` is "erase", "slide", or "bridge" with a width.
#[pyfunction]
fn repair_connected(
    py: Python<'_>,
    images: ImageArray<'_>,
    repaired: &Bound<'_, PyUntypedArray>,
    mut changed: WriteArrayDyn<'_, i32>,
    method: &str,
    width: usize,
    options: &Options,
) -> PyResult<()> {
    let method = match method {
        "erase" => Method::Erase,
        "slide" => Method::Slide,
        "bridge" => Method::Bridge { width },
        _ => {
            return Err(PyValueError::new_err(format!(
                "method {method:?} is not \"erase\", \"slide\" or \"bridge\""
            )));
        }
    };
    let mut arrays = RepairArrays::of(&images, repaired)?;
    let (repair, changed) = (arrays.repair()?, changed.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::repair_connected(repair, options.inner, method, changed, runner)
    })
}

/// Writes for every image how many pixels of layers, true for the background, their openings by a disc remove.
#[pyfunction]
fn narrow_pixels(
    py: Python<'_>,
    diameter: usize,
    layers: Vec<bool>,
    periodic: bool,
    images: ImageArray<'_>,
    mut counts: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, counts) = (images.view(options.spatial())?, counts.as_slice_mut()?);
    let layers: Vec<_> = layers.into_iter().map(layer_of).collect();
    run(py, options.threads, |runner| {
        reggan_core::narrow_pixels(images, options.inner, diameter, &layers, periodic, counts, runner)
    })
}

/// Replaces `distances`, 0 at pixels to start from and -1 elsewhere, by the steps to each pixel through the foreground.
#[pyfunction]
fn geodesic_distance(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut distances: WriteArrayDyn<'_, i32>,
    options: &Options,
) -> PyResult<()> {
    let (images, distances) = (images.view(options.spatial())?, distances.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::geodesic_distance(images, options.inner, distances, runner)
    })
}

/// Writes for every image the most steps of a shortest path between two pixels of a component.
#[pyfunction]
fn geodesic_diameter(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut diameters: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, diameters) = (images.view(options.spatial())?, diameters.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::geodesic_diameter(images, options.inner, diameters, runner)
    })
}

/// Writes for every image the most rows and the most columns that a component spans.
#[pyfunction]
fn spans(
    py: Python<'_>,
    images: ImageArray<'_>,
    mut spans: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, spans) = (images.view(options.spatial())?, spans.as_slice_mut()?);
    run(py, options.threads, |runner| reggan_core::spans(images, options.inner, spans, runner))
}

/// Writes to `mask`, an array of bool, the foreground after an opening of the foreground or of the background.
#[pyfunction]
fn open_layer(
    py: Python<'_>,
    diameter: usize,
    background: bool,
    periodic: bool,
    images: ImageArray<'_>,
    mask: &Bound<'_, PyUntypedArray>,
    options: &Options,
) -> PyResult<()> {
    let mut mask: WriteArrayDyn<'_, u8> = as_bytes(mask)?.extract()?;
    let (images, mask, layer) = (images.view(options.spatial())?, mask.as_slice_mut()?, layer_of(background));
    run(py, options.threads, |runner| {
        reggan_core::open_layer(images, options.inner, diameter, layer, periodic, mask, runner)
    })
}

/// Writes for every image the largest diameter such that no disc up to it removes a pixel of the layer.
#[pyfunction]
fn minimum_width(
    py: Python<'_>,
    background: bool,
    periodic: bool,
    images: ImageArray<'_>,
    mut widths: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, widths, layer) =
        (images.view(options.spatial())?, widths.as_slice_mut()?, layer_of(background));
    run(py, options.threads, |runner| {
        reggan_core::minimum_width(images, options.inner, layer, periodic, widths, runner)
    })
}

/// Writes for every image how many runs of foreground and of background are shorter than these lengths.
#[pyfunction]
fn short_runs(
    py: Python<'_>,
    lengths: [usize; 2],
    periodic: bool,
    images: ImageArray<'_>,
    mut counts: WriteArrayDyn<'_, i64>,
    options: &Options,
) -> PyResult<()> {
    let (images, counts) = (images.view(options.spatial())?, counts.as_slice_mut()?);
    run(py, options.threads, |runner| {
        reggan_core::short_runs(images, options.inner, lengths, periodic, counts, runner)
    })
}

fn layer_of(background: bool) -> Layer {
    if background { Layer::Background } else { Layer::Foreground }
}

/// Repairs images for the product of terms, which are names with numbers, by search.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "the request and the outputs")]
fn repair_by_search(
    py: Python<'_>,
    images: PyReadonlyArray3<'_, u8>,
    repaired: &Bound<'_, PyUntypedArray>,
    mut changed: WriteArray1<'_, i32>,
    terms: Vec<(String, Vec<f64>)>,
    threshold: f64,
    effort: (u64, u32),
    threads: Option<usize>,
) -> PyResult<()> {
    let mut repaired: WriteArrayDyn<'_, u8> = repaired.extract()?;
    let (repaired, changed) = (repaired.as_slice_mut()?, changed.as_slice_mut()?);
    let (images, terms, foreground, effort) = search_of(&images, &terms, threshold, effort)?;
    run(py, check_threads(threads)?, |runner| {
        reggan_core::repair_by_search(images, &terms, foreground, effort, repaired, changed, runner)
    })
}

/// Searches side by side, whose proposals the caller scores.
#[pyclass(module = "reggan._core")]
struct Searches {
    inner: reggan_core::Searches,
    threads: Option<NonZeroUsize>,
}

#[pymethods]
impl Searches {
    #[new]
    fn new(
        images: PyReadonlyArray3<'_, u8>,
        terms: Vec<(String, Vec<f64>)>,
        threshold: f64,
        effort: (u64, u32),
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let (images, terms, foreground, effort) = search_of(&images, &terms, threshold, effort)?;
        let inner = reggan_core::Searches::new(images, &terms, foreground, effort).map_err(to_python)?;
        Ok(Self { inner, threads: check_threads(threads)? })
    }

    /// Writes the next proposals to `images`, and to `active` which of them are new.
    fn propose(
        &mut self,
        py: Python<'_>,
        mut images: WriteArray3<'_, u8>,
        mut active: WriteArray1<'_, u8>,
    ) -> PyResult<()> {
        let (images, active) = (images.as_slice_mut()?, active.as_slice_mut()?);
        let (inner, threads) = (&mut self.inner, self.threads);
        run(py, threads, |runner| inner.propose(images, active, runner))
    }

    /// Takes the scores of the active proposals.
    fn judge(&mut self, active: PyReadonlyArray1<'_, u8>, scores: PyReadonlyArray1<'_, f32>) -> PyResult<()> {
        self.inner.judge(active.as_slice()?, scores.as_slice()?).map_err(to_python)
    }

    /// Writes the results, and how many pixels changed.
    fn finish(
        &self,
        py: Python<'_>,
        mut images: WriteArray3<'_, u8>,
        mut changed: WriteArray1<'_, i32>,
    ) -> PyResult<()> {
        let (images, changed) = (images.as_slice_mut()?, changed.as_slice_mut()?);
        run(py, self.threads, |runner| self.inner.finish(images, changed, runner))
    }
}

/// The arguments of a search, for the core.
fn search_of<'a>(
    images: &'a PyReadonlyArray3<'_, u8>,
    terms: &[(String, Vec<f64>)],
    threshold: f64,
    (seed, budget): (u64, u32),
) -> PyResult<(Grays<'a>, Vec<Term>, Foreground, Effort)> {
    let (_, height, width) = images.as_array().dim();
    let images = Grays { pixels: images.as_slice()?, height, width };
    let terms = terms.iter().map(term_of).collect::<PyResult<_>>()?;
    let foreground = Foreground::new(Side::Dark, threshold).map_err(to_python)?;
    Ok((images, terms, foreground, Effort { seed, budget }))
}

fn term_of((name, numbers): &(String, Vec<f64>)) -> PyResult<Term> {
    let unknown =
        || PyValueError::new_err(format!("{name:?} with {} numbers is not a known term", numbers.len()));
    let counted = || match numbers[..] {
        [fewest, most, least_area, connectivity] => Ok(Counted {
            fewest: fewest as u64,
            most: most as u64,
            least_area: least_area as u64,
            connectivity: connectivity_of(connectivity as u32)?,
        }),
        _ => Err(unknown()),
    };
    let wide =
        |layer, diameter, periodic| Term::wide(layer, diameter as usize, periodic != 0.0).map_err(to_python);
    Ok(match (name.as_str(), &numbers[..]) {
        ("connected", &[connectivity]) => Term::Connected(connectivity_of(connectivity as u32)?),
        ("solid", &[connectivity]) => Term::Solid(connectivity_of(connectivity as u32)?),
        ("ink", &[least, most]) => Term::Ink { least: least as u64, most: most as u64 },
        ("symmetric", &[overlap]) => Term::Symmetric(overlap),
        ("torus", &[connectivity, winds]) => {
            Term::Torus { connectivity: connectivity_of(connectivity as u32)?, winds: winds != 0.0 }
        }
        ("bridge", &[diameter, periodic]) => wide(Layer::Foreground, diameter, periodic)?,
        ("slot", &[diameter, periodic]) => wide(Layer::Background, diameter, periodic)?,
        ("pieces", _) => Term::Pieces(counted()?),
        ("holes", _) => Term::Holes(counted()?),
        ("path", &[length, connectivity]) => Term::Path(length as u64, connectivity_of(connectivity as u32)?),
        _ => return Err(unknown()),
    })
}

fn connectivity_of(number: u32) -> PyResult<Connectivity> {
    Ok(match number {
        4 => Connectivity::Four,
        8 => Connectivity::Eight,
        6 => Connectivity::Six,
        18 => Connectivity::Eighteen,
        26 => Connectivity::TwentySix,
        _ => return Err(PyValueError::new_err(format!("connectivity {number} is not 4, 8, 6, 18 or 26"))),
    })
}

/// Blurs image i of `images` by `sigmas[i]` into `blurred`, which has the same shape (n, height, width) and
/// dtype.
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
    run(py, check_threads(threads)?, |runner| {
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

/// A family of images.
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
    #[expect(clippy::too_many_arguments, reason = "one for each field of the Python class")]
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

    /// The most shapes in an image of this size.
    fn most_shapes(&self, size: Sides) -> usize {
        self.0.most_shapes(size_of(size))
    }

    /// A lower bound on the working memory in bytes that a thread needs to draw an image of this size.
    fn scratch(&self, size: Sides) -> usize {
        self.0.scratch(size_of(size))
    }

    /// Draws the images `indices` of `seed` into `images`, an array of uint8 or float32, and writes their
    /// scores to `scores`.
    #[expect(clippy::too_many_arguments, reason = "the request and the outputs")]
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
        run(py, check_threads(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }

    /// Writes the scores of the images `indices` of `seed` as uint8 or float32, and discards the images.
    #[expect(clippy::too_many_arguments, reason = "the request and the outputs")]
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
        run(py, check_threads(threads)?, |runner| {
            reggan_core::render(&self.0, seed, indices, size, pixels, scores, runner)
        })
    }

    /// Writes the scenes of the images `indices` of `seed`: the number of shapes and the sigma of each image,
    /// and the center, radius and color of each shape. `centers`, `radii` and `colors` must have room for all
    /// shapes; the rest of them is left unchanged.
    #[expect(clippy::too_many_arguments, reason = "the request and the outputs")]
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
        run(py, check_threads(threads)?, |runner| {
            reggan_core::scenes(&self.0, seed, indices, size_of(size), runner, write)
        })
    }
}

fn check_threads(threads: Option<usize>) -> PyResult<Option<NonZeroUsize>> {
    let zero = || PyValueError::new_err("threads is 0, but must be at least 1");
    threads.map(|threads| NonZeroUsize::new(threads).ok_or_else(zero)).transpose()
}

/// Runs a kernel without holding the interpreter. An exception from a signal handler ends the call.
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
