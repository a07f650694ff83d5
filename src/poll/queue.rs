//! Feeds that wait for their turn: so many of one host at a time, and some time between them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Feeds by their place in the round, in the order of their hosts' turns.
///
/// Who waits for a busy host keeps no other host waiting: it takes none of the round's slots.
#[derive(Debug)]
pub(super) struct Queue {
    per_host: usize,
    delay: Duration,
    hosts: Vec<Host>,
    names: HashMap<String, usize>,
    /// Hosts that may be asked now, by their first feed.
    free: BTreeSet<(usize, usize)>,
    /// Hosts that may be asked from a time on.
    later: BTreeSet<(Instant, usize)>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Host {
    feeds: VecDeque<usize>,
    running: usize,
    next: Option<Instant>,
}

impl Queue {
    /// Takes `fetch.per_host` and `fetch.host_delay`.
    pub(super) fn new(per_host: usize, delay: Duration) -> Self {
        Self {
            per_host: per_host.max(1),
            delay,
            hosts: Vec::new(),
            names: HashMap::new(),
            free: BTreeSet::new(),
            later: BTreeSet::new(),
            waiting: 0,
        }
    }

    /// Takes other limits, from the next feeds on.
    pub(super) fn set_limits(&mut self, per_host: usize, delay: Duration) {
        self.per_host = per_host.max(1);
        self.delay = delay;
    }

    /// Puts a feed behind the others of its host.
    pub(super) fn push(&mut self, host: &str, feed: usize) {
        let number = *self.names.entry(host.to_owned()).or_insert(self.hosts.len());
        if number == self.hosts.len() {
            self.hosts.push(Host::default());
        }
        self.hosts[number].feeds.push_back(feed);
        self.waiting += 1;
        if self.hosts[number].feeds.len() == 1 {
            self.line_up(number);
        }
    }

    /// The first feed whose host may be asked now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<usize> {
        while let Some((_, number)) = self.later.first().copied().filter(|(at, _)| *at <= now) {
            self.later.pop_first();
            self.hosts[number].next = None;
            self.line_up(number);
        }
        let (_, number) = self.free.pop_first()?;
        let host = &mut self.hosts[number];
        let feed = host.feeds.pop_front()?;
        self.waiting -= 1;
        host.running += 1;
        host.next = Some(now + self.delay).filter(|_| !self.delay.is_zero());
        self.line_up(number);
        Some(feed)
    }

    /// A feed of this host was answered, or given up.
    pub(super) fn done(&mut self, host: &str) {
        let Some(number) = self.names.get(host).copied() else { return };
        let was_full = self.hosts[number].running >= self.per_host;
        self.hosts[number].running = self.hosts[number].running.saturating_sub(1);
        if was_full {
            self.line_up(number);
        }
    }

    /// Takes out the feeds of a host that wants to be left alone.
    pub(super) fn hold(&mut self, host: &str) -> Vec<usize> {
        let Some(number) = self.names.get(host).copied() else { return Vec::new() };
        self.free.retain(|(_, other)| *other != number);
        self.later.retain(|(_, other)| *other != number);
        let held: Vec<usize> = self.hosts[number].feeds.drain(..).collect();
        self.waiting -= held.len();
        held
    }

    /// Takes out all feeds.
    pub(super) fn clear(&mut self) {
        self.free.clear();
        self.later.clear();
        self.hosts.iter_mut().for_each(|host| host.feeds.clear());
        self.waiting = 0;
    }

    /// True when no feed waits.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// When the next host may be asked, while none may be now.
    pub(super) fn wakes(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Puts a host where it belongs: free, later, or nowhere while it is busy or nobody waits for it.
    fn line_up(&mut self, number: usize) {
        let host = &self.hosts[number];
        let Some(first) = host.feeds.front().filter(|_| host.running < self.per_host) else { return };
        match host.next {
            Some(at) => self.later.insert((at, number)),
            None => self.free.insert((*first, number)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_host_is_asked_once_at_a_time_and_a_second_apart() {
        let start = Instant::now();
        let mut queue = Queue::new(1, SECOND);
        for (feed, host) in ["a", "a", "b", "a", "b"].into_iter().enumerate() {
            queue.push(host, feed);
        }
        assert_eq!((queue.pop(start), queue.pop(start), queue.pop(start)), (Some(0), Some(2), None));
        // A quick answer does not make the next question come sooner.
        queue.done("a");
        assert_eq!((queue.pop(start), queue.wakes()), (None, Some(start + SECOND)));
        assert_eq!((queue.pop(start + SECOND), queue.pop(start + SECOND)), (Some(1), None));
        // A slow answer keeps its own host waiting only.
        queue.done("b");
        assert_eq!(queue.pop(start + 2 * SECOND), Some(4));
        assert_eq!((queue.pop(start + 60 * SECOND), queue.is_empty()), (None, false));
        queue.done("a");
        assert_eq!((queue.pop(start + 60 * SECOND), queue.is_empty()), (Some(3), true));
    }

    #[test]
    fn several_at_a_time_still_start_apart() {
        let start = Instant::now();
        let mut queue = Queue::new(2, SECOND);
        (0..4).for_each(|feed| queue.push("a", feed));
        assert_eq!((queue.pop(start), queue.pop(start)), (Some(0), None));
        assert_eq!((queue.pop(start + SECOND), queue.pop(start + 9 * SECOND)), (Some(1), None));
        queue.done("a");
        assert_eq!(queue.pop(start + 9 * SECOND), Some(2));
    }

    #[test]
    fn without_a_delay_only_the_number_counts() {
        let start = Instant::now();
        let mut queue = Queue::new(2, Duration::ZERO);
        (0..3).for_each(|feed| queue.push("a", feed));
        assert_eq!((queue.pop(start), queue.pop(start), queue.pop(start)), (Some(0), Some(1), None));
        queue.done("a");
        queue.done("a");
        assert_eq!((queue.pop(start), queue.pop(start)), (Some(2), None));
    }

    #[test]
    fn a_host_that_wants_to_be_left_alone_loses_its_turns() {
        let start = Instant::now();
        let mut queue = Queue::new(1, SECOND);
        (0..3).for_each(|feed| queue.push("a", feed));
        queue.push("b", 3);
        assert_eq!(queue.pop(start), Some(0));
        assert_eq!(queue.hold("a"), [1, 2]);
        queue.done("a");
        assert_eq!((queue.pop(start + SECOND), queue.pop(start + SECOND), queue.wakes()), (Some(3), None, None));
        assert!(queue.is_empty() && queue.hold("nobody").is_empty());
        // Who comes later waits for the time that was agreed.
        queue.push("a", 4);
        assert_eq!(queue.pop(start + 2 * SECOND), Some(4));
    }
}
