//! Who may hold a connection: a part of the places for each address, and the quietest connection makes room when all are taken.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::Origin;

/// How long a full house waits before it looks again for a connection that has become idle.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many connections are asked to go at once because requests find no place.
const LEAVING_AT_ONCE: usize = 32;

/// Connections that an address may have beyond its part, while others of its own are going.
const LEAVING_OF_AN_ADDRESS: u32 = 8;

/// How much there may be at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub connections: u32,
    /// Connections from one address. Peers that cannot be told apart (this machine, a proxy) are not counted.
    pub per_address: u32,
    /// Requests under way, over all connections.
    pub requests: u32,
}

/// The connections that are open.
pub(super) struct Guests {
    room: Room,
    started: Instant,
    open: Mutex<Open>,
    /// Told of each place that becomes free.
    freed: Notify,
}

#[derive(Default)]
struct Open {
    guests: HashMap<u64, Arc<Guest>>,
    /// Connections of each address, those that were asked to go among them.
    addresses: HashMap<Origin, u32>,
    next: u64,
    leaving: usize,
}

/// What is known about one open connection.
pub(super) struct Guest {
    /// Whose it is; `None` where that says nothing.
    origin: Option<Origin>,
    /// Requests that are not answered yet, or whose answers were not taken yet.
    pub(super) under_way: AtomicU32,
    /// Of them, those whose answers were not taken yet: that is the client's affair, and keeps no place from others.
    pub(super) answered: AtomicU32,
    /// When the last request began or the connection was opened, in microseconds since the listener was.
    last: AtomicU64,
    was_asked: AtomicBool,
    leave: Notify,
}

/// A place among the connections that may be open at once; free again when dropped.
pub(super) struct Seat {
    guests: Arc<Guests>,
    number: u64,
    guest: Arc<Guest>,
    /// Whether hardly any others were taken when this one was.
    pub(super) is_one_of_few: bool,
}

impl Guests {
    pub(super) fn new(room: Room) -> Arc<Self> {
        Arc::new(Self { room, started: Instant::now(), open: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection of this address, waited for while all are taken. `None` if and only if the address has its part of
    /// them, and none of them is idle.
    pub(super) async fn seat(self: &Arc<Self>, origin: Option<Origin>) -> Option<Seat> {
        loop {
            let freed = self.freed.notified();
            {
                let mut open = self.lock();
                let held = origin.map_or(0, |origin| open.held_by(origin));
                // Whoever opens connections faster than they go has its part all the same.
                let is_over = held >= self.room.per_address.saturating_add(LEAVING_OF_AN_ADDRESS);
                if is_over || (held >= self.room.per_address && origin.is_some() && !open.ask_quietest(origin)) {
                    return None;
                }
                if open.guests.len() < self.room.connections as usize {
                    return Some(self.enter(&mut open, origin));
                }
                // One at a time: who was asked to go may need a moment.
                if open.leaving == 0 {
                    open.ask_quietest(None);
                }
            }
            // Passed in vain if no connection is idle yet.
            let _ = tokio::time::timeout(LOOK_AGAIN, freed).await;
        }
    }

    fn enter(self: &Arc<Self>, open: &mut Open, origin: Option<Origin>) -> Seat {
        let guest = Arc::new(Guest {
            origin,
            under_way: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            last: AtomicU64::new(self.now()),
            was_asked: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let is_one_of_few = open.guests.len() < self.room.connections.div_ceil(32) as usize;
        let number = open.next;
        open.next += 1;
        open.guests.insert(number, guest.clone());
        if let Some(origin) = origin {
            *open.addresses.entry(origin).or_default() += 1;
        }
        Seat { guests: self.clone(), number, guest, is_one_of_few }
    }

    /// Asks the quietest connection to go, for another reason than that all places are taken.
    pub(super) fn make_room(&self) {
        let mut open = self.lock();
        if open.leaving == 0 {
            open.ask_quietest(None);
        }
    }

    /// Asks the quietest of those to go that take none of their answers: each keeps the place of a request.
    pub(super) fn make_room_for_requests(&self) {
        let mut open = self.lock();
        if open.leaving < LEAVING_AT_ONCE {
            open.ask(|guest| guest.answered.load(Ordering::Relaxed) > 0);
        }
    }

    /// Ready when all connections have ended.
    pub(super) async fn all_gone(&self) {
        loop {
            let freed = self.freed.notified();
            if self.lock().guests.is_empty() {
                return;
            }
            freed.await;
        }
    }

    fn now(&self) -> u64 {
        // Half a million years fit.
        self.started.elapsed().as_micros() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn held_by(&self, origin: Origin) -> u32 {
        self.addresses.get(&origin).copied().unwrap_or_default()
    }

    /// Asks the connection to go on which nothing is under way and nothing was asked for longest: of this address, or of all. Says
    /// whether there was one.
    fn ask_quietest(&mut self, origin: Option<Origin>) -> bool {
        self.ask(|guest| origin.is_none() || guest.origin == origin)
    }

    fn ask(&mut self, is_meant: impl Fn(&Guest) -> bool) -> bool {
        let idle = self.guests.values().filter(|guest| guest.is_idle() && is_meant(guest));
        let Some(quietest) = idle.min_by_key(|guest| guest.last.load(Ordering::Relaxed)).cloned() else { return false };
        quietest.was_asked.store(true, Ordering::Relaxed);
        quietest.leave.notify_one();
        self.leaving += 1;
        true
    }

    fn uncount(&mut self, origin: Option<Origin>) {
        let Some(origin) = origin else { return };
        let Some(count) = self.addresses.get_mut(&origin) else { return };
        *count -= 1;
        if *count == 0 {
            self.addresses.remove(&origin);
        }
    }
}

impl Guest {
    /// Ready when the place is wanted by another.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    fn is_idle(&self) -> bool {
        let is_busy = self.under_way.load(Ordering::Relaxed) > self.answered.load(Ordering::Relaxed);
        !is_busy && !self.was_asked.load(Ordering::Relaxed)
    }
}

impl Seat {
    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// A request begins.
    pub(super) fn stir(&self) {
        self.guest.last.store(self.guests.now(), Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.guests.lock();
        open.guests.remove(&self.number);
        open.uncount(self.guest.origin);
        if self.guest.was_asked.load(Ordering::Relaxed) {
            open.leaving -= 1;
        }
        drop(open);
        self.guests.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::http::Proxy;

    fn address(last: u8) -> Option<Origin> {
        Origin::of_peer(SocketAddr::new(IpAddr::from([192, 0, 2, last]), 1234), &Proxy::Absent)
    }

    async fn seat(guests: &Arc<Guests>, origin: Option<Origin>) -> Option<Seat> {
        tokio::time::timeout(Duration::from_millis(300), guests.seat(origin)).await.ok().flatten()
    }

    /// Someone else is always served, an idle connection makes room, one that is busy does not.
    #[tokio::test]
    async fn one_address_holds_only_its_part() {
        let guests = Guests::new(Room { connections: 8, per_address: 2, requests: 8 });
        let [first, second] =
            [seat(&guests, address(1)).await, seat(&guests, address(1)).await].map(|seat| seat.expect("a place"));
        first.guest().under_way.store(1, Ordering::Relaxed);
        second.guest().under_way.store(1, Ordering::Relaxed);
        assert!(seat(&guests, address(1)).await.is_none(), "the part is used up, and nothing is idle");
        assert!(seat(&guests, address(2)).await.is_some(), "control: another address");
        second.guest().under_way.store(0, Ordering::Relaxed);
        assert!(seat(&guests, address(1)).await.is_some(), "its own idle connection goes");
        assert!(second.guest().was_asked.load(Ordering::Relaxed) && !first.guest().was_asked.load(Ordering::Relaxed));
        drop((first, second));
        assert!(guests.lock().addresses.is_empty() && guests.lock().leaving == 0, "nothing is counted any more");
    }

    #[tokio::test]
    async fn peers_that_cannot_be_told_apart_have_no_part_of_their_own() {
        let guests = Guests::new(Room { connections: 3, per_address: 1, requests: 8 });
        let seats = [seat(&guests, None).await, seat(&guests, None).await, seat(&guests, None).await];
        assert!(seats.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn the_quietest_is_asked_to_go_when_all_places_are_taken() {
        let guests = Guests::new(Room { connections: 3, per_address: 3, requests: 8 });
        let mut seats = Vec::new();
        for last in [1, 2, 3] {
            seats.push(seat(&guests, address(last)).await.expect("a place"));
        }
        for (seat, (last, under_way)) in seats.iter().zip([(5, 1), (20, 0), (10, 0)]) {
            seat.guest().last.store(last, Ordering::Relaxed);
            seat.guest().under_way.store(under_way, Ordering::Relaxed);
        }
        let newcomer = tokio::spawn({
            let guests = guests.clone();
            async move { guests.seat(address(4)).await }
        });
        let asked = tokio::time::timeout(Duration::from_secs(10), seats[2].guest().asked_to_leave()).await;
        asked.expect("asked to go");
        assert!(!seats[0].guest().was_asked.load(Ordering::Relaxed) && !seats[1].guest().was_asked.load(Ordering::Relaxed));
        drop(seats.pop());
        assert!(newcomer.await.expect("not ended").is_some());
    }
}
