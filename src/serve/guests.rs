//! Who is connected, and who has to go so that others can come.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How many may be here.
#[derive(Clone, Copy)]
pub(super) struct Rooms {
    /// Connections at one time.
    pub(super) all: usize,
    /// Of one address; of a network of IPv6, since a machine has one of its own. Loopback may have them all: a reverse
    /// proxy sits there.
    pub(super) each: usize,
    /// An answer under way for that long may be cut off when there is no other room.
    pub(super) patience: Duration,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: no byte of a request has come.
    Idle,
    /// A part of a request's head has come.
    Asking,
    /// It is being answered.
    Answered,
}

/// All connections.
pub(super) struct Guests {
    rooms: Rooms,
    here: Mutex<HashMap<u64, Arc<Guest>>>,
    left: Notify,
    began: Instant,
    count: AtomicU64,
}

/// One connection.
pub(super) struct Guest {
    from: IpAddr,
    began: Instant,
    phase: AtomicU8,
    /// Milliseconds from `began` to the phase's begin.
    since: AtomicU64,
    /// Bytes that its system took of us.
    taken: AtomicU64,
    /// Woken when it has to go.
    pub(super) out: Notify,
}

impl Guest {
    pub(super) fn phase(&self) -> (Phase, Duration) {
        let phase = match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Asking,
            _ => Phase::Answered,
        };
        let since = Duration::from_millis(self.since.load(Ordering::Relaxed));
        (phase, self.began.elapsed().saturating_sub(since))
    }

    pub(super) fn enter(&self, phase: Phase) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn takes(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes, since it came.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A guest's place; it is free again when this is dropped.
pub(super) struct Place {
    guests: Arc<Guests>,
    id: u64,
    pub(super) guest: Arc<Guest>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guests.here().remove(&self.id);
        self.guests.left.notify_waiters();
    }
}

impl Guests {
    pub(super) fn new(rooms: Rooms) -> Self {
        Self { rooms, here: Mutex::default(), left: Notify::new(), began: Instant::now(), count: AtomicU64::new(0) }
    }

    fn here(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from an address. Whoever waits longest goes for it, when all are taken: first of its
    /// own address, then of all. `None` when that address has all it may have, and is using it.
    pub(super) async fn welcome(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let from = network(from);
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            {
                let mut here = self.here();
                let own = |guest: &Guest| guest.from == from;
                let is_full =
                    !from.is_loopback() && here.values().filter(|guest| own(guest)).count() >= self.rooms.each;
                if is_full && !send_off(&mut here, own, None) {
                    return None;
                }
                if here.len() < self.rooms.all || send_off(&mut here, |_| true, Some(self.rooms.patience)) {
                    return Some(self.seat(&mut here, from));
                }
            }
            let _ = tokio::time::timeout(self.rooms.patience / 4, left).await;
        }
    }

    /// Sends the one off that has asked nothing for longest.
    pub(super) fn part_with_one(&self) {
        send_off(&mut self.here(), |_| true, None);
    }

    fn seat(self: &Arc<Self>, here: &mut HashMap<u64, Arc<Guest>>, from: IpAddr) -> Place {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        let guest = Arc::new(Guest {
            from,
            began: self.began,
            phase: AtomicU8::new(0),
            since: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            out: Notify::new(),
        });
        guest.enter(Phase::Idle);
        here.insert(id, guest.clone());
        Place { guests: self.clone(), id, guest }
    }
}

/// Sends the one off that has asked nothing for longest; if nobody waits, the one that is being answered for longest,
/// once that is beyond `patience`. False when all may stay.
fn send_off(here: &mut HashMap<u64, Arc<Guest>>, of: impl Fn(&Guest) -> bool, patience: Option<Duration>) -> bool {
    let longest = here.iter().filter(|(_, guest)| of(guest)).filter_map(|(id, guest)| {
        let (phase, age) = guest.phase();
        let waits = phase != Phase::Answered;
        (waits || patience.is_some_and(|patience| age >= patience)).then_some(((waits, age), *id))
    });
    let Some((_, id)) = longest.max() else { return false };
    if let Some(guest) = here.remove(&id) {
        guest.out.notify_one();
    }
    true
}

/// What counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMS: Rooms = Rooms { all: 4, each: 2, patience: Duration::from_secs(30) };

    fn guests() -> Arc<Guests> {
        Arc::new(Guests::new(ROOMS))
    }

    async fn come(guests: &Arc<Guests>, from: &str, phase: Phase) -> Option<Place> {
        tokio::time::advance(Duration::from_millis(10)).await;
        let place = guests.welcome(from.parse().unwrap()).await?;
        place.guest.enter(phase);
        Some(place)
    }

    fn is_here(place: &Place) -> bool {
        place.guests.here().contains_key(&place.id)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_longest_goes_first() {
        let guests = guests();
        let answered = come(&guests, "127.0.0.1", Phase::Answered).await.unwrap();
        let dripping = come(&guests, "127.0.0.1", Phase::Asking).await.unwrap();
        let idle = come(&guests, "127.0.0.1", Phase::Idle).await.unwrap();
        let late = come(&guests, "::1", Phase::Idle).await.unwrap();
        let fifth = come(&guests, "127.0.0.1", Phase::Answered).await.unwrap();
        dripping.guest.out.notified().await;
        assert_eq!([&answered, &dripping, &idle, &late, &fifth].map(is_here), [true, false, true, true, true]);
        let sixth = come(&guests, "192.0.2.1", Phase::Answered).await.unwrap();
        assert_eq!([&answered, &idle, &late, &fifth, &sixth].map(is_here), [true, false, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_cut_off_only_when_nobody_waits_and_they_take_long() {
        let guests = guests();
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(come(&guests, "127.0.0.1", Phase::Answered).await.unwrap());
        }
        let began = Instant::now();
        let fifth = come(&guests, "127.0.0.1", Phase::Answered).await.unwrap();
        assert!(began.elapsed() > Duration::from_secs(20), "{:?}", began.elapsed());
        assert!(!is_here(&places[0]) && places[1..].iter().chain([&fifth]).all(is_here));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_comes_free_is_taken() {
        let guests = guests();
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(come(&guests, "127.0.0.1", Phase::Answered).await.unwrap());
        }
        let (fifth, ()) = tokio::join!(come(&guests, "127.0.0.1", Phase::Idle), async { drop(places.pop()) });
        assert!(fifth.is_some() && places.iter().all(is_here));
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_may_have_so_many() {
        let guests = guests();
        let first = come(&guests, "2001:db8::1", Phase::Answered).await.unwrap();
        let second = come(&guests, "2001:db8::2", Phase::Idle).await.unwrap();
        let third = come(&guests, "2001:db8::3", Phase::Answered).await.unwrap();
        assert_eq!([&first, &second, &third].map(is_here), [true, false, true]);
        assert!(come(&guests, "2001:db8::4", Phase::Idle).await.is_none());
        assert!(come(&guests, "2001:db8:0:1::1", Phase::Idle).await.is_some());
        let mapped = come(&guests, "::ffff:192.0.2.1", Phase::Answered).await.unwrap();
        let same = come(&guests, "192.0.2.1", Phase::Answered).await.unwrap();
        assert!(come(&guests, "192.0.2.1", Phase::Answered).await.is_none());
        assert!(is_here(&mapped) && is_here(&same));
    }
}
