//! How much may wait. Pure.

/// So much of what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fallback) struct Load {
    pub(in crate::fallback) texts: usize,
    pub(in crate::fallback) tokens: usize,
    pub(in crate::fallback) bytes: usize,
}

impl Load {
    fn each(self, other: Self, of: impl Fn(usize, usize) -> usize) -> Self {
        Self {
            texts: of(self.texts, other.texts),
            tokens: of(self.tokens, other.tokens),
            bytes: of(self.bytes, other.bytes),
        }
    }

    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, usize::saturating_add)
    }

    /// What one request counts for in a queue that holds at most `most`: half of it at most, so that a request of a thousand
    /// texts leaves room for others, and is not refused each time for its size.
    pub(super) fn counted(self, most: Self) -> Self {
        self.each(most, |own, most| own.min(most.div_ceil(2)))
    }

    /// Whether it is within `most`, each of the three.
    pub(super) fn fits(self, most: Self) -> bool {
        self.texts <= most.texts && self.tokens <= most.tokens && self.bytes <= most.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Load = Load { texts: 9, tokens: 100, bytes: 1000 };

    #[test]
    fn each_of_the_three_bounds_holds_by_itself() {
        assert!(MOST.fits(MOST));
        for over in [Load { texts: 10, ..MOST }, Load { tokens: 101, ..MOST }, Load { bytes: 1001, ..MOST }] {
            assert!(!over.fits(MOST), "{over:?}");
        }
    }

    #[test]
    fn one_request_leaves_room_for_another() {
        let huge = Load { texts: 2048, tokens: 1 << 20, bytes: 1 << 24 };
        assert_eq!(huge.counted(MOST), Load { texts: 5, tokens: 50, bytes: 500 });
        assert!(huge.counted(MOST).plus(Load { texts: 1, tokens: 16, bytes: 80 }).fits(MOST));
        assert!(!huge.counted(MOST).plus(huge.counted(MOST)).fits(MOST));
        let small = Load { texts: 2, tokens: 9, bytes: 30 };
        assert_eq!(small.counted(MOST), small);
        let least = Load { texts: 1, tokens: 1, bytes: 1 };
        assert_eq!(huge.counted(least), least);
    }
}
