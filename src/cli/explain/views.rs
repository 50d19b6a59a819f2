//! The documents as each proxy sees them that a request names, compiled once a proxy.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};

use super::question::Question;
use crate::config::{self, AskedFor, Checked, Entry, Overrides, Problem, SourceFile};
use crate::snapshot::{Resolved, Snapshot, compile};

/// What one proxy sees.
pub(super) struct View {
    pub(super) snapshot: Snapshot,
    /// What the documents say wrongly of each other, and warnings.
    pub(super) problems: Vec<Problem>,
    /// The ports of its gateways whose servers speak TLS, all of them.
    secured: BTreeSet<u16>,
}

impl View {
    fn new(checked: &Checked, problems: Vec<Problem>) -> Self {
        let (mut secured, mut clear) = (BTreeSet::new(), BTreeSet::new());
        for host in &checked.virtual_hosts {
            if let Entry::Gateway { port, server_names } = &host.entry {
                if server_names.is_empty() { &mut clear } else { &mut secured }.insert(*port);
            }
        }
        secured.retain(|port| !clear.contains(port));
        Self { snapshot: compile(checked, &Resolved::assumed(), None), problems, secured }
    }

    /// Whether what comes to `port` comes over TLS.
    pub(super) fn speaks_tls(&self, port: u16) -> bool {
        self.secured.contains(&port)
    }
}

/// What every proxy asked for sees.
pub(super) struct Views {
    files: Vec<SourceFile>,
    gateway: Option<BTreeMap<String, String>>,
    namespace: Option<String>,
    compiled: BTreeMap<AskedFor, View>,
}

impl Views {
    /// Views of the documents in `files`; of a gateway with the labels `gateway` where there are any, and in `namespace`
    /// unless a request says otherwise.
    pub(super) fn new(
        files: Vec<SourceFile>,
        gateway: Option<BTreeMap<String, String>>,
        namespace: Option<String>,
    ) -> Self {
        Self { files, gateway, namespace, compiled: BTreeMap::new() }
    }

    /// What the proxy sees that `question` comes to.
    ///
    /// # Errors
    /// Every problem, where a document is wrong in itself.
    pub(super) fn of(&mut self, question: &Question) -> Result<&View, Vec<Problem>> {
        let asked = AskedFor {
            namespace: question.namespace.clone().or_else(|| self.namespace.clone()),
            gateway: self.gateway.clone(),
            // A gateway has all its ports at once.
            port: question.sent_to.filter(|_| self.gateway.is_none()),
        };
        match self.compiled.entry(asked) {
            btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            btree_map::Entry::Vacant(new) => {
                let overrides = Overrides { viewpoint: Some(new.key().clone()), ..Overrides::default() };
                let loaded = config::load(&self.files, &overrides);
                match loaded.checked {
                    Some(checked) => Ok(new.insert(View::new(&checked, loaded.problems))),
                    None => Err(loaded.problems),
                }
            }
        }
    }
}
