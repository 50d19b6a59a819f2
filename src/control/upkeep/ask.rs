//! Requests of the router's own, and their answers read whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::domain::{OwnRequest, Protocol, Reason};
use crate::upstream::{Connections, Target, Unread};

/// The most of an answer that is read.
const MOST: usize = 4 << 20;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("overspill/", env!("CARGO_PKG_VERSION")));

/// A body that is known whole.
#[derive(Default)]
pub(in crate::control) struct Whole(Vec<Bytes>);

impl From<Bytes> for Whole {
    fn from(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Vec::new() } else { vec![bytes] })
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|part| part.len() as u64).sum())
    }
}

impl Unread for Whole {
    fn unread(&mut self, data: &mut Vec<Bytes>) {
        self.0.extend(data.drain(..).rev());
    }
}

/// An answer.
pub(in crate::control) struct Answered {
    pub(in crate::control) status: StatusCode,
    pub(in crate::control) headers: HeaderMap,
    pub(in crate::control) body: Bytes,
    pub(in crate::control) trailers: Option<HeaderMap>,
}

/// Sends `own` to `target`, whose requests are for `host` unless it says otherwise.
///
/// # Errors
/// Why no whole answer came.
pub(in crate::control) async fn ask(
    connections: &Connections,
    target: Target<'_>,
    own: &OwnRequest,
    host: &str,
) -> Result<Answered, Reason> {
    let host = own.host.as_deref().unwrap_or(host);
    let mut request = Some(written(own, target, host).ok_or(Reason::MalformedRequest)?);
    let answer = connections.send(target, &mut request).await.map_err(|unanswered| unanswered.reason)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MOST).collect().await.map_err(|_| Reason::UpstreamReset)?;
    let trailers = body.trailers().cloned();
    Ok(Answered { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
}

/// The request as its protocol has it; `None` where the host is none.
fn written(own: &OwnRequest, target: Target<'_>, host: &str) -> Option<Request<Whole>> {
    let mut request = Request::new(Whole::from(own.body.clone()));
    *request.method_mut() = own.method.clone();
    *request.headers_mut() = own.headers.clone();
    request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
    *request.uri_mut() = match target.protocol {
        Protocol::Http1 => {
            request.headers_mut().insert(HOST, HeaderValue::from_str(host).ok()?);
            Uri::from(own.path.clone())
        }
        Protocol::Http2 => {
            *request.version_mut() = Version::HTTP_2;
            let mut parts = Parts::default();
            parts.scheme = Some(if target.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
            parts.authority = Some(host.parse::<Authority>().ok()?);
            parts.path_and_query = Some(own.path.clone());
            Uri::from_parts(parts).ok()?
        }
    };
    Some(request)
}
