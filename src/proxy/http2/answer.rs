//! One stream: its request, and the answer as it is sent.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::header::DATE;
use http::{HeaderValue, Method, Response};
use http_body::Body;

use super::connection::Coming;
use crate::proxy::body::Arriving;
use crate::proxy::connection::Client;
use crate::proxy::http1::Supplies;
use crate::proxy::relay::{AnswerBody, Stillness};
use crate::proxy::{Worker, request};
use crate::wire::http2::{Sending, set_length, strip};

/// Answers what has come on a stream, unless its client breaks it off.
pub(in crate::proxy) async fn answer(worker: Rc<Worker>, client: Rc<Client>, coming: Coming) {
    let Coming { request, mut respond, supplies } = coming;
    let is_head = *request.method() == Method::HEAD;
    let answered = {
        let mut answer = pin!(request::serve(worker, client, request.map(Arriving::Http2)));
        poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => respond.poll_reset(context).map(|_| None),
        })
        .await
    };
    let Some(mut response) = answered else { return };
    if is_head && !response.body().is_end_stream() {
        // What says how long the body of GET would be is all there is to send of it (RFC 9110, section 9.3.2).
        let size = response.body().size_hint();
        set_length(response.headers_mut(), &size);
        response.body_mut().pass_over();
        send_head(response.map(drop), &mut respond, &supplies, End::Here);
        return;
    }
    let (mut head, body) = response.into_parts();
    let end = if body.is_end_stream() { End::Here } else { End::Later };
    if end == End::Later {
        set_length(&mut head.headers, &body.size_hint());
    }
    let stream = send_head(Response::from_parts(head, ()), &mut respond, &supplies, end);
    if let Some(stream) = stream.filter(|_| end == End::Later) {
        let patience = body.patience();
        send_body(Sending::new(stream, body), patience).await;
    }
}

/// Sends a body for as long as its client takes any of it. Why it ends otherwise is the body's to record, or the client's doing.
async fn send_body(mut sending: Sending<AnswerBody>, mut patience: Option<Stillness>) {
    let mut waits = None;
    let given_up = poll_fn(|context| {
        if sending.poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let Some(patience) = &mut patience else { return Poll::Pending };
        let waited = std::mem::replace(&mut waits, sending.waits_for_room());
        if waits.is_none() || waits != waited {
            patience.moved();
        }
        if waits.is_none() { Poll::Pending } else { patience.poll(context).map(Some) }
    });
    if let Some(reason) = given_up.await {
        sending.body_mut().give_up(reason);
    }
}

/// Where an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With its head.
    Here,
    /// With its body.
    Later,
}

/// Sends an answer's head; `None` where it cannot be sent.
fn send_head(
    mut head: Response<()>,
    respond: &mut SendResponse<Bytes>,
    supplies: &Supplies,
    end: End,
) -> Option<h2::SendStream<Bytes>> {
    strip(head.headers_mut());
    if !head.headers().contains_key(DATE)
        && let Ok(date) = HeaderValue::from_bytes(&supplies.date())
    {
        head.headers_mut().insert(DATE, date);
    }
    let sent = respond.send_response(head, end == End::Here);
    if sent.is_err() {
        respond.send_reset(Reason::INTERNAL_ERROR);
    }
    sent.ok()
}
