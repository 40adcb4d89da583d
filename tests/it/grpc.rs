//! gRPC through the proxy, with a real library on both ends: the four kinds of call, errors,
//! cancelled calls, and our own failures as gRPC clients see them.

use std::convert::Infallible;
use std::future::pending;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::client::Grpc as Client;
use tonic::codegen::{Service, http as tonic_http};
use tonic::server::{
    ClientStreamingService, Grpc as Server, NamedService, ServerStreamingService, StreamingService,
    UnaryService,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::rig::{Authority, Folder, Proxy, RefusingAddress, Setup, until};

/// A message of one field, as prost has it for text (`google.protobuf.StringValue`).
type Text = String;
type Texts = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;
type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// A gRPC server without TLS, on a thread of its own.
struct Origin {
    address: SocketAddr,
    /// Calls of `Hang` that ended without an answer.
    cancelled: Arc<AtomicUsize>,
    _runtime: Runtime,
}

#[derive(Clone)]
struct Echo {
    cancelled: Arc<AtomicUsize>,
}

impl Origin {
    fn start() -> Self {
        let runtime = runtime();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        listener.set_nonblocking(true).expect("a socket");
        let cancelled = Arc::<AtomicUsize>::default();
        let echo = Echo {
            cancelled: Arc::clone(&cancelled),
        };
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
            let server = tonic::transport::Server::builder().add_service(echo);
            server
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
        });
        Self {
            address,
            cancelled,
            _runtime: runtime,
        }
    }
}

/// A runtime with a thread of its own, so that connections stay open while no test waits for them.
fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

/// The methods, each a service of its own, as generated code has them.
#[derive(Clone)]
struct Unary;
#[derive(Clone)]
struct Count;
#[derive(Clone)]
struct Join;
#[derive(Clone)]
struct Chat;
struct Hang(Arc<AtomicUsize>);

impl UnaryService<Text> for Unary {
    type Response = Text;
    type Future = Answer<Text>;

    fn call(&mut self, request: Request<Text>) -> Answer<Text> {
        Box::pin(async move {
            match request.into_inner().as_str() {
                "stranger" => Err(Status::not_found("there is no stranger: 100 %")),
                name => Ok(Response::new(format!("hello {name}"))),
            }
        })
    }
}

impl ServerStreamingService<Text> for Count {
    type Response = Text;
    type ResponseStream = Texts;
    type Future = Answer<Texts>;

    fn call(&mut self, request: Request<Text>) -> Answer<Texts> {
        let count: usize = request.into_inner().parse().unwrap_or(0);
        let texts = (0..count).map(|number| Ok(number.to_string()));
        let texts: Texts = Box::pin(tokio_stream::iter(texts));
        Box::pin(async move { Ok(Response::new(texts)) })
    }
}

impl ClientStreamingService<Text> for Join {
    type Response = Text;
    type Future = Answer<Text>;

    fn call(&mut self, request: Request<Streaming<Text>>) -> Answer<Text> {
        Box::pin(async move {
            let mut stream = request.into_inner();
            let mut joined = String::new();
            while let Some(text) = stream.message().await? {
                joined += &text;
            }
            Ok(Response::new(joined))
        })
    }
}

impl StreamingService<Text> for Chat {
    type Response = Text;
    type ResponseStream = Texts;
    type Future = Answer<Texts>;

    fn call(&mut self, request: Request<Streaming<Text>>) -> Answer<Texts> {
        let texts = request.into_inner();
        let texts: Texts = Box::pin(texts.map(|text| Ok(format!("you said {}", text?))));
        Box::pin(async move { Ok(Response::new(texts)) })
    }
}

impl UnaryService<Text> for Hang {
    type Response = Text;
    type Future = Answer<Text>;

    fn call(&mut self, _: Request<Text>) -> Answer<Text> {
        struct Gone(Arc<AtomicUsize>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let gone = Gone(Arc::clone(&self.0));
        Box::pin(async move {
            let _gone = gone;
            pending().await
        })
    }
}

impl Service<tonic_http::Request<Body>> for Echo {
    type Response = tonic_http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic_http::Request<Body>) -> Self::Future {
        let cancelled = Arc::clone(&self.cancelled);
        Box::pin(async move {
            let mut server = Server::new(ProstCodec::<Text, Text>::default());
            Ok(match request.uri().path() {
                "/test.Echo/Unary" => server.unary(Unary, request).await,
                "/test.Echo/Count" => server.server_streaming(Count, request).await,
                "/test.Echo/Join" => server.client_streaming(Join, request).await,
                "/test.Echo/Chat" => server.streaming(Chat, request).await,
                "/test.Echo/Hang" => server.unary(Hang(cancelled), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A client's side: a runtime and a channel to a proxy.
struct Caller {
    runtime: Runtime,
    channel: Channel,
}

impl Caller {
    fn of(proxy: &Proxy) -> Self {
        let runtime = runtime();
        let endpoint = Endpoint::from_shared(proxy.url("")).expect("a URL");
        let channel = runtime.block_on(endpoint.connect());
        Self {
            runtime,
            channel: channel.expect("it listens"),
        }
    }

    fn client(&self) -> Client<Channel> {
        let mut client = Client::new(self.channel.clone());
        self.runtime
            .block_on(client.ready())
            .expect("it is connected");
        client
    }

    fn unary(&self, method: &'static str, text: &str) -> Result<Text, Status> {
        self.unary_request(method, Request::new(text.to_owned()))
    }

    fn unary_request(&self, method: &'static str, request: Request<Text>) -> Result<Text, Status> {
        let mut client = self.client();
        let call = client.unary(request, path(method), codec());
        self.runtime.block_on(call).map(Response::into_inner)
    }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}

fn codec() -> ProstCodec<Text, Text> {
    ProstCodec::default()
}

fn before(origin: &Origin) -> Proxy {
    let setup = Setup::at([origin.address]).backend("protocol = \"h2\"");
    setup.start()
}

#[test]
fn a_call_is_answered() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    assert_eq!(
        caller.unary("/test.Echo/Unary", "you").expect("ok"),
        "hello you"
    );
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn an_error_of_the_server_reaches_the_client_unchanged() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    let status = caller
        .unary("/test.Echo/Unary", "stranger")
        .expect_err("an error");
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.message(), "there is no stranger: 100 %");
    let status = caller
        .unary("/test.Echo/Nothing", "")
        .expect_err("an error");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[test]
fn a_server_streams() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    let mut client = caller.client();
    let texts = caller.runtime.block_on(async {
        let request = Request::new("1000".to_owned());
        let call = client.server_streaming(request, path("/test.Echo/Count"), codec());
        let mut stream = call.await?.into_inner();
        let mut texts = Vec::new();
        while let Some(text) = stream.message().await? {
            texts.push(text);
        }
        Ok::<_, Status>(texts)
    });
    let expected: Vec<Text> = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(texts.expect("ok"), expected);
}

#[test]
fn a_client_streams() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    let mut client = caller.client();
    let texts = tokio_stream::iter((0..1000).map(|number| number.to_string()));
    let joined = caller.runtime.block_on(client.client_streaming(
        Request::new(texts),
        path("/test.Echo/Join"),
        codec(),
    ));
    let expected: Text = (0..1000).map(|number| number.to_string()).collect();
    assert_eq!(joined.expect("ok").into_inner(), expected);
}

/// Sends `words` one by one, each after the answer to the one before.
fn talk_in_turns(caller: &Caller, words: &[&str]) {
    let mut client = caller.client();
    caller.runtime.block_on(async {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let request = Request::new(ReceiverStream::new(receiver));
        let call = client.streaming(request, path("/test.Echo/Chat"), codec());
        let (first, others) = words.split_first().expect("a word");
        sender.send((*first).to_owned()).await.expect("it listens");
        let mut stream = call.await.expect("ok").into_inner();
        let answer = stream.message().await.expect("ok");
        assert_eq!(answer, Some(format!("you said {first}")));
        for word in others {
            sender.send((*word).to_owned()).await.expect("it listens");
            let answer = stream.message().await.expect("ok");
            assert_eq!(answer, Some(format!("you said {word}")));
        }
        drop(sender);
        assert_eq!(stream.message().await.expect("ok"), None);
    });
}

#[test]
fn both_talk_in_turns() {
    let origin = Origin::start();
    let proxy = before(&origin);
    talk_in_turns(&Caller::of(&proxy), &["hello", "again"]);
}

#[test]
fn a_call_that_is_cancelled_is_cancelled_at_the_server() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    let mut client = caller.client();
    let call = client.unary(
        Request::new(Text::new()),
        path("/test.Echo/Hang"),
        ProstCodec::<Text, Text>::default(),
    );
    let cut = caller
        .runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(2), call).await });
    assert!(cut.is_err(), "no answer comes");
    until("the server notices", || {
        (origin.cancelled.load(Ordering::SeqCst) == 1).then_some(())
    });
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    // Nothing else was harmed.
    assert!(caller.unary("/test.Echo/Unary", "you").is_ok());
}

#[test]
fn the_time_that_a_client_gives_a_call_is_the_servers_too() {
    let origin = Origin::start();
    let proxy = before(&origin);
    let caller = Caller::of(&proxy);
    let mut request = Request::new(Text::new());
    request.set_timeout(Duration::from_millis(200));
    let status = caller
        .unary_request("/test.Echo/Hang", request)
        .expect_err("no answer comes");
    // Which clock is first is a matter of chance; both give the same code.
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{status}"
    );
    until("the server notices", || {
        (origin.cancelled.load(Ordering::SeqCst) == 1).then_some(())
    });
}

#[test]
fn of_two_times_for_a_call_the_shorter_counts() {
    let origin = Origin::start();
    let proxy = Setup::at([origin.address])
        .frontend("timeout = { exchange = \"200ms\" }")
        .backend("protocol = \"h2\"")
        .start_paused();
    let caller = Caller::of(&proxy);
    let mut request = Request::new(Text::new());
    request.set_timeout(Duration::from_secs(60 * 60));
    let call = thread::spawn(move || caller.unary_request("/test.Echo/Hang", request));
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 1.0);
    proxy.advance(Duration::from_millis(300));
    until("the call ends", || call.is_finished().then_some(()));
    let status = call.join().expect("it does not panic");
    let status = status.expect_err("the server does not answer");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert_eq!(proxy.line().verdict().1, "exchange.timeout");
}

/// Two proxies in a row with TLS between them: one as a client, the other as a server.
fn under_tls(origin: &Origin) -> (Proxy, Proxy, Folder) {
    let folder = Folder::new();
    let authority = Authority::new("Test CA");
    let pair = folder.write("a.pem", &authority.pair(&["a.test"]).whole());
    let ca = folder.write("ca.pem", &authority.pem);
    let inner = Setup::at([origin.address])
        .frontend(&format!("tls = {{ certificates = '{}' }}", pair.display()))
        .backend("protocol = \"h2\"")
        .start();
    let outer = Setup::at([inner.address()])
        .backend(&format!(
            "protocol = \"h2\"\ntls = {{ ca = '{}', sni = \"a.test\" }}",
            ca.display()
        ))
        .start();
    (inner, outer, folder)
}

#[test]
fn calls_go_over_tls_on_either_side() {
    let origin = Origin::start();
    let (inner, outer, _folder) = under_tls(&origin);
    let caller = Caller::of(&outer);
    assert_eq!(
        caller.unary("/test.Echo/Unary", "you").expect("ok"),
        "hello you"
    );
    let status = caller
        .unary("/test.Echo/Unary", "stranger")
        .expect_err("an error");
    assert_eq!(status.code(), Code::NotFound);
    talk_in_turns(&caller, &["hello"]);
    assert_eq!(inner.wait_for_lines(3)[0].text("tls_version"), "1.3");
}

#[test]
fn our_own_failures_are_statuses_of_grpc() {
    let refusing = RefusingAddress::new();
    let setup = Setup::at([refusing.address()]);
    let proxy = setup.start();
    let caller = Caller::of(&proxy);
    let status = caller
        .unary("/test.Echo/Unary", "you")
        .expect_err("no server");
    assert_eq!(status.code(), Code::Unavailable);
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "server.connect.refused"));
    let said = format!(
        "server.connect.refused (request {})",
        line.text("request_id")
    );
    assert_eq!(status.message(), said);
}
