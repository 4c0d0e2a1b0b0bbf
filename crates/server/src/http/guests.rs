//! Who may hold a connection: a part of the places for each address, and the quietest connection
//! makes room when all are taken.

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

/// What has been quiet this long goes before all that has not; a connection has this long to ask
/// something.
const QUIET: Duration = Duration::from_secs(1);

/// A body that brought octets within this time is still on its way, and its connection is not asked
/// to go.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// How many connections are asked to go at once because requests find no place.
const LEAVING_AT_ONCE: usize = 32;

/// Connections that an address may have beyond its part, while others of its own are going.
const LEAVING_OF_AN_ADDRESS: u32 = 8;

/// How much there may be at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub connections: u32,
    /// Connections from one address. Peers that cannot be told apart (this machine, a proxy) are
    /// not counted.
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
    /// Of them, those whose answers were not taken yet: that is the client's affair, and keeps no
    /// place from others.
    pub(super) answered: AtomicU32,
    /// Requests under way whose bodies are waited for: that is the client's affair as well.
    awaited: AtomicU32,
    /// When the listener was opened.
    started: Instant,
    /// When the connection was opened, in microseconds since the listener was.
    opened: u64,
    /// When a request last began or brought a part of its body, or the connection was opened, in
    /// microseconds since the listener was.
    last: AtomicU64,
    was_asked: AtomicBool,
    leave: Notify,
}

/// What a connection does while others want its place.
enum Doing {
    /// A request is being decided, or it was asked to go already.
    Business,
    /// The rest of a body is waited for.
    Sending,
    /// Something was asked and answered.
    Resting,
    /// Nothing was asked yet.
    Arriving,
}

/// How many of a kind there are, and the quietest of them.
#[derive(Clone, Copy, Default)]
struct Kind<'a> {
    count: usize,
    quietest: Option<(u64, &'a Arc<Guest>)>,
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
        Arc::new(Self {
            room,
            started: Instant::now(),
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for a connection of this address, waited for while all are taken. `None` if and only
    /// if the address has its part of them, and none of them is idle.
    pub(super) async fn seat(self: &Arc<Self>, origin: Option<Origin>) -> Option<Seat> {
        loop {
            let freed = self.freed.notified();
            {
                let mut open = self.lock();
                let held = origin.map_or(0, |origin| open.held_by(origin));
                // Whoever opens connections faster than they go has its part all the same.
                let is_over = held >= self.room.per_address.saturating_add(LEAVING_OF_AN_ADDRESS);
                if is_over
                    || (held >= self.room.per_address
                        && origin.is_some()
                        && !open.ask_quietest(origin, self.now()))
                {
                    return None;
                }
                if open.guests.len() < self.room.connections as usize {
                    return Some(self.enter(&mut open, origin));
                }
                // One at a time: who was asked to go may need a moment.
                if open.leaving == 0 {
                    open.ask_quietest(None, self.now());
                }
            }
            // Passed in vain if no connection is idle yet.
            let _ = tokio::time::timeout(LOOK_AGAIN, freed).await;
        }
    }

    fn enter(self: &Arc<Self>, open: &mut Open, origin: Option<Origin>) -> Seat {
        let guest = Arc::new(Guest::new(origin, self.started, self.now()));
        let is_one_of_few = open.guests.len() < self.room.connections.div_ceil(32) as usize;
        let number = open.next;
        open.next += 1;
        open.guests.insert(number, guest.clone());
        if let Some(origin) = origin {
            *open.addresses.entry(origin).or_default() += 1;
        }
        Seat {
            guests: self.clone(),
            number,
            guest,
            is_one_of_few,
        }
    }

    /// Asks the quietest connection to go, for another reason than that all places are taken.
    pub(super) fn make_room(&self) {
        let mut open = self.lock();
        if open.leaving == 0 {
            open.ask_quietest(None, self.now());
        }
    }

    /// Asks the quietest of those to go that take none of their answers: each keeps the place of a
    /// request.
    pub(super) fn make_room_for_requests(&self) {
        let mut open = self.lock();
        if open.leaving < LEAVING_AT_ONCE {
            open.ask_quietest_reader();
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
        micros(self.started.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn held_by(&self, origin: Origin) -> u32 {
        self.addresses.get(&origin).copied().unwrap_or_default()
    }

    /// Asks a connection to go on which nothing is being decided: of this address, or of all. Says
    /// whether there was one.
    ///
    /// The first to go is the one that was quiet longest. If none was for a second, the kind goes
    /// that holds more of the places: bodies that do not come, or connections between two
    /// requests. A connection that was just accepted never goes.
    fn ask_quietest(&mut self, origin: Option<Origin>, now: u64) -> bool {
        let [mut sending, mut resting, mut arriving] = [Kind::default(); 3];
        for guest in self
            .guests
            .values()
            .filter(|guest| origin.is_none() || guest.origin == origin)
        {
            match guest.doing() {
                Doing::Business => {}
                Doing::Sending => sending.add(guest),
                Doing::Resting => resting.add(guest),
                Doing::Arriving => arriving.add(guest),
            }
        }
        let for_long = [&sending, &resting, &arriving]
            .into_iter()
            .filter_map(|kind| kind.quiet_for(QUIET, now));
        let chosen = for_long.min_by_key(|(last, _)| *last).or_else(|| {
            match sending.count > resting.count {
                true => sending.quiet_for(ON_ITS_WAY, now),
                false => resting.quietest,
            }
        });
        let chosen = chosen.map(|(_, guest)| guest.clone());
        self.ask(chosen)
    }

    /// Asks the quietest of those to go that take none of their answers.
    fn ask_quietest_reader(&mut self) {
        let mut unread = Kind::default();
        let is_meant = |guest: &&Arc<Guest>| {
            guest.answered.load(Ordering::Relaxed) > 0 && matches!(guest.doing(), Doing::Resting)
        };
        self.guests
            .values()
            .filter(is_meant)
            .for_each(|guest| unread.add(guest));
        let chosen = unread.quietest.map(|(_, guest)| guest.clone());
        self.ask(chosen);
    }

    fn ask(&mut self, chosen: Option<Arc<Guest>>) -> bool {
        let Some(guest) = chosen else { return false };
        guest.was_asked.store(true, Ordering::Relaxed);
        guest.leave.notify_one();
        self.leaving += 1;
        true
    }

    fn uncount(&mut self, origin: Option<Origin>) {
        let Some(origin) = origin else { return };
        let Some(count) = self.addresses.get_mut(&origin) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.addresses.remove(&origin);
        }
    }
}

impl Guest {
    fn new(origin: Option<Origin>, started: Instant, now: u64) -> Self {
        Self {
            origin,
            under_way: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            awaited: AtomicU32::new(0),
            started,
            opened: now,
            last: AtomicU64::new(now),
            was_asked: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// Ready when the place is wanted by another.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Whether the client owes the rest of a body, or a first request, and nothing else would be
    /// lost with the connection.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_with_client() && (self.awaited.load(Ordering::Relaxed) > 0 || !self.has_asked())
    }

    /// The client did something.
    pub(super) fn stir(&self) {
        self.last
            .store(micros(self.started.elapsed()), Ordering::Relaxed);
    }

    /// Something of a body is missing, until [`Guest::got_body`] is called.
    pub(super) fn awaits_body(&self) {
        self.awaited.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn got_body(&self) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
    }

    fn doing(&self) -> Doing {
        match () {
            () if self.was_asked.load(Ordering::Relaxed) || !self.is_with_client() => {
                Doing::Business
            }
            () if self.awaited.load(Ordering::Relaxed) > 0 => Doing::Sending,
            () if self.has_asked() => Doing::Resting,
            () => Doing::Arriving,
        }
    }

    fn is_with_client(&self) -> bool {
        let theirs = self.answered.load(Ordering::Relaxed) + self.awaited.load(Ordering::Relaxed);
        self.under_way.load(Ordering::Relaxed) <= theirs
    }

    fn has_asked(&self) -> bool {
        self.last.load(Ordering::Relaxed) != self.opened
    }
}

impl<'a> Kind<'a> {
    fn add(&mut self, guest: &'a Arc<Guest>) {
        self.count += 1;
        let last = guest.last.load(Ordering::Relaxed);
        if self.quietest.is_none_or(|(least, _)| last < least) {
            self.quietest = Some((last, guest));
        }
    }

    /// The quietest, if it was quiet for so long.
    fn quiet_for(&self, time: Duration, now: u64) -> Option<(u64, &'a Arc<Guest>)> {
        self.quietest
            .filter(|(last, _)| last.saturating_add(micros(time)) <= now)
    }
}

/// Half a million years fit.
fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

impl Seat {
    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.guest
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
        Origin::of_peer(
            SocketAddr::new(IpAddr::from([192, 0, 2, last]), 1234),
            &Proxy::Absent,
        )
    }

    async fn seat(guests: &Arc<Guests>, origin: Option<Origin>) -> Option<Seat> {
        tokio::time::timeout(Duration::from_millis(300), guests.seat(origin))
            .await
            .ok()
            .flatten()
    }

    /// Someone else is always served, an idle connection makes room, one that is busy does not.
    #[tokio::test]
    async fn one_address_holds_only_its_part() {
        let guests = Guests::new(Room {
            connections: 8,
            per_address: 2,
            requests: 8,
        });
        let [first, second] = [
            seat(&guests, address(1)).await,
            seat(&guests, address(1)).await,
        ]
        .map(|seat| seat.expect("a place"));
        for seat in [&first, &second] {
            // A request later than the connection.
            seat.guest()
                .last
                .store(seat.guest().opened + 1, Ordering::Relaxed);
        }
        first.guest().under_way.store(1, Ordering::Relaxed);
        second.guest().under_way.store(1, Ordering::Relaxed);
        assert!(
            seat(&guests, address(1)).await.is_none(),
            "the part is used up, and nothing is idle"
        );
        assert!(
            seat(&guests, address(2)).await.is_some(),
            "control: another address"
        );
        second.guest().under_way.store(0, Ordering::Relaxed);
        assert!(
            seat(&guests, address(1)).await.is_some(),
            "its own idle connection goes"
        );
        assert!(
            second.guest().was_asked.load(Ordering::Relaxed)
                && !first.guest().was_asked.load(Ordering::Relaxed)
        );
        drop((first, second));
        assert!(
            guests.lock().addresses.is_empty() && guests.lock().leaving == 0,
            "nothing is counted any more"
        );
    }

    #[tokio::test]
    async fn peers_that_cannot_be_told_apart_have_no_part_of_their_own() {
        let guests = Guests::new(Room {
            connections: 3,
            per_address: 1,
            requests: 8,
        });
        let seats = [
            seat(&guests, None).await,
            seat(&guests, None).await,
            seat(&guests, None).await,
        ];
        assert!(seats.iter().all(Option::is_some));
    }

    #[tokio::test]
    async fn the_quietest_is_asked_to_go_when_all_places_are_taken() {
        let guests = Guests::new(Room {
            connections: 3,
            per_address: 3,
            requests: 8,
        });
        let mut seats = Vec::new();
        for last in [1, 2, 3] {
            seats.push(seat(&guests, address(last)).await.expect("a place"));
        }
        // Well after any of them was opened: each has asked something.
        let hour = micros(Duration::from_secs(3_600));
        for (seat, (last, under_way)) in seats.iter().zip([(5, 1), (20, 0), (10, 0)]) {
            seat.guest().last.store(hour + last, Ordering::Relaxed);
            seat.guest().under_way.store(under_way, Ordering::Relaxed);
        }
        let newcomer = tokio::spawn({
            let guests = guests.clone();
            async move { guests.seat(address(4)).await }
        });
        let asked =
            tokio::time::timeout(Duration::from_secs(10), seats[2].guest().asked_to_leave()).await;
        asked.expect("asked to go");
        assert!(
            !seats[0].guest().was_asked.load(Ordering::Relaxed)
                && !seats[1].guest().was_asked.load(Ordering::Relaxed)
        );
        drop(seats.pop());
        assert!(newcomer.await.expect("not ended").is_some());
    }

    /// Each row: how long ago the client did something (ms), how long ago the connection was
    /// opened, and whether a body is waited for.
    #[tokio::test]
    async fn who_goes_first() {
        for (rows, expected) in [
            // Quiet for more than a second: the quietest, whatever it does.
            (
                &[(1_200, 5_000, false), (1_500, 5_000, true), (10, 10, false)][..],
                Some(1),
            ),
            (
                &[(1_500, 5_000, false), (1_200, 5_000, true), (10, 10, false)],
                Some(0),
            ),
            (&[(1_200, 5_000, true), (1_500, 1_500, false)], Some(1)),
            // Else the kind that holds more places, a body only when it pauses.
            (
                &[(900, 5_000, false), (300, 5_000, true), (400, 5_000, true)],
                Some(2),
            ),
            (
                &[(900, 5_000, false), (100, 5_000, true), (200, 5_000, true)],
                None,
            ),
            (&[(300, 5_000, false), (900, 5_000, true)], Some(0)),
            // Nothing was asked yet.
            (&[(900, 900, false), (800, 800, false)], None),
        ] {
            let guests = Guests::new(Room {
                connections: 3,
                per_address: 3,
                requests: 8,
            });
            let now = 1_000_000_000;
            let mut seats = Vec::new();
            for _ in rows {
                seats.push(seat(&guests, None).await.expect("a place"));
            }
            let mut open = guests.lock();
            for (seat, (last, opened, is_sending)) in seats.iter().zip(rows) {
                let mut guest = Guest::new(None, guests.started, now - opened * 1_000);
                guest.last = AtomicU64::new(now - last * 1_000);
                guest.under_way = AtomicU32::new(u32::from(*is_sending));
                guest.awaited = AtomicU32::new(u32::from(*is_sending));
                open.guests.insert(seat.number, Arc::new(guest));
            }
            assert_eq!(open.ask_quietest(None, now), expected.is_some(), "{rows:?}");
            let asked = seats
                .iter()
                .position(|seat| open.guests[&seat.number].was_asked.load(Ordering::Relaxed));
            assert_eq!(asked, expected, "{rows:?}");
            drop(open);
        }
    }
}
