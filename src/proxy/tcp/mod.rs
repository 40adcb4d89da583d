//! A client connection that is passed on to a server unchanged.
//!
//! `listen` hands it over. If routes need the ClientHello, it is waited for (`first`), and passed
//! on to the server unchanged: TLS is not terminated here. Otherwise nothing is waited for, and the
//! server may send first. Then a server is chosen and connected to as for a request (`forward`),
//! and bytes flow (`tunnel`). One connection is one exchange: one line in the log, one slot.
//!
//! Rules for content look at the first bytes before that (`inspect`), also before requests.
//!
//! A frontend that terminates TLS may pass some names on in the same way: `pass_through`, before
//! the handshake.

mod earlier;
mod first;
mod inspect;
mod serve;

pub(crate) use earlier::Earlier;
pub(crate) use inspect::inspect;
pub(crate) use serve::{pass_through, serve};
