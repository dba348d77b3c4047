//! Slides the pieces until they touch, each with its halo.

use super::bridge::{draw, trace};
use super::halo::Halo;
use super::pieces::{Metric, Pieces};
use super::{Canvas, Image};
use crate::Error;
use crate::components::BitRows;
use crate::packing::Gray;
use crate::parallel::Watch;

/// Returns the number of pixels that changed between ink and paper. `after` is working memory.
pub(super) fn slide<T: Gray + PartialOrd>(
    mut canvas: Canvas<'_, T>,
    image: &Image<'_>,
    halo: &mut Halo<T>,
    pieces: &mut Pieces,
    after: &mut BitRows,
    watch: &mut Watch<'_>,
) -> Result<i32, Error> {
    let &Image { components, ink, largest, connectivity } = image;
    let (height, width) = (canvas.height() as i32, canvas.width as i32);
    let mut path = Vec::new();
    pieces.take(components, largest)?;
    halo.find_contested((canvas.height(), canvas.width), pieces, watch)?;
    pieces.join(largest, connectivity, Metric::Euclidean, watch)?;
    while let Some((stray, link)) = pieces.next() {
        let piece = pieces.piece(stray);
        let rows = piece.top + link.by.0 >= 0 && piece.bottom + link.by.0 <= height;
        if rows && piece.left + link.by.1 >= 0 && piece.right + link.by.1 <= width {
            pieces.shift(stray, link.by);
        } else {
            let start = path.len();
            trace(connectivity, link, &mut path)?;
            if let Some(bridge) = pieces.push_path(&path[start..])? {
                pieces.join(bridge, connectivity, Metric::Euclidean, watch)?;
            }
        }
        pieces.join(stray, connectivity, Metric::Euclidean, watch)?;
    }
    let count = components.areas().len() as u32;
    let pieces = &*pieces;
    let all = || (0..count).map(|number| pieces.piece(number));
    halo.kept.resize(1, canvas.height(), canvas.width)?;
    halo.kept.clear();
    all().filter(|piece| piece.moved == (0, 0)).for_each(|piece| pieces.paint(piece, &mut halo.kept));
    halo.remove(&mut canvas, ink, watch)?;
    after.resize(1, canvas.height(), canvas.width)?;
    after.words_mut().copy_from_slice(halo.kept.words());
    for piece in all().filter(|piece| piece.moved != (0, 0)) {
        halo.draw(&mut canvas, pieces, piece, watch)?;
        pieces.paint(piece, after);
    }
    draw(&mut canvas, &path, halo.edge, 1, after);
    let differ = after.words().iter().zip(ink.words()).map(|(after, before)| (after ^ before).count_ones());
    Ok(differ.sum::<u32>() as i32)
}
