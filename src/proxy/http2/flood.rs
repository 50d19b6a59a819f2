//! How much of what is cheap to send and dear to take a client sends.

use std::time::{Duration, Instant};

use super::frames::{CONTINUATION, DATA, Frame, HEADERS, RST_STREAM, WINDOW_UPDATE};
use crate::domain::{Http2Limits, Limit};

/// What rates are over.
const WINDOW: Duration = Duration::from_secs(1);
/// `END_STREAM` of a frame of data or of a head.
const END_STREAM: u8 = 0x1;

/// What one client has sent.
#[derive(Debug)]
pub(super) struct Flood {
    limits: Http2Limits,
    since: Instant,
    resets: u32,
    control: u32,
    empty: u32,
    /// Those of the head that is being read.
    continuations: u32,
    /// The newest stream.
    pub(super) newest: u32,
}

impl Flood {
    pub(super) const fn new(limits: Http2Limits, now: Instant) -> Self {
        Self { limits, since: now, resets: 0, control: 0, empty: 0, continuations: 0, newest: 0 }
    }

    /// Counts a frame; says which limit it is over, if any. The clock is read for frames alone that have a rate.
    pub(super) fn count(&mut self, frame: Frame, now: impl FnOnce() -> Instant) -> Option<Limit> {
        let nothing = frame.length == 0 && frame.flags & END_STREAM == 0;
        match frame.kind {
            HEADERS => {
                self.newest = self.newest.max(frame.stream);
                self.continuations = 0;
                nothing.then(|| self.empty(now())).flatten()
            }
            CONTINUATION => {
                self.continuations += 1;
                if self.continuations > self.limits.max_continuation_frames {
                    return Some(Limit::Http2Continuations);
                }
                (frame.length == 0).then(|| self.empty(now())).flatten()
            }
            DATA => nothing.then(|| self.empty(now())).flatten(),
            RST_STREAM => {
                self.renew(now());
                self.resets += 1;
                (self.resets > self.limits.max_resets_per_second).then_some(Limit::Http2Resets)
            }
            // They come as fast as the answers that they make room for.
            WINDOW_UPDATE => None,
            _ => {
                self.renew(now());
                self.control += 1;
                (self.control > self.limits.max_control_frames_per_second).then_some(Limit::Http2ControlFrames)
            }
        }
    }

    fn empty(&mut self, now: Instant) -> Option<Limit> {
        self.renew(now);
        self.empty += 1;
        (self.empty > self.limits.max_empty_frames_per_second).then_some(Limit::Http2EmptyFrames)
    }

    fn renew(&mut self, now: Instant) {
        if now.duration_since(self.since) >= WINDOW {
            (self.since, self.resets, self.control, self.empty) = (now, 0, 0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIORITY: u8 = 0x2;
    const SETTINGS: u8 = 0x4;
    const PING: u8 = 0x6;

    const LIMITS: Http2Limits = Http2Limits {
        max_concurrent_streams: 100,
        max_resets_per_second: 3,
        max_control_frames_per_second: 3,
        max_empty_frames_per_second: 3,
        max_continuation_frames: 3,
    };

    fn frame(kind: u8, length: u32, flags: u8) -> Frame {
        Frame { length, kind, flags, stream: 1, code: 0 }
    }

    #[test]
    fn each_kind_has_its_limit() {
        for (sent, limit) in [
            (frame(RST_STREAM, 4, 0), Some(Limit::Http2Resets)),
            (frame(PING, 8, 0), Some(Limit::Http2ControlFrames)),
            (frame(SETTINGS, 0, 1), Some(Limit::Http2ControlFrames)),
            (frame(PRIORITY, 5, 0), Some(Limit::Http2ControlFrames)),
            (frame(0xfa, 0, 0), Some(Limit::Http2ControlFrames)),
            (frame(DATA, 0, 0), Some(Limit::Http2EmptyFrames)),
            (frame(HEADERS, 0, 0), Some(Limit::Http2EmptyFrames)),
            (frame(CONTINUATION, 9, 0), Some(Limit::Http2Continuations)),
            (frame(DATA, 0, END_STREAM), None),
            (frame(DATA, 9, 0), None),
            (frame(HEADERS, 9, 0), None),
            (frame(WINDOW_UPDATE, 4, 0), None),
        ] {
            let now = Instant::now();
            let mut flood = Flood::new(LIMITS, now);
            let found: Vec<_> = (0..4).map(|_| flood.count(sent, || now)).collect();
            assert_eq!(found, [None, None, None, limit], "{sent:?}");
        }
    }

    #[test]
    fn rates_are_those_of_a_second_and_continuations_those_of_a_head() {
        let now = Instant::now();
        let mut flood = Flood::new(LIMITS, now);
        for second in 0..5 {
            let now = now + second * WINDOW;
            assert!((0..3).all(|_| flood.count(frame(RST_STREAM, 4, 0), || now).is_none()), "second {second}");
            assert_eq!(flood.count(frame(HEADERS, 9, 0), || now), None);
            assert!((0..3).all(|_| flood.count(frame(CONTINUATION, 9, 0), || now).is_none()), "second {second}");
        }
    }
}
