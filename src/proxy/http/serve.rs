//! The door for client connections: who serves them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::exchange::ClientTls;
use crate::net::Stream;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::Timer;

use super::Context;
use super::client::Client;
use super::h1;

/// Serves the connection of `peer` until it ends; `tls`: what its handshake came to, if it is under
/// TLS.
pub async fn serve(
    stream: Stream,
    peer: SocketAddr,
    tls: Option<Rc<ClientTls>>,
    live: Arc<Frontend>,
    context: Rc<Context>,
) {
    let entry = context.roll.enter(Arc::clone(&live));
    let client = Rc::new(Client::new(context, peer, tls, live));
    h1::serve(stream, Bytes::new(), client, &entry, Timer::new()).await;
}
