//! What is computed together. Pure.
//!
//! Padding is computed like text, so that a batch in order of arrival is slower than no batch at all, while texts of one length
//! cost a fifth less together than alone. So a batch is the text whose turn it is, and with it those nearest to it in length.

/// The largest share of padding among a batch's tokens: one in this many.
const PADDING: usize = 8;

/// What one run of the model takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    /// Texts, at least 1.
    pub(super) texts: usize,
    /// Tokens, padding included, unless a lone text has more.
    pub(super) tokens: usize,
}

/// A text that waits, as far as the choice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its length.
    pub(super) tokens: usize,
    /// How many texts of its request wait before it: of texts as near, the first ones of each request are taken first.
    pub(super) nth: usize,
}

/// Chooses from `candidates`, of which the first has its turn, what to compute next. Gives their places in ascending order;
/// none where there is no candidate.
pub(super) fn choose(candidates: &[Candidate], most: Most) -> Vec<usize> {
    let Some(anchor) = candidates.first() else { return Vec::new() };
    let mut nearest: Vec<usize> = (1..candidates.len()).collect();
    nearest.sort_unstable_by_key(|&at| (candidates[at].tokens.abs_diff(anchor.tokens), candidates[at].nth, at));
    let mut chosen = vec![0];
    let (mut longest, mut sum) = (anchor.tokens, anchor.tokens);
    for at in nearest {
        if chosen.len() >= most.texts {
            break;
        }
        let (new_longest, new_sum) = (longest.max(candidates[at].tokens), sum + candidates[at].tokens);
        let padded = new_longest * (chosen.len() + 1);
        if padded <= most.tokens && (padded - new_sum) * PADDING <= padded {
            (longest, sum) = (new_longest, new_sum);
            chosen.push(at);
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lengths: &[usize]) -> Vec<Candidate> {
        lengths.iter().map(|&tokens| Candidate { tokens, nth: 0 }).collect()
    }

    #[test]
    fn the_first_is_always_taken_and_company_is_of_its_length() {
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
        for (lengths, texts, expected) in cases {
            assert_eq!(choose(&of(lengths), Most { texts, tokens: 512 }), expected, "{lengths:?} at most {texts}");
        }
    }

    #[test]
    fn of_texts_as_near_the_first_of_each_request_comes_before_the_second_of_any() {
        let candidates = [(16, 0), (16, 1), (16, 2), (16, 0), (16, 1)].map(|(tokens, nth)| Candidate { tokens, nth });
        assert_eq!(choose(&candidates, Most { texts: 3, tokens: 512 }), [0, 1, 3]);
    }

    #[test]
    fn no_batch_breaks_a_bound() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let lengths: Vec<usize> = (0..random.usize(1..80)).map(|_| random.usize(2..=256)).collect();
            let most = Most { texts: random.usize(1..40), tokens: random.usize(1..2000) };
            let chosen = choose(&of(&lengths), most);
            let longest = chosen.iter().map(|&place| lengths[place]).max().unwrap_or(0);
            let sum: usize = chosen.iter().map(|&place| lengths[place]).sum();
            let padded = longest * chosen.len();
            assert!(chosen[0] == 0 && chosen.len() <= most.texts && chosen.is_sorted_by(|a, b| a < b));
            assert!(padded <= most.tokens || chosen.len() == 1, "{lengths:?} -> {chosen:?}");
            assert!((padded - sum) * PADDING <= padded, "{lengths:?} -> {chosen:?}");
        }
    }
}
