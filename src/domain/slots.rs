//! How many requests an endpoint takes at once, and which of those that wait is served first.

use std::fmt;
use std::num::NonZeroU32;

/// The bounds of a limit that follows an endpoint's latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveSlots {
    /// The least that it falls to.
    pub min: NonZeroU32,
    /// The most that it rises to; not below `min`.
    pub max: NonZeroU32,
}

/// How urgent a rule's requests are while others wait too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Served first, but for a share of the slots that others keep.
    LatencySensitive,
    /// Served after those.
    #[default]
    Standard,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 2] = [Self::LatencySensitive, Self::Standard];

    /// The word for it in the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LatencySensitive => "LatencySensitive",
            Self::Standard => "Standard",
        }
    }

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::LatencySensitive => 0,
            Self::Standard => 1,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of the requests of one priority that wait is served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueOrder {
    /// The one that has waited longest.
    Fifo,
    /// The one that came last.
    Lifo,
    /// The one that has waited longest, as long as none has used up half of its time; the one that came last until then
    /// (Facebook's "adaptive LIFO", "Fail at Scale", ACM Queue 13/8, by deadlines in place of a fixed time).
    #[default]
    Adaptive,
}

impl QueueOrder {
    /// Every order.
    pub const ALL: [Self; 3] = [Self::Fifo, Self::Lifo, Self::Adaptive];

    /// The word for it in the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fifo => "Fifo",
            Self::Lifo => "Lifo",
            Self::Adaptive => "Adaptive",
        }
    }
}
