//! A copy of a body that another request reads: it follows as fast as it can, and is cut off rather than slow the original.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::domain::Reason;
use crate::proxy::relay::Broken;

/// How many bytes a copy may lag behind its original: as many as Envoy's buffer of a mirrored request holds.
const MOST: usize = 1 << 20;

enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flowing,
    /// The original came to its end.
    Ended,
    Cut(Cut),
}

/// Why a copy is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Cut {
    /// Nobody reads the original any more.
    Original,
    /// It fell too far behind.
    Lagged,
    /// Nobody reads the copy any more: its request is over.
    Unread,
}

struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    state: State,
    /// What is left to come.
    left: SizeHint,
    waker: Option<Waker>,
    /// Whoever waits for a cut: a reader that is held up elsewhere does not come to see it.
    watcher: Option<Waker>,
}

impl Queue {
    fn come_to(&mut self, state: State) {
        if self.state == State::Flowing {
            self.state = state;
        }
        let cut = matches!(self.state, State::Cut(_));
        if cut {
            self.pieces.clear();
        }
        let watcher = if cut { self.watcher.take() } else { None };
        self.waker.take().into_iter().chain(watcher).for_each(Waker::wake);
    }
}

/// The original's end of one copy. Dropped before [`Original::end`], it cuts the copy off.
pub(super) struct Original(Rc<RefCell<Queue>>);

impl Original {
    /// The two ends of a copy of a body that is expected to have this size.
    pub(super) fn new(left: SizeHint) -> (Self, Copied) {
        let (pieces, bytes, state) = (VecDeque::new(), 0, State::Flowing);
        let queue = Rc::new(RefCell::new(Queue { pieces, bytes, state, left, waker: None, watcher: None }));
        (Self(Rc::clone(&queue)), Copied(queue))
    }

    /// Has the copy say the same.
    pub(super) fn tell(&self, frame: &Frame<Bytes>) {
        let mut queue = self.0.borrow_mut();
        if queue.state != State::Flowing {
            return;
        }
        if let Some(data) = frame.data_ref() {
            queue.bytes += data.len();
            queue.pieces.push_back(Piece::Data(data.clone()));
        } else if let Some(trailers) = frame.trailers_ref() {
            queue.pieces.push_back(Piece::Trailers(trailers.clone()));
        }
        let state = if queue.bytes > MOST { State::Cut(Cut::Lagged) } else { State::Flowing };
        queue.come_to(state);
    }

    /// Ends the copy as the original has ended.
    pub(super) fn end(self) {
        self.0.borrow_mut().come_to(State::Ended);
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.0.borrow_mut().come_to(State::Cut(Cut::Original));
    }
}

/// The copy as it is sent.
pub(super) struct Copied(Rc<RefCell<Queue>>);

/// Whether a copy comes to be whole.
pub(in crate::proxy) struct Fate(Option<Rc<RefCell<Queue>>>);

impl Fate {
    /// That of a copy which is whole from the beginning.
    pub(super) const WHOLE: Self = Self(None);

    /// Completes once the copy is cut off, and says why; never for one that is whole.
    pub(in crate::proxy) async fn cut(&self) -> Cut {
        poll_fn(|context| {
            let Some(queue) = &self.0 else { return Poll::Pending };
            let mut queue = queue.borrow_mut();
            if let State::Cut(cut) = queue.state {
                return Poll::Ready(cut);
            }
            queue.watcher = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Copied {
    pub(super) fn fate(&self) -> Fate {
        Fate(Some(Rc::clone(&self.0)))
    }

    pub(super) fn is_over(&self) -> bool {
        let queue = self.0.borrow();
        queue.state == State::Ended && queue.pieces.is_empty()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.borrow().left
    }

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let mut queue = self.0.borrow_mut();
        match (queue.pieces.pop_front(), queue.state) {
            (Some(Piece::Data(data)), _) => {
                queue.bytes -= data.len();
                if let Some(exact) = queue.left.exact() {
                    queue.left = SizeHint::with_exact(exact.saturating_sub(data.len() as u64));
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            (Some(Piece::Trailers(trailers)), _) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            (None, State::Ended) => Poll::Ready(None),
            (None, State::Cut(_)) => Poll::Ready(Some(Err(Broken(Reason::UpstreamReset)))),
            (None, State::Flowing) => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.0.borrow_mut().come_to(State::Cut(Cut::Unread));
    }
}
