//! `Gateway` documents into the servers of the proxy that they are read for.

mod tls;

use std::net::{IpAddr, SocketAddr};

use super::checked::{Listener, TlsServer};
use super::document::Document;
use super::finding::{Findings, NO_EFFECT, Remark, remark};
use super::path::Path;
use super::secrets::Folders;
use super::unexecuted::STREAMS;
use super::viewpoint::Viewpoint;
use super::written::{Gateway, GatewayServer, Sourced};
use crate::domain::HostPattern;

/// A server of a gateway that speaks HTTP, in clear or over TLS.
#[derive(Debug)]
pub(super) struct Server {
    /// The gateway, as `namespace/name`.
    pub(super) gateway: String,
    /// Where the server stands: `file:line`.
    pub(super) origin: String,
    pub(super) port: u16,
    /// Its hosts, each with the namespace whose virtual services it takes; `None` takes all.
    pub(super) hosts: Vec<(Option<String>, HostPattern)>,
    pub(super) https_redirect: bool,
    speaks: Speaks,
    bind: Option<IpAddr>,
    target_port: Option<u16>,
}

/// What a server speaks beneath HTTP.
#[derive(Debug)]
enum Speaks {
    Clear,
    /// TLS, with what it takes to serve it; `None` where that is not there, which has been reported.
    Tls(Option<Box<TlsServer>>),
}

impl Server {
    fn is_secure(&self) -> bool {
        matches!(self.speaks, Speaks::Tls(_))
    }

    /// The server names by which clients reach it over TLS; none for a server in clear.
    pub(super) fn server_names(&self) -> Vec<HostPattern> {
        let hosts = self.hosts.iter().filter(|_| self.is_secure());
        hosts.map(|(_, host)| host.clone()).collect()
    }
}

/// `namespace/name` of a gateway as a virtual service of `namespace` names it; `mesh` stays what it is. The older way is
/// the name of a service: `name.namespace.svc.cluster.local`, or its first two labels.
pub(super) fn full_name(gateway: &str, namespace: &str) -> String {
    match gateway.split_once('.') {
        _ if gateway == "mesh" || gateway.contains('/') => gateway.to_owned(),
        Some((name, rest)) => format!("{}/{name}", rest.split('.').next().unwrap_or(rest)),
        None => format!("{namespace}/{gateway}"),
    }
}

/// The servers of the gateways that mean the proxy, the oldest gateway first. `folders` are those of their certificates.
pub(super) fn servers(
    gateways: &[Sourced<Gateway>],
    viewpoint: &Viewpoint,
    folders: &Folders,
    findings: &mut Findings,
) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for Sourced { document, spec, .. } in gateways {
        let selected = viewpoint.is_selected(&spec.selector);
        for (at, written) in spec.servers.iter().enumerate() {
            let path = Path::spec().key("servers").index(at);
            if not_http(document, written, &path, findings) || !selected {
                continue;
            }
            let Some(server) = server((document, &path), written, folders, findings) else { continue };
            match servers.iter().find(|known| known.port == server.port && known.is_secure() != server.is_secure()) {
                Some(known) => {
                    let said = mixed(known, &server);
                    findings.warning(NO_EFFECT, document.place(&path.key("port")), said);
                }
                None => servers.push(server),
            }
        }
    }
    servers
}

fn mixed(known: &Server, server: &Server) -> Remark {
    remark(
        format!(
            "Port {} is served {} already, by the Gateway `{}`: this server is left out.",
            server.port,
            if known.is_secure() { "over TLS" } else { "in clear" },
            known.gateway
        ),
        "Give one of the two another port.",
    )
}

fn is_clear(written: &GatewayServer) -> bool {
    matches!(written.port.protocol.to_ascii_uppercase().as_str(), "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB")
}

/// Reports a server of which no request can be seen, whichever gateway has it.
fn not_http(document: &Document, written: &GatewayServer, path: &Path, findings: &mut Findings) -> bool {
    let protocol = written.port.protocol.to_ascii_uppercase();
    let mode = written.tls.as_ref().and_then(|tls| tls.mode.as_deref());
    let terminates = matches!(mode, Some("SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL" | "ISTIO_MUTUAL"));
    let is_http = is_clear(written) || (protocol == "HTTPS" && terminates);
    if !is_http {
        let what = if protocol == "HTTPS" { "HTTPS that it does not decrypt".to_owned() } else { protocol };
        let said = remark(
            format!("Port {} speaks {what}, which is not executed: nothing is served on it.", written.port.number),
            "Take it out, or leave it in knowing that it has no effect here.",
        );
        findings.not_executed(&STREAMS, document.place(&path.key("port").key("protocol")), said);
    }
    !is_http
}

fn server(
    (document, path): (&Document, &Path),
    written: &GatewayServer,
    folders: &Folders,
    findings: &mut Findings,
) -> Option<Server> {
    let port = u16::try_from(written.port.number).ok().filter(|port| *port != 0)?;
    let hosts: Vec<_> = written.hosts.iter().filter_map(|host| self::host(host, &document.namespace)).collect();
    let speaks = if is_clear(written) {
        Speaks::Clear
    } else {
        let path = path.key("tls");
        let tls = written.tls.as_ref().and_then(|tls| tls::read((document, &path), tls, folders, findings));
        let names = hosts.iter().map(|(_, host)| host.clone()).collect();
        Speaks::Tls(tls.map(|tls| Box::new(TlsServer { hosts: names, tls, place: document.place(&path) })))
    };
    Some(Server {
        gateway: document.full_name(),
        origin: document.origin(path),
        port,
        hosts,
        https_redirect: is_clear(written) && written.tls.as_ref().is_some_and(|tls| tls.https_redirect),
        speaks,
        bind: written.bind.parse().ok(),
        target_port: u16::try_from(written.port.target_port).ok().filter(|port| *port != 0),
    })
}

/// `namespace/host`: `.` is the gateway's own namespace, `*` or nothing any.
fn host(text: &str, own: &str) -> Option<(Option<String>, HostPattern)> {
    let (namespace, host) = text.split_once('/').unwrap_or(("*", text));
    let namespace = match namespace {
        "*" => None,
        "." => Some(own.to_owned()),
        named => Some(named.to_owned()),
    };
    HostPattern::parse(host).ok().map(|host| (namespace, host))
}

/// Where the servers listen: one listener a port. `bound` says where a port is bound; by default it is the server's
/// `targetPort`, else the port itself, at `address` unless the server binds another.
pub(super) fn listeners(servers: &[Server], address: IpAddr, bound: impl Fn(u16) -> Option<u16>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for server in servers {
        let tls = match &server.speaks {
            Speaks::Clear => None,
            Speaks::Tls(None) => continue,
            Speaks::Tls(Some(tls)) => Some(TlsServer::clone(tls)),
        };
        if let Some(known) = listeners.iter_mut().find(|known| known.port == server.port) {
            known.tls.extend(tls);
            continue;
        }
        let port = bound(server.port).or(server.target_port).unwrap_or(server.port);
        let address = SocketAddr::new(server.bind.unwrap_or(address), port);
        listeners.push(Listener { port: server.port, address, tls: tls.into_iter().collect() });
    }
    listeners
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn gateways_are_named_in_four_ways() {
        for (named, full) in [
            ("mesh", "mesh"),
            ("front", "shop/front"),
            ("edge/front", "edge/front"),
            ("front.edge", "edge/front"),
            ("front.edge.svc.cluster.local", "edge/front"),
        ] {
            assert_eq!(full_name(named, "shop"), full, "{named}");
        }
    }
}
