//! The tiers a request can be served from.

use std::fmt;

/// Where an answer comes from. A request spills from the first tier to a later one, never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// A pool of GPU instances.
    Gpu,
    /// A pool of CPU instances.
    Cpu,
    /// The local model inside this process.
    Local,
}

impl Tier {
    /// Every tier, in spill order.
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Cpu, Self::Local];

    /// The word used in `x-served-by`, in metric labels and in the documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
