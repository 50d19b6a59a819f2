//! The first runs of a model, before any request: memory is taken, code is read, and the pace is measured.

use std::thread;
use std::time::Instant;

use super::batch::Most;
use super::engine::{Engine, EngineError, Tokens};
use super::forecast::Pace;
use super::permits::Claim;

/// Lengths in tokens that texts come in, beside the longest.
const LENGTHS: [usize; 4] = [8, 32, 64, 128];

/// The longest text that is tried, in tokens: what a run takes grows with the square of the length, and a model that takes
/// hundreds of thousands would not start.
const LONGEST: usize = 512;

/// Has each of `engines` compute lone texts of several lengths, and full batches; all of them at the same time, as
/// they are going to work, and with the permits that they will need. Gives the pace of the first.
pub(super) fn all<E: Engine>(
    engines: &mut [E],
    sample: &str,
    (longest, most): (usize, Most),
    claim: &Claim,
) -> Result<Pace, EngineError> {
    let shapes = shapes(longest, most);
    let one = |engine: &mut E| {
        let sample = engine.tokenise(&sample.into()).map_err(|why| EngineError(why.to_string()))?;
        let mut pace = Pace::default();
        for &(texts, tokens) in &shapes {
            let text = Tokens(sample.0.iter().copied().cycle().take(tokens).collect());
            let permit = claim.take();
            let begun = Instant::now();
            engine.embed(&vec![&text; texts])?;
            pace.ran(texts * tokens, begun.elapsed());
            drop(permit);
        }
        Ok(pace)
    };
    thread::scope(|scope| {
        let running: Vec<_> = engines.iter_mut().map(|engine| scope.spawn(|| one(engine))).collect();
        let panicked = || Err(EngineError("it panicked on its first runs".to_owned()));
        let ended: Vec<Result<Pace, EngineError>> =
            running.into_iter().map(|run| run.join().unwrap_or_else(|_| panicked())).collect();
        ended.into_iter().try_fold(None, |first: Option<Pace>, pace| pace.map(|pace| first.or(Some(pace))))
    })
    .map(Option::unwrap_or_default)
}

/// Texts and tokens of each run. The largest come first: what they take is what the smaller ones use again.
fn shapes(longest: usize, most: Most) -> Vec<(usize, usize)> {
    let longest = longest.min(most.tokens).min(LONGEST);
    let lengths: Vec<usize> = LENGTHS.into_iter().filter(|length| *length < longest).chain([longest]).collect();
    let full = |length: usize| (most.tokens / length).clamp(1, most.texts);
    let mut shapes: Vec<(usize, usize)> =
        lengths.iter().flat_map(|&length| [(full(length), length), (1, length)]).collect();
    shapes.sort_unstable_by_key(|(texts, length)| std::cmp::Reverse(texts * length));
    shapes.dedup();
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_those_that_batches_have() {
        let shapes = shapes(256, Most { texts: 8, tokens: 512 });
        assert_eq!(shapes.first().map(|(texts, tokens)| texts * tokens), Some(512));
        assert!(shapes.contains(&(1, 256)) && shapes.contains(&(8, 32)) && shapes.contains(&(1, 8)));
        assert!(shapes.iter().all(|(texts, tokens)| *texts <= 8 && texts * tokens <= 512));
    }

    #[test]
    fn no_text_is_longer_than_a_batch_or_than_most_models_take() {
        for (longest, tokens, expected) in
            [(1 << 20, 1 << 20, 512), (1 << 20, 300, 300), (100, 1 << 20, 100), (512, 512, 512), (8, 1, 1)]
        {
            let shapes = shapes(longest, Most { texts: 4, tokens });
            assert_eq!(shapes.iter().map(|(_, length)| *length).max(), Some(expected), "{longest} in {tokens}");
            assert!(shapes.contains(&(1, expected)), "{shapes:?}");
        }
    }
}
