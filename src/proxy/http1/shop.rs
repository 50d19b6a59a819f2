//! What the connections of a worker share, so that an idle one holds none of it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::{HeadSpans, Maps};

/// The size of the blocks that requests are read into. A request keeps its block, so that a larger one would be held by one
/// long stream of all that came in it.
const BLOCK: usize = 16 * 1024;

/// The least room for a read: most requests with a small body.
const LEAST: usize = 8 * 1024;

/// How many of each kind are kept for the next request.
const KEPT: usize = 64;

/// The length of a date as RFC 9110, section 5.6.7, has it.
const DATE: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

/// Memory and futures for requests under way, and the time of day. `F` is the future that answers one request.
pub(in crate::proxy) struct Shop<F> {
    pub(in crate::proxy) supplies: Rc<Supplies>,
    places: RefCell<Vec<Place<F>>>,
}

/// Where the future of one request stands.
pub(in crate::proxy) type Place<F> = Pin<Box<Option<F>>>;

impl<F> Default for Shop<F> {
    fn default() -> Self {
        Self { supplies: Rc::default(), places: RefCell::default() }
    }
}

impl<F> Shop<F> {
    /// A place with what `begin` gives in it, which is made there: it is too large to be moved about.
    #[inline]
    pub(in crate::proxy) fn seat(&self, begin: impl FnOnce() -> F) -> Place<F> {
        let mut place = self.places.borrow_mut().pop().unwrap_or_else(|| Box::pin(None));
        place.set(Some(begin()));
        place
    }

    /// Takes a place back. What is left of its future ends.
    pub(in crate::proxy) fn clear(&self, mut place: Place<F>) {
        place.set(None);
        let mut places = self.places.borrow_mut();
        if places.len() < KEPT {
            places.push(place);
        }
    }
}

/// Memory for requests under way, and the time of day.
pub(in crate::proxy) struct Supplies {
    /// Its free part is what the next request is read into.
    block: RefCell<BytesMut>,
    outboxes: RefCell<Vec<Vec<u8>>>,
    /// For the fields of heads.
    pub(super) maps: Maps,
    /// For finding them.
    pub(super) spans: RefCell<HeadSpans>,
    /// The second since 1970 that `date` is of.
    second: Cell<u64>,
    date: Cell<[u8; DATE]>,
}

impl Default for Supplies {
    fn default() -> Self {
        Self {
            block: RefCell::default(),
            outboxes: RefCell::default(),
            maps: Maps::default(),
            spans: RefCell::default(),
            second: Cell::new(u64::MAX),
            date: Cell::new([b' '; DATE]),
        }
    }
}

impl Supplies {
    /// Reads what is there, a block's worth at most; empty at the end of the stream.
    pub(super) fn poll_read(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<BytesMut>> {
        let mut block = self.block.borrow_mut();
        if block.capacity() < LEAST {
            // The block is used again from its beginning where no request holds it any more.
            block.reserve(LEAST);
            if block.capacity() < BLOCK {
                *block = BytesMut::with_capacity(BLOCK);
            }
        }
        pin!(stream.read_buf(&mut *block)).poll(context).map_ok(|_| block.split())
    }

    /// Memory for an answer's head.
    pub(super) fn outbox(&self) -> Vec<u8> {
        self.outboxes.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn keep_outbox(&self, memory: Vec<u8>) {
        let mut outboxes = self.outboxes.borrow_mut();
        if outboxes.len() < KEPT {
            outboxes.push(memory);
        }
    }

    /// The time of day as `Date` has it.
    pub(in crate::proxy) fn date(&self) -> [u8; DATE] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second.replace(now) != now {
            let second = i64::try_from(now).ok().and_then(|now| Timestamp::from_second(now).ok()).unwrap_or_default();
            let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&second);
            if let Some(date) = text.ok().and_then(|text| text.as_bytes().try_into().ok()) {
                self.date.set(date);
            }
        }
        self.date.get()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_date_is_as_http_has_it() {
        let date = String::from_utf8(Supplies::default().date().to_vec()).expect("a date in ASCII");
        assert!(date.ends_with(" GMT") && date.as_bytes()[3] == b',', "{date}");
        let first =
            DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::from_second(784_111_777).expect("1994"));
        assert_eq!(first.expect("a date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_block_is_used_again_once_nobody_holds_it() {
        let supplies = Supplies::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut read = |bytes: &[u8]| match supplies.poll_read(&mut &*bytes, &mut context) {
            Poll::Ready(Ok(read)) => read,
            other => panic!("bytes that are there: {other:?}"),
        };
        let first = read(&[b'a'; BLOCK]);
        assert_eq!(first.len(), BLOCK);
        let place = first.as_ptr();
        let second = read(&[b'b'; 10]);
        assert_ne!(second.as_ptr(), place, "the first is held");
        drop((first, second));
        let mut places = Vec::new();
        read(&[b'c'; BLOCK]);
        for _ in 0..4 {
            places.push(read(&[b'c'; BLOCK]).as_ptr());
        }
        places.dedup();
        assert_eq!(places.len(), 1, "nothing is allocated anew");
    }
}
