//! `Gateway`: servers, their hosts and ports.

use std::collections::BTreeSet;

use super::judge::Judge;
use super::names::{is_ip, is_label, wildcard_domain};
use super::protocol::Protocol;
use super::server_tls;
use super::spot::Spot;

const UNIX: &str = "unix://";

pub(super) fn judge(judge: &mut Judge<'_>, spec: &Spot<'_>) {
    if !is_label(&judge.document.name) {
        let message = format!("`{}` is no name of a Gateway: it is to be one DNS label.", judge.document.name);
        judge.reject(&Spot::root(judge.document).at("metadata").at("name"), message, "Take the dots out of it.");
    }
    let servers = spec.at("servers");
    if servers.items().next().is_none() {
        judge.miss(&servers, "A Gateway must have at least one server.", "Add one with `port` and `hosts`.");
    }
    let mut names = BTreeSet::new();
    for server in servers.items() {
        self::server(judge, &server);
        let (name, protocol) = (server.at("port").at("name"), server.at("port").at("protocol"));
        if !names.insert(name.text()) {
            let message = format!("The port name `{}` stands twice: port names of servers are unique.", name.text());
            judge.reject(&name, message, "Give each server's port a name of its own.");
        }
        let redirect = server.at("tls").at("httpsRedirect");
        if redirect.is_true() && !Protocol::parse(protocol.text()).is_some_and(Protocol::is_http) {
            judge.warn(&redirect, "A redirect to HTTPS is for servers of plain HTTP alone.", "Take it out.");
        }
    }
}

fn server(judge: &mut Judge<'_>, server: &Spot<'_>) {
    let hosts = server.at("hosts");
    if hosts.items().next().is_none() {
        judge.miss(&hosts, "A server must have at least one host.", "Name one, or write `*` for all.");
    }
    for host in hosts.items() {
        self::host(judge, &host);
    }
    let protocol = port(judge, server);
    bind(judge, server);
    let tls = server.at("tls");
    if tls.is_set() {
        server_tls::judge(judge, &tls);
    }
    if let Some(protocol) = protocol {
        fits(judge, server, protocol);
    }
}

/// `NAMESPACE/HOST`, where `.` is the Gateway's own namespace and `*` is any; without a namespace it is any.
fn host(judge: &mut Judge<'_>, spot: &Spot<'_>) {
    let text = spot.text();
    let (namespace, host) = text.split_once('/').map_or((None, text), |(namespace, host)| (Some(namespace), host));
    if let Some(namespace) = namespace.filter(|namespace| !matches!(*namespace, "*" | ".") && !is_label(namespace)) {
        let message = format!("`{namespace}` is no namespace value in `{text}`.");
        judge.reject(spot, message, "Write a namespace, `.` for this one, or `*` for every one, ahead of the `/`.");
    }
    if host != "*" && !host.contains('.') {
        let message = format!("`{host}` is a short name, which is not allowed here.");
        judge.reject(spot, message, "Write the host with its domain.");
    }
    if let Err(reason) = wildcard_domain(host)
        && !is_ip(host)
    {
        judge.reject(spot, format!("`{host}` is no host: {reason}."), "Write a domain name, or `*.` and a domain.");
    }
    if host.contains('*') && host != "*" && !host.starts_with("*.") {
        let message = format!("The partial wildcard `{host}` is not allowed here.");
        judge.reject(spot, message, "Write `*.` and a domain.");
    }
}

/// The port's protocol, where nothing is wrong with the port.
fn port(judge: &mut Judge<'_>, server: &Spot<'_>) -> Option<Protocol> {
    let port = server.at("port");
    let (number, name, protocol) = (port.at("number"), port.at("name"), port.at("protocol"));
    let parsed = Protocol::parse(protocol.text());
    if parsed.is_none() {
        let message = format!("`{}` is no protocol.", protocol.text());
        let cure = "Write one of HTTP, HTTP2, HTTPS, GRPC, GRPC-WEB, TLS, TCP, MONGO, REDIS and MYSQL.";
        judge.miss(&protocol, message, cure);
    }
    let numbered = number.int() > 0 || !server.at("bind").text().starts_with(UNIX);
    if numbered {
        judge.port(&number);
    }
    let target = port.at("targetPort");
    if target.int() > 0 {
        judge.reject(&target, "A targetPort has no effect on a Gateway.", "Take it out.");
    }
    if name.text().is_empty() {
        judge.miss(&name, "The port has no name.", "Name it.");
    }
    let in_range = !numbered || (1..=65_535).contains(&number.int());
    parsed.filter(|_| in_range && target.int() == 0 && !name.text().is_empty())
}

fn bind(judge: &mut Judge<'_>, server: &Spot<'_>) {
    let (bind, number) = (server.at("bind"), server.at("port").at("number"));
    match bind.text().strip_prefix(UNIX) {
        Some(path) => {
            if !path.starts_with('@') && (!path.starts_with('/') || path.ends_with('/')) {
                let message = format!("`{path}` is no absolute path to a socket.");
                judge.reject(&bind, message, "Write `unix:///PATH`, or `unix://@NAME` for an abstract socket.");
            }
            if number.int() != 0 {
                judge.reject(&number, "The port number must be 0 for a Unix domain socket.", "Write 0.");
            }
        }
        None if bind.is_set() && !bind.text().is_empty() && !is_ip(bind.text()) => {
            judge.reject(&bind, format!("`{}` is no IP address.", bind.text()), "Write the address to listen on.");
        }
        None => {}
    }
}

/// Whether the port's protocol and the TLS settings agree.
fn fits(judge: &mut Judge<'_>, server: &Spot<'_>, protocol: Protocol) {
    let tls = server.at("tls");
    if protocol.is_tls() && !tls.is_set() {
        judge.miss(server, "A server of HTTPS or TLS must have TLS settings.", "Add `tls`.");
    }
    if protocol.is_tls() || !tls.is_set() {
        return;
    }
    if !protocol.is_http() {
        judge.reject(&tls, "A port that is neither HTTPS nor TLS cannot have TLS settings.", "Take `tls` out.");
        return;
    }
    let own = ["caCertificates", "privateKey", "serverCertificate"];
    if !server_tls::passes_through(&tls) || own.iter().any(|field| !tls.at(field).text().is_empty()) {
        let cure = "Write `protocol: HTTPS`, or keep `httpsRedirect` alone.";
        judge.reject(&tls, "A server of plain HTTP cannot have TLS settings but `httpsRedirect`.", cure);
    }
}
