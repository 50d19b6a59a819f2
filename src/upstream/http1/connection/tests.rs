//! A connection that its endpoint has reset before anything was written.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::TcpListener;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::*;

/// A body of these parts.
struct Parts(VecDeque<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|part| part.len() as u64).sum())
    }
}

impl Unread for Parts {
    fn unread(&mut self, data: &mut Vec<Bytes>) {
        data.drain(..).rev().for_each(|part| self.0.push_front(part));
    }
}

#[test]
fn a_body_that_could_not_be_written_is_whole_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let parts = || [Bytes::from_static(b"small"), Bytes::from(vec![b'x'; 20_000])];
    for chunked in [false, true] {
        runtime.block_on(async {
            let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
            let (accepted, _) = listener.accept().expect("a connection");
            let mut connection = Connection::new(Transport::Clear(stream));
            // With no linger, a socket is closed by a reset.
            SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).expect("an open socket");
            drop(accepted);
            let mut request = Request::post("/").body(Parts(parts().into())).expect("a request");
            connection.begin(&request, HeaderMap::new());
            if chunked {
                connection.encoding = Encoding::Chunked(Vec::new());
            }
            let body = request.body_mut();
            let failure = poll_fn(|context| connection.poll_answer(body, None, context)).await.err();
            assert_eq!(failure, Some(Failure::Unsent));
            assert_eq!(request.into_body().0, parts(), "chunked: {chunked}");
        });
    }
}
