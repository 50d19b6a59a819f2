//! Asking for the addresses of one name: the system's hosts file, then DNS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::RecordType;
use tokio::time::timeout;

use crate::config::Dns;
use crate::domain::Host;

/// Files that the system says in how names are resolved.
const SYSTEM: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// The server of a system that names none.
const LOCAL_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

/// What a name came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct Answer {
    /// Its addresses in the order in which they were given; none where there is no such name, or none of its records is an
    /// address.
    pub(in crate::control) addresses: Vec<IpAddr>,
    /// How long that holds.
    pub(in crate::control) ttl: Duration,
}

/// An answer, or why there is none.
pub(in crate::control) type Outcome = Result<Answer, String>;

/// Resolves names as the settings say, or as the system does.
pub(in crate::control) struct Resolver {
    settings: Dns,
    /// The resolver, and when the files that it was made from were changed last.
    made: Option<(TokioResolver, Changed)>,
}

type Changed = [Option<SystemTime>; SYSTEM.len()];

impl Resolver {
    pub(in crate::control) fn new(settings: Dns) -> Self {
        Self { settings, made: None }
    }

    /// Looks `name` up, which is not an address.
    pub(in crate::control) fn look_up(&mut self, name: &Host) -> impl Future<Output = Outcome> + Send + 'static {
        let (resolver, limit, name) = (self.current(), self.settings.timeout, name.clone());
        async move {
            let resolver = resolver.map_err(|error| error.to_string())?;
            match timeout(limit, addresses(&resolver, &name)).await {
                Ok(found) => found.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {limit:?}")),
            }
        }
    }

    /// A resolver by what the system's files say now.
    fn current(&mut self) -> Result<TokioResolver, NetError> {
        let changed = SYSTEM.map(|file| Path::new(file).metadata().and_then(|file| file.modified()).ok());
        if let Some((resolver, before)) = &self.made
            && *before == changed
        {
            return Ok(resolver.clone());
        }
        let resolver = make(&self.settings)?;
        self.made = Some((resolver.clone(), changed));
        Ok(resolver)
    }
}

fn make(settings: &Dns) -> Result<TokioResolver, NetError> {
    /// How often a server may be asked within the time that a lookup has.
    const TRIES: u32 = 3;
    let by = |servers: &[SocketAddr]| {
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let mut builder = if settings.servers.is_empty() {
        // Where the system names no server it is the machine itself (resolv.conf(5)).
        TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system names no DNS server; this machine's own is asked");
            by(&[LOCAL_SERVER])
        })
    } else {
        by(&settings.servers)
    };
    let options = builder.options_mut();
    // Names are asked for when their time is over; keeping them a second time would only make them older.
    options.cache_size = 0;
    options.timeout = options.timeout.min(settings.timeout / TRIES);
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// The IPv4 addresses of `name`, or its IPv6 addresses where it has no others: what Istio has Envoy do where it is not told
/// that both can be reached.
async fn addresses(resolver: &TokioResolver, name: &Host) -> Result<Answer, NetError> {
    let old = records(resolver, name, RecordType::A).await?;
    if !old.addresses.is_empty() {
        return Ok(old);
    }
    let new = records(resolver, name, RecordType::AAAA).await?;
    let ttl = if new.addresses.is_empty() { old.ttl.min(new.ttl) } else { new.ttl };
    Ok(Answer { ttl, ..new })
}

async fn records(resolver: &TokioResolver, name: &Host, kind: RecordType) -> Result<Answer, NetError> {
    match resolver.lookup(name.as_str(), kind).await {
        Ok(found) => Ok(Answer {
            addresses: found.answers().iter().filter_map(|record| record.data.ip_addr()).collect(),
            ttl: found.valid_until().saturating_duration_since(Instant::now()),
        }),
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            Ok(Answer { addresses: Vec::new(), ttl: Duration::from_secs(none.negative_ttl.unwrap_or_default().into()) })
        }
        Err(error) => Err(error),
    }
}
