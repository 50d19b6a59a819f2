//! How long a request will take, by what was measured. Pure: durations are told, and no clock is read.

use std::time::Duration;

use super::engine::MAX_TOKEN_BYTES;

/// What of the past each new run leaves standing: after some twenty runs a change of pace has been taken in.
const KEPT: f64 = 0.9;
/// Tokens a byte of text before any was tokenised: English has a token in four bytes or five.
const TOKENS_A_BYTE: f64 = 0.25;
/// Special tokens around a text.
const SPECIAL: usize = 2;

/// The pace of one thread, and the length of texts in tokens, as they were measured last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    tokens: f64,
    seconds: f64,
    /// The seconds a token of the fastest run; zero before the first.
    best: f64,
    tokenised: f64,
    bytes: f64,
}

/// What stands before a request and its answer, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Its own.
    pub(super) own: usize,
    /// Its texts: each is computed by one thread.
    pub(super) texts: usize,
    /// Those of others that come before the last of its own.
    pub(super) ahead: usize,
    /// Threads of other models that compute, or wait to: they have their turns between its threads'.
    pub(super) others: usize,
}

impl Pace {
    /// Notes that a run over `tokens` tokens took `took`.
    pub(super) fn ran(&mut self, tokens: usize, took: Duration) {
        self.tokens = self.tokens * KEPT + float(tokens);
        self.seconds = self.seconds * KEPT + took.as_secs_f64();
        let each = took.as_secs_f64() / float(tokens.max(1));
        self.best = if self.best > 0.0 { self.best.min(each) } else { each };
    }

    /// What may be expected where nothing has run for a while: the best that was seen. What slowed the last runs may be over, and
    /// whoever is refused for it would never find out.
    pub(super) fn rested(mut self) -> Self {
        self.seconds = self.tokens * self.best;
        self
    }

    /// Notes that a text of `bytes` bytes came to `tokens` tokens, of which a model takes `longest`. One that was cut tells
    /// nothing: its bytes are those of the whole text.
    pub(super) fn tokenised(&mut self, bytes: usize, tokens: usize, longest: usize) {
        if tokens >= longest || bytes > longest.saturating_mul(MAX_TOKEN_BYTES) {
            return;
        }
        self.tokenised = self.tokenised * KEPT + float(tokens);
        self.bytes = self.bytes * KEPT + float(bytes);
    }

    /// About how many tokens a text of `bytes` bytes has; a text is cut to `longest`.
    pub(super) fn tokens(&self, bytes: usize, longest: usize) -> usize {
        let rate = if self.bytes > 0.0 { self.tokenised / self.bytes } else { TOKENS_A_BYTE };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a text's length times a small ratio"
        )]
        let tokens = (float(bytes) * rate) as usize;
        (tokens + SPECIAL).min(longest)
    }

    /// How long `work` will take on `threads` threads; `None` before the first run.
    pub(super) fn time(&self, work: Work, threads: usize) -> Option<Duration> {
        if self.tokens <= 0.0 {
            return None;
        }
        let each = self.seconds / self.tokens;
        let own = float(work.own) / float(threads.min(work.texts).max(1));
        let ahead = float(work.ahead) / float(threads.max(1));
        let turns = 1.0 + float(work.others) / float(threads.max(1));
        Duration::try_from_secs_f64((own + ahead) * turns * each).ok()
    }
}

/// Counts of tokens are far below 2^52, where a float is exact.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forecast_before_the_first_run() {
        assert_eq!(Pace::default().time(Work { own: 1, texts: 1, ..Work::default() }, 1), None);
    }

    #[test]
    fn time_is_what_is_ahead_by_all_threads_and_its_own_by_as_many_as_it_has_texts() {
        let mut pace = Pace::default();
        pace.ran(1000, Duration::from_secs(1));
        for (own, texts, ahead, others, threads, milliseconds) in [
            (100, 1, 0, 0, 1, 100),
            (100, 1, 0, 0, 4, 100),
            (100, 4, 0, 0, 4, 25),
            (100, 1, 400, 0, 4, 200),
            (1000, 9, 500, 0, 1, 1500),
            (100, 1, 400, 4, 4, 400),
            (100, 1, 0, 2, 1, 300),
        ] {
            let work = Work { own, texts, ahead, others };
            let time = pace.time(work, threads).expect("it has run");
            assert_eq!(time.as_millis(), milliseconds, "{work:?} on {threads}");
        }
    }

    #[test]
    fn the_pace_follows_what_is_measured() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            pace.ran(100, Duration::from_millis(100));
        }
        for _ in 0..50 {
            pace.ran(100, Duration::from_millis(200));
        }
        let time = pace.time(Work { own: 1000, texts: 1, ..Work::default() }, 1).expect("it has run");
        assert!((1950..=2000).contains(&time.as_millis()), "{time:?}");
    }

    #[test]
    fn a_slow_hour_is_forgotten_with_rest() {
        let mut pace = Pace::default();
        pace.ran(100, Duration::from_millis(100));
        for _ in 0..50 {
            pace.ran(100, Duration::from_secs(2));
        }
        let time = |pace: Pace| pace.time(Work { own: 100, texts: 1, ..Work::default() }, 1).expect("it has run");
        assert!(time(pace).as_millis() > 1900);
        assert_eq!(time(pace.rested()).as_millis(), 100);
        assert_eq!(Pace::default().rested(), Pace::default());
    }

    #[test]
    fn lengths_are_learned_and_never_longer_than_a_text_may_be() {
        let mut pace = Pace::default();
        assert_eq!((pace.tokens(40, 256), pace.tokens(1 << 20, 256)), (12, 256));
        for _ in 0..50 {
            pace.tokenised(100, 50, 256);
        }
        assert_eq!(pace.tokens(40, 256), 22);
    }

    #[test]
    fn a_text_that_was_cut_tells_nothing_of_the_others() {
        let mut pace = Pace::default();
        pace.tokenised(100, 50, 256);
        // Too many tokens, and too many bytes for a tokenizer to see them all: one long word may be one token.
        for (bytes, tokens) in [(1 << 20, 256), (2000, 256), (1 << 20, 3), (256 * 32 + 1, 3)] {
            pace.tokenised(bytes, tokens, 256);
            assert_eq!(pace.tokens(40, 256), 22, "after {bytes} bytes in {tokens} tokens");
        }
        pace.tokenised(2000, 255, 256);
        assert!(pace.tokens(40, 256) < 22);
    }
}
