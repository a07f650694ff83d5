//! The only place that asks for the time.

use std::time::Duration;

use crate::model::Timestamp;

/// Where the time comes from; tests bring their own.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// How long the machine has slept so far, which clocks that nobody sets do not count.
    fn asleep(&self) -> Duration {
        Duration::ZERO
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }

    #[cfg(target_os = "linux")]
    fn asleep(&self) -> Duration {
        use rustix::time::{ClockId, clock_gettime};
        let since_start = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
        since_start(ClockId::Boottime).saturating_sub(since_start(ClockId::Monotonic))
    }
}
