//! A DNS server that answers as a test tells it to, over UDP.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a name comes to.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// These addresses, for so many seconds.
    Found(Vec<IpAddr>, u32),
    /// There is no such name: NXDOMAIN, as for every name that the test has not told of.
    Absent,
    /// The server cannot say: SERVFAIL.
    Failing,
    /// No answer at all.
    Silent,
}

/// A server on a port of its own. It runs until the test's process ends.
pub struct DnsServer {
    /// Where it listens.
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    lookups: HashMap<String, Lookup>,
    asked: HashMap<String, usize>,
}

/// Record types (RFC 1035, section 3.2.2; RFC 3596, section 2.1).
const A: u16 = 1;
const AAAA: u16 = 28;

impl DnsServer {
    /// Starts one that knows no name.
    pub fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = socket.local_addr().expect("a bound address");
        let script: Arc<Mutex<Script>> = Arc::default();
        let scripted = Arc::clone(&script);
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..length], &mut lock(&scripted)) {
                    // A router that has gone away does not wait for its answer.
                    drop(socket.send_to(&answer, client));
                }
            }
        });
        Self { address, script }
    }

    /// From now on `name` comes to `lookup`.
    pub fn tell(&self, name: &str, lookup: Lookup) {
        lock(&self.script).lookups.insert(name.to_owned(), lookup);
    }

    /// From now on `name` has these addresses, for a second each time.
    pub fn found(&self, name: &str, addresses: &[IpAddr]) {
        self.tell(name, Lookup::Found(addresses.to_vec(), 1));
    }

    /// How often the addresses of `name` were asked for.
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.script).asked.get(name).copied().unwrap_or_default()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to one query; `None` for none.
fn answer(query: &[u8], script: &mut Script) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    while *query.get(at)? != 0 {
        let label = query.get(at + 1..=at + usize::from(query[at]))?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += 1 + label.len();
    }
    // The name's end, the type and the class.
    let question = query.get(HEADER..at + 5)?;
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let name = labels.join(".");
    if kind == A {
        *script.asked.entry(name.clone()).or_default() += 1;
    }
    let lookup = script.lookups.get(&name).cloned().unwrap_or(Lookup::Absent);
    let (code, records, ttl) = match lookup {
        Lookup::Found(addresses, ttl) => (0, addresses, ttl),
        Lookup::Absent => (3, Vec::new(), 0),
        Lookup::Failing => (2, Vec::new(), 0),
        Lookup::Silent => return None,
    };
    let records: Vec<Vec<u8>> = records.iter().filter_map(|address| data(*address, kind)).collect();
    let mut message = query[..2].to_vec();
    // A response (QR) of an authority (AA), to a query that asked for recursion (RD), which is available (RA).
    message.extend([0x85, 0x80 | code]);
    let count = u16::try_from(records.len()).expect("few records");
    message.extend([1, count, 0, 0].map(u16::to_be_bytes).concat());
    message.extend(question);
    for data in records {
        // The name is that of the question.
        message.extend([0xc0, 12]);
        message.extend([kind, 1].map(u16::to_be_bytes).concat());
        message.extend(ttl.to_be_bytes());
        message.extend(u16::try_from(data.len()).expect("an address is short").to_be_bytes());
        message.extend(data);
    }
    Some(message)
}

/// An address as the data of a record of this type.
fn data(address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    match (address, kind) {
        (IpAddr::V4(address), A) => Some(address.octets().to_vec()),
        (IpAddr::V6(address), AAAA) => Some(address.octets().to_vec()),
        _ => None,
    }
}
