//! Euler numbers, counted locally (Gray 1971; Toriwaki and Yonekura 2002), 64 pixels at a time.

use super::{BitRows, Connectivity, Options};
use crate::Error;
use crate::batch::MAX_SIDE;
use crate::parallel::Watch;

/// The Euler number: components minus holes in an image; components minus tunnels plus cavities in a volume. Of a
/// periodic image, that of its components on the torus.
pub(super) fn euler_number(bits: &BitRows, options: Options, watch: &mut Watch<'_>) -> Result<i64, Error> {
    if options.periodic {
        return torus(bits, options.connectivity, watch);
    }
    let all = |a: u64, b: u64| a & b;
    let any = |a: u64, b: u64| a | b;
    // Cells of a volume extend one slice beyond it.
    let (depth, behind) = (bits.depth(), bits.depth() + 1);
    match options.connectivity {
        Connectivity::Four => sum(bits, depth, watch, |cell| cell.square(all)),
        Connectivity::Eight => sum(bits, depth, watch, |cell| cell.square(any)),
        Connectivity::Six => sum(bits, behind, watch, |cell| cell.cube(all)),
        Connectivity::Eighteen => sum(bits, behind, watch, |cell| cell.antipodes() - cell.cube(any)),
        Connectivity::TwentySix => sum(bits, behind, watch, |cell| -cell.cube(any)),
    }
}

/// 64 pixels, their left neighbors, and the pixels above and in front of both.
struct Cell {
    here: u64,
    left: u64,
    up: u64,
    up_left: u64,
    front: u64,
    front_left: u64,
    front_up: u64,
    front_up_left: u64,
}

impl Cell {
    /// Pixels, minus pairs that share a side, plus squares of 2 x 2. A pair or square counts if `of` of its
    /// pixels is set. With "all", these are the vertices, edges and faces of a graph of pixels that share
    /// sides. With "any", they are the faces, edges and vertices of the pixels as closed squares.
    fn square(&self, of: impl Fn(u64, u64) -> u64) -> i64 {
        let Self { here, left, up, up_left, .. } = *self;
        let row = of(here, left);
        ones(here) - ones(row) - ones(of(here, up)) + ones(of(row, of(up, up_left)))
    }

    /// Voxels, minus pairs that share a face, plus squares of 2 x 2, minus cubes of 2 x 2 x 2. They count as
    /// in `square`, but with "any" the sign is reversed.
    fn cube(&self, of: impl Fn(u64, u64) -> u64) -> i64 {
        let Self { here, left, up, up_left, front, front_left, front_up, front_up_left } = *self;
        let (row, column, line) = (of(here, left), of(here, up), of(here, front));
        let square = of(row, of(up, up_left));
        let squares =
            ones(square) + ones(of(row, of(front, front_left))) + ones(of(column, of(front, front_up)));
        let front_square = of(of(front, front_left), of(front_up, front_up_left));
        ones(here) - ones(row) - ones(column) - ones(line) + squares - ones(of(square, front_square))
    }

    /// Cubes of 2 x 2 x 2 whose only voxels are two at opposite corners. These are one component with 26
    /// neighbors, but two with 18.
    fn antipodes(&self) -> i64 {
        let pairs = [
            (self.here, self.front_up_left),
            (self.left, self.front_up),
            (self.up, self.front_left),
            (self.up_left, self.front),
        ];
        let one = |except: usize| {
            let others = pairs.iter().enumerate().filter(|(position, _)| *position != except);
            let empty = others.fold(u64::MAX, |empty, (_, (a, b))| empty & !(a | b));
            ones(pairs[except].0 & pairs[except].1 & empty)
        };
        (0..4).map(one).sum()
    }
}

/// The sum over the cells of the first `slices` slices. Cells extend beyond the border, where all pixels are
/// 0.
fn sum(
    bits: &BitRows,
    slices: usize,
    watch: &mut Watch<'_>,
    count: impl Fn(&Cell) -> i64,
) -> Result<i64, Error> {
    const EMPTY: [u64; MAX_SIDE / 64] = [0; MAX_SIDE / 64];
    let (depth, height, width) = (bits.depth(), bits.height(), bits.width());
    let row = |z: usize, y: usize| {
        let inside = (1..=depth).contains(&z) && (1..=height).contains(&y);
        if inside { bits.row((z - 1) * height + y - 1) } else { &EMPTY[..width.div_ceil(64)] }
    };
    let mut total = 0;
    for z in 1..=slices {
        for y in 1..=height + 1 {
            let rows = [row(z, y), row(z, y - 1), row(z - 1, y), row(z - 1, y - 1)];
            let mut last = [0; 4];
            for position in 0..=width / 64 {
                let words = rows.map(|row| row.get(position).copied().unwrap_or(0));
                let mut shifted = [0; 4];
                for k in 0..4 {
                    shifted[k] = words[k] << 1 | last[k];
                    last[k] = words[k] >> 63;
                }
                total += count(&Cell {
                    here: words[0],
                    left: shifted[0],
                    up: words[1],
                    up_left: shifted[1],
                    front: words[2],
                    front_left: shifted[2],
                    front_up: words[3],
                    front_up_left: shifted[3],
                });
            }
            watch.worked(width)?;
        }
    }
    Ok(total)
}

/// The Euler number of a periodic image: pixels, minus pairs that share a side, plus squares of 2 x 2, minus pairs of
/// pixels that are connected only by a corner.
fn torus(bits: &BitRows, connectivity: Connectivity, watch: &mut Watch<'_>) -> Result<i64, Error> {
    let (height, width) = (bits.height(), bits.width());
    let last = |row: &[u64]| row[(width - 1) / 64] >> ((width - 1) % 64) & 1;
    let mut total = 0;
    for y in 0..height {
        let (row, above) = (bits.row(y), bits.row((y + height - 1) % height));
        let (mut before, mut before_above) = (last(row), last(above));
        for (position, (&here, &up)) in row.iter().zip(above).enumerate() {
            let (left, up_left) = (here << 1 | before, up << 1 | before_above);
            (before, before_above) = (here >> 63, up >> 63);
            let pairs = ones(here & left) + ones(here & up);
            total += ones(here) - pairs + ones(here & left & up & up_left);
            if connectivity == Connectivity::Eight {
                let inside = u64::MAX >> (64 * (position + 1)).saturating_sub(width);
                total -= ones((here ^ left) & (here ^ up) & (up ^ up_left) & inside);
            }
        }
        watch.worked(width)?;
    }
    Ok(total)
}

fn ones(word: u64) -> i64 {
    word.count_ones().into()
}
