//! Requests on kept connections, one open on each stream at all times.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::edge::cell::Requests;
use crate::edge::client::{Answer, Client, Connection, Page};

use super::RETRY_AFTER;
use super::score::Score;

/// Room for a head, and for a TLS record or two.
const BUFFER_BYTES: usize = 32 * 1024;

pub(super) fn start(
    work: Requests,
    target: SocketAddr,
    score: &Rc<Score>,
) -> io::Result<JoinSet<()>> {
    let client = Rc::new(Client::new(target, work.speech)?);
    let mut clients = JoinSet::new();
    for _ in 0..work.connections {
        clients.spawn_local(visit(work, client.clone(), score.clone()));
    }
    Ok(clients)
}

/// One connection after another; without errors there is only one.
async fn visit(work: Requests, client: Rc<Client>, score: Rc<Score>) {
    while !score.is_over() {
        match client.open().await {
            Ok(connection) => keep_asking(work, connection, &score).await,
            Err(_) => score.lose_connection(),
        }
        if !score.is_over() {
            sleep(RETRY_AFTER).await;
        }
    }
}

/// Returns when all streams are done, or have broken.
async fn keep_asking(work: Requests, connection: Connection, score: &Rc<Score>) {
    let Connection::H2(requester) = connection else {
        return ask_again(work.page, connection, score.clone()).await;
    };
    let mut streams = JoinSet::new();
    for _ in 0..work.streams {
        let stream = Connection::H2(requester.clone());
        streams.spawn_local(ask_again(work.page, stream, score.clone()));
    }
    while streams.join_next().await.is_some() {}
}

async fn ask_again(page: Page, mut connection: Connection, score: Rc<Score>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while !score.is_over() {
        score.begin();
        let outcome = connection.ask(page, &mut buffer).await;
        score.settle(&outcome);
        if !matches!(outcome, Ok(Answer::Proper)) {
            return;
        }
    }
}
