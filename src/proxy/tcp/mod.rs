//! A client connection that is passed on to a server as it is.
//!
//! `listen` hands it over. Where routes look at what a client of TLS says first, that is waited for
//! (`first`), and goes on to the server unchanged: TLS is not ended here. Else nothing is waited for,
//! and the server may speak first. Then a server is chosen and connected to as for a
//! request (`forward`), and bytes flow (`tunnel`). One connection is one exchange: one line in the
//! log, one slot.
//!
//! A frontend that ends TLS may pass some names on in the same way: `pass_through`, before the
//! handshake.

mod first;
mod serve;

pub(crate) use serve::{pass_through, serve};
