//! The parts of the tests: a real proxy, servers that do exactly what a script says, and clients
//! that send exactly the given bytes or frames.
//!
//! All of it blocks, on threads of its own: a case reads from top to bottom. Nothing sleeps to let
//! another thing happen; tests wait for a condition, with a deadline ([`until`]).

mod addresses;
mod client;
mod clock;
mod folder;
pub(crate) mod framed;
mod frames;
mod good;
mod h2;
mod kernel;
mod message;
mod origin;
mod program;
mod proxy;
mod throttled_link;
mod tls;
mod unix;
mod wait;
mod way;
mod websocket;
mod wire;

pub(crate) use addresses::{Deaf, RefusingAddress};
pub(crate) use client::{Client, Ending};
pub(crate) use clock::Clock;
pub(crate) use folder::Folder;
pub(crate) use frames::{END_STREAM, Frames, kind, setting};
pub(crate) use good::{Asked, FLOOD_BYTES, Good, Handshakes, Offer, Reply};
pub(crate) use h2::{Answer, Http2};
pub(crate) use message::Message;
pub(crate) use origin::{OK, Origin, Visit};
pub(crate) use program::{Program, evenkeel, evenkeel_trusting};
pub(crate) use proxy::{Line, Proxy, Setup, lively};
pub(crate) use throttled_link::{Pace, Slow, Takes, narrow, throttled_link};
pub(crate) use tls::{Authority, Pair, Speech, TlsClient};
pub(crate) use unix::get_by_unix;
pub(crate) use wait::{Gate, until, while_for};
pub(crate) use way::{Way, by_each_way};
pub(crate) use websocket::{Browser, H2Tunnel, HI, HI_BACK, connect_by_h2, echoing, whole_visit};
