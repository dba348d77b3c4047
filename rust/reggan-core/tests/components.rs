//! Compares scores, labels and measures with a flood fill, on hard and on random pictures.

#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use ndarray::{ArrayView3, ArrayView4};
use proptest::prelude::*;
use reggan_core::{
    Batch, BitOrder, Connectivity, Error, Fields, Foreground, Images, Measures, Options, PackedBatch, Runner,
    Side, analyze, label, largest_component, largest_components, remove_small, score,
};

/// A picture, or a volume of more than one slice. True pixels are foreground.
#[derive(Clone, Debug)]
struct Picture {
    height: usize,
    width: usize,
    pixels: Vec<bool>,
}

impl Picture {
    fn of(art: &str) -> Self {
        let rows: Vec<&str> = art.split_whitespace().collect();
        let pixels = rows.iter().flat_map(|row| row.chars().map(|c| c == '#')).collect();
        Self { height: rows.len(), width: rows[0].len(), pixels }
    }

    fn depth(&self) -> usize {
        self.pixels.len() / self.width / self.height
    }

    fn transposed(&self) -> Self {
        let columns = 0..self.width;
        let pixels = columns.flat_map(|x| self.pixels.iter().skip(x).step_by(self.width).copied()).collect();
        Self { height: self.width, width: self.height, pixels }
    }

    /// The oracle: labels the pixels that are `value`, from 1 in raster order of first pixels, with 0
    /// elsewhere.
    fn flood_fill(&self, value: bool, connectivity: Connectivity) -> Vec<i32> {
        let [depth, height, width] = [self.depth(), self.height, self.width].map(|side| side as isize);
        let around = || (-1..=1_isize).flat_map(|dy| (-1..=1_isize).map(move |dx| (dy, dx)));
        let offsets: Vec<(isize, isize, isize)> = (-1..=1)
            .flat_map(|dz| around().map(move |(dy, dx)| (dz, dy, dx)))
            .filter(|&offset| touches(connectivity, offset))
            .collect();
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
                let pixel = pixel as isize;
                for (dz, dy, dx) in &offsets {
                    let z = pixel / width / height + dz;
                    let (y, x) = (pixel / width % height + dy, pixel % width + dx);
                    if (0..depth).contains(&z) && (0..height).contains(&y) && (0..width).contains(&x) {
                        let other = ((z * height + y) * width + x) as usize;
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
            Connectivity::Six => Connectivity::TwentySix,
            Connectivity::Eighteen | Connectivity::TwentySix => Connectivity::Six,
        };
        let labels = self.flood_fill(false, dual);
        let at_end = |place: usize, side: usize| place == 0 || place == side - 1;
        let on_border = |i: usize| {
            let (z, y, x) = (i / self.width / self.height, i / self.width % self.height, i % self.width);
            let end_slice = connectivity.is_spatial() && at_end(z, self.depth());
            end_slice || at_end(y, self.height) || at_end(x, self.width)
        };
        let mut outside: Vec<i32> =
            labels.iter().enumerate().filter(|(i, _)| on_border(*i)).map(|(_, label)| *label).collect();
        outside.push(0);
        outside.sort_unstable();
        outside.dedup();
        let all = labels.iter().max().map_or(0, |last| *last as usize);
        (all + 1 - outside.len()) as u32
    }

    /// Vertices minus edges plus faces minus cubes of the pixels as closed cubes. Unless corners connect,
    /// pixels are separated where they share only what does not connect them.
    fn euler(&self, connectivity: Connectivity) -> i64 {
        // With shared sides only, the pixels are the vertices of a complex, and full squares are its faces.
        let dual = matches!(connectivity, Connectivity::Four | Connectivity::Six);
        let at = |z: isize, y: isize, x: isize| {
            let sides = [self.depth(), self.height, self.width];
            let inside =
                [z, y, x].iter().zip(sides).all(|(&place, side)| (0..side as isize).contains(&place));
            inside && self.pixels[((z as usize * self.height) + y as usize) * self.width + x as usize]
        };
        let mut euler = 0;
        for z in 0..=self.depth() as isize {
            for y in 0..=self.height as isize {
                for x in 0..=self.width as isize {
                    // Every box with sides of 1 or 2 pixels whose last corner is here.
                    for size in 0..8 {
                        let (a, b, c) = (size & 1, size >> 1 & 1, size >> 2 & 1);
                        if !connectivity.is_spatial() && (a == 1 || z > 0) {
                            continue;
                        }
                        let offsets = (0..=a).flat_map(|i| (0..=b).map(move |j| (i, j)));
                        let mut cells = offsets
                            .flat_map(|(i, j)| (0..=c).map(move |k| (i, j, k)))
                            .map(|(i, j, k)| at(z - i, y - j, x - k));
                        let counts = if dual { cells.all(|cell| cell) } else { cells.any(|cell| cell) };
                        let odd = (a + b + c) % 2 == 1;
                        euler += if !counts {
                            0
                        } else if odd {
                            -1
                        } else {
                            1
                        };
                    }
                    if connectivity == Connectivity::Eighteen {
                        let corner: Vec<bool> =
                            (0..8).map(|k| at(z - (k >> 2), y - (k >> 1 & 1), x - (k & 1))).collect();
                        let alone = corner.iter().filter(|&&cell| cell).count() == 2;
                        let opposite = (0..4).any(|k| corner[k] && corner[7 - k]);
                        // The two voxels share one corner, which must count once for each of them.
                        euler -= i64::from(alone && opposite);
                    }
                }
            }
        }
        // Boxes with three sides of 2 are the vertices, and count as minus one above.
        if connectivity.is_spatial() && !dual { -euler } else { euler }
    }
}

fn touches(connectivity: Connectivity, (dz, dy, dx): (isize, isize, isize)) -> bool {
    let sides = dz.abs() + dy.abs() + dx.abs();
    match connectivity {
        Connectivity::Four => dz == 0 && sides == 1,
        Connectivity::Eight => dz == 0 && sides > 0,
        Connectivity::Six => sides == 1,
        Connectivity::Eighteen => sides == 1 || sides == 2,
        Connectivity::TwentySix => sides > 0,
    }
}

fn runner() -> Runner<'static> {
    Runner::new(None, &|| false)
}

/// Asserts that every result matches the flood fill, for every pixel type.
fn check(picture: &Picture) {
    check_with(picture, &[Connectivity::Four, Connectivity::Eight]);
}

fn check_volume(volume: &Picture) {
    check_with(volume, &[Connectivity::Six, Connectivity::Eighteen, Connectivity::TwentySix]);
}

fn check_with(picture: &Picture, connectivities: &[Connectivity]) {
    fn batch<'a, T>(picture: &Picture, width: usize, pixels: &'a [T]) -> Batch<'a, T> {
        let view = ArrayView4::from_shape((1, picture.depth(), picture.height, width), pixels);
        Batch::volumes(view.expect("one image")).expect("valid")
    }
    let Picture { width, ref pixels, .. } = *picture;
    let bytes: Vec<u8> = pixels.iter().map(|&ink| if ink { 0 } else { 255 }).collect();
    let floats: Vec<f32> = pixels.iter().map(|&ink| if ink { 0.5 } else { 0.500_000_1 }).collect();
    let doubles: Vec<f64> = pixels.iter().map(|&ink| if ink { 0.5 } else { 0.5_f64.next_up() }).collect();
    let [big, little] = [BitOrder::Big, BitOrder::Little].map(|order| packed(picture, order));
    let packed = |bytes, order| {
        let rows = batch(picture, width.div_ceil(8), bytes);
        Images::Packed(PackedBatch::new(rows, width, order).expect("valid"))
    };
    let stored = [
        Images::Uint8(batch(picture, width, &bytes)),
        Images::Float64(batch(picture, width, &doubles)),
        Images::Float32(batch(picture, width, &floats)),
        Images::Bool(batch(picture, width, &bytes)),
        packed(&big, BitOrder::Big),
        packed(&little, BitOrder::Little),
    ];
    for &connectivity in connectivities {
        let oracle = Oracle::of(picture, connectivity);
        for images in stored {
            oracle.check(images, Options { connectivity, ..Options::default() });
        }
    }
}

/// Rows of bits, ink is 0. The padding of the last byte in a row is arbitrary.
fn packed(picture: &Picture, order: BitOrder) -> Vec<u8> {
    let bytes = picture.pixels.chunks(picture.width).flat_map(|row| row.chunks(8));
    bytes
        .map(|eight| {
            (0..8).fold(0, |byte, place| {
                let white = eight.get(place).map_or(place % 3 == 1, |&ink| !ink);
                let bit = if order == BitOrder::Big { 7 - place } else { place };
                byte | u8::from(white) << bit
            })
        })
        .collect()
}

/// The expected results by the flood fill.
struct Oracle {
    labels: Vec<i32>,
    areas: Vec<usize>,
    /// 1 for the largest component, 2 for the next.
    ranks: Vec<usize>,
    measures: Measures,
}

impl Oracle {
    fn of(picture: &Picture, connectivity: Connectivity) -> Self {
        let labels = picture.flood_fill(true, connectivity);
        let mut areas = vec![0; labels.iter().max().map_or(0, |last| *last as usize)];
        labels.iter().filter(|&&label| label > 0).for_each(|&label| areas[label as usize - 1] += 1);
        let mut order: Vec<usize> = (0..areas.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(areas[i]));
        let mut ranks = vec![0; areas.len()];
        order.iter().zip(1..).for_each(|(&i, rank)| ranks[i] = rank);

        let (height, width) = (picture.height, picture.width);
        let largest = order.first().map_or(-1, |&i| i as i32 + 1);
        let inside: Vec<[usize; 3]> = (0..labels.len())
            .filter(|&i| labels[i] == largest)
            .map(|i| [i / width / height, i / width % height, i % width])
            .collect();
        let side = |axis: usize| inside.iter().map(move |place| place[axis]);
        let low = [0, 1, 2].map(|axis| side(axis).min().unwrap_or(0) as u32);
        let high = [0, 1, 2].map(|axis| side(axis).max().map_or(0, |last| last + 1) as u32);
        let sums = [0, 1, 2].map(|axis| side(axis).sum::<usize>() as f64);
        let area: usize = areas.iter().sum();
        let measures = Measures {
            score: if area == 0 { 0.0 } else { (inside.len() as f64 / area as f64) as f32 },
            count: areas.len() as u32,
            area: area as u64,
            largest_area: inside.len() as u64,
            bbox: [low[0], low[1], low[2], high[0], high[1], high[2]],
            centroid: sums.map(|sum| sum / inside.len() as f64),
            holes: picture.holes(connectivity),
            euler: picture.euler(connectivity),
            winding_rank: 0,
        };
        Self { labels, areas, ranks, measures }
    }

    /// The value of each pixel's component, from its area and rank, and 0 for the background.
    fn painted(&self, value: impl Fn(usize, usize) -> usize) -> Vec<i32> {
        let value = |i: usize| value(self.areas[i], self.ranks[i]) as i32;
        self.labels.iter().map(|&label| if label == 0 { 0 } else { value(label as usize - 1) }).collect()
    }

    fn check(&self, images: Images<'_>, options: Options) {
        let mut labels = vec![-1; self.labels.len()];
        label(images, options, &mut labels, &runner()).expect("labels");
        assert_eq!(labels, self.labels);

        let widened = |mask: &[u8]| -> Vec<i32> { mask.iter().map(|&byte| byte.into()).collect() };
        let mut mask = vec![2; self.labels.len()];
        largest_component(images, options, &mut mask, &runner()).expect("mask");
        assert_eq!(widened(&mask), self.painted(|_, rank| (rank == 1).into()));

        let largest_area = self.measures.largest_area as usize;
        for min_area in [0, 1, 2, largest_area, largest_area + 1] {
            remove_small(images, options, min_area as u64, &mut mask, &runner()).expect("mask");
            assert_eq!(widened(&mask), self.painted(|area, _| (area >= min_area).into()), "{min_area}");
        }

        for most in [1, 2, self.areas.len() + 1] {
            let mut ranks = vec![-1; self.labels.len()];
            largest_components(images, options, most, &mut ranks, &runner()).expect("ranks");
            assert_eq!(ranks, self.painted(|_, rank| if rank <= most { rank } else { 0 }), "{most}");
        }
        self.check_measures(images, options);
    }

    fn check_measures(&self, images: Images<'_>, options: Options) {
        let expected = self.measures;
        let mut scores = [-1.0];
        score(images, options, &mut scores, &runner()).expect("score");
        assert_eq!(scores, [expected.score]);

        let measured = |fields: Fields| {
            let mut measures = [Measures::default()];
            let write = |_: usize, found: &[Measures]| measures.copy_from_slice(found);
            analyze(images, options, fields, &runner(), write).expect("measures");
            measures[0]
        };
        let all = measured(Fields::ALL);
        // NaN is not equal to itself, so the centroid of an empty picture is checked separately.
        let no_centroid = expected.area == 0 && all.centroid.iter().all(|c| c.is_nan());
        assert!(all.centroid == expected.centroid || no_centroid);
        assert_eq!(Measures { centroid: [0.0; 3], ..all }, Measures { centroid: [0.0; 3], ..expected });
        assert_eq!(measured(Fields::SCORE).score, expected.score);
        assert_eq!(measured(Fields::COUNT).count, expected.count);
        assert_eq!(measured(Fields::AREA).area, expected.area);
        assert_eq!(measured(Fields::LARGEST_AREA).largest_area, expected.largest_area);
        assert_eq!(measured(Fields::BBOX).bbox, expected.bbox);
        assert_eq!(measured(Fields::CENTROID | Fields::AREA).area, expected.area);
        assert_eq!(measured(Fields::HOLES).holes, expected.holes);
        assert_eq!(measured(Fields::EULER).euler, expected.euler);
    }
}

#[test]
fn hard_pictures() {
    let pictures = [
        "#",
        ".",
        "#.#.#",
        "#.\n.#",
        ".#\n#.",
        // A spiral: one long component that winds inward.
        "#########\n........#\n#######.#\n#.....#.#\n#.###.#.#\n#.#...#.#\n#.#####.#\n#.......#\n#########",
        // Combs: many runs that join only in the last or first row.
        "#.#.#.#.#\n#.#.#.#.#\n#.#.#.#.#\n#########",
        "#########\n#.#.#.#.#\n#.#.#.#.#",
        // Two interlocked combs, joined from the right end to the left.
        "#.#.#.#.#\n#.#.#.###\n#.#.###..\n#.###....\n###......",
        // A checkerboard: no pixels touch with 4 neighbors, all do with 8.
        "#.#.#.#\n.#.#.#.\n#.#.#.#\n.#.#.#.",
        // Nested rings, and holes that touch only at a corner.
        "#########\n#.......#\n#.#####.#\n#.#...#.#\n#.#.#.#.#\n#.#...#.#\n#.#####.#\n#.......#\n#########",
        "####\n#.##\n##.#\n####",
        "###..\n#.#..\n###..\n..###\n..#.#\n..###",
        // A hole that opens to the border only at a corner.
        ".###\n#..#\n#..#\n####",
        // Components of equal area: the first pixel in raster order decides, not the leftmost.
        "...##\n##...\n...##\n##...",
        // A W, whose strokes join late.
        "#...#...#\n#..#.#..#\n.##...##.",
    ];
    for art in pictures {
        let picture = Picture::of(art);
        check(&picture);
        check(&picture.transposed());
    }
}

#[test]
fn hard_volumes() {
    // Slices are listed one below the other.
    let volumes = [
        // Two voxels that share a face, an edge or a corner.
        (2, "#.\n..\n#.\n.."),
        (2, "#.\n..\n.#\n.."),
        (2, "#.\n..\n..\n.#"),
        (2, "..\n.#\n#.\n.."),
        (2, ".#\n..\n..\n#."),
        (2, "..\n#.\n.#\n.."),
        // A hollow cube, and cubes whose cavity opens through an edge or a corner.
        (3, "###\n###\n###\n###\n#.#\n###\n###\n###\n###"),
        (3, "###\n#.#\n###\n###\n#.#\n###\n###\n###\n###"),
        (3, "###\n###\n#.#\n###\n#.#\n###\n###\n###\n###"),
        (3, "###\n###\n##.\n###\n#.#\n###\n###\n###\n###"),
        // A ring, and one that is closed only by corners.
        (3, "...\n...\n...\n###\n#.#\n###\n...\n...\n..."),
        (3, "...\n...\n...\n.#.\n#.#\n.#.\n...\n...\n..."),
        // A checkerboard.
        (3, "#.#\n.#.\n#.#\n.#.\n#.#\n.#.\n#.#\n.#.\n#.#"),
    ];
    for (height, art) in volumes {
        check_volume(&Picture { height, ..Picture::of(art) });
    }
}

#[test]
fn runs_cross_words() {
    for width in [63, 64, 65, 127, 128, 129, 192, 193] {
        let row = |start: usize, end: usize| (0..width).map(move |x| (start..end).contains(&x));
        for (start, end) in
            [(0, width), (62, 63), (62, width), (63, width), (0, 63), (0, width - 1), (width - 1, width)]
        {
            check(&Picture { height: 1, width, pixels: row(start, end).collect() });
            let rows = row(start, end).chain(row(end, width)).chain(row(0, start)).collect();
            check(&Picture { height: 3, width, pixels: rows });
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
            check(&Picture { height: 9, width, pixels });
        }
    }
}

fn pictures() -> impl Strategy<Value = Picture> {
    (1..=130_usize, 1..=12_usize, 0.0..=1.0).prop_flat_map(|(width, height, density)| {
        proptest::collection::vec(proptest::bool::weighted(density), width * height)
            .prop_map(move |pixels| Picture { height, width, pixels })
    })
}

fn volumes() -> impl Strategy<Value = Picture> {
    (1..=6_usize, 1..=6_usize, 1..=70_usize, 0.0..=1.0).prop_flat_map(|(depth, height, width, density)| {
        proptest::collection::vec(proptest::bool::weighted(density), depth * height * width)
            .prop_map(move |pixels| Picture { height, width, pixels })
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn random_pictures(picture in pictures()) {
        check(&picture);
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn random_volumes(volume in volumes()) {
        check_volume(&volume);
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

    /// A pixel is foreground exactly when the comparison in f64 holds, for every pixel type and both sides.
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
        let mut doubles: Vec<f64> = floats.iter().map(|&v| v.into()).collect();
        doubles.extend([threshold, 1.0 - threshold].iter().flat_map(|v| [v.next_down(), *v, v.next_up()]));
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
        prop_assert_eq!(labels(Images::Float32(Batch::new(view).expect("valid")), floats.len()), expected);

        let view = ArrayView3::from_shape((1, 1, halves.len()), &halves).expect("a row");
        let expected: Vec<bool> = halves.iter().map(|&v| counts(v.into())).collect();
        prop_assert_eq!(labels(Images::Float16(Batch::new(view).expect("valid")), halves.len()), expected);

        let view = ArrayView3::from_shape((1, 1, doubles.len()), &doubles).expect("a row");
        let expected: Vec<bool> = doubles.iter().map(|&v| counts(v)).collect();
        prop_assert_eq!(labels(Images::Float64(Batch::new(view).expect("valid")), doubles.len()), expected);

        let view = ArrayView3::from_shape((1, 1, 1), &[0b10]).expect("a row");
        let view = Batch::new(view).expect("valid");
        let images = Images::Packed(PackedBatch::new(view, 2, BitOrder::Little).expect("valid"));
        prop_assert_eq!(labels(images, 2), vec![counts(0.0), counts(1.0)]);

        let view = ArrayView3::from_shape((1, 1, 256), &bytes).expect("a row");
        let expected: Vec<bool> = bytes.iter().map(|&v| counts(f64::from(v) / 255.0)).collect();
        prop_assert_eq!(labels(Images::Uint8(Batch::new(view).expect("valid")), 256), expected);
        let expected: Vec<bool> = bytes.iter().map(|&v| counts(f64::from(v.min(1)))).collect();
        prop_assert_eq!(labels(Images::Bool(Batch::new(view).expect("valid")), 256), expected);
    }
}

#[test]
fn the_first_image_with_nan_is_reported() {
    for (threads, first) in [(1, 17), (2, 17), (2, 901), (5, 3)] {
        let mut pixels = vec![0.25_f32; 3000 * 33];
        for image in [first, first + 1, first + 700, 2999] {
            pixels[image * 33 + 32] = f32::NAN;
        }
        let view = ArrayView3::from_shape((3000, 3, 11), &pixels).expect("3000 images");
        let images = Images::Float32(Batch::new(view).expect("valid"));
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
            let doubles: Vec<f64> = pixels.iter().map(|&pixel| pixel.into()).collect();
            let pixels = ArrayView3::from_shape((2, 1, width), &pixels).expect("two rows");
            let doubles = ArrayView3::from_shape((2, 1, width), &doubles).expect("two rows");
            let halves = ArrayView3::from_shape((2, 1, width), &halves).expect("two rows");
            for images in [
                Images::Float64(Batch::new(doubles).expect("valid")),
                Images::Float32(Batch::new(pixels).expect("valid")),
                Images::Float16(Batch::new(halves).expect("valid")),
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
            let images = Images::Uint8(Batch::new(view).expect("valid"));
            label(images, Options::default(), &mut labels, &runner()).expect("labels");
            labels
        });
        assert_eq!(strided, standard);
    }
}

#[test]
fn unsupported_inputs_are_errors() {
    let pixels = [0_u8; 64];
    let empty = ArrayView3::from_shape((1, 0, 4), &pixels[..0]).expect("no rows");
    assert!(matches!(Batch::new(empty), Err(Error::Invalid(_))));
    let wide = vec![0_u8; 32_769];
    let wide = ArrayView3::from_shape((1, 1, 32_769), &wide).expect("a row");
    assert!(matches!(Batch::new(wide), Err(Error::Invalid(_))));
    let mut columns = ArrayView3::from_shape((1, 8, 8), &pixels).expect("an image");
    columns.swap_axes(1, 2);
    assert!(matches!(Batch::new(columns), Err(Error::Invalid(_))));
    let bytes = Batch::new(ArrayView3::from_shape((1, 8, 8), &pixels).expect("an image")).expect("valid");
    assert!(matches!(PackedBatch::new(bytes, 56, BitOrder::Big), Err(Error::Invalid(_))));
    assert!(matches!(PackedBatch::new(bytes, 65, BitOrder::Big), Err(Error::Invalid(_))));
    let vast = ArrayView4::from_shape((1, 1, 1, 1), &pixels).expect("one pixel");
    let vast = Batch::volumes(vast.broadcast((1, 2048, 1024, 1024)).expect("2^31 pixels"));
    assert!(vast.err().expect("too many").to_string().contains("2147483647"));
    assert!(matches!(Foreground::new(Side::Dark, f64::NAN), Err(Error::Invalid(_))));

    let volume = ArrayView4::from_shape((1, 2, 4, 8), &pixels).expect("a volume");
    let volumes = Images::Uint8(Batch::volumes(volume).expect("valid"));
    let result = score(volumes, Options::default(), &mut [0.0], &runner());
    assert!(matches!(result, Err(Error::Invalid(_))));

    let image = ArrayView3::from_shape((1, 8, 8), &pixels).expect("an image");
    let images = Images::Uint8(Batch::new(image).expect("valid"));
    let result = score(images, Options::default(), &mut [0.0; 2], &runner());
    assert!(matches!(result, Err(Error::Invalid(_))));
}
