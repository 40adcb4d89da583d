//! A small app server behind the proxy of the demo: it answers with its name, and can be slow, fail
//! or stop.
//!
//! `demo` starts three of them on loopback inside its own process. `answer` reads what a request
//! asks for; this file accepts connections, and closes them when the server must stop for a while.
//! For playing only: the proxy itself does not know them.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{info, warn};

use crate::base::FileMode;
use crate::base::InWords;
use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::base::units::show_duration;
use crate::net::{Listener, Network, Socket, Stream};

use super::answer::answer;

/// Connections at a time; more wait in the kernel's queue. The proxy keeps 128 for each worker.
const MAX_CONNECTIONS: usize = 4096;

/// For a request head, and between two requests: longer than the proxy keeps a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The pause before another try to accept, or to listen after a stop.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// An app server that listens and does not accept yet.
pub(super) struct App {
    name: String,
    network: Network,
    address: SocketAddr,
    socket: Socket,
}

impl App {
    /// Takes a free port of loopback.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(super) async fn bind(name: &str, network: &Network) -> io::Result<Self> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = listen(network, any_port).await?;
        Ok(Self {
            name: name.to_owned(),
            network: network.clone(),
            address: ip_of(&socket)?,
            socket,
        })
    }

    /// As the configuration of the proxy calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, before and after each stop.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped, with a pause after each request for one.
    ///
    /// # Errors
    ///
    /// The system's error when it can watch no further descriptor.
    pub(super) async fn run(self) -> io::Result<Infallible> {
        let name: Rc<str> = self.name.into();
        let mut socket = self.socket;
        loop {
            let pause = serve_until_stopped(socket.into_listener()?, &name).await;
            info!(
                event = "demo.stopped",
                "{name} stops: its port and its connections are closed for {}",
                show_duration(pause)
            );
            clock::sleep(pause).await;
            socket = listen_again(&self.network, self.address, &name).await;
            info!(event = "demo.back", "{name} is back");
        }
    }
}

/// Accepts until a request asks for a stop, and returns the length of the stop. Open connections
/// are then closed.
async fn serve_until_stopped(listener: Listener, name: &Rc<str>) -> Duration {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // One is enough: the other connections are closed whatever they ask for.
    let (stop, mut stops) = mpsc::channel(1);
    // Nothing is sent: the drop of the sender signals the connections.
    let (_open, closed) = watch::channel(());
    let accept = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                continue;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = serve(stream, Rc::clone(name), stop.clone());
                    let mut closed = closed.clone();
                    tasks::spawn_local(async move {
                        tokio::select! {
                            () = connection => {}
                            _ = closed.changed() => {}
                        }
                        drop(permit);
                    });
                }
                Err(_) => clock::sleep(RETRY_PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accept => Duration::ZERO,
        pause = stops.recv() => pause.unwrap_or_default(),
    }
}

async fn serve(stream: Stream, name: Rc<str>, stop: mpsc::Sender<Duration>) {
    let wanted = Cell::new(None);
    let service = service_fn(async |request| {
        let answer = answer(&name, request).await;
        wanted.set(answer.stop);
        Ok::<_, Infallible>(answer.response)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is the client's: it broke off.
    let _ = connection.await;
    // Only now: the client that asked for the stop has got its answer, because the answer closes
    // the connection.
    if let Some(pause) = wanted.get() {
        let _ = stop.try_send(pause);
    }
}

/// Listens on the address again. Another process may hold it for a while, so this may need several
/// tries.
async fn listen_again(network: &Network, address: SocketAddr, name: &str) -> Socket {
    let mut has_said = false;
    loop {
        match listen(network, address).await {
            Ok(socket) => return socket,
            Err(error) if !has_said => {
                has_said = true;
                warn!(
                    event = "demo.waits",
                    "{name} cannot listen on {address} yet: {}",
                    InWords(&error)
                );
            }
            Err(_) => {}
        }
        clock::sleep(RETRY_PAUSE).await;
    }
}

async fn listen(network: &Network, address: SocketAddr) -> io::Result<Socket> {
    let mut sockets = network
        .bind(&address.into(), FileMode::default(), 1, &[])
        .await?;
    let socket = sockets
        .pop()
        .ok_or_else(|| io::Error::other("the network gave no socket"))?;
    socket.listen()?;
    Ok(socket)
}

fn ip_of(socket: &Socket) -> io::Result<SocketAddr> {
    let bound = socket.local_addr()?;
    bound
        .and_then(|address| address.ip())
        .ok_or_else(|| io::Error::other("the network gave no IP address"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::base::tasks::LocalSet;

    use super::*;

    /// The longest wait for a condition.
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn with_app<F: Future<Output = ()>>(test: impl FnOnce(SocketAddr) -> F) {
        let runtime = tasks::runtime().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let app = App::bind("app-1", &Network::System).await;
            let app = app.expect("a free port");
            let address = app.address();
            tasks::spawn_local(app.run());
            test(address).await;
        });
    }

    async fn connect(address: SocketAddr) -> io::Result<Stream> {
        Network::System.connect(&address.into()).await
    }

    /// Everything that the server sends until it closes the connection.
    async fn ask(address: SocketAddr, target: &str) -> io::Result<String> {
        let mut stream = connect(address).await?;
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[test]
    fn it_answers_with_its_name() {
        with_app(async |address| {
            let answer = ask(address, "/").await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\nhello from app-1\n"), "{answer}");
        });
    }

    #[test]
    fn a_stop_is_answered_then_all_connections_close_and_it_starts_again_by_itself() {
        with_app(async |address| {
            let mut idle = connect(address).await.expect("it listens");
            let answer = ask(address, "/stop?for=300ms").await.expect("an answer");
            assert!(
                answer.ends_with("app-1 stops for 300ms and starts again by itself\n"),
                "{answer}"
            );

            let mut room = [0; 1];
            let read = clock::within(TIMEOUT, idle.read(&mut room)).await;
            assert_eq!(read.expect("it is closed soon").unwrap_or(0), 0);
            let refused = connect(address).await.expect_err("no socket listens");
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

            let back = async {
                loop {
                    match ask(address, "/").await {
                        Ok(answer) => return answer,
                        Err(_) => clock::sleep(Duration::from_millis(10)).await,
                    }
                }
            };
            let answer = clock::within(TIMEOUT, back).await.expect("it comes back");
            assert!(answer.ends_with("hello from app-1\n"), "{answer}");
        });
    }
}
