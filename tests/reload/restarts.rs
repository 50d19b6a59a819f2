//! One router after the other on one port, under load: nothing is lost.
//!
//! `RESTARTS` and `SLOW_MILLIS` make it longer than every change can wait for.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::harness::{
    Answer, Client, Connection, DEADLINE, Exchange, Folder, Router, Service, Setup, Upstream, Wire, virtual_service,
};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// Whether a client goes on with a connection that may be used again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Kept,
    Never,
}

/// What one client has seen.
#[derive(Default)]
struct Seen {
    answered: u64,
    lost: Vec<String>,
}

/// Asks for `path` again and again until `over`.
fn ask_on(address: SocketAddr, path: &str, reuse: Reuse, over: &AtomicBool) -> Seen {
    let (mut seen, mut open) = (Seen::default(), None);
    while !over.load(Ordering::Relaxed) {
        match ask(address, path, &mut open) {
            Ok(()) => seen.answered += 1,
            Err(error) => {
                seen.lost.push(format!("{path}: {error}"));
                open = None;
            }
        }
        if reuse == Reuse::Never {
            open = None;
        }
    }
    seen
}

/// One request on `open`, or on a new connection, which stays open where the answer says nothing else.
fn ask(address: SocketAddr, path: &str, open: &mut Option<TcpStream>) -> Result<(), Error> {
    let mut stream = match open.take() {
        Some(stream) => stream,
        None => TcpStream::connect(address)?,
    };
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n\r\n").as_bytes())?;
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !text.ends_with("\r\n\r\nok") {
        match stream.read(&mut part)? {
            0 => return Err(Error::new(ErrorKind::UnexpectedEof, format!("after {text:?}"))),
            count => text.push_str(&String::from_utf8_lossy(&part[..count])),
        }
    }
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(Error::other(text));
    }
    if !text.to_ascii_lowercase().contains("connection: close") {
        *open = Some(stream);
    }
    Ok(())
}

/// Requests that are under way when a router is told to end, and end only when it has been.
struct Open {
    streaming: Connection,
    half: Exchange,
    client: Client,
    held: Exchange,
    call: super::harness::Call,
}

impl Open {
    fn on(address: SocketAddr, upstream: &Upstream) -> Self {
        let mut streaming = begin_at(address, "/held");
        let mut half = upstream.next();
        half.begin(200, &[]);
        assert!(half.send("half "));
        assert_eq!(streaming.head().status, 200);
        let mut client = Client::connect(address, Wire::H2);
        let call = client.start_empty("GET", "/held", &[]);
        Self { streaming, half, client, held: upstream.next(), call }
    }

    fn finish(mut self) {
        assert!(self.half.send("and half"));
        self.half.finish();
        let mut whole = Vec::new();
        while let Some(chunk) = self.streaming.chunk() {
            whole.extend(chunk);
        }
        assert_eq!(whole, b"half and half");
        self.held.answer(200, "held");
        assert_eq!(self.call.head().status, 200);
        assert_eq!(self.call.rest().expect("the answer is whole").0, b"held");
        drop(self.client);
    }
}

fn begin_at(address: SocketAddr, path: &str) -> Connection {
    let mut connection = Connection::open(address);
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: app.example\r\n\r\n"));
    connection
}

fn documents(endpoints: &BTreeMap<&str, &Upstream>) -> String {
    let rules = endpoints.keys().map(|name| {
        format!("  - {{match: [{{uri: {{prefix: /{name}}}}}], route: [{{destination: {{host: {name}.example}}}}]}}\n")
    });
    let rules = rules.collect::<Vec<_>>().concat();
    let services = endpoints.iter().map(|(name, upstream)| {
        Service { host: &format!("{name}.example"), wire: Wire::H1, endpoints: &[upstream.address] }.document()
    });
    let settings = "---\napiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: settings}\n\
                    spec: {drain: {delay: 1s, timeout: 60s}}\n";
    virtual_service("app.example", &rules) + &services.collect::<String>() + settings
}

#[test]
fn restarts_under_load_lose_nothing() {
    let slow = Duration::from_millis(number("SLOW_MILLIS", 400));
    let quick = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let late = Upstream::start(Wire::H1, Answer::Timed { quick: slow, slow });
    let held = Upstream::start(Wire::H1, Answer::Held);
    let folder = Folder::with(&documents(&BTreeMap::from([("quick", &quick), ("late", &late), ("held", &held)])));
    let mut router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let address = router.traffic;
    let (over, restarts) = (AtomicBool::new(false), number("RESTARTS", 3));
    let seen: Vec<Seen> = thread::scope(|scope| {
        let over = &over;
        let load = [("/quick", Reuse::Kept), ("/quick", Reuse::Never), ("/late", Reuse::Kept), ("/late", Reuse::Never)];
        let clients: Vec<_> =
            load.map(|(path, reuse)| scope.spawn(move || ask_on(address, path, reuse, over))).into_iter().collect();
        for _ in 0..restarts {
            let open = Open::on(address, &held);
            let listen = address.to_string().into();
            let successor = Router::with(&Setup { config: folder.path(), variables: &[("OVERSPILL_LISTEN", listen)] });
            router.signal("TERM");
            router.wait_until("it is unready", |router| !router.is_ready());
            open.finish();
            let exit = std::mem::replace(&mut router, successor).wait_for_end();
            assert_eq!(exit.status.code(), Some(0));
        }
        over.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    });
    let lost: Vec<&String> = seen.iter().flat_map(|seen| &seen.lost).collect();
    assert_eq!(lost, Vec::<&String>::new());
    assert!(seen.iter().all(|seen| seen.answered > 0));
    assert_eq!(router.stop().status.code(), Some(0));
}

/// Whoever comes second to a port says that it is shared, in case it is not meant to be.
#[test]
fn a_router_on_another_ones_port_says_so() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "ok".to_owned()));
    let folder = Folder::with(&documents(&BTreeMap::from([("quick", &upstream)])));
    let first = Router::with(&Setup { config: folder.path(), variables: &[] });
    let listen = first.traffic.to_string().into();
    let second = Router::with(&Setup { config: folder.path(), variables: &[("OVERSPILL_LISTEN", listen)] });
    let says_so = |line: &serde_json::Value| line.to_string().contains("another process listens here too");
    let said = second.wait_for_log(0, says_so);
    assert!(said.to_string().contains(&first.traffic.to_string()), "{said}");
    for router in [&first, &second] {
        router.signal("TERM");
        router.signal("TERM");
    }
    assert!(!first.wait_for_end().log.iter().any(says_so), "the first had the port to itself");
}

/// While load balancers take notice, answers say that their connections end, and no connection is closed on its client.
#[test]
fn clients_are_asked_to_go_before_connections_are_closed() {
    let upstream = Upstream::start(Wire::H1, Answer::Fixed(200, "answered".to_owned()));
    let folder = Folder::with(&documents(&BTreeMap::from([("quick", &upstream)])).replace("delay: 1s", "delay: 20s"));
    let router = Router::with(&Setup { config: folder.path(), variables: &[] });
    let mut idle = begin_at(router.traffic, "/quick");
    assert_eq!(idle.read_reply().head.field("connection"), None);
    router.signal("TERM");
    router.wait_until("it asks them", |router| {
        begin_at(router.traffic, "/quick").read_reply().head.value("connection") == "close"
    });
    let reply = idle.ask("GET /quick HTTP/1.1\r\nhost: app.example\r\n\r\n");
    assert_eq!((reply.text().as_str(), reply.head.value("connection").as_str()), ("answered", "close"));
    assert_eq!(idle.read_to_end(), b"");
    router.signal("TERM");
    assert_eq!(router.wait_for_end().status.code(), Some(0));
}
