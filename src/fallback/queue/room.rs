//! How much may wait. Pure.

/// Of each bound, one in this many parts is kept for requests that need no more than it, and at least 1 where the bound is
/// above 1: however many large requests wait, a small one finds room.
const KEPT: usize = 8;

/// So much of what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::fallback) struct Load {
    pub(in crate::fallback) texts: usize,
    pub(in crate::fallback) tokens: usize,
    pub(in crate::fallback) bytes: usize,
}

impl Load {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            texts: self.texts.saturating_add(other.texts),
            tokens: self.tokens.saturating_add(other.tokens),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    /// Whether a queue that holds at most this much has room for a request of `asked` beside those that wait: in texts, in
    /// tokens and in bytes.
    pub(in crate::fallback) fn has_room(self, waiting: &(impl Iterator<Item = Self> + Clone), asked: Self) -> bool {
        let parts: [fn(Self) -> usize; 3] = [|load| load.texts, |load| load.tokens, |load| load.bytes];
        parts.into_iter().all(|part| has_room(part(self), waiting.clone().map(part), part(asked)))
    }
}

/// As [`Load::has_room`] for one of the three. A request that is larger than what is kept counts for half of the rest at
/// most, so that one of a thousand texts leaves room for another, and is not refused each time for its size.
fn has_room(most: usize, waiting: impl Iterator<Item = usize>, asked: usize) -> bool {
    let kept = if most > 1 { (most / KEPT).max(1) } else { 0 };
    let shared = most - kept;
    let counted = |own: usize| own.min((shared / 2).max(1));
    let (mut large, mut small) = (0_usize, 0_usize);
    for own in waiting {
        if own > kept {
            large = large.saturating_add(counted(own));
        } else {
            small = small.saturating_add(own);
        }
    }
    // The large ones may have more tokens than was expected of them when they came.
    let taken = large.min(shared).saturating_add(small);
    if asked > kept { taken.saturating_add(counted(asked)) <= shared } else { taken.saturating_add(asked) <= most }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Load = Load { texts: 9, tokens: 100, bytes: 1000 };

    #[test]
    fn each_of_the_three_bounds_holds_by_itself() {
        let small = Load { texts: 1, tokens: 10, bytes: 100 };
        let eight = std::iter::repeat_n(small, 8);
        assert!(MOST.has_room(&eight, small));
        for over in [Load { texts: 2, ..small }, Load { tokens: 21, ..small }, Load { bytes: 201, ..small }] {
            assert!(!MOST.has_room(&eight, over), "{over:?}");
        }
    }

    #[test]
    fn any_number_of_large_requests_leaves_the_kept_part_to_small_ones() {
        for most in (2..40).chain([1024, 8191, 8192, 4 << 20]) {
            let kept = (most / 8).max(1);
            for large in [kept + 1, most / 2 + 1, most, most * 50] {
                let mut waiting = Vec::new();
                while has_room(most, waiting.iter().copied(), large) {
                    waiting.push(large);
                }
                assert!(!waiting.is_empty(), "{large} of {most} is never taken");
                // Each turned out to be longer than it seemed.
                for own in &mut waiting {
                    *own *= 2;
                }
                assert!(has_room(most, waiting.iter().copied(), kept), "{most}: {waiting:?}");
                waiting.extend(std::iter::repeat_n(1, kept));
                assert!(!has_room(most, waiting.iter().copied(), large), "{most}: {waiting:?}");
            }
        }
    }

    #[test]
    fn two_large_requests_wait_together_and_small_ones_fill_the_queue() {
        for (most, together) in [(32, 2), (33, 2), (9, 2), (4, 3), (3, 2), (2, 1), (1, 1)] {
            let huge = std::iter::repeat_n(2048, together);
            assert!(has_room(most, huge.clone().skip(1), 2048), "{most}");
            assert!(!has_room(most, huge, 2048), "{most}");
            assert!(has_room(most, std::iter::repeat_n(1, most - 1), 1), "{most}");
            assert!(!has_room(most, std::iter::repeat_n(1, most), 1), "{most}");
        }
    }
}
