//! What the tests stand on: a real proxy, servers that do exactly what a script says, and a client
//! that sends exactly the bytes it is given.
//!
//! All of it blocks, on threads of its own: a case reads from top to bottom. Nothing sleeps to let
//! something else happen; whoever waits does so for a condition, and not forever ([`until`]).

mod addresses;
mod client;
mod folder;
mod frames;
mod good;
mod message;
mod origin;
mod program;
mod proxy;
mod tls;
mod tools;
mod wait;
mod wire;

pub(crate) use addresses::{Deaf, Nobody};
pub(crate) use client::{Client, Ending};
pub(crate) use folder::Folder;
pub(crate) use frames::{Frames, kind, setting};
pub(crate) use good::{Good, Reply};
pub(crate) use message::Message;
pub(crate) use origin::{OK, Origin, Visit};
pub(crate) use program::{Program, evenkeel};
pub(crate) use proxy::{Line, Proxy, Setup};
pub(crate) use tls::{Authority, Pair, Speech, TlsClient};
pub(crate) use tools::{curl, feed};
pub(crate) use wait::{Gate, until, while_for};
