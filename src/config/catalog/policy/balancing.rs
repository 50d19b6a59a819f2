//! `loadBalancer`: the choice among endpoints, and the keys and tables of consistent hashing.

use http::HeaderName;

use super::{Reader, locality};
use crate::config::finding::{NO_EFFECT, remark};
use crate::config::path::Path;
use crate::config::unexecuted::LARGE_RING;
use crate::config::written;
use crate::domain::{Balancing, ConsistentHash, HashCookie, HashKey, HashTable, LoadBalancer, Warmup, parse_duration};

/// Envoy's default for the size of a ring.
const RING_SIZE: u32 = 1024;
/// The largest ring that is built: 12 MiB.
const MAX_RING_SIZE: u32 = 1 << 20;
/// What an endpoint that is warming up gets at least: Envoy's default for `min_weight_percent`.
const MINIMUM_PERCENT: f64 = 10.0;
/// Istio's limit on Maglev tables, which stay below it.
const MAGLEV_LIMIT: u64 = 5_000_011;

impl Reader<'_> {
    pub(super) fn load_balancer(&mut self, written: &written::LoadBalancer, path: &Path) -> LoadBalancer {
        let path = path.key("loadBalancer");
        let balancing = match (&written.consistent_hash, written.simple.as_deref()) {
            (Some(hash), _) => {
                let path = path.key("consistentHash");
                let (key, table) = (self.hash_key(hash, &path), self.hash_table(hash, &path));
                Balancing::ConsistentHash(ConsistentHash { key, table })
            }
            (None, Some("ROUND_ROBIN")) => Balancing::RoundRobin,
            (None, Some("RANDOM")) => Balancing::Random,
            (None, Some("PASSTHROUGH")) => Balancing::Passthrough,
            (None, _) => Balancing::LeastRequest,
        };
        let locality = written.locality_lb_setting.as_ref().map(locality::read);
        LoadBalancer { balancing, locality: locality.unwrap_or_default(), warmup: self.warmup(written, &path) }
    }

    /// The older `warmupDurationSecs` counts where there is no `warmup`.
    fn warmup(&mut self, written: &written::LoadBalancer, path: &Path) -> Option<Warmup> {
        let Some(warmup) = &written.warmup else {
            let duration = parse_duration(written.warmup_duration_secs.as_deref()?).ok()?;
            return Some(Warmup { duration, minimum_percent: MINIMUM_PERCENT, aggression: 1.0 });
        };
        let aggression = warmup.aggression.unwrap_or(1.0);
        if aggression < 1.0 {
            let said = remark(format!("{aggression} is out of range."), "Write a number from 1.");
            self.wrong(&path.key("warmup").key("aggression"), said);
        }
        Some(Warmup {
            duration: parse_duration(&warmup.duration).ok()?,
            minimum_percent: warmup.minimum_percent.unwrap_or(MINIMUM_PERCENT),
            aggression,
        })
    }

    fn hash_key(&mut self, written: &written::ConsistentHash, path: &Path) -> Option<HashKey> {
        if let Some(cookie) = &written.http_cookie {
            return self.cookie(cookie, path);
        }
        if let Some(name) = &written.http_header_name {
            let header = HeaderName::from_bytes(name.as_bytes());
            if header.is_err() {
                let said = remark(
                    format!("`{name}` is no header's name, so that each request's endpoint is drawn."),
                    "Name the header to hash.",
                );
                self.findings.warning(NO_EFFECT, self.document.place(&path.key("httpHeaderName")), said);
            }
            return header.ok().map(HashKey::Header);
        }
        let parameter = written.http_query_parameter_name.as_deref();
        parameter
            .map(|name| HashKey::QueryParameter(name.into()))
            .or(written.use_source_ip.then_some(HashKey::SourceIp))
    }

    fn cookie(&mut self, written: &written::HttpCookie, path: &Path) -> Option<HashKey> {
        if written.name.is_empty() {
            if self.intact {
                self.wrong(&path.key("httpCookie"), remark("The cookie has no name.", "Add `name`."));
            }
            return None;
        }
        let attributes = written.attributes.iter();
        Some(HashKey::Cookie(HashCookie {
            name: written.name.as_str().into(),
            path: written.path.as_str().into(),
            ttl: written.ttl.as_deref().and_then(|text| parse_duration(text).ok()),
            attributes: attributes.map(|one| (one.name.as_str().into(), one.value.as_str().into())).collect(),
        }))
    }

    fn hash_table(&mut self, written: &written::ConsistentHash, path: &Path) -> HashTable {
        let deprecated = path.key("minimumRingSize");
        match (&written.maglev, &written.ring_hash) {
            (Some(maglev), _) => self.maglev(maglev.table_size, &path.key("maglev")),
            (None, Some(ring)) => self.ring(ring.minimum_ring_size, &path.key("ringHash").key("minimumRingSize")),
            (None, None) => self.ring(written.minimum_ring_size, &deprecated),
        }
    }

    fn ring(&mut self, minimum: u64, path: &Path) -> HashTable {
        let size = u32::try_from(minimum).unwrap_or(u32::MAX).min(MAX_RING_SIZE);
        if u64::from(size) < minimum {
            let said = remark(format!("The ring is built with {size} points."), "Write no more.");
            self.findings.not_executed(&LARGE_RING, self.document.place(path), said);
        }
        HashTable::Ring(if size == 0 { RING_SIZE } else { size })
    }

    fn maglev(&mut self, size: u64, path: &Path) -> HashTable {
        if self.intact && (size >= MAGLEV_LIMIT || !is_prime(size)) {
            let said = remark(
                format!("A Maglev table cannot have {size} places."),
                format!("Write a prime below {MAGLEV_LIMIT} as `tableSize`, such as 65537."),
            );
            self.wrong(&path.key("tableSize"), said);
        }
        HashTable::Maglev(u32::try_from(size.min(MAGLEV_LIMIT)).unwrap_or_default().max(1))
    }
}

/// As Istio judges it: 1 counts as a prime.
fn is_prime(number: u64) -> bool {
    let mut factors = (3..).step_by(2).take_while(|factor| factor * factor <= number);
    matches!(number, 1..=3) || (number % 2 == 1 && factors.all(|factor| !number.is_multiple_of(factor)))
}
