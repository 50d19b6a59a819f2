//! One background runtime for all that a test process speaks, so that tests read as plain sequences.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

/// What ends a test that hangs. Nothing asserts on it.
pub const DEADLINE: Duration = Duration::from_mins(1);

static BACKGROUND: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

/// The runtime that drives every socket of the harness.
pub fn background() -> &'static Handle {
    &BACKGROUND
}

/// Blocks the test until `future` is done.
#[track_caller]
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    background().block_on(async { tokio::time::timeout(DEADLINE, future).await }).expect("something comes in time")
}
