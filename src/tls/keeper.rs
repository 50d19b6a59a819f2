//! Keeps what TLS needs in step with the files it is read from.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::fault::{Built, Fault};
use super::files::{Files, of_authorities, of_key_pair};
use super::{Client, Server, Servers, client, server};
use crate::config::{Checked, Listener, Place, Problem, TlsServer, unusable_certificates};
use crate::domain::{Authorities, ClientCertificates, ClientTls, KeyPair, Protocol, ServerTls};

/// The client of each pool, in the pools' order; `None` for those that speak in clear.
pub type Clients = Box<[Option<Arc<Client>>]>;

/// The one that reads certificates. It belongs to the control plane: what it hands out never reads a file.
#[derive(Default)]
pub struct Keeper {
    clients: HashMap<(ClientTls, Protocol), Kept<Client>>,
    /// Those that no pool has, for as long as the keeper lasts.
    own: Vec<((ClientTls, Protocol), Kept<Client>)>,
    servers: Vec<(ServerTls, Kept<Server>)>,
    seen: Files,
    /// What the next new policy's connections are told from others by.
    next: u64,
}

/// What is wrong with the files that `checked` names, as they are now.
pub fn problems(checked: &Checked, now: SystemTime) -> Vec<Problem> {
    let (mut keeper, _) = Keeper::new(&checked.startup.listeners);
    if let Some(api) = &checked.startup.scaling.metrics_api {
        keeper.serve(std::slice::from_ref(&api.server));
    }
    if let Some((otlp, tls)) = checked.startup.tracing.otlp.as_ref().and_then(|otlp| Some((otlp, otlp.tls.as_ref()?))) {
        keeper.client(tls, Protocol::Http1, otlp.place.clone());
    }
    keeper.follow(checked, now);
    keeper.problems()
}

/// Something that is handed out, and how its files are.
struct Kept<T> {
    what: Arc<T>,
    /// Where the settings that ask for it stand.
    places: BTreeSet<Place>,
    faults: Vec<Fault>,
    /// The files that it was built from, once it was.
    files: Option<Vec<PathBuf>>,
    /// When the same files come to something else.
    turns: Option<SystemTime>,
    /// Whether it has certificates, be they those of its files now or of before.
    usable: bool,
}

impl<T> Kept<T> {
    fn new(what: T) -> Self {
        Self {
            what: Arc::new(what),
            places: BTreeSet::new(),
            faults: Vec::new(),
            files: None,
            turns: None,
            usable: false,
        }
    }

    /// Whether `new` files may come to something else than `old` ones did.
    fn is_stale(&self, (old, new): (&Files, &Files), now: SystemTime) -> bool {
        let Some(files) = &self.files else { return true };
        self.is_over(now) || files.iter().any(|file| old.get(file) != new.get(file))
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.turns.is_some_and(|turns| turns < now)
    }

    fn renew<C>(&mut self, files: Vec<PathBuf>, built: Built<C>, renew: impl FnOnce(&T, C)) {
        self.files = Some(files);
        self.turns = built.turns;
        self.faults = built.faults;
        match built.config {
            Some(config) => {
                renew(&self.what, config);
                self.usable = true;
            }
            None if self.usable => {
                for fault in &mut self.faults {
                    fault.message.push_str(" What was read before stays in use.");
                }
            }
            None => {}
        }
    }

    fn problems(&self) -> impl Iterator<Item = Problem> + '_ {
        let told = |fault: &Fault, place: &Place| {
            unusable_certificates(place.clone(), fault.message.clone(), fault.cure.clone())
        };
        self.faults.iter().flat_map(move |fault| self.places.iter().map(move |place| told(fault, place)))
    }
}

impl Keeper {
    /// A keeper for the servers of `listeners`, and these in the same order; `None` for one that speaks in clear. Their
    /// files are read by the first [`Keeper::follow`].
    pub fn new(listeners: &[Listener]) -> (Self, Vec<Option<Arc<Servers>>>) {
        let mut keeper = Self::default();
        let servers = listeners.iter().map(|listener| (!listener.tls.is_empty()).then(|| keeper.serve(&listener.tls)));
        let servers = servers.collect();
        (keeper, servers)
    }

    /// The servers of one port, whose files are read by the next [`Keeper::follow`].
    pub fn serve(&mut self, servers: &[TlsServer]) -> Arc<Servers> {
        let servers = servers.iter().map(|settings| {
            let mut kept = Kept::new(Server::new(settings.hosts.clone()));
            kept.places.insert(settings.place.clone());
            let server = Arc::clone(&kept.what);
            self.servers.push((settings.tls.clone(), kept));
            server
        });
        Arc::new(Servers::new(servers.collect()))
    }

    /// A client of the router's own account, whose settings stand at `place`; its files are read by the next
    /// [`Keeper::follow`].
    pub fn client(&mut self, tls: &ClientTls, protocol: Protocol, place: Place) -> Arc<Client> {
        self.next += 1;
        let mut kept = Kept::new(Client::new(self.next, tls));
        kept.places.insert(place);
        let client = Arc::clone(&kept.what);
        self.own.push(((tls.clone(), protocol), kept));
        client
    }

    /// Every client that is kept.
    fn clients(&self) -> impl Iterator<Item = (&(ClientTls, Protocol), &Kept<Client>)> {
        self.clients.iter().chain(self.own.iter().map(|(settings, kept)| (settings, kept)))
    }

    /// Goes over to the policies of `checked`: the client of each pool. Policies that go on keep their client, and with it
    /// their connections.
    pub fn follow(&mut self, checked: &Checked, now: SystemTime) -> Clients {
        self.clients.values_mut().for_each(|kept| kept.places.clear());
        let clients = checked.pools.iter().map(|pool| {
            let tls = pool.traffic.tls.as_ref()?;
            let kept = self.clients.entry((tls.clone(), pool.protocol)).or_insert_with(|| {
                self.next += 1;
                Kept::new(Client::new(self.next, tls))
            });
            kept.places.insert(pool.tls_place.clone());
            Some(Arc::clone(&kept.what))
        });
        let clients = clients.collect();
        self.clients.retain(|_, kept| !kept.places.is_empty());
        self.take(self.read(), now);
        clients
    }

    /// Reads every file that is followed, as it is now.
    pub fn read(&self) -> Files {
        let clients = self.clients().flat_map(|((tls, _), _)| of_client(tls));
        let servers = self.servers.iter().flat_map(|(tls, _)| of_server(tls));
        Files::read(clients.chain(servers))
    }

    /// Whether `files` differ from what was taken last, or a certificate has become valid or expired since.
    pub fn is_news(&self, files: &Files, now: SystemTime) -> bool {
        let over = self.clients().any(|(_, kept)| kept.is_over(now));
        over || self.servers.iter().any(|(_, kept)| kept.is_over(now)) || *files != self.seen
    }

    /// Takes files as they were read: new connections use them, where they are right.
    pub fn take(&mut self, files: Files, now: SystemTime) {
        let old = std::mem::replace(&mut self.seen, files);
        let own = self.own.iter_mut().map(|(settings, kept)| (&*settings, kept));
        for ((tls, protocol), kept) in self.clients.iter_mut().chain(own) {
            if kept.is_stale((&old, &self.seen), now) {
                kept.renew(of_client(tls), client::build(tls, *protocol, &self.seen, now), Client::renew);
            }
        }
        for (tls, kept) in &mut self.servers {
            if kept.is_stale((&old, &self.seen), now) {
                kept.renew(of_server(tls), server::build(tls, &self.seen, now), Server::renew);
            }
        }
    }

    /// What is wrong with the files now, in the order of the documents.
    pub fn problems(&self) -> Vec<Problem> {
        let clients = self.clients().flat_map(|(_, kept)| kept.problems());
        let servers = self.servers.iter().flat_map(|(_, kept)| kept.problems());
        let mut problems: Vec<_> = clients.chain(servers).collect();
        problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        problems.dedup();
        problems
    }
}

fn of_client(tls: &ClientTls) -> Vec<PathBuf> {
    paths(tls.key_pair.as_slice(), Some(&tls.authorities), tls.revocations.as_ref())
}

fn of_server(tls: &ServerTls) -> Vec<PathBuf> {
    let authorities = match &tls.clients {
        ClientCertificates::None => None,
        ClientCertificates::Optional(authorities)
        | ClientCertificates::Required(authorities)
        | ClientCertificates::Judged(authorities) => Some(authorities),
    };
    paths(&tls.key_pairs, authorities, tls.revocations.as_ref())
}

fn paths(pairs: &[KeyPair], authorities: Option<&Authorities>, revocations: Option<&PathBuf>) -> Vec<PathBuf> {
    let pairs = pairs.iter().flat_map(of_key_pair).flat_map(|(chain, key)| [chain, key]);
    let authorities = authorities.into_iter().flat_map(of_authorities);
    let authorities = authorities.flat_map(|(file, revocations)| revocations.into_iter().chain([file]));
    pairs.chain(authorities).chain(revocations.cloned()).collect()
}

#[cfg(test)]
mod tests;
