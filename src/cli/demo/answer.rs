//! The answers of the demo's app servers.
//!
//! | target | answer |
//! |---|---|
//! | `/` | its name |
//! | `/slow?ms=500` | its name, after that time |
//! | `/status/503` | that status |
//! | `/echo` | the request as it arrived |
//! | `/stop?for=5s` | its name, and then it stops for that time |
//! | `/healthz` | `ok` |

use std::error::Error;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};

use crate::base::clock::{self, Duration};
use crate::base::units::{parse_duration, show_duration};

/// The largest body that is echoed.
const ECHO_BYTES: usize = 1 << 20;

/// The longest time that `/slow` waits and `/stop` lasts.
const LONGEST: Duration = Duration::from_secs(300);

/// How long `/stop` lasts without `for`.
const STOP: Duration = Duration::from_secs(5);

/// A response, and what the server does after it.
pub(super) struct Answer {
    pub(super) response: Response<Full<Bytes>>,
    /// The server stops for this time; `None`: it continues.
    pub(super) stop: Option<Duration>,
}

impl From<Response<Full<Bytes>>> for Answer {
    fn from(response: Response<Full<Bytes>>) -> Self {
        Self {
            response,
            stop: None,
        }
    }
}

/// The answer of server `name` to `request`.
pub(super) async fn answer<B>(name: &str, request: Request<B>) -> Answer
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let path = request.uri().path();
    let query = request.uri().query().unwrap_or_default();
    if let Some(status) = path.strip_prefix("/status/") {
        return requested_status(name, status).into();
    }
    match path {
        "/" => respond(StatusCode::OK, format!("hello from {name}\n")).into(),
        "/healthz" => respond(StatusCode::OK, "ok\n").into(),
        "/slow" => slow(name, query).await.into(),
        "/echo" => echo(request).await.into(),
        "/stop" => stop(name, query),
        _ => {
            let text = format!(
                "{name} has no {path}; it has / /slow?ms=500 /status/503 /echo /stop?for=5s /healthz\n"
            );
            respond(StatusCode::NOT_FOUND, text).into()
        }
    }
}

fn requested_status(name: &str, status: &str) -> Response<Full<Bytes>> {
    match status.parse() {
        // Not 1xx: an interim response, after which the client waits for another.
        Ok(code @ 200..=999) => {
            let status = StatusCode::from_u16(code).unwrap_or_default();
            respond(status, format!("{status} from {name}\n"))
        }
        _ => bad_request("write a status from 200 to 999: /status/503"),
    }
}

async fn slow(name: &str, query: &str) -> Response<Full<Bytes>> {
    let wanted = parameter(query, "ms").unwrap_or("500").parse();
    match wanted.map(Duration::from_millis) {
        Ok(duration) if duration <= LONGEST => {
            clock::sleep(duration).await;
            let text = format!("hello from {name}, after {}\n", show_duration(duration));
            respond(StatusCode::OK, text)
        }
        _ => bad_request("write at most 300000 milliseconds: /slow?ms=500"),
    }
}

fn stop(name: &str, query: &str) -> Answer {
    let wanted = parameter(query, "for").map_or(Ok(STOP), parse_duration);
    match wanted {
        Ok(pause) if pause <= LONGEST => {
            let text = format!(
                "{name} stops for {} and starts again by itself\n",
                show_duration(pause)
            );
            let mut response = respond(StatusCode::OK, text);
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            Answer {
                response,
                stop: Some(pause),
            }
        }
        _ => bad_request("write a duration with a unit, at most 5m: /stop?for=5s").into(),
    }
}

/// The request as it arrived here, as text.
async fn echo<B>(request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let (head, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text.push(b'\n');
    match Limited::new(body, ECHO_BYTES).collect().await {
        Ok(body) => {
            text.extend_from_slice(&body.to_bytes());
            respond(StatusCode::OK, text)
        }
        Err(_) => respond(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is incomplete, or larger than 1 MiB\n",
        ),
    }
}

/// The value of parameter `name`, as it is written.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut parameters = query.split('&').filter_map(|text| text.split_once('='));
    parameters.find_map(|(found, value)| (found == name).then_some(value))
}

fn bad_request(why: &str) -> Response<Full<Bytes>> {
    respond(StatusCode::BAD_REQUEST, format!("{why}\n"))
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use crate::base::tasks;

    use super::*;

    fn ask<B>(request: Request<B>) -> (u16, String, Option<Duration>)
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let runtime = tasks::runtime().expect("a runtime");
        runtime.block_on(async {
            let Answer { response, stop } = answer("app-1", request).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("it is there");
            let text = String::from_utf8(body.to_bytes().to_vec()).expect("text");
            (status, text, stop)
        })
    }

    fn get(target: &str) -> (u16, String, Option<Duration>) {
        ask(Request::get(target)
            .body(Empty::<Bytes>::new())
            .expect("a request"))
    }

    #[test]
    fn each_target_does_what_it_says() {
        assert_eq!(get("/"), (200, "hello from app-1\n".to_owned(), None));
        assert_eq!(get("/healthz").0, 200);
        let (status, text, _) = get("/slow?ms=3");
        assert_eq!((status, &*text), (200, "hello from app-1, after 3ms\n"));
        let (status, text, _) = get("/status/503");
        assert_eq!(status, 503);
        assert_eq!(text, "503 Service Unavailable from app-1\n");
        assert_eq!(get("/stop").2, Some(STOP));
        assert_eq!(get("/stop?for=300ms").2, Some(Duration::from_millis(300)));
    }

    #[test]
    fn an_impossible_parameter_is_reported_and_stops_nothing() {
        for target in [
            "/slow?ms=x",
            "/slow?ms=300001",
            "/status/100",
            "/status/x",
            "/stop?for=5",
            "/stop?for=6m",
        ] {
            let (status, text, stop) = get(target);
            assert_eq!((status, stop), (400, None), "{target}: {text}");
        }
        let (status, text, _) = get("/nowhere");
        assert_eq!(status, 404);
        assert!(text.contains("/stop?for=5s"), "{text}");
    }

    #[test]
    fn an_echo_has_the_head_and_the_body() {
        let request = Request::post("/echo?a=b")
            .header("x-request-id", "7")
            .body(Full::new(Bytes::from("the body")));
        let (status, text, _) = ask(request.expect("a request"));
        assert_eq!(status, 200);
        assert_eq!(text, "POST /echo?a=b HTTP/1.1\nx-request-id: 7\n\nthe body");
        let too_large =
            Request::post("/echo").body(Full::new(Bytes::from(vec![0; ECHO_BYTES + 1])));
        assert_eq!(ask(too_large.expect("a request")).0, 413);
    }
}
