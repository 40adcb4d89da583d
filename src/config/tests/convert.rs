//! `evenkeel convert`: what is written of a file of HAProxy, and with which comments.

use crate::config::convert::converted;
use crate::config::include::Gatherer;

const FILE: &str = r##"# The shop.
#-----------------------------------
global
    log 127.0.0.1 local0 # one place
    nbthread 4           # as many as cores

defaults
    mode http
    timeout connect 5s
    # Nothing takes longer.
    timeout client 30s
    timeout server 30s

## Everybody comes in here. ##
frontend web
    bind 127.0.0.1:8080
    acl is_api path_beg /api # the API
    # Old names.
    redirect prefix https://new.example.com if { hdr(host) -i "old.example.com" }
    http-request set-header x-quoted "it's \"${UNKNOWN-x}\" \${y}"
    use_backend api if is_api
    default_backend app

backend app
    server a 127.0.0.1:9001 check inter 2s # the old one
    # the new one
    server b 127.0.0.1:9002

backend api
    server c 127.0.0.1:9003
# the end
"##;

const CONVERTED: &str = r##"# The shop.
# one place

[process]
# as many as cores
workers = 4

[[log.access]]
to = "off"

# Everybody comes in here.
# the API
[frontend.web]
listen = [
  { address = "127.0.0.1:8080" },
]
backend = "app"
mode = "http"
# Nothing takes longer.
timeout = { body = "30s", head = "30s", keep_alive = "30s", tunnel = "30s", handshake = "30s" }
forwarding = { x_forwarded = false, pass_untrusted = true, trusted_only = [] }
requires_host = false
request_id = "off"
error_page = [
  { haproxy = true },
]
rule = [
  { set_header = { x-quoted = "it's \"x\" $${y}" } },
  # Old names.
  { when = 'hdr(host),lower == "old.example.com"', redirect = { prefix = "https://new.example.com" } },
]

[[frontend.web.route]]
when = 'path starts_with "/api"'
backend = "api"

[backend.app]
timeout = { connect = "5s", queue = "5s", response = "30s", body = "30s" }
retry = { attempts = 4 }
health = { interval = "2s", initial = "up", type = "tcp" }
servers = [
  # the old one
  { name = "a", address = "127.0.0.1:9001" },
  # the new one
  { name = "b", address = "127.0.0.1:9002" },
]

[backend.api]
timeout = { connect = "5s", queue = "5s", response = "30s", body = "30s" }
retry = { attempts = 4 }
servers = [
  { name = "c", address = "127.0.0.1:9003" },
]

# the end
"##;

fn text_of(file: &str) -> String {
    match converted(Gatherer::new(&|_| None).text("haproxy.cfg", file)) {
        Ok(converted) => converted.text,
        Err(diagnostics) => unreachable!("{diagnostics}"),
    }
}

#[test]
fn a_file_of_haproxy_is_written_as_a_person_would_write_it() {
    assert_eq!(text_of(FILE), CONVERTED);
}

#[test]
fn a_file_in_toml_is_not_converted() {
    let file = "[frontend.web]\nlisten = \"127.0.0.1:80\"\n";
    let said = match converted(Gatherer::new(&|_| None).text("evenkeel.toml", file)) {
        Ok(converted) => unreachable!("{}", converted.text),
        Err(diagnostics) => diagnostics.to_string(),
    };
    assert!(said.contains("this is no file of HAProxy"), "{said}");
}

#[test]
fn a_file_with_lines_that_do_not_exist_here_is_converted_without_them_if_that_is_wanted() {
    let file = FILE.replace(
        "    server c",
        "    appsession id len 10 timeout 1h\n    server c",
    );
    let gathered = |accept_loss| {
        let options = crate::config::Options {
            accept_loss,
            ..Default::default()
        };
        Gatherer::new(&|_| None)
            .options(&options)
            .text("haproxy.cfg", &file)
    };
    let said = converted(gathered(false)).expect_err("a line is refused");
    assert!(said.to_string().contains("appsession"), "{said}");
    let converted = converted(gathered(true)).expect("the line is left out");
    assert_eq!(converted.text, text_of(FILE));
    let losses = converted.losses.to_string();
    assert!(losses.contains("left out: `appsession`"), "{losses}");
}
