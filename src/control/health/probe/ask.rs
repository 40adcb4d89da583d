//! Makes the connection of a check, and the request on it if it has one.

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Request, Uri};

use crate::base::Address;
use crate::base::clock;
use crate::net::{Network, Stream};
use crate::plan::{HttpCheck, Probe};
use crate::proxy::io::{CorkedStream, MOST_INTERIM_BYTES, SocketTracker, StreamBody};
use crate::proxy::upstream::{Agreed, Opener, Transport, dial, head_of};

use super::driven::DrivenConnection;
use super::http1::{self, BodyFault};
use super::judge::{drain, judge};
use super::progress::{Progress, Step};
use super::words::{failed, of_connecting, of_first, of_handshake, of_stream, passed};
use super::{HEAD_BOUND, LINGER, TOO_MUCH, Target};

const AGENT: &str = concat!("evenkeel-health/", env!("CARGO_PKG_VERSION"));

/// Connects, asks and judges; ends when the connection is closed.
pub(super) async fn ask(
    network: &Network,
    target: &Target<'_>,
    probe: &Probe,
    progress: &Progress,
) {
    let dialling = dial(Opener::Check(network), &target.address, &target.preamble);
    let stream = match dialling.await {
        Ok(stream) => stream,
        Err(fault) => return progress.decide(of_connecting(&fault)),
    };
    match probe {
        Probe::Tcp => progress.decide(passed("connected")),
        Probe::Http(check) => ask_http(stream, target, check, progress).await,
    }
}

async fn ask_http(stream: Stream, target: &Target<'_>, check: &HttpCheck, progress: &Progress) {
    let Some(request) = request(check, &target.address) else {
        return progress.decide(failed(
            "the path of the check is not a valid request target",
        ));
    };
    if let Transport::Tls(_) = target.transport {
        progress.step.set(Step::Handshake);
    }
    let (transport, protocol) = (&target.transport, target.protocol);
    let name = transport.name_of(check.host.as_ref(), target.name, &target.address);
    let securing = transport.secure(stream, protocol, name.as_ref());
    let (stream, agreed) = match securing.await {
        Ok(secured) => secured,
        Err(fault) => return progress.decide(failed(of_handshake(&fault))),
    };
    progress.step.set(Step::Head);
    match agreed {
        Agreed::Http1 => ask_http1(stream, request, target, check, progress).await,
        Agreed::Http2 => ask_http2(stream, request, target, check, progress).await,
    }
}

async fn ask_http1(
    stream: Stream,
    request: Request<()>,
    target: &Target<'_>,
    check: &HttpCheck,
    progress: &Progress,
) {
    let (head, ()) = request.into_parts();
    let response = match http1::ask(stream, &head, target.head_limits).await {
        Ok(response) => response,
        Err(why) => return progress.decide(failed(why)),
    };
    let status = response.status().as_u16();
    let mut body = response.into_body();
    judge(&mut body, status, BodyFault::in_words, check, progress).await;
    let leave = async {
        drain(&mut body).await;
        body.close().await;
    };
    let _ = clock::within(LINGER, leave).await;
}

async fn ask_http2(
    stream: Stream,
    request: Request<()>,
    target: &Target<'_>,
    check: &HttpCheck,
    progress: &Progress,
) {
    let scheme = target.transport.scheme();
    let (head, _) = request.into_parts();
    let Ok(head) = head_of(&head, scheme, &target.address.as_host()) else {
        return progress.decide(failed("the host of the check is not valid"));
    };
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(HEAD_BOUND as u32);
    let stream = CorkedStream::to_server(stream);
    let tracker = awaiting_head(stream.get_ref().tracker());
    let (mut sender, connection) = match builder.handshake::<_, Bytes>(stream).await {
        Ok(both) => both,
        Err(error) => return progress.decide(failed(of_first(&error))),
    };
    let mut link = DrivenConnection::new(connection);
    let sent = sender.send_request(head, true);
    let answered = match sent {
        Ok((response, _)) => link.with(response).await,
        Err(error) => Err(error),
    };
    let response = match answered {
        Ok(response) => response,
        Err(_) if tracker.has_said_too_much() => return progress.decide(failed(TOO_MUCH)),
        Err(error) => return progress.decide(failed(of_first(&error))),
    };
    tracker.head_came();
    let (head, stream) = response.into_parts();
    let mut body = StreamBody::new(stream, &head.headers);
    let status = head.status.as_u16();
    let judging = judge(&mut body, status, of_stream, check, progress);
    link.with(judging).await;
    let leave = async {
        link.with(drain(&mut body)).await;
        drop((sender, body));
        link.ended().await;
    };
    let _ = clock::within(LINGER, leave).await;
}

/// Bounds the bytes that are read before the head of the answer.
fn awaiting_head(tracker: SocketTracker) -> SocketTracker {
    tracker.await_head(HEAD_BOUND as u64 + MOST_INTERIM_BYTES);
    tracker
}

/// `None` when the path is none that a request can have.
fn request(check: &HttpCheck, address: &Address) -> Option<Request<()>> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::try_from(check.path.as_str()).ok()?;
    *request.headers_mut() = headers(check, address)?;
    Some(request)
}

fn headers(check: &HttpCheck, address: &Address) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let host = match &check.host {
        Some(host) => host.clone(),
        None => HeaderValue::from_str(&address.as_host()).ok()?,
    };
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    // The user's own fields replace ours, and one that is written twice is sent twice.
    for (name, _) in &check.headers {
        headers.remove(name);
    }
    for (name, value) in &check.headers {
        headers.append(name, value.clone());
    }
    // Except for this one: there is no second request.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(headers)
}
