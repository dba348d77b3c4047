//! Scores, labels and measures against a flood fill, on pictures that are hard and on random ones.

use ndarray::ArrayView3;
use proptest::prelude::*;
use reggan_core::{
    Batch, Connectivity, Error, Foreground, Images, Measures, Options, Runner, Side, analyze, label,
    largest_component, score,
};

/// A picture: rows of pixels that are foreground or not.
#[derive(Clone, Debug)]
struct Picture {
    width: usize,
    pixels: Vec<bool>,
}

impl Picture {
    fn of(art: &str) -> Self {
        let rows: Vec<&str> = art.split_whitespace().collect();
        let pixels = rows.iter().flat_map(|row| row.chars().map(|c| c == '#')).collect();
        Self { width: rows[0].len(), pixels }
    }

    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    fn transposed(&self) -> Self {
        let columns = 0..self.width;
        let pixels = columns.flat_map(|x| self.pixels.iter().skip(x).step_by(self.width).copied()).collect();
        Self { width: self.height(), pixels }
    }

    /// The oracle: the label of each pixel that is `value`, from 1 in raster order of first pixels, 0
    /// elsewhere.
    fn flood_fill(&self, value: bool, connectivity: Connectivity) -> Vec<i32> {
        let (width, height) = (self.width as isize, self.height() as isize);
        let mut labels = vec![0; self.pixels.len()];
        let mut last = 0;
        for first in 0..self.pixels.len() {
            let mut reached = Vec::new();
            if self.pixels[first] == value && labels[first] == 0 {
                last += 1;
                labels[first] = last;
                reached.push(first);
            }
            while let Some(pixel) = reached.pop() {
                let (y, x) = (pixel as isize / width, pixel as isize % width);
                for (dy, dx) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx))) {
                    let touches = connectivity == Connectivity::Eight || dy == 0 || dx == 0;
                    let (y, x) = (y + dy, x + dx);
                    if touches && (0..height).contains(&y) && (0..width).contains(&x) {
                        let other = (y * width + x) as usize;
                        if self.pixels[other] == value && labels[other] == 0 {
                            labels[other] = last;
                            reached.push(other);
                        }
                    }
                }
            }
        }
        labels
    }

    /// Components of the background that do not touch the border.
    fn holes(&self, connectivity: Connectivity) -> u32 {
        let dual = match connectivity {
            Connectivity::Four => Connectivity::Eight,
            Connectivity::Eight => Connectivity::Four,
        };
        let labels = self.flood_fill(false, dual);
        let (width, height) = (self.width, self.height());
        let on_border = |i: usize| {
            i < width || i >= width * (height - 1) || i.is_multiple_of(width) || i % width == width - 1
        };
        let mut outside: Vec<i32> =
            labels.iter().enumerate().filter(|(i, _)| on_border(*i)).map(|(_, label)| *label).collect();
        outside.push(0);
        outside.sort_unstable();
        outside.dedup();
        let all = labels.iter().max().map_or(0, |last| *last as usize);
        (all + 1 - outside.len()) as u32
    }
}

fn runner() -> Runner<'static> {
    Runner::new(None, &|| false)
}

/// Asserts that everything said about a picture is what the flood fill says.
fn check(picture: &Picture) {
    let (height, width) = (picture.height(), picture.width);
    let bytes: Vec<u8> = picture.pixels.iter().map(|&ink| if ink { 0 } else { 255 }).collect();
    let floats: Vec<f32> = picture.pixels.iter().map(|&ink| if ink { 0.5 } else { 0.500_000_1 }).collect();
    let bytes = ArrayView3::from_shape((1, height, width), &bytes).expect("one image");
    let floats = ArrayView3::from_shape((1, height, width), &floats).expect("one image");
    for images in [
        Images::Uint8(Batch::new(bytes).expect("served")),
        Images::Float32(Batch::new(floats).expect("served")),
        Images::Bool(Batch::new(bytes).expect("served")),
    ] {
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            check_as(picture, images, Options { connectivity, ..Options::default() });
        }
    }
}

fn check_as(picture: &Picture, images: Images<'_>, options: Options) {
    let expected = picture.flood_fill(true, options.connectivity);
    let count = expected.iter().max().copied().unwrap_or(0);
    let area_of = |number: i32| expected.iter().filter(|&&label| label == number).count();
    let areas: Vec<usize> = (1..=count).map(area_of).collect();
    let largest_area = areas.iter().max().copied().unwrap_or(0);
    let largest = areas.iter().position(|&area| area == largest_area).map_or(-1, |i| i as i32 + 1);
    let area: usize = areas.iter().sum();
    let ratio = if area == 0 { 0.0 } else { (largest_area as f64 / area as f64) as f32 };
    let inside: Vec<(u32, u32)> = (0..expected.len())
        .filter(|&i| expected[i] == largest)
        .map(|i| ((i / picture.width) as u32, (i % picture.width) as u32))
        .collect();
    let bbox = match (inside.first(), inside.last()) {
        (Some((top, _)), Some((bottom, _))) => {
            let columns = inside.iter().map(|(_, x)| *x);
            [*top, columns.clone().min().unwrap_or(0), bottom + 1, columns.max().unwrap_or(0) + 1]
        }
        _ => [0; 4],
    };

    let mut labels = vec![-1; picture.pixels.len()];
    label(images, options, &mut labels, &runner()).expect("labels");
    assert_eq!(labels, expected);

    let mut mask = vec![2; picture.pixels.len()];
    largest_component(images, options, &mut mask, &runner()).expect("mask");
    let is_largest: Vec<u8> = expected.iter().map(|&label| (label == largest).into()).collect();
    assert_eq!(mask, is_largest);

    let mut scores = [-1.0];
    score(images, options, &mut scores, &runner()).expect("score");
    assert_eq!(scores, [ratio]);

    let mut measures = [Measures::default()];
    analyze(images, options, &mut measures, &runner()).expect("measures");
    let expected = Measures {
        score: ratio,
        count: count as u32,
        area: area as u64,
        largest_area: largest_area as u64,
        holes: picture.holes(options.connectivity),
        bbox,
    };
    assert_eq!(measures, [expected]);
}

#[test]
fn hard_pictures() {
    let pictures = [
        "#",
        ".",
        "#.#.#",
        "#.\n.#",
        ".#\n#.",
        // A spiral: one long piece that turns back on itself.
        "#########\n........#\n#######.#\n#.....#.#\n#.###.#.#\n#.#...#.#\n#.#####.#\n#.......#\n#########",
        // Combs: many runs that join only in the last row, or in the first.
        "#.#.#.#.#\n#.#.#.#.#\n#.#.#.#.#\n#########",
        "#########\n#.#.#.#.#\n#.#.#.#.#",
        // Two combs into each other, joined from the right end to the left.
        "#.#.#.#.#\n#.#.#.###\n#.#.###..\n#.###....\n###......",
        // A chessboard: all apart with 4 neighbours, one with 8.
        "#.#.#.#\n.#.#.#.\n#.#.#.#\n.#.#.#.",
        // Rings in rings, and holes that touch by a corner only.
        "#########\n#.......#\n#.#####.#\n#.#...#.#\n#.#.#.#.#\n#.#...#.#\n#.#####.#\n#.......#\n#########",
        "####\n#.##\n##.#\n####",
        "###..\n#.#..\n###..\n..###\n..#.#\n..###",
        // A hole that opens to the border through a corner only.
        ".###\n#..#\n#..#\n####",
        // Equal pieces: the first pixel in raster order decides, not the leftmost.
        "...##\n##...\n...##\n##...",
        // A W, whose pieces meet late.
        "#...#...#\n#..#.#..#\n.##...##.",
    ];
    for art in pictures {
        let picture = Picture::of(art);
        check(&picture);
        check(&picture.transposed());
    }
}

#[test]
fn runs_cross_words() {
    for width in [63, 64, 65, 127, 128, 129, 192, 193] {
        let row = |start: usize, end: usize| (0..width).map(move |x| (start..end).contains(&x));
        for (start, end) in
            [(0, width), (62, 63), (62, width), (63, width), (0, 63), (0, width - 1), (width - 1, width)]
        {
            check(&Picture { width, pixels: row(start, end).collect() });
            let two_rows = row(start, end).chain(row(end, width)).chain(row(0, start)).collect();
            check(&Picture { width, pixels: two_rows });
        }
    }
}

/// 24 pictures of every width, with densities from empty to full.
#[test]
fn every_width() {
    for width in 1..=130 {
        for number in 0..24 {
            let mut stream = reggan_core::Stream::new(7, width as u64, number);
            let density = f64::from(number) / 23.0;
            let pixels = (0..width * 9).map(|_| stream.uniform01() < density).collect();
            check(&Picture { width, pixels });
        }
    }
}

fn pictures() -> impl Strategy<Value = Picture> {
    (1..=130_usize, 1..=12_usize, 0.0..=1.0).prop_flat_map(|(width, height, density)| {
        proptest::collection::vec(proptest::bool::weighted(density), width * height)
            .prop_map(move |pixels| Picture { width, pixels })
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn random_pictures(picture in pictures()) {
        check(&picture);
    }
}

fn thresholds() -> impl Strategy<Value = f64> {
    let bytes = (0..=255_u8).prop_map(|byte| f64::from(byte) / 255.0);
    prop_oneof![-0.5..1.5, bytes, Just(0.0), Just(1.0), -1e300..1e300]
}

fn grays() -> impl Strategy<Value = f32> {
    prop_oneof![proptest::num::f32::NORMAL, 0.0..1.0_f32, Just(0.0), Just(-0.0), Just(f32::INFINITY)]
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// A pixel counts exactly when the comparison in f64 says so, for every pixel type and both sides.
    #[test]
    fn threshold_is_exact(
        threshold in thresholds(),
        mut floats in proptest::collection::vec(grays(), 1..70),
        light: bool,
    ) {
        let side = if light { Side::Light } else { Side::Dark };
        let counts = |gray: f64| if light { gray >= threshold } else { gray <= 1.0 - threshold };
        let near = [threshold as f32, (1.0 - threshold) as f32];
        floats.extend(near.iter().flat_map(|value| [value.next_down(), *value, value.next_up()]));
        let halves: Vec<half::f16> = floats.iter().map(|&v| half::f16::from_f32(v)).collect();
        let bytes: Vec<u8> = (0..=255).collect();
        let foreground = Foreground::new(side, threshold).expect("finite");
        let options = Options { foreground, ..Options::default() };
        let labels = |images: Images<'_>, n: usize| {
            let mut labels = vec![0; n];
            label(images, options, &mut labels, &runner()).expect("no NaN");
            labels.into_iter().map(|label| label > 0).collect::<Vec<_>>()
        };

        let view = ArrayView3::from_shape((1, 1, floats.len()), &floats).expect("a row");
        let expected: Vec<bool> = floats.iter().map(|&v| counts(v.into())).collect();
        prop_assert_eq!(labels(Images::Float32(Batch::new(view).expect("served")), floats.len()), expected);

        let view = ArrayView3::from_shape((1, 1, halves.len()), &halves).expect("a row");
        let expected: Vec<bool> = halves.iter().map(|&v| counts(v.into())).collect();
        prop_assert_eq!(labels(Images::Float16(Batch::new(view).expect("served")), halves.len()), expected);

        let view = ArrayView3::from_shape((1, 1, 256), &bytes).expect("a row");
        let expected: Vec<bool> = bytes.iter().map(|&v| counts(f64::from(v) / 255.0)).collect();
        prop_assert_eq!(labels(Images::Uint8(Batch::new(view).expect("served")), 256), expected);
        let expected: Vec<bool> = bytes.iter().map(|&v| counts(f64::from(v.min(1)))).collect();
        prop_assert_eq!(labels(Images::Bool(Batch::new(view).expect("served")), 256), expected);
    }
}

#[test]
fn the_first_image_with_nan_is_named() {
    for (threads, first) in [(1, 17), (2, 17), (2, 901), (5, 3)] {
        let mut pixels = vec![0.25_f32; 3000 * 33];
        for image in [first, first + 1, first + 700, 2999] {
            pixels[image * 33 + 32] = f32::NAN;
        }
        let view = ArrayView3::from_shape((3000, 3, 11), &pixels).expect("3000 images");
        let images = Images::Float32(Batch::new(view).expect("served"));
        let runner = Runner::new(std::num::NonZeroUsize::new(threads), &|| false);
        let result = score(images, Options::default(), &mut [0.0; 3000], &runner);
        assert_eq!(result, Err(Error::NotANumber { image: first }));
    }
}

#[test]
fn nan_is_found_anywhere() {
    for width in [1, 63, 64, 65, 128, 200] {
        for x in 0..width {
            let mut pixels = vec![0.75_f32; 2 * width];
            pixels[width + x] = -f32::NAN;
            let halves: Vec<half::f16> = pixels.iter().map(|&pixel| half::f16::from_f32(pixel)).collect();
            let pixels = ArrayView3::from_shape((2, 1, width), &pixels).expect("two rows");
            let halves = ArrayView3::from_shape((2, 1, width), &halves).expect("two rows");
            for images in [
                Images::Float32(Batch::new(pixels).expect("served")),
                Images::Float16(Batch::new(halves).expect("served")),
            ] {
                let result = score(images, Options::default(), &mut [0.0; 2], &runner());
                assert_eq!(result, Err(Error::NotANumber { image: 1 }));
            }
        }
    }
}

#[test]
fn strides_are_followed() {
    let pixels: Vec<u8> =
        (0..6 * 8 * 70).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    let whole = ArrayView3::from_shape((6, 8, 70), &pixels).expect("six images");
    let views = [
        whole.slice(ndarray::s![..;-1, .., ..]),
        whole.slice(ndarray::s![.., ..;-2, 3..68]),
        whole.slice(ndarray::s![1..;2, 2..3, ..]),
        whole.slice(ndarray::s![.., .., 5..6]),
    ];
    for view in views {
        let copy = view.as_standard_layout();
        let [strided, standard] = [view, copy.view()].map(|view| {
            let mut labels = vec![0; view.len()];
            let images = Images::Uint8(Batch::new(view).expect("served"));
            label(images, Options::default(), &mut labels, &runner()).expect("labels");
            labels
        });
        assert_eq!(strided, standard);
    }
}

#[test]
fn what_is_not_served_is_an_error() {
    let pixels = [0_u8; 64];
    let empty = ArrayView3::from_shape((1, 0, 4), &pixels[..0]).expect("no rows");
    assert!(matches!(Batch::new(empty), Err(Error::Invalid(_))));
    let wide = vec![0_u8; 16_385];
    let wide = ArrayView3::from_shape((1, 1, 16_385), &wide).expect("a row");
    assert!(matches!(Batch::new(wide), Err(Error::Invalid(_))));
    let mut columns = ArrayView3::from_shape((1, 8, 8), &pixels).expect("an image");
    columns.swap_axes(1, 2);
    assert!(matches!(Batch::new(columns), Err(Error::Invalid(_))));
    assert!(matches!(Foreground::new(Side::Dark, f64::NAN), Err(Error::Invalid(_))));

    let image = ArrayView3::from_shape((1, 8, 8), &pixels).expect("an image");
    let images = Images::Uint8(Batch::new(image).expect("served"));
    let result = score(images, Options::default(), &mut [0.0; 2], &runner());
    assert!(matches!(result, Err(Error::Invalid(_))));
}
