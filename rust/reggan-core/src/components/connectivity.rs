//! Which pixels are neighbors, and so which rows of bits touch.

use crate::Error;

/// Which pixels are neighbors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connectivity {
    /// Of an image: those that share a side.
    #[default]
    Four,
    /// Of an image: those that share a side or a corner.
    Eight,
    /// Of a volume: those that share a face.
    Six,
    /// Of a volume: those that share a face or an edge.
    Eighteen,
    /// Of a volume: those that share a face, an edge or a corner.
    TwentySix,
}

/// A row that comes before a row at (z, y): at (z - slices, y + rows). Their runs touch when no more than
/// `reach` columns are missing for a shared column.
pub(super) struct EarlierRow {
    pub(super) slices: usize,
    pub(super) rows: isize,
    pub(super) reach: u16,
}

impl Connectivity {
    /// Whether it is one of volumes.
    pub fn is_spatial(self) -> bool {
        matches!(self, Self::Six | Self::Eighteen | Self::TwentySix)
    }

    /// What connects the background, so that a component of the one kind always parts those of the other.
    pub(super) fn dual(self) -> Self {
        match self {
            Self::Four => Self::Eight,
            Self::Eight => Self::Four,
            Self::Six => Self::TwentySix,
            Self::Eighteen | Self::TwentySix => Self::Six,
        }
    }

    /// Half of the rows around a row, those before it in raster order.
    pub(super) fn earlier_rows(self) -> &'static [EarlierRow] {
        const fn row(slices: usize, rows: isize, reach: u16) -> EarlierRow {
            EarlierRow { slices, rows, reach }
        }
        const FOUR: &[EarlierRow] = &[row(0, -1, 0)];
        const EIGHT: &[EarlierRow] = &[row(0, -1, 1)];
        const SIX: &[EarlierRow] = &[row(0, -1, 0), row(1, 0, 0)];
        const EIGHTEEN: &[EarlierRow] = &[row(0, -1, 1), row(1, -1, 0), row(1, 0, 1), row(1, 1, 0)];
        const TWENTY_SIX: &[EarlierRow] = &[row(0, -1, 1), row(1, -1, 1), row(1, 0, 1), row(1, 1, 1)];
        match self {
            Self::Four => FOUR,
            Self::Eight => EIGHT,
            Self::Six => SIX,
            Self::Eighteen => EIGHTEEN,
            Self::TwentySix => TWENTY_SIX,
        }
    }

    pub(super) fn check(self, depth: usize) -> Result<(), Error> {
        if depth == 1 || self.is_spatial() {
            return Ok(());
        }
        Err(Error::invalid("connectivity 4 and 8 are for images; volumes need 6, 18 or 26"))
    }
}
