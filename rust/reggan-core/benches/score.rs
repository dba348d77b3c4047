//! Benchmarks of scoring on one thread: images of discs, and noise with 50 % ink, as bytes and as floats.
//!
//! A process uses one instruction set, which the environment variable `REGGAN_SIMD` selects. If the variable
//! is not set, the program runs itself once for each instruction set that the machine supports.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::env;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use ndarray::ArrayView3;
use reggan_core::{
    Batch, Border, Circles, Images, Level, Options, Pixels, Renderer, Runner, SIMD_VARIABLE, Size, Stream,
    render, score,
};

/// Pixels in a batch: 4 MiB as bytes, 16 MiB as floats.
const PIXELS: usize = 1 << 22;
const SIDES: [usize; 2] = [64, 512];

fn runner() -> Runner<'static> {
    Runner::new(NonZeroUsize::new(1), &|| false)
}

fn discs(side: usize) -> Vec<u8> {
    let circles =
        Circles::new((11, 18), (2.0, 7.0), (0.5, 2.5), (0.0, 0.0), false, Border::Paper).expect("valid");
    let indices: Vec<u64> = (0..(PIXELS / (side * side)) as u64).collect();
    let mut pixels = vec![0; PIXELS];
    let size = Size { depth: 1, height: side, width: side };
    render(&Renderer::Circles(circles), 0, &indices, size, Pixels::Uint8(&mut pixels), None, &runner())
        .expect("images");
    pixels
}

fn noise() -> Vec<u8> {
    let mut stream = Stream::new(0, 0, 0);
    (0..PIXELS).map(|_| if stream.integer((0, 1)) == 0 { 0 } else { 255 }).collect()
}

fn bench_scores(criterion: &mut Criterion) {
    let level = Level::chosen().expect("the environment names an instruction set");
    let mut group = criterion.benchmark_group(format!("score/{}", level.name()));
    group.sampling_mode(SamplingMode::Flat);
    for side in SIDES {
        for (kind, bytes) in [("discs", discs(side)), ("noise", noise())] {
            let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let shape = (PIXELS / (side * side), side, side);
            let bytes = Batch::new(ArrayView3::from_shape(shape, &bytes).expect("shape")).expect("batch");
            let floats = Batch::new(ArrayView3::from_shape(shape, &floats).expect("shape")).expect("batch");
            bench(&mut group, &format!("{kind}/uint8"), side, Images::Uint8(bytes));
            bench(&mut group, &format!("{kind}/float32"), side, Images::Float32(floats));
        }
    }
    group.finish();
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, side: usize, images: Images<'_>) {
    let options = Options::default();
    let count = PIXELS / (side * side);
    let mut scores = vec![0.0; count];
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::new(name, side), |bencher| {
        bencher
            .iter(|| score(black_box(images), options, black_box(&mut scores), &runner()).expect("scores"));
    });
}

fn main() {
    if env::var_os(SIMD_VARIABLE).is_some() {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        bench_scores(&mut criterion);
        criterion.final_summary();
        return;
    }
    let program = env::current_exe().expect("the program's own path");
    for level in Level::available() {
        let mut command = Command::new(&program);
        let status = command.args(env::args_os().skip(1)).env(SIMD_VARIABLE, level.name()).status();
        assert!(status.expect("the program runs").success(), "the bench of {} failed", level.name());
    }
}
