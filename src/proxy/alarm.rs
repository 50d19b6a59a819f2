//! One timer for the deadlines of all requests of a worker.
//!
//! Nearly all requests are over long before their deadline, so that a timer for each would be sorted in and taken out again
//! for nothing. Here a deadline is noted beside the others, and one timer goes off at what was the earliest when it was set.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use slab::Slab;
use tokio::time::sleep_until;

/// The deadlines of requests under way.
#[derive(Default)]
pub(super) struct Alarms {
    set: RefCell<Slab<Setting>>,
    /// When the timer goes off; `None` where it does not.
    next: Cell<Option<Instant>>,
    /// Whether the timer goes off too late.
    late: Cell<bool>,
    /// Who has the timer.
    keeper: RefCell<Option<Waker>>,
}

struct Setting {
    deadline: Instant,
    /// `None` once the deadline has passed.
    waker: Option<Waker>,
}

/// One deadline, forgotten with this.
struct Alarm<'a> {
    alarms: &'a Alarms,
    key: usize,
}

impl Alarms {
    /// Awaits `future` until `deadline` at most; `None` where it takes longer.
    pub(super) async fn within<F: Future>(&self, deadline: Instant, mut future: Pin<&mut F>) -> Option<F::Output> {
        let mut alarm = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let alarm = alarm.get_or_insert_with(|| self.set(deadline, context));
            if alarm.has_rung(context) { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    fn set(&self, deadline: Instant, context: &Context<'_>) -> Alarm<'_> {
        let waker = Some(context.waker().clone());
        let key = self.set.borrow_mut().insert(Setting { deadline, waker });
        if self.next.get().is_none_or(|next| deadline < next) {
            self.late.set(true);
            if let Some(keeper) = self.keeper.borrow_mut().take() {
                keeper.wake();
            }
        }
        Alarm { alarms: self, key }
    }

    /// Keeps the timer. Without it no deadline is ever over.
    pub(super) async fn keep(&self) {
        loop {
            let next = self.ring(Instant::now());
            self.next.set(next);
            let mut timer = pin!(next.map(|next| sleep_until(next.into())));
            poll_fn(|context| {
                if self.late.take() {
                    return Poll::Ready(());
                }
                *self.keeper.borrow_mut() = Some(context.waker().clone());
                timer.as_mut().as_pin_mut().map_or(Poll::Pending, |timer| timer.poll(context))
            })
            .await;
        }
    }

    /// Wakes whoever has waited until its deadline; the earliest deadline that is left.
    fn ring(&self, now: Instant) -> Option<Instant> {
        let mut set = self.set.borrow_mut();
        let mut next: Option<Instant> = None;
        for (_, setting) in set.iter_mut() {
            if setting.deadline > now {
                next = Some(next.map_or(setting.deadline, |next| next.min(setting.deadline)));
            } else if let Some(waker) = setting.waker.take() {
                waker.wake();
            }
        }
        next
    }
}

impl Alarm<'_> {
    /// Whether the deadline is over; whoever asks is woken then.
    fn has_rung(&self, context: &Context<'_>) -> bool {
        let mut set = self.alarms.set.borrow_mut();
        let Some(waker) = &mut set[self.key].waker else { return true };
        if !waker.will_wake(context.waker()) {
            waker.clone_from(context.waker());
        }
        false
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        // What a waker's end sets off finds the others free to be looked at.
        let _forgotten = self.alarms.set.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::sync::oneshot;

    use super::*;

    fn kept<T>(alarms: &Alarms, asks: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = alarms.keep() => unreachable!("it is kept for good"),
                asked = asks => asked,
            }
        })
    }

    fn after(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    #[test]
    fn what_takes_too_long_ends_at_its_deadline() {
        let alarms = Alarms::default();
        for (late, soon) in [(3_600_000, 1), (1, 2), (2, 1), (0, 0)] {
            kept(&alarms, async {
                let (first, second) = (after(late), after(soon));
                let endless = pin!(pending::<()>());
                let mut far = pin!(alarms.within(first, endless));
                // It is set, and the timer to it, before the one that is sooner.
                assert!(futures_util::FutureExt::now_or_never(far.as_mut()).is_none() || late == 0);
                assert_eq!(alarms.within(second, pin!(pending::<()>())).await, None);
                assert!(Instant::now() >= second);
                if late < 1_000 {
                    assert_eq!(far.await, None);
                }
            });
            assert!(alarms.set.borrow().is_empty(), "each is forgotten");
        }
    }

    #[test]
    fn what_is_over_in_time_sets_nothing_for_good() {
        let alarms = Alarms::default();
        kept(&alarms, async {
            assert_eq!(alarms.within(after(3_600_000), pin!(async { 1 })).await, Some(1));
            let (sender, awaited) = oneshot::channel();
            let awaited = pin!(awaited);
            let (received, told) = tokio::join!(alarms.within(after(3_600_000), awaited), async { sender.send(2) });
            assert_eq!((received, told), (Some(Ok(2)), Ok(())));
        });
        assert!(alarms.set.borrow().is_empty());
    }

    #[test]
    fn whoever_polls_last_is_woken() {
        let alarms = Alarms::default();
        kept(&alarms, async {
            let endless = pin!(pending::<()>());
            let mut moved = pin!(alarms.within(after(5), endless));
            let mut context = Context::from_waker(Waker::noop());
            assert!(moved.as_mut().poll(&mut context).is_pending());
            assert_eq!(moved.await, None, "its first waker wakes nobody");
        });
    }
}
