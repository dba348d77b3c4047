//! Connectivity: which pixels are neighbors, and therefore which rows of bits touch.

use crate::Error;

/// Which pixels are neighbors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connectivity {
    /// In images, pixels that share a side.
    #[default]
    Four,
    /// In images, pixels that share a side or a corner.
    Eight,
    /// In volumes, voxels that share a face.
    Six,
    /// In volumes, voxels that share a face or an edge.
    Eighteen,
    /// In volumes, voxels that share a face, an edge or a corner.
    TwentySix,
}

/// A row before the row at (z, y): the one at (z - slices, y + rows). Runs of the two rows touch if they
/// share a column, or miss one by at most `reach` columns.
pub(super) struct EarlierRow {
    pub(super) slices: usize,
    pub(super) rows: isize,
    pub(super) reach: u16,
}

impl Connectivity {
    /// Whether this is a connectivity of volumes.
    pub fn is_spatial(self) -> bool {
        matches!(self, Self::Six | Self::Eighteen | Self::TwentySix)
    }

    /// The connectivity of the background. With it, a component of one always separates components of the
    /// other.
    pub(crate) fn dual(self) -> Self {
        match self {
            Self::Four => Self::Eight,
            Self::Eight => Self::Four,
            Self::Six => Self::TwentySix,
            Self::Eighteen | Self::TwentySix => Self::Six,
        }
    }

    /// The neighboring rows that come earlier in raster order, which are half of them.
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
