//! Maps of header fields that one message leaves to the next.

use std::cell::RefCell;

use http::HeaderMap;

/// How many are kept.
const KEPT: usize = 64;

/// The largest that is kept, in fields.
const KEPT_FIELDS: usize = 128;

/// Empty maps with room for the fields of the next heads, those of one thread.
#[derive(Debug, Default)]
pub struct Maps(RefCell<Vec<HeaderMap>>);

impl Maps {
    /// An empty map.
    pub fn take(&self) -> HeaderMap {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a map whose fields are of no more use.
    pub fn keep(&self, mut map: HeaderMap) {
        let mut maps = self.0.borrow_mut();
        if maps.len() < KEPT && (1..=KEPT_FIELDS).contains(&map.capacity()) {
            map.clear();
            maps.push(map);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{HOST, HeaderValue};

    use super::*;

    #[test]
    fn what_is_kept_is_empty_and_has_room() {
        let maps = Maps::default();
        maps.keep(HeaderMap::new());
        maps.keep(HeaderMap::with_capacity(2 * KEPT_FIELDS));
        assert_eq!(maps.take().capacity(), 0, "neither what has no room nor what has too much is kept");
        let mut map = HeaderMap::with_capacity(8);
        map.insert(HOST, HeaderValue::from_static("a.b"));
        let room = map.capacity();
        maps.keep(map);
        let again = maps.take();
        assert!(again.is_empty());
        assert_eq!(again.capacity(), room);
    }
}
