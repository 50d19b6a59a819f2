//! The host tables of every entry, and which of them answers for a request.

use rustc_hash::FxHashMap;

use super::VirtualHostId;
use crate::config::Entry;
use crate::domain::HostPattern;
use crate::routing::{Head, HostTable};

/// Virtual hosts by the place where a request comes in, then by its host.
#[derive(Debug, Default)]
pub(super) struct Entries {
    mesh: HostTable<VirtualHostId>,
    ports: FxHashMap<u16, Port>,
}

/// One port of a gateway.
#[derive(Debug, Default)]
struct Port {
    /// The hosts of its servers in clear.
    clear: HostTable<VirtualHostId>,
    /// The servers that speak TLS, by server name; of two with one name the first keeps it.
    by_server_name: HostTable<usize>,
    /// The server names of each such server, and its hosts.
    servers: Vec<(Vec<HostPattern>, HostTable<VirtualHostId>)>,
}

impl Entries {
    pub(super) fn insert(&mut self, entry: &Entry, hosts: &[HostPattern], id: VirtualHostId) {
        let table = match entry {
            Entry::Mesh => &mut self.mesh,
            Entry::Gateway { port, server_names } => self.ports.entry(*port).or_default().table(server_names),
        };
        for pattern in hosts {
            table.insert(pattern, id);
        }
    }

    /// The virtual host of a request, by the port and server name that it came in by and the host that it asks for.
    pub(super) fn find(&self, head: &Head<'_>) -> Option<VirtualHostId> {
        head.with_host(|host| {
            let gateway = if self.ports.is_empty() { None } else { self.ports.get(&head.port) };
            // What a client calls its scheme says nothing of a connection that is known to be secured.
            let secured = head.server_name.is_some() || head.scheme == "https";
            match gateway {
                None => self.mesh.find(host),
                Some(port) if secured => {
                    let server = port.by_server_name.find(head.server_name.unwrap_or(host))?;
                    port.servers.get(server)?.1.find(host)
                }
                Some(port) => port.clear.find(host),
            }
        })
    }
}

impl Port {
    fn table(&mut self, server_names: &[HostPattern]) -> &mut HostTable<VirtualHostId> {
        if server_names.is_empty() {
            return &mut self.clear;
        }
        let known = self.servers.iter().position(|(names, _)| names == server_names);
        let at = known.unwrap_or_else(|| {
            let at = self.servers.len();
            for name in server_names {
                self.by_server_name.insert(name, at);
            }
            self.servers.push((server_names.to_vec(), HostTable::default()));
            at
        });
        &mut self.servers[at].1
    }
}
