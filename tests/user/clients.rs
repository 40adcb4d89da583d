//! Foreign clients: curl, those of nghttp2, OpenSSL.

use crate::case::{Case, case};
use crate::need::{H2LOAD, NGHTTP, Need, OPENSSL, curl};
use crate::rig::{Authority, Folder, Good, Origin, Proxy, Reply, Setup};

/// More than any window and any socket's buffer on the way.
const MUCH: usize = 3 << 20;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(curl_gets_back_what_it_sends, CURL),
        case!(curl_uploads_with_an_expectation, CURL),
        case!(curl_speaks_http_2, CURL),
        case!(curl_speaks_http_2_to_a_server_of_http_2, CURL),
        case!(curl_speaks_the_proxy_protocol, CURL),
        case!(curl_is_served_on_unix_sockets, CURL),
        case!(curl_is_served_over_tls, CURL),
        case!(openssl_is_served, OPENSSL),
        case!(nghttp_gets_back_what_it_sends, NGHTTP),
        case!(h2load_loses_nothing, H2LOAD),
    ]
}

fn before(origin: &Origin) -> Proxy {
    Setup::of(&[origin]).start()
}

/// Text whose pieces all differ, in a file, as curl takes it.
fn upload(proxy: &Proxy) -> (String, String) {
    let mut data = String::with_capacity(MUCH + 8);
    for number in 0.. {
        if data.len() >= MUCH {
            break;
        }
        data += &format!("{number:07} ");
    }
    let file = proxy.folder().write("upload", &data);
    (format!("@{}", file.display()), data)
}

fn curl_gets_back_what_it_sends() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let (file, data) = upload(&proxy);
    let chunked = ["--header", "Transfer-Encoding: chunked"];
    for how in [&[][..], &chunked] {
        let echo = proxy.url("/echo");
        let output = curl(&[how, &["--data-binary", &file, &echo]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout == data.as_bytes(), "{how:?}: {said}");
    }
}

fn curl_uploads_with_an_expectation() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let (file, data) = upload(&proxy);
    let expect = ["--header", "Expect: 100-continue"];
    let output = curl(&[&expect[..], &["--data-binary", &file, &proxy.url("/echo")]].concat());
    assert!(output.stdout == data.as_bytes());
}

fn curl_speaks_http_2() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let (file, data) = upload(&proxy);
    let version = "--http2-prior-knowledge";
    let output = curl(&[version, "--data-binary", &file, &proxy.url("/echo")]);
    assert!(output.stdout == data.as_bytes());
    let written = "%{http_version} %{response_code}";
    let output = curl(&[version, "--write-out", written, &proxy.url("/")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a2 200");
}

fn curl_speaks_http_2_to_a_server_of_http_2() {
    let origin = Good::answering(|request| Reply::of(request.body().clone()));
    let proxy = Setup::at([origin.address()])
        .backend("protocol = \"h2\"")
        .start();
    let output = curl(&[
        "--http2-prior-knowledge",
        "--header",
        "cookie: a=1",
        "--data-binary",
        "hello",
        "--write-out",
        " %{http_version} %{http_code}",
        &proxy.url("/a?b"),
    ]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello 2 200");
    let request = origin.request();
    let host = proxy.address().to_string();
    assert_eq!(
        request.uri().authority().map(|it| it.as_str()),
        Some(&*host)
    );
    assert_eq!(
        request.uri().path_and_query().map(|it| it.as_str()),
        Some("/a?b")
    );
    assert_eq!(request.headers()["cookie"], "a=1");
}

fn curl_speaks_the_proxy_protocol() {
    let app = Origin::named("app");
    let proxy = Setup::of(&[&app])
        .frontend("proxy_protocol = \"required\"")
        .start();
    let output = curl(&["--haproxy-protocol", &proxy.url("/")]);
    assert_eq!(output.stdout, b"app", "{output:?}");
    assert!(proxy.line().text("client").starts_with("127.0.0.1:"));
}

fn curl_is_served_on_unix_sockets() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let path = folder.path("web.sock").display().to_string();
    let name = format!("evenkeel-user-{}", std::process::id());
    let _proxy = Setup::of(&[&app])
        .rest(&format!(
            "[frontend.unix]\nlisten = [\"{path}\", \"@{name}\"]\nbackend = \"app\""
        ))
        .start();
    for how in [["--unix-socket", &path], ["--abstract-unix-socket", &name]] {
        let output = curl(&[&how[..], &["http://any/"]].concat());
        assert_eq!(output.stdout, b"app", "{output:?}");
    }
}

/// A proxy with TLS for `a.test`, the file of its authority, and its folder.
fn behind_tls(origin: &Origin) -> (Proxy, String, Folder) {
    let folder = Folder::new();
    let authority = Authority::new("Test CA");
    let pair = folder.write("a.pem", &authority.pair(&["a.test"]).whole());
    let ca = folder.write("ca.pem", &authority.pem);
    let proxy = Setup::of(&[origin])
        .frontend(&format!("tls = {:?}", pair.display().to_string()))
        .start();
    (proxy, ca.display().to_string(), folder)
}

fn curl_is_served_over_tls() {
    let origin = Origin::named("a");
    let (proxy, ca, _folder) = behind_tls(&origin);
    let port = proxy.address().port();
    let resolve = format!("a.test:{port}:127.0.0.1");
    let url = format!("https://a.test:{port}/");
    for (options, version) in [
        (&["--tlsv1.3"][..], "2"),
        (&["--tls-max", "1.2"], "2"),
        (&["--http2"], "2"),
        (&["--http1.1"], "1.1"),
    ] {
        let common = ["--write-out", " %{http_version}", "--cacert", &ca];
        let output = curl(&[&common, options, &["--resolve", &resolve, &url]].concat());
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("a {version}"), "{options:?} {output:?}");
    }
}

fn openssl_is_served() {
    let origin = Origin::named("a");
    let (proxy, ca, _folder) = behind_tls(&origin);
    let connect = proxy.address().to_string();
    let arguments = [
        &["s_client", "-connect", &connect, "-servername", "a.test"][..],
        &["-CAfile", &ca, "-verify_return_error"],
        &["-alpn", "http/1.1", "-quiet"],
    ];
    let request = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    let output = OPENSSL.feed(&arguments.concat(), request);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with("\r\n\r\na"), "{output:?}");
}

/// The output of a program of nghttp2's.
#[track_caller]
fn nghttp2(program: Need, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn nghttp_gets_back_what_it_sends() {
    let origin = Origin::named("from the server");
    let proxy = before(&origin);
    let folder = Folder::new();
    let data = folder.write("data", "hello from nghttp");
    let data = format!("--data={}", data.display());
    let url = proxy.url("/echo");
    assert_eq!(nghttp2(NGHTTP, &[&data, &url]), "hello from nghttp");
}

fn h2load_loses_nothing() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let url = proxy.url("/");
    let said = nghttp2(H2LOAD, &["-n", "2000", "-c", "4", "-m", "50", &url]);
    assert!(
        said.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"),
        "{said}"
    );
}
