//! Which requests are looked at: those with a sound head, and as many at once as there are places
//! for.

use std::{
    net::Ipv6Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use grantor::server::Body as AnswerBody;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header, uri::Authority,
};
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::guests::{Guest, Guests, Room};

/// Largest request head, and largest chunk of a body read at once.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most fields in the head of a request.
pub const MAX_FIELDS: usize = 100;

/// Why a request is answered without being looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More fields than anybody needs, each of which takes memory.
    TooManyFields,
    /// It does not say once and clearly which host is meant (RFC 9112 §3.2, RFC 9113 §8.3.1).
    Host,
    /// As many requests as there are places for are under way.
    Busy,
}

impl Refusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Host => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// An answer without a body: a client that takes no answers must not make us keep any.
    pub(super) fn response(self) -> Response<Held> {
        let mut response = Response::new(Held {
            body: AnswerBody::default(),
            place: None,
        });
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::Busy {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // The rest of the request is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Looks at the head alone.
pub fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.headers().len() > MAX_FIELDS {
        return Err(Refusal::TooManyFields);
    }
    match is_clear_about_host(
        request.version(),
        request.uri().authority(),
        request.headers(),
    ) {
        true => Ok(()),
        false => Err(Refusal::Host),
    }
}

fn is_clear_about_host(version: Version, target: Option<&Authority>, headers: &HeaderMap) -> bool {
    if target.is_some_and(|target| !is_host(target)) {
        return false;
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => {
            return target.is_some() && version == Version::HTTP_2 || version < Version::HTTP_11;
        }
        (Some(_), Some(_)) => return false,
        (Some(host), None) => host,
    };
    match Authority::try_from(host.as_bytes()) {
        Ok(host) if is_host(&host) => {
            version != Version::HTTP_2 || target.is_none_or(|target| *target == host)
        }
        _ => false,
    }
}

/// A host and perhaps a port, and nobody in front of it (RFC 9110 §4.2.4, RFC 9113 §8.3.1); what
/// stands in brackets is an IPv6 address.
fn is_host(authority: &Authority) -> bool {
    let host = authority.host();
    let is_name = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty(),
    };
    // A user before the host leaves none of it.
    let port = authority.as_str().strip_prefix(host);
    let is_port = |port: &str| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
    };
    is_name && !authority.as_str().contains('@') && port.is_some_and(is_port)
}

/// The requests that may be under way at once, over all connections.
pub(super) struct Places {
    taken: AtomicU32,
    limit: u32,
    /// What one connection may have once half of the places are taken.
    even_part: u32,
    guests: Arc<Guests>,
}

impl Places {
    pub(super) fn new(room: Room, guests: Arc<Guests>) -> Arc<Self> {
        let even_part = (room.requests / room.connections.max(1)).max(1);
        Arc::new(Self {
            taken: AtomicU32::new(0),
            limit: room.requests,
            even_part,
            guests,
        })
    }

    /// A place for a request on this connection. While half of them are free, a connection may have
    /// as many as HTTP/2 allows it; then no more than its even part, so that some connections
    /// cannot keep all others from being heard.
    pub(super) fn take(self: &Arc<Self>, guest: &Arc<Guest>) -> Result<Place, Refusal> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let own = guest.under_way.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            places: self.clone(),
            guest: guest.clone(),
        };
        let is_over_part = taken >= self.limit / 2 && own >= self.even_part;
        if taken >= self.limit {
            self.guests.make_room_for_requests();
        }
        if taken >= self.limit || is_over_part {
            Err(Refusal::Busy)
        } else {
            Ok(place)
        }
    }
}

/// A place among the requests that may be under way at once; free again when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    guest: Arc<Guest>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        self.guest.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a request, which tells its connection when something comes and when all is there.
pub(super) struct Coming {
    body: Incoming,
    /// Whose it is; `None` for an empty one.
    guest: Option<Arc<Guest>>,
    /// Counted as waited for.
    is_awaited: bool,
}

impl Coming {
    pub(super) fn new(body: Incoming, guest: &Arc<Guest>) -> Self {
        let guest = (!body.is_end_stream()).then(|| guest.clone());
        Self {
            body,
            guest,
            is_awaited: false,
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let (Some(guest), true) = (&self.guest, self.is_awaited) {
            guest.got_body();
        }
    }
}

impl Body for Coming {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(guest) = &self.guest {
            match &polled {
                Poll::Pending if !self.is_awaited => {
                    guest.awaits_body();
                    self.is_awaited = true;
                }
                Poll::Ready(Some(Ok(frame)))
                    if frame.data_ref().is_some_and(|data| !data.is_empty()) =>
                {
                    guest.stir();
                }
                _ => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, and the place of its request until the client has taken it.
pub(super) struct Held {
    body: AnswerBody,
    place: Option<Place>,
}

impl Held {
    pub(super) fn new(body: AnswerBody, place: Place) -> Self {
        place.guest.answered.fetch_add(1, Ordering::Relaxed);
        Self {
            body,
            place: Some(place),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.guest.answered.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = <AnswerBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clear(version: Version, target: Option<&str>, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().expect("a header value"));
        }
        let target = target.map(|target| target.parse().expect("an authority"));
        is_clear_about_host(version, target.as_ref(), &headers)
    }

    #[test]
    fn a_request_names_its_host_once() {
        use Version as V;
        for (version, target, hosts, expected) in [
            (V::HTTP_11, None, &["as"][..], true),
            (V::HTTP_11, None, &["127.0.0.1:8080"], true),
            (V::HTTP_11, None, &["[::1]:8080"], true),
            (V::HTTP_11, None, &[], false),
            (V::HTTP_11, Some("as"), &[], false),
            (V::HTTP_11, None, &["as", "as"], false),
            (V::HTTP_11, None, &[""], false),
            (V::HTTP_11, None, &["a b"], false),
            (V::HTTP_11, None, &["as, as"], false),
            (V::HTTP_11, None, &["me@as"], false),
            (V::HTTP_11, None, &["as/path"], false),
            (V::HTTP_11, None, &["as:x"], false),
            (V::HTTP_11, None, &[":80"], false),
            (V::HTTP_10, None, &[], true),
            (V::HTTP_10, None, &["as", "as"], false),
            (V::HTTP_2, Some("as"), &[], true),
            (V::HTTP_2, Some("as"), &["as"], true),
            (V::HTTP_2, None, &["as"], true),
            (V::HTTP_2, Some("as"), &["other"], false),
            (V::HTTP_2, Some("as"), &["as", "as"], false),
            (V::HTTP_2, None, &[], false),
        ] {
            assert_eq!(
                clear(version, target, hosts),
                expected,
                "{version:?} {target:?} {hosts:?}"
            );
        }
    }
}
