//! Which of the futures within one task are to be polled.
//!
//! A connection's streams share its task: to poll all of them whenever one is woken would cost as much as there are of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// The task, and whether it is looking already.
#[derive(Debug, Default)]
struct Task {
    waker: AtomicWaker,
    looking: AtomicBool,
}

/// A bit for each of 64 futures; set, it is to be polled.
#[derive(Debug)]
struct Word {
    bits: AtomicU64,
    task: Arc<Task>,
}

/// What wakes one future.
struct Signal {
    word: Arc<Word>,
    bit: u64,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let before = self.word.bits.fetch_or(self.bit, Ordering::SeqCst);
        // A task that looks sees the bit, now or as it stops.
        if before & self.bit == 0 && !self.word.task.looking.load(Ordering::SeqCst) {
            self.word.task.waker.wake();
        }
    }
}

/// The futures of one task, by number.
#[derive(Debug, Default)]
pub(super) struct Ready {
    words: Vec<Arc<Word>>,
    task: Arc<Task>,
}

impl Ready {
    /// What wakes the future of this number. Made once for each, since it is memory.
    pub(super) fn waker(&mut self, number: usize) -> Waker {
        while self.words.len() <= number / 64 {
            self.words.push(Arc::new(Word { bits: AtomicU64::new(0), task: Arc::clone(&self.task) }));
        }
        Waker::from(Arc::new(Signal { word: Arc::clone(&self.words[number / 64]), bit: 1 << (number % 64) }))
    }

    /// The task of `waker` begins to look: it need not be woken meanwhile.
    pub(super) fn look(&self, waker: &Waker) {
        self.task.waker.register(waker);
        self.task.looking.store(true, Ordering::SeqCst);
    }

    /// The task stops looking, and is woken if anything has become ready since.
    pub(super) fn rest(&self) {
        self.task.looking.store(false, Ordering::SeqCst);
        if self.any() {
            self.task.waker.wake();
        }
    }

    /// Whether any future is to be polled.
    pub(super) fn any(&self) -> bool {
        self.words.iter().any(|word| word.bits.load(Ordering::SeqCst) != 0)
    }

    /// Takes those that are to be polled, 64 at a time: the numbers from 64 times `word` on, and `None` behind the last.
    pub(super) fn take(&self, word: usize) -> Option<Numbers> {
        let bits = &self.words.get(word)?.bits;
        let bits = if bits.load(Ordering::SeqCst) == 0 { 0 } else { bits.swap(0, Ordering::SeqCst) };
        Some(Numbers { bits, from: word * 64 })
    }
}

/// Numbers of futures.
#[derive(Debug)]
pub(super) struct Numbers {
    bits: u64,
    from: usize,
}

impl Iterator for Numbers {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = usize::try_from(self.bits.trailing_zeros()).unwrap_or_default();
        (self.bits != 0).then(|| {
            self.bits &= self.bits - 1;
            self.from + next
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn taken(ready: &Ready) -> Vec<usize> {
        (0..).map_while(|word| ready.take(word)).flatten().collect()
    }

    #[test]
    fn those_that_are_woken_are_taken_once() {
        let mut ready = Ready::default();
        let wakers: Vec<Waker> = (0..200).map(|number| ready.waker(number)).collect();
        assert!(!ready.any());
        for number in [0, 63, 64, 127, 199, 64] {
            wakers[number].wake_by_ref();
        }
        assert!(ready.any());
        assert_eq!(taken(&ready), [0, 63, 64, 127, 199]);
        assert!(!ready.any());
        assert_eq!(taken(&ready), [0; 0]);
    }

    #[test]
    fn a_task_is_woken_unless_it_looks_and_for_what_it_has_not_seen() {
        let woken = Arc::new(Woken::default());
        let count = || woken.0.load(Ordering::SeqCst);
        let mut ready = Ready::default();
        let waker = ready.waker(3);
        ready.look(&Waker::from(Arc::clone(&woken)));
        waker.wake_by_ref();
        assert_eq!((count(), taken(&ready)), (0, vec![3]));
        ready.rest();
        assert_eq!(count(), 0, "it has seen everything");
        waker.wake_by_ref();
        waker.wake_by_ref();
        assert_eq!(count(), 1);
        ready.look(&Waker::from(Arc::clone(&woken)));
        ready.rest();
        assert_eq!(count(), 2, "it has not looked");
    }
}
