//! When a request that is slow to be answered is sent a second time.

use std::time::Duration;

/// A pool's second tries, of which the first answer counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// When the second is sent.
    pub after: HedgeAfter,
    /// Which requests are.
    pub methods: HedgedMethods,
}

/// How long the first try has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeAfter {
    /// So long.
    Delay(Duration),
    /// As long as so many in a hundred of the pool's answers took to begin.
    Percentile(f64),
}

/// What became of a request that was to be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeEnd {
    /// The second try answered first.
    Won,
    /// The first did, or the second failed.
    Lost,
    /// No retry, or no slot of another endpoint, was free for it.
    Refused,
}

impl HedgeEnd {
    /// The word for it in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Refused => "refused",
        }
    }
}

/// Which requests may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgedMethods {
    /// Those that may be repeated whatever they are for (RFC 9110, section 9.2.2).
    Idempotent,
    /// Every request, POST among them: the endpoints bear being asked twice.
    All,
}
