//! What the names of endpoints resolve to, as data: who asks, and when, is no concern of a snapshot.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::config::Checked;
use crate::domain::{Address, Host};

/// The addresses of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    newest: IpAddr,
    all: Box<[IpAddr]>,
}

impl Addresses {
    /// The addresses of an answer in its order; `None` of an empty one.
    pub fn new(answer: &[IpAddr]) -> Option<Self> {
        let newest = *answer.first()?;
        let mut all = answer.to_vec();
        all.sort_unstable();
        all.dedup();
        Some(Self { newest, all: all.into() })
    }

    /// The one that the answer named first.
    pub fn newest(&self) -> IpAddr {
        self.newest
    }

    /// Each of them once, in an order that does not depend on the answer's.
    pub fn all(&self) -> &[IpAddr] {
        &self.all
    }
}

/// The addresses of every name that has some.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    known: BTreeMap<Host, Addresses>,
    assumed: bool,
}

impl Resolved {
    /// Every name has an address, of which nothing is known: for whoever decides and never connects.
    pub fn assumed() -> Self {
        Self { known: BTreeMap::new(), assumed: true }
    }

    /// Whether every name counts as having an address.
    pub(super) fn assumes(&self) -> bool {
        self.assumed
    }

    /// The addresses of `name`, if it has any.
    pub fn of(&self, name: &Host) -> Option<&Addresses> {
        self.known.get(name)
    }

    /// Notes the addresses of `name`; with none it has no endpoint.
    pub fn set(&mut self, name: Host, addresses: Option<Addresses>) {
        match addresses {
            Some(addresses) => {
                self.known.insert(name, addresses);
            }
            None => {
                self.known.remove(&name);
            }
        }
    }

    /// Forgets the names that `keep` does not hold on to.
    pub fn retain(&mut self, mut keep: impl FnMut(&Host) -> bool) {
        self.known.retain(|name, _| keep(name));
    }
}

/// What is known of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameStatus {
    /// The name.
    pub name: Host,
    /// The addresses that it has, or had when it was last answered.
    pub addresses: Option<Addresses>,
    /// Why the last lookup failed; `None` where it did not, or there was none yet.
    pub failure: Option<String>,
}

/// Every name that an endpoint of `checked` goes by, in order, each once; with whether its newest address alone is used.
pub fn names(checked: &Checked) -> BTreeMap<&Host, Use> {
    let mut names = BTreeMap::new();
    for endpoint in checked.pools.iter().flat_map(|pool| &pool.endpoints) {
        match &endpoint.address {
            Address::Socket(_) | Address::Original(_) => {}
            Address::Name(host, _) => {
                names.entry(host).or_insert(Use::Every);
            }
            Address::Logical(host, _) => {
                names.insert(host, Use::Newest);
            }
        }
    }
    names
}

/// What of a name's addresses is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// All of them, so that their order does not matter.
    Every,
    /// The newest, by one endpoint at least.
    Newest,
}
