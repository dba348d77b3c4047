//! Compares rendered images with a naive drawing in `f64`, and checks that they depend only on seed, index
//! and size.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::num::NonZeroUsize;

use ndarray::ArrayView3;
use reggan_core::{
    Batch, BinaryBlobs, Border, Circles, Error, Images, Options, Pixels, Polygons, Renderer, Runner, Size,
    Spheres, Stream, render, score,
};

fn circles(radius: (f64, f64), blur: (f64, f64), clustering: (f64, f64)) -> Circles {
    Circles::new((1, 18), radius, blur, clustering, false, Border::Paper).expect("valid")
}

fn floats(circles: &Circles, seed: u64, indices: &[u64], size: Size, threads: usize) -> Vec<f32> {
    let mut pixels = vec![f32::NAN; indices.len() * size.height * size.width];
    let runner = Runner::new(NonZeroUsize::new(threads), &|| false);
    render(&Renderer::Circles(*circles), seed, indices, size, Pixels::Float32(&mut pixels), None, &runner)
        .expect("images");
    pixels
}

/// Draws circles as the documentation of `Circles` specifies, one pixel and one weight at a time.
fn naive(
    radius: (f64, f64),
    blur: (f64, f64),
    clustering: (f64, f64),
    seed: u64,
    index: u64,
    Size { height, width, .. }: Size,
) -> Vec<f64> {
    let scale = height.min(width) as f64 / 64.0;
    let mut stream = Stream::new(seed, index, 0);
    let count = stream.integer((1, 18));
    let sigma = stream.uniform(blur) * scale;
    let probability = stream.uniform(clustering);
    let mut discs: Vec<(f64, f64, f64)> = Vec::new();
    for number in 0..count {
        let mut stream = Stream::new(seed, index, 1 + number);
        let r = stream.uniform(radius) * scale;
        let chance = stream.uniform01();
        let mut x = stream.uniform01() * width as f64;
        let mut y = stream.uniform01() * height as f64;
        if number > 0 && chance < probability {
            let (other_x, other_y, other_r) = discs[stream.integer((0, number - 1)) as usize];
            let angle = std::f64::consts::TAU * stream.uniform01();
            let distance = (other_r + r) * (0.8 + 0.2 * stream.uniform01());
            x = (other_x + distance * libm::cos(angle)).clamp(0.0, width as f64);
            y = (other_y + distance * libm::sin(angle)).clamp(0.0, height as f64);
        }
        let near =
            |x: f64, y: f64| discs.iter().any(|&(cx, cy, cr)| (x - cx).hypot(y - cy) <= cr + r + sigma);
        let mut tries = if chance < -probability { 16 } else { 0 };
        while tries > 0 && near(x, y) {
            (x, y) = (stream.uniform01() * width as f64, stream.uniform01() * height as f64);
            tries -= 1;
        }
        discs.push((x, y, r));
    }
    let mut ink = vec![0.0; height * width];
    for (i, pixel) in ink.iter_mut().enumerate() {
        let (y, x) = ((i / width) as f64 + 0.5, (i % width) as f64 + 0.5);
        let inside = |&(cx, cy, r): &(f64, f64, f64)| (x - cx) * (x - cx) + (y - cy) * (y - cy) <= r * r;
        *pixel = f64::from(u8::from(discs.iter().any(inside)));
    }
    let reach = (4.0 * sigma + 0.5).floor() as isize;
    let weights: Vec<f64> = (-reach..=reach)
        .map(|d| if d == 0 { 1.0 } else { (-0.5 * (d * d) as f64 / (sigma * sigma)).exp() })
        .collect();
    let sum: f64 = weights.iter().sum();
    let blur_along =
        |image: &[f64], length: usize, place: &dyn Fn(usize, isize) -> usize, at: &dyn Fn(usize) -> isize| {
            let pixel = |i: usize| {
                let taps = (-reach..=reach).filter(|d| (0..length as isize).contains(&(at(i) + d)));
                taps.map(|d| weights[(d + reach) as usize] / sum * image[place(i, at(i) + d)]).sum()
            };
            (0..image.len()).map(pixel).collect::<Vec<f64>>()
        };
    let columns = blur_along(&ink, height, &|i, y| y as usize * width + i % width, &|i| (i / width) as isize);
    let rows = blur_along(&columns, width, &|i, x| i / width * width + x as usize, &|i| (i % width) as isize);
    rows.into_iter().map(|ink| 1.0 - ink).collect()
}

#[test]
fn images_match_a_naive_drawing() {
    let sizes = [(64, 64), (1, 1), (1, 40), (33, 2), (65, 130), (48, 80), (4, 2100)]
        .map(|(height, width)| Size { depth: 1, height, width });
    let specs = [
        ((2.0, 7.0), (0.5, 2.5), (0.0, 0.0)),
        ((2.0, 7.0), (0.0, 0.0), (0.0, 1.0)),
        ((0.3, 40.0), (5.0, 64.0), (1.0, 1.0)),
        ((2.0, 7.0), (0.5, 2.5), (-1.0, 0.0)),
    ];
    for (seed, size) in (0..).zip(sizes) {
        for (radius, blur, clustering) in specs {
            for index in [0, 1, u64::MAX] {
                let pixels = floats(&circles(radius, blur, clustering), seed, &[index], size, 1);
                let expected = naive(radius, blur, clustering, seed, index, size);
                // Wide blurs may use a cosine series.
                let allowed = if blur.1 > 2.5 { 4e-5 } else { 2e-6 };
                for (pixel, expected) in pixels.iter().zip(&expected) {
                    assert!(
                        (f64::from(*pixel) - expected).abs() < allowed,
                        "{pixel} is not {expected} at {size:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn long_sums_stay_exact() {
    // A disc that covers everything, and a blur much wider than the height of the image.
    let size = Size { depth: 1, height: 700, width: 40 };
    let (radius, blur, clustering) = ((900.0, 1000.0), (64.0, 64.0), (0.0, 0.0));
    let pixels = floats(&circles(radius, blur, clustering), 5, &[9], size, 1);
    let expected = naive(radius, blur, clustering, 5, 9, size);
    for (pixel, expected) in pixels.iter().zip(&expected) {
        assert!((f64::from(*pixel) - expected).abs() < 2e-6, "{pixel} is not {expected}");
    }
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let size = Size { depth: 1, height: 40, width: 50 };
    let spec = circles((2.0, 7.0), (0.5, 2.5), (0.0, 1.0));
    let indices: Vec<u64> = (0..300).collect();
    let all = floats(&spec, 3, &indices, size, 1);
    assert_eq!(all, floats(&spec, 3, &indices, size, 2));
    assert_eq!(all, floats(&spec, 3, &indices, size, 7));
    for index in [0, 1, 150, 299] {
        let start = index as usize * 40 * 50;
        assert_eq!(all[start..start + 40 * 50], floats(&spec, 3, &[index], size, 1));
    }
    assert_ne!(all, floats(&spec, 4, &indices, size, 2));
}

#[test]
fn bytes_are_rounded_floats_and_scores_are_those_of_the_images() {
    let size = Size { depth: 1, height: 64, width: 64 };
    let spec = Circles::default();
    let indices: Vec<u64> = (1000..1200).collect();
    let exact = floats(&spec, 0, &indices, size, 2);
    let mut bytes = vec![0; exact.len()];
    let mut scores = vec![-1.0; 200];
    let runner = Runner::new(None, &|| false);
    render(
        &Renderer::Circles(spec),
        0,
        &indices,
        size,
        Pixels::Uint8(&mut bytes),
        Some(&mut scores),
        &runner,
    )
    .expect("images");
    for (byte, exact) in bytes.iter().zip(&exact) {
        assert!((f32::from(*byte) - 255.0 * exact).abs() < 0.501);
    }
    let view = ArrayView3::from_shape((200, 64, 64), &bytes).expect("200 images");
    let mut expected = vec![-1.0; 200];
    score(Images::Uint8(Batch::new(view).expect("valid")), Options::default(), &mut expected, &runner)
        .expect("scores");
    assert_eq!(scores, expected);
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
}

#[test]
fn ranges_are_checked() {
    let good = Circles::new((1, 65_536), (1e-300, 1e4), (0.0, 64.0), (-1.0, 1.0), false, Border::Paper);
    assert!(good.is_ok());
    for (count, radius, blur, clustering) in [
        ((0, 3), (1.0, 2.0), (0.0, 0.0), (0.0, 0.0)),
        ((4, 3), (1.0, 2.0), (0.0, 0.0), (0.0, 0.0)),
        ((1, 65_537), (1.0, 2.0), (0.0, 0.0), (0.0, 0.0)),
        ((1, 3), (0.0, 2.0), (0.0, 0.0), (0.0, 0.0)),
        ((1, 3), (1.0, f64::INFINITY), (0.0, 0.0), (0.0, 0.0)),
        ((1, 3), (1.0, f64::NAN), (0.0, 0.0), (0.0, 0.0)),
        ((1, 3), (1.0, 2.0), (-0.1, 0.0), (0.0, 0.0)),
        ((1, 3), (1.0, 2.0), (0.0, 64.1), (0.0, 0.0)),
        ((1, 3), (1.0, 2.0), (0.0, 0.0), (0.5, 0.4)),
        ((1, 3), (1.0, 2.0), (0.0, 0.0), (0.5, 1.1)),
        ((1, 3), (1.0, 2.0), (0.0, 0.0), (-1.1, 0.0)),
    ] {
        assert!(matches!(
            Circles::new(count, radius, blur, clustering, false, Border::Paper),
            Err(Error::Invalid(_))
        ));
    }
}

#[test]
fn buffers_of_a_wrong_size_are_rejected() {
    let runner = Runner::new(None, &|| false);
    let size = Size { depth: 1, height: 8, width: 8 };
    let spec = Circles::default();
    let mut pixels = [0; 65];
    let result = render(&Renderer::Circles(spec), 0, &[1], size, Pixels::Uint8(&mut pixels), None, &runner);
    assert!(matches!(result, Err(Error::Invalid(_))));
    let result = render(
        &Renderer::Circles(spec),
        0,
        &[1],
        size,
        Pixels::Uint8(&mut pixels[..64]),
        Some(&mut [0.0; 2]),
        &runner,
    );
    assert!(matches!(result, Err(Error::Invalid(_))));
    let flat = Size { depth: 1, height: 0, width: 8 };
    let result = render(&Renderer::Circles(spec), 0, &[], flat, Pixels::Uint8(&mut []), None, &runner);
    assert!(matches!(result, Err(Error::Invalid(_))));
}

#[test]
fn a_call_ends_when_interrupted() {
    let size = Size { depth: 1, height: 3000, width: 3000 };
    let spec =
        Circles::new((18, 18), (2.0, 7.0), (64.0, 64.0), (0.0, 0.0), false, Border::Paper).expect("valid");
    for threads in [1, 2] {
        let mut pixels = vec![0; 2 * 3000 * 3000];
        let asked = std::cell::Cell::new(0);
        let interrupt = || {
            asked.set(asked.get() + 1);
            asked.get() == 2
        };
        let runner = Runner::new(NonZeroUsize::new(threads), &interrupt);
        let result =
            render(&Renderer::Circles(spec), 0, &[0, 1], size, Pixels::Uint8(&mut pixels), None, &runner);
        assert_eq!(result, Err(Error::Interrupted));
        assert_eq!(asked.get(), 2);
    }
}

/// FNV-1a.
fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The bytes are the same on every machine. The Python tests check every instruction set of one machine.
#[test]
fn golden_bytes_of_every_renderer() {
    let (image, volume) =
        (Size { depth: 1, height: 48, width: 70 }, Size { depth: 20, height: 24, width: 70 });
    let (blur, still) = ((0.5, 2.5), (0.0, 0.0));
    let circles = |antialias, border| {
        Circles::new((11, 18), (2.0, 7.0), blur, (-0.5, 1.0), antialias, border).expect("valid")
    };
    let polygons = |color| Polygons::new((1, 9), 0.5, 200, 3.0, 7.0, 1.0, 1.0, color).expect("valid");
    let blobs = BinaryBlobs::new((11, 18), 0.6, false, 3, Border::Reflect).expect("valid");
    let spheres = Spheres::new((11, 18), (6.0, 14.0), blur, Border::Paper).expect("valid");
    let wide = Circles::new((11, 18), (2.0, 7.0), (30.0, 64.0), still, false, Border::Periodic);
    let cases = [
        (Renderer::Circles(circles(false, Border::Paper)), image),
        (Renderer::Circles(circles(true, Border::Reflect)), image),
        (Renderer::Circles(circles(false, Border::Periodic)), image),
        (Renderer::Circles(wide.expect("valid")), image),
        (Renderer::BinaryBlobs(blobs), image),
        (Renderer::Polygons(polygons(false)), image),
        (Renderer::Polygons(polygons(true)), image),
        (Renderer::Spheres(spheres), volume),
    ];
    let found = cases.map(|(renderer, size)| {
        let length = 9 * renderer.planes() * size.depth * size.height * size.width;
        let indices: Vec<u64> = (0..9).collect();
        let runner = Runner::new(None, &|| false);
        let (mut floats, mut bytes) = (vec![0.0_f32; length], vec![0; length]);
        render(&renderer, 5, &indices, size, Pixels::Float32(&mut floats), None, &runner).expect("images");
        render(&renderer, 5, &indices, size, Pixels::Uint8(&mut bytes), None, &runner).expect("images");
        digest(floats.iter().flat_map(|value| value.to_bits().to_le_bytes()).chain(bytes))
    });
    let expected: [u64; 8] = [
        0x4748_503e_1e06_4b2c,
        0x62ab_e116_cdfb_d2fe,
        0x7e28_a3d4_8060_946e,
        0x5de2_b816_ba30_a222,
        0x9ed1_493a_a8d3_59b6,
        0x6c5f_5edd_ff0d_d94e,
        0x3e42_6f67_06f2_d21d,
        0x812a_229c_5a14_dd9b,
    ];
    assert!(found == expected, "{found:#018x?}");
}
