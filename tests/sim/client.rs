//! A client with one connection, which it keeps for as long as it can be kept.

use std::time::Duration;

use bytes::Bytes;
use evenkeel::base::tasks;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use turmoil::net::TcpStream;

use crate::fixture::PROXY;
use crate::server::NAME_FIELD;
use crate::trace::Trace;

/// A client.
pub(crate) struct Client {
    name: String,
    port: u16,
    trace: Trace,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

/// The outcome of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// `None`: no answer came.
    pub(crate) status: Option<u16>,
    /// The server that answered; empty: none, or the proxy itself.
    pub(crate) server: String,
    pub(crate) body: String,
    /// Whether the body came whole.
    pub(crate) is_whole: bool,
}

impl Client {
    pub(crate) fn new(name: &str, trace: &Trace) -> Self {
        Self {
            name: name.to_owned(),
            port: 80,
            trace: trace.clone(),
            connection: None,
        }
    }

    /// One that talks to the admin listener, and is not recorded.
    pub(crate) fn of_admin(trace: &Trace) -> Self {
        Self {
            port: 9900,
            ..Self::new("", trace)
        }
    }

    /// Requests `target`, on the open connection or on a new one. Never retries: stories need to
    /// see every failure.
    pub(crate) async fn get(&mut self, target: &str) -> Outcome {
        let began = turmoil::sim_elapsed().unwrap_or_default();
        let mut outcome = Outcome {
            began,
            ..Outcome::default()
        };
        // How it failed is in the outcome: no status, or not whole.
        let _ = self.ask(target, &mut outcome).await;
        outcome.ended = turmoil::sim_elapsed().unwrap_or_default();
        if !self.name.is_empty() {
            self.trace
                .add(&self.name, format_args!("{target} {}", outcome.shown()));
        }
        outcome
    }

    async fn ask(&mut self, target: &str, outcome: &mut Outcome) -> turmoil::Result {
        let mut sender = match self.kept().await {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        // The admin listener accepts no other name.
        let host = if self.name.is_empty() {
            "localhost"
        } else {
            "example.com"
        };
        let request = Request::get(target)
            .header("host", host)
            .body(Empty::new())?;
        let response = sender.send_request(request).await?;
        outcome.status = Some(response.status().as_u16());
        let server = response.headers().get(NAME_FIELD);
        outcome.server = server
            .map_or("", |name| name.to_str().unwrap_or(""))
            .to_owned();
        read(response.into_body(), outcome).await?;
        outcome.is_whole = true;
        self.connection = Some(sender);
        Ok(())
    }

    /// The connection of the last request, if it can be reused.
    async fn kept(&mut self) -> Option<SendRequest<Empty<Bytes>>> {
        let mut sender = self.connection.take()?;
        sender.ready().await.ok()?;
        Some(sender)
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect((PROXY, self.port)).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tasks::spawn_local(async move {
            // Its end shows at the sender.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

async fn read(mut body: Incoming, outcome: &mut Outcome) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            outcome.body.push_str(&String::from_utf8_lossy(&data));
        }
    }
    Ok(())
}

impl Outcome {
    /// A whole answer of a server.
    pub(crate) fn is_served(&self) -> bool {
        self.status == Some(200) && self.is_whole
    }

    /// The reason that the proxy gave in its own answer.
    pub(crate) fn reason(&self) -> &str {
        let line = self
            .body
            .lines()
            .find_map(|line| line.strip_prefix("reason: "));
        line.unwrap_or("")
    }

    fn shown(&self) -> String {
        let status = self
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        let cut = if self.is_whole || self.status.is_none() {
            ""
        } else {
            ", cut"
        };
        format!("{status}{cut} {}{}", self.server, self.reason())
    }
}
