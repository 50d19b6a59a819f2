//! An endpoint that says how it is, by HTTP and by `grpc.health.v1`, and answers all else with its name.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Response, header};

use super::Answer;
use super::upstream::By;

/// What it says of itself.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// SERVING, and 200.
    Serving,
    /// `NOT_SERVING`, and 500.
    NotServing,
    /// UNKNOWN, and 500.
    Unknown,
    /// `SERVICE_UNKNOWN`, and 500.
    ServiceUnknown,
    /// A status of gRPC in the head, with no message: 5 for a service that is not there, 12 for a server without the method.
    Code(&'static str),
    /// This status of HTTP, to whichever check.
    Http(u16),
    /// A message that says nothing, and 204.
    Nothing,
}

/// What an upstream does that is as `said` has it, and is called `name`.
pub fn health(said: &Arc<Mutex<Said>>, name: &'static str) -> Answer {
    let said = Arc::clone(said);
    Answer::By(By(Arc::new(move |request| {
        let now = *said.lock().expect("no script panics");
        match request.uri.path() {
            "/grpc.health.v1.Health/Check" => grpc(now),
            "/healthz" => plain(http_status(now), ""),
            _ => plain(200, name),
        }
    })))
}

/// A body and the trailers behind it.
pub type Given = (Response<&'static [u8]>, Option<HeaderMap>);

fn plain(status: u16, body: &'static str) -> Given {
    (Response::builder().status(status).body(body.as_bytes()).expect("a valid head"), None)
}

fn http_status(said: Said) -> u16 {
    match said {
        Said::Serving => 200,
        Said::Nothing => 204,
        Said::Http(status) => status,
        Said::NotServing | Said::Unknown | Said::ServiceUnknown | Said::Code(_) => 500,
    }
}

fn grpc(said: Said) -> Given {
    let head = Response::builder().header(header::CONTENT_TYPE, "application/grpc");
    // A prefix of five bytes, and field 1: `HealthCheckResponse.ServingStatus`.
    let message: &[u8] = match said {
        Said::Serving => b"\0\0\0\0\x02\x08\x01",
        Said::NotServing => b"\0\0\0\0\x02\x08\x02",
        Said::ServiceUnknown => b"\0\0\0\0\x02\x08\x03",
        // A number that is zero is left out.
        Said::Unknown | Said::Nothing => b"\0\0\0\0\0",
        Said::Code(code) => return (head.header("grpc-status", code).body(&b""[..]).expect("a valid head"), None),
        Said::Http(status) => return (head.status(status).body(&b""[..]).expect("a valid head"), None),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    (head.body(message).expect("a valid head"), Some(trailers))
}
