//! What a forwarded request allocates: the router runs within this process, between an endpoint and a client that allocate
//! nothing, and everything that is allocated meanwhile is counted.

#![allow(clippy::expect_used, reason = "a step that cannot go on fails its test, and says why")]

use std::alloc::System;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WARM_UP: usize = 200;
const REQUESTS: usize = 1000;
/// How long the router may take to listen.
const START: Duration = Duration::from_mins(1);

const GET: &[u8] = b"GET /v1/models HTTP/1.1\r\nhost: models.example\r\naccept: */*\r\nuser-agent: test\r\n\r\n";
const POST: &[u8] = b"POST /v1/embeddings HTTP/1.1\r\nhost: models.example\r\ncontent-type: application/json\r\n\
    content-length: 16\r\n\r\n{\"input\": \"abc\"}";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\
    server: test\r\n\r\n{\"data\": [1]}";

/// Each is what was measured; fewer is welcome and to be written here.
const CASES: [(&str, &[u8], usize); 2] = [("GET", GET, 6), ("POST", POST, 6)];

#[test]
fn a_forwarded_request_allocates_no_more_than_it_did() {
    let endpoint = serve();
    let router = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("all.yaml"), documents(router, endpoint)).expect("documents");
    let arguments = ["overspill".into(), "run".into(), "--config".into(), OsString::from(folder.path())];
    // It runs until the process ends.
    thread::spawn(move || overspill::cli::run(arguments, &mut std::io::sink()));
    let mut client = connect(router);
    for (name, request, most) in CASES {
        (0..WARM_UP).for_each(|_| ask(&mut client, request));
        let region = Region::new(ALLOCATOR);
        (0..REQUESTS).for_each(|_| ask(&mut client, request));
        let change = region.change();
        let each = (change.allocations + change.reallocations) / REQUESTS;
        assert!(each <= most, "{name}: {each} allocations, of {most}: {change:?}");
        assert!(each > 0, "{name}: allocations are counted");
    }
}

fn documents(router: SocketAddr, endpoint: SocketAddr) -> String {
    format!(
        "apiVersion: overspill.dev/v1
kind: Settings
metadata: {{name: test}}
spec: {{listen: \"{router}\", admin: \"127.0.0.1:0\", workers: 1, accessLog: false}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: models}}
spec:
  hosts: [models.example]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]
  resolution: STATIC
  endpoints: [{{address: {address}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: models}}
spec:
  hosts: [models.example]
  http:
  - match: [{{headers: {{x-tenant: {{exact: batch}}}}}}]
    route: [{{destination: {{host: models.example}}}}]
  - route: [{{destination: {{host: models.example}}}}]
",
        port = endpoint.port(),
        address = endpoint.ip(),
    )
}

/// An endpoint that answers every request on every connection alike.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                while read_message(&mut stream) {
                    if stream.write_all(ANSWER).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn connect(router: SocketAddr) -> TcpStream {
    let give_up = Instant::now() + START;
    loop {
        match TcpStream::connect(router) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < give_up, "the router does not listen: {error}"),
        }
        thread::yield_now();
    }
}

fn ask(client: &mut TcpStream, request: &[u8]) {
    client.write_all(request).expect("a request");
    assert!(read_message(client), "an answer");
}

/// Reads a message with a body as long as its `content-length` says; false at the end of the connection.
fn read_message(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 2048];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).unwrap_or(0);
        if read == 0 {
            return false;
        }
        length += read;
        if is_whole(&buffer[..length]) {
            return true;
        }
    }
}

fn is_whole(message: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(head) = message.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let field = message[..head].windows(LENGTH.len()).position(|window| window.eq_ignore_ascii_case(LENGTH));
    let digits = field.map_or(&b""[..], |field| &message[field + LENGTH.len()..head]);
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let body = number.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    message.len() >= head + 4 + body
}
