//! What is computed together. Pure.
//!
//! The window is zero: nothing waits for company, and what is there already is grouped by length. Texts of one length
//! cost a fifth less together than alone, but padding is computed like text, so that a batch in order of arrival is slower
//! than no batch at all.

/// The most tokens computed in one run, padding included, unless a lone text has more. Beyond some hundreds the gain of a
/// batch is gone, and what waits behind it waits longer.
const MAX_TOKENS: usize = 512;

/// The largest share of padding among a batch's tokens: one in this many.
const PADDING: usize = 8;

/// Chooses from texts of these `lengths` (in tokens, the oldest first) what to compute next: the oldest, and with it those
/// nearest to it in length. Gives their places in ascending order; none where there is no text.
pub(super) fn choose(lengths: &[usize], max_batch: usize) -> Vec<usize> {
    let Some(&anchor) = lengths.first() else { return Vec::new() };
    let mut nearest: Vec<usize> = (1..lengths.len()).collect();
    // The sort is stable: of two that are as near, the older one comes first.
    nearest.sort_by_key(|&place| lengths[place].abs_diff(anchor));
    let mut chosen = vec![0];
    let (mut longest, mut sum) = (anchor, anchor);
    for place in nearest {
        if chosen.len() >= max_batch {
            break;
        }
        let (new_longest, new_sum) = (longest.max(lengths[place]), sum + lengths[place]);
        let padded = new_longest * (chosen.len() + 1);
        if padded <= MAX_TOKENS && (padded - new_sum) * PADDING <= padded {
            (longest, sum) = (new_longest, new_sum);
            chosen.push(place);
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_always_taken_and_company_is_of_its_length() {
        let cases: [(&[usize], usize, &[usize]); 8] = [
            (&[], 8, &[]),
            (&[600], 8, &[0]),
            (&[16, 16, 16, 16], 8, &[0, 1, 2, 3]),
            (&[16, 16, 16, 16], 2, &[0, 1]),
            (&[16, 100, 16, 100], 8, &[0, 2]),
            (&[100, 16, 100, 16], 8, &[0, 2]),
            (&[256, 256, 256], 8, &[0, 1]),
            (&[16, 15, 17, 40, 14], 8, &[0, 1, 2, 4]),
        ];
        for (lengths, max_batch, expected) in cases {
            assert_eq!(choose(lengths, max_batch), expected, "{lengths:?} at most {max_batch}");
        }
    }

    #[test]
    fn no_batch_breaks_a_bound() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let lengths: Vec<usize> = (0..random.usize(1..80)).map(|_| random.usize(2..=256)).collect();
            let max_batch = random.usize(1..40);
            let chosen = choose(&lengths, max_batch);
            let longest = chosen.iter().map(|&place| lengths[place]).max().unwrap_or(0);
            let sum: usize = chosen.iter().map(|&place| lengths[place]).sum();
            let padded = longest * chosen.len();
            assert!(chosen[0] == 0 && chosen.len() <= max_batch && chosen.is_sorted_by(|a, b| a < b));
            assert!(padded <= MAX_TOKENS && (padded - sum) * PADDING <= padded, "{lengths:?} -> {chosen:?}");
        }
    }
}
