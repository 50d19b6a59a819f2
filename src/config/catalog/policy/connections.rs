//! How the connections of a pool are kept.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::written::{ConnectionPool, TcpKeepalive};
use crate::domain::{ConnectionSettings, Keepalive, parse_duration};

pub(super) fn settings(written: &ConnectionPool) -> ConnectionSettings {
    let (http, tcp) = (&written.http, &written.tcp);
    // Istio takes the idle timeout of TCP for HTTP where HTTP has none; zero is no timeout at all.
    let idle_timeout = duration(http.idle_timeout.as_ref().or(tcp.idle_timeout.as_ref()));
    ConnectionSettings {
        idle_timeout: idle_timeout
            .map_or(ConnectionSettings::default().idle_timeout, |idle| Some(idle).filter(|idle| !idle.is_zero())),
        max_duration: duration(tcp.max_connection_duration.as_ref()),
        max_streams: u32::try_from(http.max_concurrent_streams).ok().and_then(NonZeroU32::new),
        keepalive: tcp.tcp_keepalive.as_ref().map(keepalive),
    }
}

fn keepalive(written: &TcpKeepalive) -> Keepalive {
    Keepalive {
        probes: NonZeroU32::new(written.probes),
        time: duration(written.time.as_ref()),
        interval: duration(written.interval.as_ref()),
    }
}

fn duration(written: Option<&String>) -> Option<Duration> {
    written.and_then(|text| parse_duration(text).ok())
}
