//! The message about each kind of mistake, word for word.

use insta::assert_snapshot;

use super::{BASE, errors, load, warnings};
use crate::base::Position;
use crate::config::{Color, Diagnostic};

/// A frontend with these lines, and all else that it needs.
fn in_frontend(lines: &str) -> String {
    errors(&BASE.replace(
        "backend = \"app\"\n",
        &format!("backend = \"app\"\n{lines}\n"),
    ))
}

/// A backend with these lines, and all else that it needs.
fn in_backend(lines: &str) -> String {
    errors(&format!("{BASE}{lines}\n"))
}

/// Routes in the frontend, and all else that they need.
fn with_routes(routes: &str) -> String {
    BASE.replace("[backend.app]", &format!("{routes}\n[backend.app]"))
}

#[test]
fn a_mistyped_key_gets_the_key_that_was_meant() {
    assert_snapshot!(errors(
        &BASE.replace("\"10.0.0.1:80\"", "{ adress = \"10.0.0.1:80\" }")
    ), @r##"
        error: unknown key `adress`, did you mean `address`?
         --> evenkeel.toml:7:14
          |
        7 | servers = [{ adress = "10.0.0.1:80" }]
          |              ^^^^^^
          |
          = help: known in `[[backend.app.servers]]` are `name`, `address`, `weight`, `max_connections`, `backup`, `tls`, `send_proxy`, `health`
    "##);
}

#[test]
fn an_unknown_key_gets_the_list_of_known_ones() {
    assert_snapshot!(in_frontend("colour = true"), @r##"
        error: unknown key `colour` in `[frontend.web]`
         --> evenkeel.toml:5:1
          |
        5 | colour = true
          | ^^^^^^
          |
          = help: known in `[frontend.web]` are `listen`, `socket_mode`, `mode`, `backend`, `max_connections`, `max_connections_per_ip`, `proxy_protocol`, `half_close`, `trusted_proxies`, `client_field`, `request_id`, `field_names`, `header_case`, `upgrades`, `compression`, `connection_rule`, `rule`, `content_rule`, `inspect_delay`, `timeout` and 8 more
    "##);
}

#[test]
fn words_of_haproxy_are_translated() {
    assert_snapshot!(errors(
        "
[frontend.http]
bind = '*:80'
default_backend = 'python-app'
timeout = { client = '10s' }

[backend.python-app]
balance = 'roundrobin'
retries = 3
servers = [{ address = '10.0.0.1:80', maxconn = 100, check = true }]
"
    ), @r##"
        error: unknown key `bind` in `[frontend.http]`
         --> evenkeel.toml:3:1
          |
        3 | bind = '*:80'
          | ^^^^
          |
          = help: write `listen`

        error: unknown key `default_backend` in `[frontend.http]`
         --> evenkeel.toml:4:1
          |
        4 | default_backend = 'python-app'
          | ^^^^^^^^^^^^^^^
          |
          = help: write `backend`: it is used when no route matches

        error: unknown key `client` in `[frontend.http.timeout]`
         --> evenkeel.toml:5:13
          |
        5 | timeout = { client = '10s' }
          |             ^^^^^^
          |
          = help: write `body` (between two pieces of a request body) and `keep_alive` (between two requests)

        error: `balance` cannot be "roundrobin"
         --> evenkeel.toml:8:11
          |
        8 | balance = 'roundrobin'
          |           ^^^^^^^^^^^^
          |
          = help: write `"round-robin"`; known are `round-robin`, `least-connections`

        error: unknown key `retries` in `[backend.python-app]`
         --> evenkeel.toml:9:1
          |
        9 | retries = 3
          | ^^^^^^^
          |
          = help: write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`

        error: unknown key `maxconn` in `[[backend.python-app.servers]]`
          --> evenkeel.toml:10:39
           |
        10 | servers = [{ address = '10.0.0.1:80', maxconn = 100, check = true }]
           |                                       ^^^^^^^
           |
           = help: write `max_connections`

        error: unknown key `check` in `[[backend.python-app.servers]]`
          --> evenkeel.toml:10:54
           |
        10 | servers = [{ address = '10.0.0.1:80', maxconn = 100, check = true }]
           |                                                      ^^^^^
           |
           = help: write `health` in the backend: it holds for all its servers
    "##);
    assert_snapshot!(in_backend("balance = 'leastconn'"), @r##"
        error: `balance` cannot be "leastconn"
         --> evenkeel.toml:8:11
          |
        8 | balance = 'leastconn'
          |           ^^^^^^^^^^^
          |
          = help: write `"least-connections"`; known are `round-robin`, `least-connections`
    "##);
}

#[test]
fn an_unknown_backend_gets_the_list_of_known_ones() {
    assert_snapshot!(errors(&format!(
        "{}\n[backend.static]\nservers = '10.0.0.2:80'\n",
        BASE.replace("backend = \"app\"", "backend = \"api\"")
    )), @r##"
        error: backend `api` is not defined; defined are `app`, `static`
         --> evenkeel.toml:4:11
          |
        4 | backend = "api"
          |           ^^^^^
          |
          = help: did you mean `app`?
    "##);
}

#[test]
fn a_bare_number_has_no_unit() {
    assert_snapshot!(in_backend("health = { timeout = 5 }"), @r##"
        error: `timeout = 5` has no unit
         --> evenkeel.toml:8:22
          |
        8 | health = { timeout = 5 }
          |                      ^
          |
          = help: write `timeout = "5s"`, or `"5ms"` if milliseconds are meant, as in HAProxy
    "##);
    assert_snapshot!(in_backend(
        "timeout = { connect = '5', response = 1.5, body = '10 parsecs' }"
    ), @r##"
        error: `connect = "5"` has no unit
         --> evenkeel.toml:8:23
          |
        8 | timeout = { connect = '5', response = 1.5, body = '10 parsecs' }
          |                       ^^^
          |
          = help: write `connect = "5s"`, or `"5ms"` if milliseconds are meant, as in HAProxy

        error: `response = 1.5` has no unit
         --> evenkeel.toml:8:39
          |
        8 | timeout = { connect = '5', response = 1.5, body = '10 parsecs' }
          |                                       ^^^
          |
          = help: write `response = "1500ms"`

        error: `body = "10 parsecs"` has the unknown unit `parsecs`
         --> evenkeel.toml:8:51
          |
        8 | timeout = { connect = '5', response = 1.5, body = '10 parsecs' }
          |                                                   ^^^^^^^^^^^^
          |
          = help: the units are `us`, `ms`, `s`, `m`, `h` and `d`; write for example `"5s"`
    "##);
    assert_snapshot!(in_frontend("limits = { head = 65536 }"), @r##"
        error: `head = 65536` has no unit
         --> evenkeel.toml:5:19
          |
        5 | limits = { head = 65536 }
          |                   ^^^^^
          |
          = help: write `head = "64KiB"`
    "##);
}

#[test]
fn a_wrong_type_says_what_was_found_and_what_is_expected() {
    assert_snapshot!(errors(
        "
[reload]
watch = 'yes'

[frontend.web]
listen = 80
backend = ['app']
timeout = '5s'
limits = { fields = true }
max_connections = -1

[backend.app]
servers = { address = '10.0.0.1:80' }
balance = 1
"
    ), @r##"
        error: `watch` must be `true` or `false`, and is the string "yes"
         --> evenkeel.toml:3:9
          |
        3 | watch = 'yes'
          |         ^^^^^
          |
          = help: write `watch = true`, without quotes

        error: `listen` must be an address and a port, and is the number 80
         --> evenkeel.toml:6:10
          |
        6 | listen = 80
          |          ^^
          |
          = help: write `":80"` for all addresses, `"127.0.0.1:80"` for this machine alone

        error: `backend` must be a string, and is a list
         --> evenkeel.toml:7:11
          |
        7 | backend = ['app']
          |           ^^^^^^^
          |
          = help: write one string, without `[` and `]`

        error: `timeout` must be a table, and is the string "5s"
         --> evenkeel.toml:8:11
          |
        8 | timeout = '5s'
          |           ^^^^
          |
          = help: write which timeout: `timeout = { body = "5s" }`; there are `head`, `body`, `keep_alive`, `exchange`, `handshake` and `tunnel`

        error: `fields` must be a whole number from 1 to 20000, and is `true`
         --> evenkeel.toml:9:21
          |
        9 | limits = { fields = true }
          |                     ^^^^
          |
          = help: write a whole number from 1 to 20000

        error: `max_connections` must be a whole number of at least 1, or "off", and is the number -1
          --> evenkeel.toml:10:19
           |
        10 | max_connections = -1
           |                   ^^
           |
           = help: write `max_connections = "off"`

        error: `balance` must be "round-robin" or "least-connections", and is the number 1
          --> evenkeel.toml:14:11
           |
        14 | balance = 1
           |           ^
           |
           = help: write "round-robin" or "least-connections"
    "##);
}

#[test]
fn retry_on_takes_words_and_statuses() {
    assert_snapshot!(in_backend(
        "retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }"
    ), @r##"
        error: `on` does not know "conn-failure"
         --> evenkeel.toml:8:17
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                 ^^^^^^^^^^^^^^
          |
          = help: write `"connect"`; known are `connect`, `empty`, `refused`, `timeout`, `malformed` and statuses from 400 to 599

        error: `on` does not know "timout"
         --> evenkeel.toml:8:33
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                 ^^^^^^^^
          |
          = help: write `"timeout"`; known are `connect`, `empty`, `refused`, `timeout`, `malformed` and statuses from 400 to 599

        error: `on` does not know "5xx"
         --> evenkeel.toml:8:43
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                           ^^^^^
          |
          = help: there are no ranges: write `"500", "502", "503", "504"`; known are `connect`, `empty`, `refused`, `timeout`, `malformed` and statuses from 400 to 599

        error: `on` does not know "none"
         --> evenkeel.toml:8:50
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                                  ^^^^^^
          |
          = help: write `attempts = 1`: an exchange is then tried once

        error: "connect" is twice in `on`
         --> evenkeel.toml:8:69
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                                                     ^^^^^^^^^
          |
          = help: leave it out here

        error: `on` does not know "200"
         --> evenkeel.toml:8:80
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                                                                ^^^^^
          |
          = help: statuses are from 400 to 599

        error: "503" is twice in `on`
         --> evenkeel.toml:8:92
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                                                                            ^^^^^
          |
          = help: leave it out here

        error: `on` must be a word or a status, and is `true`
         --> evenkeel.toml:8:99
          |
        8 | retry = { on = ['conn-failure', 'timout', '5xx', 'none', 'connect', 'connect', '200', 503, '503', true] }
          |                                                                                                   ^^^^
          |
          = help: known are `connect`, `empty`, `refused`, `timeout`, `malformed` and statuses from 400 to 599
    "##);
}

#[test]
fn attempts_are_written_once() {
    assert_snapshot!(in_backend("attempts = 2\nretry = { attempts = 4 }"), @r##"
        error: `attempts` is written here and in `retry`
         --> evenkeel.toml:8:12
          |
        8 | attempts = 2
          |            ^
          |
          = help: leave it out here: `retry = { attempts = … }` says the same
    "##);
}

#[test]
fn words_of_haproxy_for_other_attempts_are_answered() {
    for (line, help) in [
        (
            "retry_on = 'conn-failure'",
            "write `retry = { on = [\"connect\", \"empty\", \"503\"] }`",
        ),
        (
            "redispatch = true",
            "leave it out: each attempt goes to another server",
        ),
        (
            "retry = { retries = 3 }",
            "write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`",
        ),
        ("retry = { on = 'none' }", "write `attempts = 1`"),
        ("retry = { on = 'off' }", "write `attempts = 1`"),
        ("retry = { on = false }", "write `attempts = 1`"),
        ("retry = { on = [200] }", "statuses are from 400 to 599"),
        (
            "retry = { on = '502-504' }",
            "there are no ranges: write each status: `on = [\"502\", \"503\", \"504\"]`",
        ),
        (
            "retry = { on = '5xx' }",
            "there are no ranges: write `\"500\", ",
        ),
        (
            "retry = { on = 'connect,503' }",
            "write a list: `on = [\"connect\", \"503\"]`",
        ),
        (
            "retry = 3",
            "write `attempts = 3` or `retry = { attempts = 3 }`",
        ),
        ("retry = false", "write `attempts = 1`"),
        (
            "retry = ['connect', 503]",
            "write `retry = { on = [\"connect\", \"503\"] }`",
        ),
        ("retry = '503'", "write `retry = { on = [\"503\"] }`"),
        ("retry = { on = 'http_503' }", "write `\"503\"`; known are"),
    ] {
        let said = in_backend(line);
        assert!(said.contains(help), "{line}\n{said}");
    }
}

#[test]
fn numbers_have_ranges() {
    assert_snapshot!(in_backend(
        "attempts = 0\nhealth = { rise = 0, fall = 4294967296, port = 65536 }"
    ), @r##"
        error: `attempts` must be a whole number from 1 to 10, and is the number 0
         --> evenkeel.toml:8:12
          |
        8 | attempts = 0
          |            ^
          |
          = help: write a whole number from 1 to 10

        error: `rise` must be a whole number from 1 to 4294967295, and is the number 0
         --> evenkeel.toml:9:19
          |
        9 | health = { rise = 0, fall = 4294967296, port = 65536 }
          |                   ^
          |
          = help: write a whole number from 1 to 4294967295

        error: `fall` must be a whole number from 1 to 4294967295, and is the number 4294967296
         --> evenkeel.toml:9:29
          |
        9 | health = { rise = 0, fall = 4294967296, port = 65536 }
          |                             ^^^^^^^^^^
          |
          = help: write a whole number from 1 to 4294967295

        error: `port` must be a whole number from 1 to 65535, and is the number 65536
         --> evenkeel.toml:9:48
          |
        9 | health = { rise = 0, fall = 4294967296, port = 65536 }
          |                                                ^^^^^
          |
          = help: write a whole number from 1 to 65535
    "##);
    assert_snapshot!(errors(&BASE.replace(
        "\"10.0.0.1:80\"",
        "{ address = \"10.0.0.1:80\", weight = 257, max_connections = 0 }"
    )), @r##"
        error: `weight` must be a whole number from 0 to 256, and is the number 257
         --> evenkeel.toml:7:48
          |
        7 | servers = [{ address = "10.0.0.1:80", weight = 257, max_connections = 0 }]
          |                                                ^^^
          |
          = help: write a whole number from 0 to 256

        error: `max_connections` must be a whole number from 1 to 4294967295, or "off", and is the number 0
         --> evenkeel.toml:7:71
          |
        7 | servers = [{ address = "10.0.0.1:80", weight = 257, max_connections = 0 }]
          |                                                                       ^
          |
          = help: write `max_connections = "off"`
    "##);
    assert_snapshot!(in_frontend(
        "limits = { head = '4KiB', target = '1MiB' }\nmax_connections = 0"
    ), @r##"
        error: `head` must be from 8KiB to 16MiB, and is "4KiB"
         --> evenkeel.toml:5:19
          |
        5 | limits = { head = '4KiB', target = '1MiB' }
          |                   ^^^^^^
          |
          = help: write a size from "8KiB" to "16MiB"

        error: `target` must be from 1B to 65534B, and is "1MiB"
         --> evenkeel.toml:5:36
          |
        5 | limits = { head = '4KiB', target = '1MiB' }
          |                                    ^^^^^^
          |
          = help: write a size from "1B" to "65534B"

        error: `max_connections` must be a whole number of at least 1, or "off", and is the number 0
         --> evenkeel.toml:6:19
          |
        6 | max_connections = 0
          |                   ^
          |
          = help: write `max_connections = "off"`
    "##);
    assert_snapshot!(in_frontend("timeout = { head = '0s' }"), @r##"
        error: `head` must be longer than 0
         --> evenkeel.toml:5:20
          |
        5 | timeout = { head = '0s' }
          |                    ^^^^
          |
          = help: write a duration longer than 0
    "##);
    assert_snapshot!(errors(&format!(
        "[process]\nworkers = 99999999999999999999\n{BASE}"
    )), @r##"
        error: `99999999999999999999` is too large: a number has 64 bits at most
         --> evenkeel.toml:2:11
          |
        2 | workers = 99999999999999999999
          |           ^^^^^^^^^^^^^^^^^^^^
    "##);
}

#[test]
fn a_port_that_is_bound_twice_names_both_positions() {
    assert_snapshot!(errors(
        "
[frontend.a]
listen = ['0.0.0.0:8080', '10.0.0.1:81', ':0', ':0']
backend = 'app'

[frontend.b]
listen = ['127.0.0.1:8080', '[::]:8080', '10.0.0.1:81']
backend = 'app'

[frontend.c]
listen = [':82', '*:82']
backend = 'app'

[backend.app]
servers = '10.0.0.1:80'
"
    ), @r##"
        error: port 8080 of `[frontend.b]` is also bound by `[frontend.a]`
         --> evenkeel.toml:7:11
          |
        3 | listen = ['0.0.0.0:8080', '10.0.0.1:81', ':0', ':0']
          |           -------------- bound here first
        ...
        7 | listen = ['127.0.0.1:8080', '[::]:8080', '10.0.0.1:81']
          |           ^^^^^^^^^^^^^^^^
          |
          = help: write each address and port once; `0.0.0.0` and `[::]` take the port on every address

        error: port 81 of `[frontend.b]` is also bound by `[frontend.a]`
         --> evenkeel.toml:7:42
          |
        3 | listen = ['0.0.0.0:8080', '10.0.0.1:81', ':0', ':0']
          |                           ------------- bound here first
        ...
        7 | listen = ['127.0.0.1:8080', '[::]:8080', '10.0.0.1:81']
          |                                          ^^^^^^^^^^^^^
          |
          = help: write each address and port once; `0.0.0.0` and `[::]` take the port on every address

        error: port 82 of `[frontend.c]` is bound twice
          --> evenkeel.toml:11:18
           |
        11 | listen = [':82', '*:82']
           |           -----  ^^^^^^
           |           |
           |           bound here first
           |
           = help: write each address and port once; `0.0.0.0` and `[::]` take the port on every address
    "##);
    assert_snapshot!(errors(&BASE.replace("127.0.0.1:8080", "*:9900")), @r##"
        error: port 9900 of `[frontend.web]` is also bound by `[admin]`, whose default is 127.0.0.1:9900
         --> evenkeel.toml:3:10
          |
        3 | listen = "*:9900"
          |          ^^^^^^^^
          |
          = help: write another port here, or `listen` in `[admin]`: an address, or "off"
    "##);
}

#[test]
fn a_host_name_is_no_address_yet() {
    assert_snapshot!(errors(
        &BASE
            .replace("127.0.0.1:8080", "www.example.com:80")
            .replace("10.0.0.1:80", "app:80")
    ), @r##"
        error: "www.example.com:80" is a host name, and Evenkeel listens on IP addresses only
         --> evenkeel.toml:3:10
          |
        3 | listen = "www.example.com:80"
          |          ^^^^^^^^^^^^^^^^^^^^
          |
          = help: write one IP address of this machine, or `":80"` for all of them

        error: "app:80" is a host name, and names are not resolved yet
         --> evenkeel.toml:7:12
          |
        7 | servers = ["app:80"]
          |            ^^^^^^^^
          |
          = help: write the server's IP address: `"10.0.0.1:80"`
    "##);
}

#[test]
fn a_server_needs_an_address_and_a_name_of_its_own() {
    assert_snapshot!(errors(&BASE.replace(
        "[\"10.0.0.1:80\"]",
        "[\"10.0.0.1:80\", \"10.0.0.1:80\", { weight = 1 }, 5, \"10.0.0.1\", \"http://10.0.0.2:80/\"]"
    )), @r##"
        error: two servers of `[backend.app]` have the name `10.0.0.1:80`
         --> evenkeel.toml:7:27
          |
        7 | servers = ["10.0.0.1:80", "10.0.0.1:80", { weight = 1 }, 5, "10.0.0.1", "http://10.0.0.2:80/"]
          |            -------------  ^^^^^^^^^^^^^
          |            |
          |            the first is here
          |
          = help: a server's name is its `name`, else its address: write `{ name = "…", address = "…" }`

        error: this server has no `address`
         --> evenkeel.toml:7:42
          |
        7 | servers = ["10.0.0.1:80", "10.0.0.1:80", { weight = 1 }, 5, "10.0.0.1", "http://10.0.0.2:80/"]
          |                                          ^^^^^^^^^^^^^^
          |
          = help: write `address = "10.0.0.1:80"`

        error: `servers` must be an address or a table with `address`, and is the number 5
         --> evenkeel.toml:7:58
          |
        7 | servers = ["10.0.0.1:80", "10.0.0.1:80", { weight = 1 }, 5, "10.0.0.1", "http://10.0.0.2:80/"]
          |                                                          ^
          |
          = help: write `"127.0.0.1:5"`

        error: "10.0.0.1" has no port
         --> evenkeel.toml:7:61
          |
        7 | servers = ["10.0.0.1:80", "10.0.0.1:80", { weight = 1 }, 5, "10.0.0.1", "http://10.0.0.2:80/"]
          |                                                             ^^^^^^^^^^
          |
          = help: write `"10.0.0.1:80"`

        error: "http://10.0.0.2:80/" has a scheme (`http://`)
         --> evenkeel.toml:7:73
          |
        7 | servers = ["10.0.0.1:80", "10.0.0.1:80", { weight = 1 }, 5, "10.0.0.1", "http://10.0.0.2:80/"]
          |                                                                         ^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `"10.0.0.2:80"`
    "##);
}

#[test]
fn missing_keys_are_named() {
    assert_snapshot!(errors(""), @r##"
        error: there is no frontend, so Evenkeel would listen on no address
        --> evenkeel.toml:1:1
         = help: write a `[frontend.NAME]` with `listen = "…"` and `backend = "…"`
    "##);
    assert_snapshot!(errors("[frontend.web]\n[backend.app]\n"), @r##"
        error: `[frontend.web]` has no `listen`
         --> evenkeel.toml:1:11
          |
        1 | [frontend.web]
          |           ^^^
          |
          = help: write `listen = "0.0.0.0:80"`, or `":80"` for IPv4 and IPv6

        error: `[frontend.web]` has no backend for its requests
         --> evenkeel.toml:1:11
          |
        1 | [frontend.web]
          |           ^^^
          |
          = help: write `backend = "…"`, or a `[[frontend.NAME.route]]`, or both

        error: `[backend.app]` has no `servers`
         --> evenkeel.toml:2:10
          |
        2 | [backend.app]
          |          ^^^
          |
          = help: write `servers = ["10.0.0.1:80"]`
    "##);
    assert_snapshot!(errors(&with_routes("[[frontend.web.route]]\nhost = 'a'")), @r##"
        error: this route has no `backend`
         --> evenkeel.toml:6:1
          |
        6 | [[frontend.web.route]]
          | ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write the backend for the requests that it matches: `backend = "…"`, or a rule without `when` that answers: `rule = [{ deny = 403 }]`
    "##);
}

#[test]
fn a_pattern_that_could_never_match_is_refused() {
    assert_snapshot!(errors(&with_routes(
        "
[[frontend.web.route]]
host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
method = ['get', 'CONNECT', 'G E T', []]
header = { 'x y' = 'a', x-a = ' a', X-A = 'b', x-b = 5 }
backend = 'app'

[[frontend.web.route]]
path = []
backend = 'app'
"
    )), @r##"
        error: `host = "*.*.example.com"` has a `*` in the wrong place
         --> evenkeel.toml:8:9
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |         ^^^^^^^^^^^^^^^^^
          |
          = help: write `"*.example.com"`: a `*` must be the first label

        error: `host = "example.com:80"` has a port, and routes compare hosts without ports
         --> evenkeel.toml:8:28
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                            ^^^^^^^^^^^^^^^^
          |
          = help: write `"example.com"`

        error: `host = "bücher.example"` is not ASCII: hosts in requests always are
         --> evenkeel.toml:8:46
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                              ^^^^^^^^^^^^^^^^
          |
          = help: write it as browsers send it (`"xn--…"`)

        error: `host = "a b"` is not a host
         --> evenkeel.toml:8:64
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                                                ^^^^^
          |
          = help: write a host such as `"example.com"`, `"*.example.com"`, `"10.0.0.1"` or `"[::1]"`

        error: `host = ""` is not a host
         --> evenkeel.toml:8:71
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                                                       ^^
          |
          = help: write a host such as `"example.com"`, `"*.example.com"`, `"10.0.0.1"` or `"[::1]"`

        error: `path = "v1"` does not begin with `/`
         --> evenkeel.toml:9:9
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |         ^^^^
          |
          = help: write `"/v1"`

        error: `path = "/v1*"` has a `*` that is not the whole last segment
         --> evenkeel.toml:9:15
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |               ^^^^^^
          |
          = help: paths are matched by whole segments: write `"/v1/*"`

        error: `path = "/a?b=c"` has a `?`, and the query is not part of the path
         --> evenkeel.toml:9:23
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                       ^^^^^^^^
          |
          = help: write `path = "/a"` and the conditions as `query = { name = "value" }`

        error: `path = "/ü"` has the character 'ü', which is never in the path of a request
         --> evenkeel.toml:9:33
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                 ^^^^
          |
          = help: write `"/%C3%BC"`

        error: `path = "/a/../b"` has dot segments, and Evenkeel resolves those before it compares paths
         --> evenkeel.toml:9:39
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                       ^^^^^^^^^
          |
          = help: write `"/b"`

        error: `path = "/a/*/b"` has a `*` that is not the whole last segment
         --> evenkeel.toml:9:50
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                                  ^^^^^^^^
          |
          = help: write `"/start/*"`: it matches `/start` and everything below it

        error: `method = "get"` is not a method: methods are case-sensitive
          --> evenkeel.toml:10:11
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |           ^^^^^
           |
           = help: write `"GET"`

        error: `method = "CONNECT"` never reaches a route
          --> evenkeel.toml:10:18
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |                  ^^^^^^^^^
           |
           = help: leave it out: such requests are answered 405 (CONNECT, TRACE)

        error: `method = "G E T"` is not a method
          --> evenkeel.toml:10:29
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |                             ^^^^^^^
           |
           = help: write a method such as `"GET"`

        error: `method` must be a string, and is a list
          --> evenkeel.toml:10:38
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |                                      ^^
           |
           = help: write one string, without `[` and `]`

        error: `x y = "a"` has a key that is not a valid field name
          --> evenkeel.toml:11:20
           |
        11 | header = { 'x y' = 'a', x-a = ' a', X-A = 'b', x-b = 5 }
           |                    ^^^
           |
           = help: field names have letters, digits and `-`

        error: `x-a = " a"` begins or ends with a space, and field values never do
          --> evenkeel.toml:11:31
           |
        11 | header = { 'x y' = 'a', x-a = ' a', X-A = 'b', x-b = 5 }
           |                               ^^^^
           |
           = help: leave the space out

        error: `x-b` must be a string, and is the number 5
          --> evenkeel.toml:11:54
           |
        11 | header = { 'x y' = 'a', x-a = ' a', X-A = 'b', x-b = 5 }
           |                                                      ^
           |
           = help: write `"5"`

        error: the list `path` is empty: it would match nothing
          --> evenkeel.toml:15:8
           |
        15 | path = []
           |        ^^
           |
           = help: leave `path` out to match everything
    "##);
}

#[test]
fn two_routes_have_two_names() {
    assert_snapshot!(errors(&with_routes(
        "
[[frontend.web.route]]
name = '2'
host = 'a'
backend = 'app'

[[frontend.web.route]]
host = 'b'
backend = 'app'
"
    )), @r##"
        error: two routes of `[frontend.web]` have the name `2`
          --> evenkeel.toml:12:1
           |
         8 | name = '2'
           |        --- the first is here
        ...
        12 | [[frontend.web.route]]
           | ^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: give one of them another `name`; a route without a name has its number as its name
    "##);
}

#[test]
fn a_route_that_never_matches_is_warned_about() {
    assert_snapshot!(warnings(&with_routes(
        "
[[frontend.web.route]]
host = '*.example.com'
path = '/v1/*'
backend = 'app'

[[frontend.web.route]]
host = ['a.example.com', 'b.c.example.com']
path = ['/v1', '/v1/users/*']
method = 'GET'
backend = 'app'
"
    )), @r##"
        warning: route `2` never matches
          --> evenkeel.toml:12:1
           |
         7 | [[frontend.web.route]]
           | ---------------------- route `1` matches all its requests first
        ...
        12 | [[frontend.web.route]]
           | ^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: the first match wins: put the narrower route first
    "##);
}

#[test]
fn the_names_and_needs_of_the_admin_listener_are_checked() {
    let admin = |lines: &str| errors(&format!("{BASE}[admin]\n{lines}\n"));
    assert_snapshot!(admin("ready_needs = ['ap', 'x y']"), @r##"
        error: backend `ap` is not defined; defined are `app`
         --> evenkeel.toml:9:16
          |
        9 | ready_needs = ['ap', 'x y']
          |                ^^^^
          |
          = help: did you mean `app`?

        error: "x y" cannot be the name of a backend
         --> evenkeel.toml:9:22
          |
        9 | ready_needs = ['ap', 'x y']
          |                      ^^^^^
          |
          = help: a name has 1 to 128 visible ASCII characters, without quotes, backslashes and `%[`
    "##);
    assert_snapshot!(admin("hosts = ['*', 'lb.test:9900']"), @r##"
        error: `hosts = "*"` would let any web page read metrics and status through DNS rebinding
         --> evenkeel.toml:9:10
          |
        9 | hosts = ['*', 'lb.test:9900']
          |          ^^^
          |
          = help: write the names by which this listener is asked: `"lb1.internal"`, `"*.internal"`

        error: "lb.test:9900" is not a name that `Host` can be compared with
         --> evenkeel.toml:9:15
          |
        9 | hosts = ['*', 'lb.test:9900']
          |               ^^^^^^^^^^^^^^
          |
          = help: write `"lb.test"`
    "##);
    assert_snapshot!(admin("listen = 'off'\nready_needs = 'app'"), @r##"
        error: the admin listener is off, so `ready_needs` does nothing
          --> evenkeel.toml:10:15
           |
        10 | ready_needs = 'app'
           |               ^^^^^
           |
           = help: leave `ready_needs` out, or write an address as `listen`
    "##);
}

#[test]
fn an_admin_listener_open_to_the_network_is_warned_about() {
    let admin = |listen: &str| warnings(&format!("{BASE}[admin]\nlisten = {listen}\n"));
    assert_snapshot!(admin("['127.0.0.1:9901', '*:9900']"), @r##"
        warning: every machine that can reach port 9900 of this host can read metrics and status and reload the configuration
         --> evenkeel.toml:9:29
          |
        9 | listen = ['127.0.0.1:9901', '*:9900']
          |                             ^^^^^^^^
          |
          = help: the admin listener asks for no password: write `"127.0.0.1:9900"`, or an address that only administrators can reach
    "##);
    for listen in [
        "'off'",
        "'127.0.0.1:9900'",
        "'[::1]:9900'",
        "'10.0.0.1:9900'",
    ] {
        assert_eq!(admin(listen), "", "{listen}");
    }
}

#[test]
fn a_backend_that_cannot_serve_is_warned_about() {
    assert_snapshot!(warnings(
        "
[frontend.web]
listen = ':80'
backend = 'a'

[[frontend.web.route]]
path = '/b'
backend = 'b'

[[frontend.web.route]]
path = '/c'
backend = 'c'

[backend.a]
servers = []

[backend.b]
servers = [{ address = '10.0.0.1:80', weight = 0 }]

[backend.c]
servers = [{ address = '10.0.0.1:80', backup = true }]

[backend.d]
servers = '10.0.0.1:80'
"
    ), @r##"
        warning: `[backend.a]` has no servers: every request gets 503
          --> evenkeel.toml:14:10
           |
        14 | [backend.a]
           |          ^
           |
           = help: write `servers = ["10.0.0.1:80"]`

        warning: `[backend.b]` has only servers of weight 0: every request gets 503
          --> evenkeel.toml:17:10
           |
        17 | [backend.b]
           |          ^
           |
           = help: a server of weight 0 gets no new requests: give one server a weight of at least 1

        warning: `[backend.c]` has only backup servers
          --> evenkeel.toml:20:10
           |
        20 | [backend.c]
           |          ^
           |
           = help: backup servers are used while no other server is up: leave `backup` out if all servers have it

        warning: no frontend and no route uses the backend `d`
          --> evenkeel.toml:23:10
           |
        23 | [backend.d]
           |          ^
           |
           = help: name it as the `backend` of a frontend or a route, or remove it
    "##);
}

#[test]
fn a_check_says_what_it_cannot_be() {
    assert_snapshot!(in_backend("health = 'http'"), @r##"
        error: `health` cannot be "http"
         --> evenkeel.toml:8:10
          |
        8 | health = 'http'
          |          ^^^^^^
          |
          = help: write a path (`"/healthz"`), `"tcp"`, `"off"`, or a table
    "##);
    assert_snapshot!(in_backend(
        "health = { type = 'tcp', path = '/healthz', interval = '1s', fast_interval = '2s' }"
    ), @r##"
        error: `path` has no effect with `type = "tcp"`
         --> evenkeel.toml:8:33
          |
        8 | health = { type = 'tcp', path = '/healthz', interval = '1s', fast_interval = '2s' }
          |                                 ^^^^^^^^^^
          |
          = help: leave `path` out, or write `type = "http"`

        error: `fast_interval` is longer than `interval`
         --> evenkeel.toml:8:78
          |
        8 | health = { type = 'tcp', path = '/healthz', interval = '1s', fast_interval = '2s' }
          |                                                                              ^^^^
          |
          = help: write a shorter one: it is the time between two checks while a server changes its state
    "##);
    assert_snapshot!(in_backend(
        "health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', \
         headers = { host = 'a', connection = 'close', x = \"\\n\", 'x y' = 'a' } }"
    ), @r##"
        error: "healthz" is not a path that can be requested
         --> evenkeel.toml:8:19
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                   ^^^^^^^^^
          |
          = help: begin it with `/`, and write spaces and the like as escapes (`%20`)

        error: `status` must be a status (`200`) or a range of them (`"200-399"`) from 100 to 999, and is the number 99
         --> evenkeel.toml:8:40
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                        ^^
          |
          = help: write a status (`200`) or a range of them (`"200-399"`) from 100 to 999

        error: `status` must be a status (`200`) or a range of them (`"200-399"`) from 100 to 999, and is the string "300-200"
         --> evenkeel.toml:8:44
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                            ^^^^^^^^^
          |
          = help: write a status (`200`) or a range of them (`"200-399"`) from 100 to 999

        error: `status` must be a status (`200`) or a range of them (`"200-399"`) from 100 to 999, and is the string "ok"
         --> evenkeel.toml:8:55
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                       ^^^^
          |
          = help: write a status (`200`) or a range of them (`"200-399"`) from 100 to 999

        error: "a b" is not a host
         --> evenkeel.toml:8:69
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                     ^^^^^
          |
          = help: write a host such as `"app.example.com"`, with a port if the server needs one

        error: `body` must have 1 to 65536 bytes
         --> evenkeel.toml:8:83
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                   ^^
          |
          = help: write a text that the body of a healthy answer contains, or leave `body` out

        error: the field `host` cannot be set here
         --> evenkeel.toml:8:99
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                                   ^^^^
          |
          = help: write `host = "…"` in the check

        error: the field `connection` belongs to the connection and is set by Evenkeel
         --> evenkeel.toml:8:111
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                                               ^^^^^^^^^^
          |
          = help: leave it out

        error: the field `x` has a value with characters that no field can have
         --> evenkeel.toml:8:133
          |
        8 | ...'a b', body = '', headers = { host = 'a', connection = 'close', x = "\n", 'x y' = 'a' } }
          |                                                                    ^
          |
          = help: leave out control characters and line breaks

        error: the field `x y` is not a valid field name
         --> evenkeel.toml:8:143
          |
        8 | ...= '', headers = { host = 'a', connection = 'close', x = "\n", 'x y' = 'a' } }
          |                                                                  ^^^^^
          |
          = help: field names have letters, digits and `-`
    "##);
}

#[test]
fn variables_that_are_not_there_are_named_where_they_stand() {
    assert_snapshot!(errors(
        &BASE
            .replace("127.0.0.1:8080", "127.0.0.1:${WEB_PORT}")
            .replace("10.0.0.1:80", "${1}:${PORT")
    ), @r##"
        error: the environment variable `WEB_PORT` is not set
         --> evenkeel.toml:3:21
          |
        3 | listen = "127.0.0.1:${WEB_PORT}"
          |                     ^^^^^^^^^^^
          |
          = help: set it, or write a default: `${WEB_PORT:-default}`

        error: `${1}` does not name a variable
         --> evenkeel.toml:7:13
          |
        7 | servers = ["${1}:${PORT"]
          |             ^^^^
          |
          = help: a variable's name has letters, digits and `_`; write `${NAME}`, `${NAME:-default}` or `${file:/path}`, and `$${` for the two characters `${` themselves

        error: `${` has no closing `}`
         --> evenkeel.toml:7:18
          |
        7 | servers = ["${1}:${PORT"]
          |                  ^^^^^^
          |
          = help: write `${NAME}`, or `$${` for the two characters `${` themselves
    "##);
    assert_snapshot!(errors(&BASE.replace("127.0.0.1:8080", "${file:port}")), @r##"
        error: the path `port` is relative, and this text is in no directory
         --> evenkeel.toml:3:11
          |
        3 | listen = "${file:port}"
          |           ^^^^^^^^^^^^
          |
          = help: write an absolute path
    "##);
}

#[test]
fn the_value_of_a_variable_is_shown_for_numbers_words_and_addresses_alone() {
    // Names, patterns and fields may contain passwords.
    let text = with_routes(
        "
request_id = '${TOKEN} x'

[[frontend.web.route]]
name = '${TOKEN} x'
host = '*.${TOKEN}:80'
path = '/${TOKEN}*'
method = '${TOKEN} x'
header = { x = \"${TOKEN}\\n\" }
backend = '${TOKEN}'
",
    ) + "health = { path = '${TOKEN}', host = '${TOKEN} x', headers = { x = \"${TOKEN}\\n\" } }\n";
    let said = errors(&text);
    assert!(!said.contains("s3cret"), "{said}");
    assert!(said.matches("TOKEN").count() > 16, "{said}");
    assert_snapshot!(errors(
        "
[log]
level = '${TOKEN}'

[frontend.web]
listen = ['${TOKEN}', '${PORT}', '10.0.0.1:${TOKEN}']
backend = 'app'
max_connections = '${TOKEN}'
half_close = '${TOKEN}'
timeout = { head = '${PORT}', body = '5${TOKEN}' }
limits = { head = '${TOKEN}', fields = '${TOKEN}0' }

[backend.app]
attempts = '${PORT}'
health = { interval = '${PORT}', rise = '${UNSET:-x}' }
servers = '${TOKEN}:80'
"
    ), @r##"
        error: `level` cannot be "${TOKEN}", which is "s3cret"
         --> evenkeel.toml:3:9
          |
        3 | level = '${TOKEN}'
          |         ^^^^^^^^^^
          |
          = help: known are `error`, `warn`, `info`, `debug`

        error: "${TOKEN}", which is "s3cret", has no port
         --> evenkeel.toml:6:11
          |
        6 | listen = ['${TOKEN}', '${PORT}', '10.0.0.1:${TOKEN}']
          |           ^^^^^^^^^^
          |
          = help: with its variables replaced it must be an IP address and a port

        error: "${PORT}", which is "8080", has no address before the port
         --> evenkeel.toml:6:23
          |
        6 | listen = ['${TOKEN}', '${PORT}', '10.0.0.1:${TOKEN}']
          |                       ^^^^^^^^^
          |
          = help: write `":${PORT}"` for all addresses

        error: "10.0.0.1:${TOKEN}", which is "10.0.0.1:s3cret", has no valid port
         --> evenkeel.toml:6:34
          |
        6 | listen = ['${TOKEN}', '${PORT}', '10.0.0.1:${TOKEN}']
          |                                  ^^^^^^^^^^^^^^^^^^^
          |
          = help: with its variables replaced it must be an IP address and a port

        error: `max_connections` must be a whole number of at least 1, or "off", and is the string "${TOKEN}", which is "s3cret"
         --> evenkeel.toml:8:19
          |
        8 | max_connections = '${TOKEN}'
          |                   ^^^^^^^^^^
          |
          = help: set the variable to a whole number of at least 1, or "off"

        error: `half_close` must be `true` or `false`, and is the string "${TOKEN}", which is "s3cret"
         --> evenkeel.toml:9:14
          |
        9 | half_close = '${TOKEN}'
          |              ^^^^^^^^^^
          |
          = help: set the variable to `true` or `false`

        error: `head` is "${PORT}", which is "8080", and that has no unit
          --> evenkeel.toml:10:20
           |
        10 | timeout = { head = '${PORT}', body = '5${TOKEN}' }
           |                    ^^^^^^^^^
           |
           = help: set the variable to `8080ms`

        error: `body` is "5${TOKEN}", which is "5s3cret", and that has the unknown unit `cret`
          --> evenkeel.toml:10:38
           |
        10 | timeout = { head = '${PORT}', body = '5${TOKEN}' }
           |                                      ^^^^^^^^^^^
           |
           = help: the units are `us`, `ms`, `s`, `m`, `h` and `d`; write for example `"5s"`

        error: `head` is "${TOKEN}", which is "s3cret", and that does not begin with a number
          --> evenkeel.toml:11:19
           |
        11 | limits = { head = '${TOKEN}', fields = '${TOKEN}0' }
           |                   ^^^^^^^^^^
           |
           = help: the units are `B`, `kB`, `KiB`, `MB`, `MiB`, `GB` and `GiB`; write for example `"64KiB"`

        error: `fields` must be a whole number from 1 to 20000, and is the string "${TOKEN}0", which is "s3cret0"
          --> evenkeel.toml:11:40
           |
        11 | limits = { head = '${TOKEN}', fields = '${TOKEN}0' }
           |                                        ^^^^^^^^^^^
           |
           = help: write a whole number from 1 to 20000

        error: `attempts` must be a whole number from 1 to 10, and is the string "${PORT}", which is "8080"
          --> evenkeel.toml:14:12
           |
        14 | attempts = '${PORT}'
           |            ^^^^^^^^^
           |
           = help: set the variable to a whole number from 1 to 10

        error: `interval` is "${PORT}", which is "8080", and that has no unit
          --> evenkeel.toml:15:23
           |
        15 | health = { interval = '${PORT}', rise = '${UNSET:-x}' }
           |                       ^^^^^^^^^
           |
           = help: set the variable to `8080ms`

        error: `rise` must be a whole number from 1 to 4294967295, and is the string "${UNSET:-x}", which is "x"
          --> evenkeel.toml:15:41
           |
        15 | health = { interval = '${PORT}', rise = '${UNSET:-x}' }
           |                                         ^^^^^^^^^^^^^
           |
           = help: set the variable to a whole number from 1 to 4294967295

        error: "${TOKEN}:80", which is "s3cret:80", is a host name, and names are not resolved yet
          --> evenkeel.toml:16:11
           |
        16 | servers = '${TOKEN}:80'
           |           ^^^^^^^^^^^^^
           |
           = help: with its variables replaced it must be an IP address and a port
    "##);
}

#[test]
fn the_content_of_a_secret_file_is_never_shown() {
    let directory = std::env::temp_dir().join(format!("evenkeel-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    let path = directory.join("token");
    std::fs::write(&path, "s3cret\n").expect("a file for the test");
    let text = with_routes(
        "
max_connections = '${TOKEN}'
half_close = '${TOKEN}'
header_case = '${TOKEN}'
request_id = '${TOKEN} x'
trusted_proxies = ['${TOKEN}']
proxy_protocol = '${TOKEN}'
socket_mode = '${TOKEN}'
client_field = '${TOKEN}'
http2 = '${TOKEN}'
upgrades = '${TOKEN} x'
tls = { min_version = '${TOKEN}', default = '${TOKEN} x', certificates = 'a' }
timeout = { head = '5${TOKEN}', body = '${TOKEN}' }
limits = { head = '1${TOKEN}', fields = '${TOKEN}' }

[[frontend.web.route]]
name = '${TOKEN} x'
host = '*.${TOKEN}:80'
path = '/${TOKEN}*'
method = '${TOKEN} x'
header = { x = \"${TOKEN}\\n\" }
query = '${TOKEN}: x'
backend = '${TOKEN}'
",
    )
    .replace("127.0.0.1:8080", "${TOKEN}")
    .replace(
        "\"10.0.0.1:80\"",
        "\"${TOKEN}:80\", { name = '${TOKEN} ', address = '${TOKEN}', weight = '${TOKEN}' }",
    ) + "
attempts = '${TOKEN}'
balance = '${TOKEN}'
tls = '${TOKEN}'
send_proxy = '${TOKEN}'
queue = '${TOKEN}'
health = { path = '${TOKEN}', status = '${TOKEN}', host = '${TOKEN} x', rise = '${TOKEN}', interval = '${TOKEN}' }
[log]
level = '${TOKEN}'
access = { to = '${TOKEN}' }
[admin]
listen = '${TOKEN}'
";
    let said = errors(&text.replace("${TOKEN}", &format!("${{file:{}}}", path.display())));
    std::fs::remove_dir_all(&directory).expect("the test's directory");
    let said = said.replace(&path.display().to_string(), "TOKEN");
    assert!(!said.contains("s3cret"), "{said}");
    assert!(said.matches("TOKEN").count() > 80, "{said}");
}

/// The help of the only mistake in `text`.
#[track_caller]
fn only_help(text: &str) -> String {
    let diagnostics = match load(text) {
        Ok(_) => return "no error".to_owned(),
        Err(diagnostics) => diagnostics,
    };
    assert_eq!(diagnostics.len(), 1, "{diagnostics}");
    let mistakes = diagnostics.to_json();
    mistakes[0]["help"].as_str().unwrap_or("no help").to_owned()
}

fn help_in_frontend(lines: &str) -> String {
    let frontend = format!("backend = \"app\"\n{lines}\n");
    only_help(&BASE.replace("backend = \"app\"\n", &frontend))
}

fn help_in_backend(lines: &str) -> String {
    only_help(&format!("{BASE}{lines}\n"))
}

#[test]
fn a_bare_number_is_taken_for_what_it_means_elsewhere() {
    // HAProxy's numbers are milliseconds; a number that would be too short in them means seconds.
    for (line, help) in [
        ("interval = 2000", "write `interval = \"2s\"`"),
        ("interval = '2000'", "write `interval = \"2s\"`"),
        ("interval = '500'", "write `interval = \"500ms\"`"),
        ("timeout = 1500", "write `timeout = \"1500ms\"`"),
        ("timeout = 1.5", "write `timeout = \"1500ms\"`"),
        (
            "interval = 5",
            "write `interval = \"5s\"`, or `\"5ms\"` if milliseconds are meant, as in HAProxy",
        ),
        (
            "interval = '10'",
            "write `interval = \"10s\"`, or `\"10ms\"` if milliseconds are meant, as in HAProxy",
        ),
        ("interval = -5", "write `interval = \"5s\"`"),
    ] {
        let said = help_in_backend(&format!("health = {{ {line} }}"));
        assert_eq!(said, help, "{line}");
    }
    for (line, help) in [
        ("tunnel = 3600000", "write `tunnel = \"1h\"`"),
        (
            "tunnel = 3600",
            "write `tunnel = \"1h\"`, or `\"3600ms\"` if milliseconds are meant, as in HAProxy",
        ),
        ("head = 10000", "write `head = \"10s\"`"),
        (
            "keep_alive = 75",
            "write `keep_alive = \"75s\"`, or `\"75ms\"` if milliseconds are meant, as in HAProxy",
        ),
        (
            "head = false",
            "write a duration; where a timeout can be switched off, its value is \"off\"",
        ),
    ] {
        let said = help_in_frontend(&format!("timeout = {{ {line} }}"));
        assert_eq!(said, help, "{line}");
    }
    for (line, help) in [
        ("head = 65536", "write `head = \"64KiB\"`"),
        ("head = '10000'", "write `head = \"10kB\"`"),
        (
            "head = 100",
            "it is a size: write one from \"8KiB\" to \"16MiB\"",
        ),
    ] {
        let said = help_in_frontend(&format!("limits = {{ {line} }}"));
        assert_eq!(said, help, "{line}");
    }
}

#[test]
fn a_value_of_another_type_gets_the_line_to_write() {
    for (line, help) in [
        ("http2 = true", "leave `http2` out: HTTP/2 is on by default"),
        ("http2 = false", "write `http2 = { enabled = false }`"),
        (
            "http2 = { open_requests = 100 }",
            "it is a size; for a number of requests write `max_streams = 100`",
        ),
        (
            "limits = 'off'",
            "leave `limits` out: heads always have limits",
        ),
        (
            "rule = [{ return = 'be back soon' }]",
            "write `return = { status = 200, body = \"be back soon\" }`",
        ),
        (
            "rule = [{ return = 204 }]",
            "write `return = { status = 204 }`",
        ),
        (
            "rule = [{ redirect = 'https' }]",
            "write `redirect = { scheme = \"https\" }`",
        ),
        (
            "rule = [{ redirect = '/new' }]",
            "write `redirect = { location = \"/new\" }`",
        ),
        (
            "rule = [{ set_header = { x-request-id = '%[unique-id]' } }]",
            "leave it out: the id is sent already; for another name write `request_id = \"x-trace-id\"`",
        ),
        (
            "timeout = '5s'",
            "write which timeout: `timeout = { body = \"5s\" }`; there are `head`, `body`, `keep_alive`, \
             `exchange`, `handshake` and `tunnel`",
        ),
        (
            "limits = '64KiB'",
            "write which limit: `limits = { head = \"64KiB\" }`",
        ),
        (
            "forwarding = false",
            "write `forwarding = { x_forwarded = false }`",
        ),
        (
            "half_close = 'yes'",
            "write `half_close = true`, without quotes",
        ),
        (
            "half_close = 0",
            "write `half_close = false`, without quotes",
        ),
        (
            "half_close = 'x'",
            "write `true` or `false`, without quotes",
        ),
        (
            "max_connections = '100'",
            "write `max_connections = 100`, without quotes",
        ),
        (
            "max_connections = 'unlimited'",
            "write `max_connections = \"off\"`",
        ),
        ("max_connections = 0", "write `max_connections = \"off\"`"),
        (
            "proxy_protocol = true",
            "write `proxy_protocol = \"required\"`: every peer must send a header",
        ),
        ("proxy_protocol = false", "write `proxy_protocol = \"off\"`"),
        ("request_id = false", "write `request_id = \"off\"`"),
        ("upgrades = false", "write `upgrades = []` for none"),
        ("upgrades = 'off'", "write `upgrades = []` for none"),
        (
            "tls = true",
            "write `tls = \"/path/to/fullchain.pem\"`, or leave `tls` out for clear text",
        ),
        (
            "tls = { certificates = 'a', min_version = 1.3 }",
            "write `min_version = \"1.3\"`",
        ),
        (
            "tls = { certificates = 'a', client_auth = true }",
            "write `client_auth = { mode = \"required\", ca = \"/path/to/ca.pem\" }`",
        ),
        (
            "trusted_proxies = '*'",
            "write the networks of your own proxies: what any client may claim is not worth trusting",
        ),
        (
            "route = [{ header = 'x-tenant: blue', backend = 'app' }]",
            "write `header = { x-tenant = \"blue\" }`",
        ),
        (
            "route = [{ header = ['x-a: 1', 'x-b'], backend = 'app' }]",
            "write `header = { x-a = \"1\", x-b = \"*\" }`",
        ),
        (
            "route = [{ query = 'debug=1', backend = 'app' }]",
            "write `query = { debug = \"1\" }`",
        ),
        (
            "[frontend.web.route.api]\nbackend = 'app'",
            "write `[[frontend.web.route]]` with `name = \"api\"`, once for each",
        ),
    ] {
        assert_eq!(help_in_frontend(line), help, "{line}");
    }
    for (line, help) in [
        ("http2 = true", "write `protocol = \"h2\"`"),
        (
            "timeout = '5s'",
            "write which timeout: `timeout = { response = \"5s\" }`; there are `connect`, `response`, \
             `body` and `queue`",
        ),
        ("queue = 100", "write `queue = { max = 100 }`"),
        ("queue = '100'", "write `queue = { max = 100 }`"),
        ("queue = 'off'", "write `queue = { max = 0 }`"),
        ("queue = false", "write `queue = { max = 0 }`"),
        ("queue = true", "leave `queue` out: it is on by default"),
        ("queue = '5s'", "write `timeout = { queue = \"5s\" }`"),
        ("pool = 'off'", "write `pool = { max_idle = 0 }`"),
        ("pool = '1m'", "write `pool = { idle_timeout = \"1m\" }`"),
        ("pool = 10", "write `pool = { max_idle = 10 }`"),
        ("attempts = '2'", "write `attempts = 2`, without quotes"),
        (
            "health = { rise = '2' }",
            "write `rise = 2`, without quotes",
        ),
        (
            "health = true",
            "write `health = \"/healthz\"` to GET that path of each server, or `health = \"tcp\"` to only \
             open a connection",
        ),
        (
            "health = false",
            "write `health = \"off\"`, or leave it out",
        ),
        (
            "health = { status = '2xx' }",
            "write `status = \"200-299\"`",
        ),
        (
            "health = { status = '200, 3xx' }",
            "write `status = [\"200\", \"300-399\"]`",
        ),
        (
            "health = { headers = 'x-check: 1' }",
            "write `headers = { x-check = \"1\" }`",
        ),
        (
            "tls = 'ca.pem'",
            "write `tls = { ca = \"ca.pem\" }` to trust servers that this CA has signed, `tls = true` to \
             trust the system's CAs",
        ),
        ("tls = 'on'", "write `tls = true`, without quotes"),
        ("tls = { verify = false }", "write `verify = \"none\"`"),
        ("send_proxy = true", "write `send_proxy = \"v2\"`"),
        ("send_proxy = false", "write `send_proxy = \"off\"`"),
        (
            "balance = 'random'",
            "write `balance = \"round-robin\"` or `balance = \"least-connections\"`",
        ),
        (
            "[log]\naccess = 'stdout'",
            "write `access = { to = \"stdout\" }`",
        ),
        ("[log]\naccess = false", "write `access = { to = \"off\" }`"),
        (
            "[reload]\nwatch = 'off'",
            "write `watch = false`, without quotes",
        ),
        ("[admin]\nlisten = false", "write `listen = \"off\"`"),
        (
            "[admin]\nlisten = 9900",
            "write `\":9900\"` for all addresses, `\"127.0.0.1:9900\"` for this machine alone",
        ),
    ] {
        assert_eq!(help_in_backend(line), help, "{line}");
    }
    for (line, help) in [
        (
            "admin = '127.0.0.1:9901'",
            "write `admin = { listen = \"127.0.0.1:9901\" }`",
        ),
        ("admin = false", "write `admin = { listen = \"off\" }`"),
        ("reload = false", "write `reload = { watch = false }`"),
        (
            "shutdown = '10s'",
            "write `shutdown = { timeout = \"10s\" }`",
        ),
        ("process = 4", "write `process = { workers = 4 }`"),
    ] {
        assert_eq!(only_help(&format!("{line}\n{BASE}")), help, "{line}");
    }
    for (servers, help) in [
        (
            "'10.0.0.1:80,10.0.0.2:80'",
            "write a list: `[\"10.0.0.1:80\", \"10.0.0.2:80\"]`",
        ),
        ("8000", "write `\"127.0.0.1:8000\"`"),
        (
            "[{ address = '10.0.0.1:80', weight = '3' }]",
            "write `weight = 3`, without quotes",
        ),
    ] {
        let text = BASE.replace("[\"10.0.0.1:80\"]", servers);
        assert_eq!(only_help(&text), help, "{servers}");
    }
}

#[test]
fn a_condition_as_a_key_of_a_rule_is_written_as_when() {
    for (key, help) in [
        (
            "path = '/admin/*'",
            "a condition of a rule is `when`: `when = 'path starts_with \"/admin/\"'`; a new path is `set_path = \"…\"`",
        ),
        (
            "host = 'a.example.com'",
            "a condition of a rule is `when`: `when = 'req.hdr(host) == \"a.example.com\"'`",
        ),
        (
            "method = 'POST'",
            "a condition of a rule is `when`: `when = 'method == \"POST\"'`",
        ),
        (
            "query = { a = '1' }",
            "a condition of a rule is `when`: `when = 'url_param(name) == \"value\"'`",
        ),
        (
            "header = { x-a = '1' }",
            "write `set_header = { x-name = \"value\" }`; as a condition: `when = 'req.hdr(x-name) == \"value\"'`",
        ),
        (
            "src = '10.0.0.0/8'",
            "a condition of a rule is `when`: `when = 'src in [\"10.0.0.0/8\"]'`",
        ),
    ] {
        let rule = format!("rule = [{{ {key}, use_server = '10.0.0.1:80' }}]");
        assert_eq!(help_in_backend(&rule), help, "{key}");
    }
}

#[test]
fn a_rule_names_one_server_without_templates_and_conditions() {
    for (written, help) in [
        (
            "%[req.cook(server)]",
            "write one rule with `when` for each server",
        ),
        (
            "10.0.0.1:80 if path",
            "write the condition as `when`, beside `use_server`",
        ),
    ] {
        let rule = format!("rule = [{{ use_server = '{written}' }}]");
        assert_eq!(help_in_backend(&rule), help, "{written}");
    }
}

#[test]
fn what_tcp_mode_cannot_do_is_answered_with_what_it_can() {
    let closed = "in TCP mode a connection that no route matches is closed: leave `backend` of the frontend out, \
                  and write routes for what may pass";
    let with = |frontend: &str, route: &str| {
        only_help(&format!(
            "[frontend.db]\nmode = 'tcp'\nlisten = ':5432'\nbackend = 'app'\n{frontend}\n\
             [[frontend.db.route]]\n{route}\n[backend.app]\nservers = '10.0.0.1:5432'\n"
        ))
    };
    for (route, help) in [
        (
            "when = 'ssl_fc_sni ends_with \".a.b\"'\nbackend = 'app'",
            "write `sni = \"*.a.b\"` in the route",
        ),
        (
            "when = 'ssl_fc_alpn == \"h2\"'\nbackend = 'app'",
            "write `alpn = \"h2\"` in the route",
        ),
        (
            "when = 'path_beg /a'\nbackend = 'app'",
            "look at `req.ssl_sni`, `req.ssl_alpn`, `req.payload(0,4)`, `req.proto_http`, `src`, `dst_port` and tables",
        ),
        (
            "sni = 'a.b'\nsplit = { app = 1 }",
            "in TCP mode a route has one `backend`",
        ),
        ("sni = 'a.b'\ndeny = true", closed),
        (
            "sni = 'a.b'\nrule = [{ deny = 403 }]\nbackend = 'app'",
            closed,
        ),
    ] {
        assert_eq!(with("", route), help, "{route}");
    }
    let route = "sni = 'a.b'\nbackend = 'app'";
    assert_eq!(
        with("rule = [{ deny = 403 }]", route),
        "in TCP mode there are no requests; write a `[[frontend.NAME.connection_rule]]`"
    );
}

#[test]
fn an_asterisk_in_a_condition_is_warned_about() {
    let with = |when: &str| {
        warnings(&BASE.replace(
            "backend = \"app\"\n",
            &format!("backend = \"app\"\nrule = [{{ when = '{when}', deny = 403 }}]\n"),
        ))
    };
    assert_snapshot!(with("path == \"/admin/*\""), @r##"
        warning: `*` in "/admin/*" is a plain character: conditions have no wildcards
         --> evenkeel.toml:5:18
          |
        5 | rule = [{ when = 'path == "/admin/*"', deny = 403 }]
          |                  ^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `path starts_with "/admin/"`
    "##);
    for (when, help) in [
        (
            "path starts_with \"/admin/*\"",
            "write `path starts_with \"/admin/\"`",
        ),
        (
            "path,lower in [\"/a\", \"/b*\"]",
            "write `path,lower starts_with \"/b\"`",
        ),
        (
            "path != \"/admin/*\"",
            "write `not path starts_with \"/admin/\"`",
        ),
        (
            "not req.hdr(host) == \"*.example.com\"",
            "write `req.hdr(host) ends_with \".example.com\"`",
        ),
    ] {
        let found = with(when);
        assert!(found.contains(help), "{when}:\n{found}");
    }
    for fine in [
        "path == \"*\"",
        "path contains \"*\"",
        "path ends_with \"/*\"",
        "req.hdr(accept) == \"text/*\"",
        "req.hdr(host) == \"a*b\"",
    ] {
        assert_eq!(with(fine), "", "{fine}");
    }
}

#[test]
fn keys_of_other_proxies_get_help() {
    for (line, part) in [
        (
            "stick_table = 1",
            "write a `[table.NAME]` at the top of the file",
        ),
        (
            "stick-table = 1",
            "write a `[table.NAME]` at the top of the file",
        ),
        ("rate_limit = 1", "write a rule: `rule = [{ rate_limit = "),
        ("limit_req = 1", "write a rule: `rule = [{ rate_limit = "),
        ("basic_auth = 1", "write a rule: `rule = [{ auth = { realm"),
        ("oidc = 1", "write a rule: `rule = [{ jwt = { file"),
        ("auth_request = 1", "other services are not asked yet"),
        ("rewrite = 1", "write a rule: `rule = [{ set_path"),
        ("set_header = 1", "write a rule: `rule = [{ set_header"),
        (
            "proxy_set_header = 1",
            "write a rule: `rule = [{ set_header",
        ),
        (
            "use-server = 1",
            "write a rule of the backend: `rule = [{ when",
        ),
        ("http-request = 1", "write a `[[frontend.NAME.rule]]`"),
        ("middlewares = 1", "deny = 403 }]` in a frontend"),
        ("redirect = 1", "redirect = { scheme"),
        ("deny = 1", "deny = 403 }]`"),
        ("gzip = 1", "write `compression = { algorithms"),
        (
            "compression = { algorithms = ['brotli'] }",
            "write `\"br\"`; known are",
        ),
        (
            "compression = { algorithms = ['br', 'br'] }",
            "keep one of the two",
        ),
        (
            "compression = { types = 'html' }",
            "write \"text/html\", \"text/*\"",
        ),
        ("compression = { br_level = 11 }", "from 0 to 9"),
        ("cache = 1", "a cache does not exist yet"),
        ("errorfile = 1", "write `error_page`"),
        ("monitor_uri = 1", "`rule = [{ monitor = \"/healthz\" }]`"),
        (
            "client_max_body_size = 1",
            "`rule = [{ max_body = \"1MiB\" }]`",
        ),
        ("acme = 1", "no certificates by ACME yet"),
        ("quic = 1", "HTTP/3 does not exist yet"),
        ("access_log = 1", "`[[log.access]]`"),
        ("location = 1", "`[[frontend.NAME.route]]`"),
        ("forwardfor = 1", "`forwarding = { x_forwarded = true }`"),
        (
            "keepalive_timeout = 1",
            "`timeout = { keep_alive = \"…\" }`",
        ),
        (
            "route = [{ sni = 'a', backend = 'app' }]",
            "in HTTP write `host`",
        ),
        (
            "route = [{ src = 'a', backend = 'app' }]",
            "write `when = 'src in [\"10.0.0.0/8\"]'`",
        ),
        (
            "route = [{ path_reg = 'a', backend = 'app' }]",
            "write `path_regex = '^/item/[0-9]+$'`",
        ),
        (
            "route = [{ rate_limit = 1, backend = 'app' }]",
            "write a rule: `rule = [{ rate_limit = ",
        ),
        ("limits = { body = '1MB' }", "their size has no limit"),
    ] {
        let said = help_in_frontend(line);
        assert!(said.contains(part), "{line}: {said}");
    }
    for (line, part) in [
        ("slowstart = 1", "slow start does not exist yet"),
        ("cookie = 'x'", "stickiness does not exist yet"),
        ("sticky = true", "stickiness does not exist yet"),
        ("resolvers = 'x'", "names of servers are not resolved yet"),
        ("max_fails = 3", "only by active checks"),
        (
            "proxy_read_timeout = 1",
            "`timeout = { response = \"…\", body = \"…\" }`",
        ),
        ("health_check = 1", "`health = \"/path\"`"),
        ("keepalive = 32", "`pool = { max_idle = … }`"),
        ("send_proxy_v2 = true", "`send_proxy = \"v2\"`"),
        ("health = { failure_threshold = 3 }", "`fall`"),
        (
            "[admin]\ntoken = 'x'",
            "does not ask for a password or token yet",
        ),
        ("[process]\nuser = 'x'", "set by systemd"),
    ] {
        let said = help_in_backend(line);
        assert!(said.contains(part), "{line}: {said}");
    }
    let server = "[{ address = '10.0.0.1:80', slowstart = '30s' }]";
    let said = only_help(&BASE.replace("[\"10.0.0.1:80\"]", server));
    assert!(said.contains("slow start does not exist yet"), "{said}");
}

#[test]
fn mistakes_of_grammar_come_out_together() {
    assert_snapshot!(errors(
        "
[process]
workers = 1x

[frontend.web]
listen = \"127.0.0.1:8080
backend = 'app'
backend = 'api'

[backend.app]
servers = ['10.0.0.1:80'
wieght = 1
"
    ), @r##"
        error: not TOML: string values must be quoted, expected literal string
         --> evenkeel.toml:3:11
          |
        3 | workers = 1x
          |           ^^
          |
          = help: write text in double quotes, and numbers as digits only

        error: not TOML: invalid basic string, expected `"`
         --> evenkeel.toml:6:25
          |
        6 | listen = "127.0.0.1:8080
          |                         ^

        error: `backend` is written twice
         --> evenkeel.toml:8:1
          |
        8 | backend = 'api'
          | ^^^^^^^
          |
          = help: keep one of the two

        error: not TOML: missing comma between array elements, expected `,`
          --> evenkeel.toml:12:1
           |
        12 | wieght = 1
           | ^
    "##);
}

#[test]
fn a_mistake_of_grammar_in_a_value_does_not_hide_the_others() {
    assert_snapshot!(errors(&format!(
        "[process]\nworkers = 1x\nworker = 1\n{BASE}"
    )), @r##"
        error: not TOML: string values must be quoted, expected literal string
         --> evenkeel.toml:2:11
          |
        2 | workers = 1x
          |           ^^
          |
          = help: write text in double quotes, and numbers as digits only

        error: unknown key `worker`, did you mean `workers`?
         --> evenkeel.toml:3:1
          |
        3 | worker = 1
          | ^^^^^^
          |
          = help: known in `[process]` are `workers`, `max_connections`
    "##);
}

#[test]
fn a_log_file_is_a_path() {
    assert_snapshot!(errors(&format!(
        "[log]\nlevel = 'trace'\naccess = {{ to = 'stdou' }}\n{BASE}"
    )), @r##"
        error: `level` cannot be "trace"
         --> evenkeel.toml:2:9
          |
        2 | level = 'trace'
          |         ^^^^^^^
          |
          = help: write `"debug"`; known are `error`, `warn`, `info`, `debug`

        error: the access log cannot go to "stdou"
         --> evenkeel.toml:3:17
          |
        3 | access = { to = 'stdou' }
          |                 ^^^^^^^
          |
          = help: did you mean "stdout"? The path of a file must have a `/`: "./access.log"
    "##);
}

#[test]
fn a_log_target_that_cannot_be_is_told_what_to_write() {
    for (lines, expected) in [
        ("to = '/dev/log'", "write \"unix:/dev/log\""),
        ("to = '127.0.0.1:514'", "write \"udp://127.0.0.1:514\""),
        ("to = '::1'", "write \"udp://::1\""),
        (
            "to = 'udp:127.0.0.1'",
            "write a host and a port: \"udp://127.0.0.1:514\"",
        ),
        (
            "to = 'tcp://a b'",
            "write a host and a port: \"tcp://127.0.0.1:514\"",
        ),
        ("to = 'tcp://a:0'", "write a host and a port"),
        ("to = 'tcp://[::1'", "write a host and a port"),
        ("to = 'tcp://[a]:1'", "write a host and a port"),
        ("to = 'unix:log'", "write the whole path of the socket"),
        ("syslog = { tag = 'a b' }", "the tag cannot be \"a b\""),
        (
            "syslog = { tag = 'a' }",
            "`syslog` does nothing for lines that go to stdout",
        ),
        (
            "to = 'udp://a'\nsyslog = { facility = 'local9' }",
            "`facility` cannot be \"local9\"",
        ),
        ("fields = ['statsu']", "did you mean \"status\"?"),
        (
            "fields = ['time', 'time']",
            "the field \"time\" is written twice",
        ),
        ("fields = []", "the list of fields is empty"),
        (
            "format = 'clf'\nfields = ['time']",
            "this format has its own",
        ),
        ("mask = ['cookie']", "`mask` cannot be \"cookie\""),
        ("sample = '1:0'", "write which lines of how many: \"1:100\""),
        (
            "when = 'path == \"/\"'",
            "keep what you need of it with `set_var`",
        ),
        (
            "when = 'res.hdr(a)'",
            "fields are not kept until an exchange is logged",
        ),
        (
            "format = '%[req.hdr(a)]'",
            "keep what you need of it with `set_var`",
        ),
        (
            "format = '%[table_cnt(none)]'",
            "table `none` is not defined; no table is",
        ),
        (
            "when = 'src,table_conn_cnt(none) > 1'",
            "table `none` is not defined; no table is",
        ),
        (
            "format = '%[var(req.a)]'",
            "variables of `txn` live as long as the exchange",
        ),
        ("format = '%[src'", "`%[` has no closing `]`"),
        ("format = '%{+json}o %ci'", "a value of JSON needs a name"),
        (
            "format = '%{+json}o %(a)ci, %(b)cp'",
            "text between the values of JSON is not written",
        ),
        (
            "format = '%{+json}o %(a)ci %(a)cp'",
            "the name `a` is written twice",
        ),
        (
            "format = '%{+json}o %(a:x)ci'",
            "`x` is no type of a value in JSON",
        ),
        ("format = '%{+json}o %(a'", "the name has no closing `)`"),
        ("format = '%{+json}o'", "the template is empty"),
        (
            "format = '%ci %{+json}o'",
            "begin the template with `%{+json}o`",
        ),
        (
            "format = '%[src x]'",
            "the expression should have ended here",
        ),
        (
            "facility = 'local0'",
            "write `syslog = { facility = \"local0\"",
        ),
    ] {
        let said = errors(&format!("[[log.access]]\n{lines}\n{BASE}"));
        assert!(said.contains(expected), "{lines}: {said}");
    }
}

#[test]
fn a_mistake_in_a_log_line_is_shown_at_its_character() {
    let wrong = |format: &str| errors(&format!("[[log.access]]\nformat = '{format}'\n{BASE}"));
    for (format, expected) in [
        ("%ci %{+Z}r", "no such flag"),
        ("%ci %Ti", "`%Ti` of HAProxy does not exist here"),
        ("%refferer %ci", "did you mean `%referer`?"),
        ("%ci 100% x", "no variable follows the `%`"),
        ("%{+Q", "the flags have no closing `}`"),
        ("httplog", "write \"haproxy-http\""),
        ("combind", "did you mean \"combined\"?"),
        ("text", "there is no log format \"text\""),
    ] {
        let said = wrong(format);
        assert!(said.contains(expected), "{format}: {said}");
    }
    let control = errors(&format!("[[log.access]]\nformat = \"%ci\\n\"\n{BASE}"));
    assert!(
        control.contains("a line cannot have a control character"),
        "{control}"
    );
    assert_snapshot!(wrong("%ci %yy %r"), @r"
    error: there is no variable `%yy`
     --> evenkeel.toml:2:15
      |
    2 | format = '%ci %yy %r'
      |               ^^^
      |
      = help: conf/reference/log-formats.md has all variables
    ");
    let empty = errors(&format!("[log]\naccess = []\n{BASE}"));
    assert!(
        empty.contains("the list of access logs is empty"),
        "{empty}"
    );
}

#[test]
fn a_network_has_no_bits_outside_its_mask() {
    assert_snapshot!(in_frontend(
        "trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']"
    ), @r##"
        error: "10.0.0.1/8" has bits set after its first 8
         --> evenkeel.toml:5:20
          |
        5 | trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']
          |                    ^^^^^^^^^^^^
          |
          = help: write `"10.0.0.0/8"`, or one address without `/`

        error: "proxy" is not an IP address or a network
         --> evenkeel.toml:5:34
          |
        5 | trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']
          |                                  ^^^^^^^
          |
          = help: write an address (`"192.0.2.1"`), a network (`"10.0.0.0/8"`), or `"unix"`

        error: "10.0.0.0/33" is not an IP address or a network
         --> evenkeel.toml:5:43
          |
        5 | trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']
          |                                           ^^^^^^^^^^^^^
          |
          = help: write an address (`"192.0.2.1"`), a network (`"10.0.0.0/8"`), or `"unix"`
    "##);
}

#[test]
fn the_mode_of_a_socket_is_octal_and_has_a_file() {
    assert_snapshot!(in_frontend("socket_mode = '888'"), @r##"
        error: `socket_mode` cannot be "888"
         --> evenkeel.toml:5:15
          |
        5 | socket_mode = '888'
          |               ^^^^^
          |
          = help: write three octal digits in quotes, such as "660": owner, group, others
    "##);
    assert_snapshot!(in_frontend("socket_mode = 660"), @r##"
        error: `socket_mode` must be permissions such as "660", and is the number 660
         --> evenkeel.toml:5:15
          |
        5 | socket_mode = 660
          |               ^^^
          |
          = help: write three octal digits in quotes, such as "660": owner, group, others
    "##);
    assert_snapshot!(in_frontend("socket_mode = '660'"), @r##"
        error: `socket_mode` does nothing: `[frontend.web]` listens on no Unix socket with a path
         --> evenkeel.toml:5:15
          |
        5 | socket_mode = '660'
          |               ^^^^^
          |
          = help: leave it out, or listen on a path: `listen = "/run/app.sock"`
    "##);
    assert_snapshot!(errors(&format!("{BASE}[admin]\nsocket_mode = '660'")), @r##"
        error: `socket_mode` does nothing: `[admin]` listens on no Unix socket with a path
         --> evenkeel.toml:9:15
          |
        9 | socket_mode = '660'
          |               ^^^^^
          |
          = help: leave it out, or listen on a path: `listen = "/run/app.sock"`
    "##);
}

#[test]
fn a_unix_socket_is_listened_on_once_and_has_no_ports() {
    assert_snapshot!(errors(
        "[admin]\nlisten = '/run/web.sock'\n\
         [frontend.web]\nlisten = ['/run/web.sock', 'fd://3', 'fd://3']\nbackend = 'app'\n\
         [backend.app]\nservers = ['/run/app.sock', '10.0.0.1:80']\nhealth = { port = 81 }"
    ), @r##"
        error: `/run/web.sock` of `[frontend.web]` is also bound by `[admin]`
         --> evenkeel.toml:4:11
          |
        2 | listen = '/run/web.sock'
          |          --------------- bound here first
        3 | [frontend.web]
        4 | listen = ['/run/web.sock', 'fd://3', 'fd://3']
          |           ^^^^^^^^^^^^^^^
          |
          = help: write each address once

        error: `fd://3` of `[frontend.web]` is bound twice
         --> evenkeel.toml:4:38
          |
        4 | listen = ['/run/web.sock', 'fd://3', 'fd://3']
          |                            --------  ^^^^^^^^
          |                            |
          |                            bound here first
          |
          = help: write each address once

        error: `/run/app.sock` is a Unix socket, which has no ports
         --> evenkeel.toml:8:10
          |
        8 | health = { port = 81 }
          |          ^^^^^^^^^^^^^
          |
          = help: leave `port` out, or put these servers into a backend of their own
    "##);
}

#[test]
fn a_proxy_header_is_wanted_from_some_peer() {
    assert_snapshot!(in_frontend("proxy_protocol = true"), @r##"
        error: `proxy_protocol` must be "off", "required" or a table, and is `true`
         --> evenkeel.toml:5:18
          |
        5 | proxy_protocol = true
          |                  ^^^^
          |
          = help: write `proxy_protocol = "required"`: every peer must send a header
    "##);
    assert_snapshot!(in_frontend("proxy_protocol = { from = [] }"), @r##"
        error: `[frontend.web.proxy_protocol]` names no peer that sends a PROXY header
         --> evenkeel.toml:5:18
          |
        5 | proxy_protocol = { from = [] }
          |                  ^^^^^^^^^^^^^
          |
          = help: write `from = ["10.0.0.0/8"]`, or `proxy_protocol = "off"`
    "##);
}

#[test]
fn version_1_of_the_proxy_protocol_has_no_room_for_more() {
    assert_snapshot!(in_backend("send_proxy = { version = 'v1', unique_id = true }"), @r##"
        error: version 1 of the PROXY protocol cannot carry `unique_id`
         --> evenkeel.toml:8:44
          |
        8 | send_proxy = { version = 'v1', unique_id = true }
          |                                            ^^^^
          |
          = help: write `version = "v2"`, or leave `unique_id` out
    "##);
    assert_snapshot!(in_backend("send_proxy = true"), @r##"
        error: `send_proxy` must be "v1" or "v2", and is `true`
         --> evenkeel.toml:8:14
          |
        8 | send_proxy = true
          |              ^^^^
          |
          = help: write `send_proxy = "v2"`
    "##);
}

#[test]
fn ids_do_not_go_into_fields_of_the_protocol() {
    assert_snapshot!(in_frontend("request_id = 'Host'"), @r##"
        error: HTTP itself uses the field "Host"
         --> evenkeel.toml:5:14
          |
        5 | request_id = 'Host'
          |              ^^^^^^
          |
          = help: write a field for ids, such as "x-request-id", or "off"
    "##);
}

#[test]
fn a_program_gets_the_same_as_json() {
    let diagnostics = load(&BASE.replace("servers", "server")).expect_err("a mistake");
    assert_snapshot!(format!("{:#}", diagnostics.to_json()), @r##"
        [
          {
            "column": 1,
            "file": "evenkeel.toml",
            "help": "write `servers = [\"…\"]`",
            "line": 7,
            "message": "unknown key `server` in `[backend.app]`",
            "severity": "error"
          }
        ]
    "##);
}

#[test]
fn values_near_broken_syntax_are_not_reported() {
    assert_snapshot!(errors(&BASE.replace("[backend.app]", "[backend.app")), @r##"
        error: not TOML: unclosed table, expected `]`
         --> evenkeel.toml:6:13
          |
        6 | [backend.app
          |             ^
    "##);
    assert_snapshot!(errors(&BASE.replace("[backend.app]", "backend.app]")), @r##"
        error: not TOML: a key without `=`
         --> evenkeel.toml:6:12
          |
        6 | backend.app]
          |            ^
          |
          = help: the header of a table needs a bracket on both sides: `[name]`
    "##);
    assert_snapshot!(errors(
        &BASE.replace("\"127.0.0.1:8080\"", "\"\"\"127.0.0.1:8080")
    ), @r##"
        error: not TOML: invalid multi-line basic string, expected `"`
        --> evenkeel.toml:8:1
    "##);
    assert_snapshot!(errors(&format!("{BASE}\n[backend.app.servers]\na = 1")), @r##"
        error: `servers` is written twice
         --> evenkeel.toml:9:14
          |
        9 | [backend.app.servers]
          |              ^^^^^^^
          |
          = help: keep one of the two
    "##);
}

#[test]
fn a_text_needs_quotes() {
    assert_snapshot!(errors(
        &BASE
            .replace("\"127.0.0.1:8080\"", "127.0.0.1:8080")
            .replace("\"app\"", "app")
    ), @r##"
        error: not TOML: invalid float, expected nothing
         --> evenkeel.toml:3:15
          |
        3 | listen = 127.0.0.1:8080
          |               ^^^^^^^^^
          |
          = help: write text in double quotes, and numbers as digits only

        error: not TOML: string values must be quoted, expected literal string
         --> evenkeel.toml:4:11
          |
        4 | backend = app
          |           ^^^
          |
          = help: write text in double quotes, and numbers as digits only
    "##);
}

#[test]
fn words_of_haproxy_after_an_address_are_written_elsewhere() {
    assert_snapshot!(errors(
        "
[frontend.web]
mode = 'https'
listen = ':443 ssl crt /etc/a.pem'
backend = 'app'
redirect = 'https'
stick-table = 'ip'

[backend.app]
cookie = 'SRV'
on_marked_down = 'shutdown-sessions'
servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
"
    ), @r##"
        error: `mode` cannot be "https"
         --> evenkeel.toml:3:8
          |
        3 | mode = 'https'
          |        ^^^^^^^
          |
          = help: write `tls = "/path/to/fullchain.pem"` and leave `mode` out; to pass TLS on as it is, write `mode = "tcp"`

        error: ":443 ssl crt /etc/a.pem" has more than an address
         --> evenkeel.toml:4:10
          |
        4 | listen = ':443 ssl crt /etc/a.pem'
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `{ address = ":443", tls = "/etc/a.pem" }`

        error: unknown key `redirect` in `[frontend.web]`
         --> evenkeel.toml:6:1
          |
        6 | redirect = 'https'
          | ^^^^^^^^
          |
          = help: write a rule: `rule = [{ when = "not ssl_fc", redirect = { scheme = "https" } }]`

        error: unknown key `stick-table` in `[frontend.web]`
         --> evenkeel.toml:7:1
          |
        7 | stick-table = 'ip'
          | ^^^^^^^^^^^
          |
          = help: write a `[table.NAME]` at the top of the file, and a rule with `track = { table = "NAME", key = "src" }`

        error: unknown key `cookie` in `[backend.app]`
          --> evenkeel.toml:10:1
           |
        10 | cookie = 'SRV'
           | ^^^^^^
           |
           = help: stickiness does not exist yet: each request goes to the server whose turn it is, for every client

        error: unknown key `on_marked_down` in `[backend.app]`
          --> evenkeel.toml:11:1
           |
        11 | on_marked_down = 'shutdown-sessions'
           | ^^^^^^^^^^^^^^
           |
           = help: a server that goes down gets no new requests; those in flight run on until their own timeouts. This cannot be changed yet

        error: "10.0.0.1:80 check" has more than an address
          --> evenkeel.toml:12:12
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |            ^^^^^^^^^^^^^^^^^^^
           |
           = help: write `"10.0.0.1:80"`; write `health = "/path"` or `health = "tcp"` in the backend

        error: unknown key `ssl` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:60
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                            ^^^
           |
           = help: write `tls = true`

        error: unknown key `verify` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:72
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                                        ^^^^^^
           |
           = help: write it in `tls = { … }`

        error: unknown key `on-marked-down` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:89
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                                                         ^^^^^^^^^^^^^^
           |
           = help: a server that goes down gets no new requests; those in flight run on until their own timeouts. This cannot be changed yet
    "##);
}

#[test]
fn a_regular_expression_as_path_is_an_error() {
    for (path, said) in [
        (
            "^/foo/.*",
            "`\"/foo/*\"` matches `/foo` and everything below it",
        ),
        (
            "/foo/.*",
            "`\"/foo/*\"` matches `/foo` and everything below it",
        ),
        ("^/foo/?", "`\"/foo/*\"`"),
        ("^/foo", "`\"/foo/*\"`"),
        ("^/foo$", "`\"/foo\"` matches exactly that path"),
        ("^/api/v[0-9]+/x", "`\"/api/*\"`"),
        ("^/(a|b)", "`\"/*\"` matches all paths"),
        (r"\.php$", "`\"/start/*\"`"),
        ("~ ^/foo", "`\"/foo/*\"`"),
    ] {
        let route = format!("[[frontend.web.route]]\npath = '{path}'\nbackend = 'app'\n");
        let text = errors(&with_routes(&route));
        assert!(text.contains("looks like a regular expression"), "{text}");
        let said = format!("`path` is no regular expression (`path_regex` is): {said}");
        assert!(text.contains(&said), "{path}: {text}");
    }
    for path in ["/a.b", "/a+b", "/(a)", "/~me", "/$x"] {
        let route = format!("[[frontend.web.route]]\npath = '{path}'\nbackend = 'app'\n");
        assert_eq!(warnings(&with_routes(&route)), "", "{path}");
    }
}

#[test]
fn a_check_that_takes_longer_than_its_interval_is_warned_about() {
    let with_health = |health: &str| format!("{BASE}health = {{ {health} }}\n");
    assert_snapshot!(
        warnings(&with_health("path = '/', interval = '1s', timeout = '2s'")),
        @r##"
        warning: `timeout` of the check is longer than its `interval`
         --> evenkeel.toml:8:51
          |
        8 | health = { path = '/', interval = '1s', timeout = '2s' }
          |                                                   ^^^^
          |
          = help: a server has one check at a time: while one waits, the next ones are skipped, and the server goes down later than `interval` and `fall` say
    "##
    );
    for fine in [
        "interval = '1s', timeout = '1s'",
        "interval = '3s', fast_interval = '1s', timeout = '2s'",
    ] {
        assert_eq!(warnings(&with_health(fine)), "", "{fine}");
    }
}

#[test]
fn a_file_of_haproxy_gets_help_to_begin() {
    assert_snapshot!(errors(
        "[log]\nglobal\n  maxconn 100\nfrontend http\n  bind *:80\n  default_backend app\n"
    ), @r##"
        error: not TOML: a key without `=`
         --> evenkeel.toml:2:7
          |
        2 | global
          |       ^
          |
          = help: this is an haproxy.cfg: see conf/recipes/from-haproxy.toml

        error: not TOML: a key without `=`
         --> evenkeel.toml:3:11
          |
        3 |   maxconn 100
          |           ^
          |
          = help: write `key = value`

        error: not TOML: a key without `=`
         --> evenkeel.toml:4:10
          |
        4 | frontend http
          |          ^
          |
          = help: write `[frontend.NAME]` on a line of its own

        error: not TOML: a key without `=`
         --> evenkeel.toml:5:8
          |
        5 |   bind *:80
          |        ^
          |
          = help: write `listen = "…"`

        error: not TOML: a key without `=`
         --> evenkeel.toml:6:19
          |
        6 |   default_backend app
          |                   ^
          |
          = help: write `backend = "…"`
    "##);
}

#[test]
fn a_frontend_needs_a_name() {
    assert_snapshot!(errors(
        "[frontend]\nlisten = ':80'\n[backend]\nservers = 'a'"
    ), @r##"
        error: `[frontend]` contains one table for each frontend, and `listen` is not a table
         --> evenkeel.toml:2:1
          |
        2 | listen = ':80'
          | ^^^^^^
          |
          = help: write `[frontend.NAME]` above the keys of the frontend

        error: `[backend]` contains one table for each backend, and `servers` is not a table
         --> evenkeel.toml:4:1
          |
        4 | servers = 'a'
          | ^^^^^^^
          |
          = help: write `[backend.NAME]` above the keys of the backend
    "##);
    assert_snapshot!(errors("[[frontend]]\nname = 'a'"), @r##"
        error: `frontend` must be a table, and is a list
         --> evenkeel.toml:1:1
          |
        1 | [[frontend]]
          | ^^^^^^^^^^^^
          |
          = help: write `[frontend.NAME]`
    "##);
    assert_snapshot!(errors(
        &BASE.replace("[frontend.web]", "[frontend.\"a b\"]")
    ), @r##"
        error: "a b" cannot be the name of a frontend
         --> evenkeel.toml:2:11
          |
        2 | [frontend."a b"]
          |           ^^^^^
          |
          = help: a name has 1 to 128 visible ASCII characters, without quotes, backslashes and `%[`
    "##);
}

#[test]
fn upgrades_are_tokens_and_never_another_version_of_http() {
    assert_snapshot!(in_frontend("upgrades = ['h2c', 'web socket', 'x', 'X']"), @r##"
        error: clients could bypass all routes and limits by an upgrade to `h2c`
         --> evenkeel.toml:5:13
          |
        5 | upgrades = ['h2c', 'web socket', 'x', 'X']
          |             ^^^^^
          |
          = help: leave it out: Evenkeel does not look into a tunnel

        error: "web socket" is not the name of a protocol
         --> evenkeel.toml:5:20
          |
        5 | upgrades = ['h2c', 'web socket', 'x', 'X']
          |                    ^^^^^^^^^^^^
          |
          = help: write what clients send in the `Upgrade` field, such as `"websocket"`

        error: "X" is in the list twice
         --> evenkeel.toml:5:39
          |
        5 | upgrades = ['h2c', 'web socket', 'x', 'X']
          |                                       ^^^
          |
          = help: keep one of the two
    "##);
}

#[test]
fn tunnels_have_no_more_time_than_there_is() {
    assert_snapshot!(errors(&format!("{BASE}\n[shutdown]\ntimeout = '5s'\ntunnels = '10s'\n")), @r##"
        error: `tunnels` is longer than `timeout`, which closes all that is open after 5s
          --> evenkeel.toml:11:11
           |
        11 | tunnels = '10s'
           |           ^^^^^
           |
           = help: write a shorter `tunnels`, or a longer `timeout`
    "##);
}

#[test]
fn in_tcp_mode_there_are_no_requests() {
    assert_snapshot!(errors(
        "
[frontend.db]
mode = 'tcp'
listen = '127.0.0.1:5432'
http2 = { enabled = false }
header_case = 'title'
timeout = { client = '1m' }

[[frontend.db.route]]
host = 'db.example.com'
alpn = ''
"
    ), @r##"
        error: unknown key `http2` in `[frontend.db]`
         --> evenkeel.toml:5:1
          |
        5 | http2 = { enabled = false }
          | ^^^^^
          |
          = help: leave it out: in TCP mode there are no requests, only bytes

        error: unknown key `header_case` in `[frontend.db]`
         --> evenkeel.toml:6:1
          |
        6 | header_case = 'title'
          | ^^^^^^^^^^^
          |
          = help: leave it out: in TCP mode there are no fields that could be read or written

        error: unknown key `client` in `[frontend.db.timeout]`
         --> evenkeel.toml:7:13
          |
        7 | timeout = { client = '1m' }
          |             ^^^^^^
          |
          = help: write `tunnel`: for both directions together

        error: this route has no `backend`
         --> evenkeel.toml:9:1
          |
        9 | [[frontend.db.route]]
          | ^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write the backend for the connections that it matches: `backend = "…"`

        error: unknown key `host` in `[[frontend.db.route]]`
          --> evenkeel.toml:10:1
           |
        10 | host = 'db.example.com'
           | ^^^^
           |
           = help: write `sni`: the name that a client of TLS asks for

        error: `alpn = ""` is not a protocol name of ALPN
          --> evenkeel.toml:11:8
           |
        11 | alpn = ''
           |        ^^
           |
           = help: write a name such as "h2", "http/1.1" or "postgresql"
    "##);
}

#[test]
fn a_mistake_that_is_found_later_shows_its_line_too() {
    let loaded = load(BASE).expect("no mistakes");
    let at = &loaded.plan.frontends[0].binds[0].at;
    let mut diagnostics = loaded.warnings.empty_over_same_text();
    diagnostics.push(Diagnostic::at(
        at,
        "port 8080 is in use",
        "stop what uses it",
    ));
    diagnostics.push(Diagnostic::at(
        &Position::built_in(),
        "the default is in use",
        "",
    ));
    assert!(diagnostics.has_errors());
    assert_snapshot!(diagnostics, @r##"
        error: port 8080 is in use
         --> evenkeel.toml:3:10
          |
        3 | listen = "127.0.0.1:8080"
          |          ^^^^^^^^^^^^^^^^
          |
          = help: stop what uses it

        error: the default is in use
        --> <built in>:1:1
    "##);
}

#[test]
fn colors_are_there_when_they_are_wanted() {
    let diagnostics = load(&BASE.replace("servers", "server")).expect_err("a mistake");
    assert!(diagnostics.render(Color::Always).contains('\u{1b}'));
    assert!(!diagnostics.render(Color::Never).contains('\u{1b}'));
}

#[test]
fn tls_without_a_certificate_has_help() {
    assert_snapshot!(in_frontend("tls = true"), @r##"
        error: `tls` must be a path or a table with `certificates`, and is `true`
         --> evenkeel.toml:5:7
          |
        5 | tls = true
          |       ^^^^
          |
          = help: write `tls = "/path/to/fullchain.pem"`, or leave `tls` out for clear text
    "##);
    assert_snapshot!(in_frontend("tls = { strict_sni = true }"), @r##"
        error: `[frontend.web.tls]` has no `certificates`
         --> evenkeel.toml:5:7
          |
        5 | tls = { strict_sni = true }
          |       ^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `certificates = ["/path/to/fullchain.pem"]`, or the path of a directory
    "##);
    assert_snapshot!(in_frontend("tls = { certificates = [] }"), @r##"
        error: `certificates` is an empty list
         --> evenkeel.toml:5:24
          |
        5 | tls = { certificates = [] }
          |                        ^^
          |
          = help: write at least one file: `certificates = ["/path/to/fullchain.pem"]`
    "##);
    assert_snapshot!(in_frontend("tls = { certificates = { certificate = '/a.pem' } }"), @r##"
        error: this certificate has no `key`
         --> evenkeel.toml:5:24
          |
        5 | tls = { certificates = { certificate = '/a.pem' } }
          |                        ^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write both: `{ certificate = "fullchain.pem", key = "privkey.pem" }`
    "##);
}

#[test]
fn rules_of_tls_are_checked() {
    assert_snapshot!(
        in_frontend("tls = { certificates = '/a.pem', min_version = 'TLSv1.1', alpn = ['h3'] }"),
        @r##"
        error: `min_version` cannot be "TLSv1.1"
         --> evenkeel.toml:5:48
          |
        5 | tls = { certificates = '/a.pem', min_version = 'TLSv1.1', alpn = ['h3'] }
          |                                                ^^^^^^^^^
          |
          = help: write `"1.2"`; known are `1.2`, `1.3`

        error: `alpn` cannot be "h3"
         --> evenkeel.toml:5:67
          |
        5 | tls = { certificates = '/a.pem', min_version = 'TLSv1.1', alpn = ['h3'] }
          |                                                                   ^^^^
          |
          = help: write `"h2"`; known are `h2`, `http/1.1`
    "##
    );
    assert_snapshot!(
        in_frontend("http2 = { enabled = false }\ntls = { certificates = '/a.pem', alpn = 'h2' }"),
        @r##"
        error: `alpn` offers "h2", and this frontend has `http2 = { enabled = false }`
         --> evenkeel.toml:6:41
          |
        6 | tls = { certificates = '/a.pem', alpn = 'h2' }
          |                                         ^^^^
          |
          = help: leave "h2" out, or remove `enabled = false`
    "##
    );
    assert_snapshot!(
        in_frontend("tls = { certificates = '/a.pem', client_auth = 'required' }"),
        @r##"
        error: `client_auth` must be a table, or "off", and is the string "required"
         --> evenkeel.toml:5:48
          |
        5 | tls = { certificates = '/a.pem', client_auth = 'required' }
          |                                                ^^^^^^^^^^
          |
          = help: write `client_auth = { mode = "required", ca = "/path/to/ca.pem" }`
    "##
    );
    assert_snapshot!(
        in_frontend("tls = { certificates = '/a.pem', client_auth = { mode = 'required' } }"),
        @r##"
        error: `client_auth` has no `ca` to verify client certificates with
         --> evenkeel.toml:5:48
          |
        5 | tls = { certificates = '/a.pem', client_auth = { mode = 'required' } }
          |                                                ^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `ca = "/path/to/ca.pem"`
    "##
    );
    assert_snapshot!(
        in_frontend(
            "[frontend.web.tls]\ncertificates = '/a.pem'\ndefault = '*.a.test'\n\
             [frontend.web.tls.names]\n'A.test' = {}\n'a.test' = {}\n'*' = {}"
        ),
        @r##"
        error: `default = "*.a.test"` is not a host name
         --> evenkeel.toml:7:11
          |
        7 | default = '*.a.test'
          |           ^^^^^^^^^^
          |
          = help: write a host name that is in one of the certificates, such as "www.example.com"

        warning: this name has no keys, so it changes nothing
         --> evenkeel.toml:9:1
          |
        9 | 'A.test' = {}
          | ^^^^^^^^
          |
          = help: write what is different for this name, such as `client_auth`, or leave the name out

        error: this name is in `names` twice
          --> evenkeel.toml:10:1
           |
         9 | 'A.test' = {}
           | -------- the other is here
        10 | 'a.test' = {}
           | ^^^^^^^^
           |
           = help: upper and lower case are the same in host names; keep one of the two

        error: "*" would match all names
          --> evenkeel.toml:11:1
           |
        11 | '*' = {}
           | ^^^
           |
           = help: write keys for all names in the `tls` table itself
    "##
    );
}

#[test]
fn a_route_cannot_require_what_clients_are_not_asked_for() {
    let route = "[[frontend.web.route]]\nclient_certificate = 'required'\nbackend = 'app'\n";
    assert_snapshot!(errors(&with_routes(route)), @r##"
        error: route `1` requires a client certificate, and `[frontend.web]` does not ask clients for one
         --> evenkeel.toml:6:1
          |
        6 | [[frontend.web.route]]
          | ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `tls = { certificates = …, client_auth = { mode = "optional", ca = … } }`
    "##);
}

#[test]
fn a_field_of_the_protocol_cannot_tell_of_a_certificate() {
    assert_snapshot!(
        in_frontend("forwarding = { client_certificate = { subject = 'Host', sans = 'a b' } }"),
        @r##"
        error: HTTP itself uses the field "Host"
         --> evenkeel.toml:5:49
          |
        5 | forwarding = { client_certificate = { subject = 'Host', sans = 'a b' } }
          |                                                 ^^^^^^
          |
          = help: write a field of your own, such as "x-client-subject"

        error: "a b" is not a valid field name
         --> evenkeel.toml:5:64
          |
        5 | forwarding = { client_certificate = { subject = 'Host', sans = 'a b' } }
          |                                                                ^^^^^
          |
          = help: write a field of your own, such as "x-client-sans"
    "##
    );
}

#[test]
fn tls_towards_servers_says_what_contradicts_itself() {
    assert_snapshot!(
        in_backend("tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }"),
        @r##"
        warning: `verify = "none"`: an attacker on the network can pose as the servers, read and change everything
         --> evenkeel.toml:8:18
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                  ^^^^^^
          |
          = help: name the CA that has signed the servers' certificates: `ca = "/path/to/ca.pem"`

        error: `ca` has no effect: with `verify = "none"` no certificate is verified
         --> evenkeel.toml:8:31
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                               ^^^^^^^
          |
          = help: leave one of them out

        error: `verify_name` has no effect: with `verify = "none"` no certificate is verified
         --> evenkeel.toml:8:54
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                      ^^^
          |
          = help: leave one of them out

        error: `key` has no effect without `certificate`
         --> evenkeel.toml:8:65
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                                 ^^^^^^^
          |
          = help: write both, or leave `key` out

        error: `sni = "a b"` is not a host name
         --> evenkeel.toml:8:80
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                                                ^^^^^
          |
          = help: write `"host"` for the request's host, `"server"` for the server's `name`, `"off"`, or a host name
    "##
    );
}

#[test]
fn a_fingerprint_stands_alone() {
    assert_snapshot!(
        in_backend("tls = { fingerprint = 'sha256:aa', ca = 'a.pem', verify_name = 'x' }"),
        @r##"
        error: "sha256:aa" is not the SHA-256 of a certificate
         --> evenkeel.toml:8:23
          |
        8 | tls = { fingerprint = 'sha256:aa', ca = 'a.pem', verify_name = 'x' }
          |                       ^^^^^^^^^^^
          |
          = help: write `"sha256:…"` with the 64 digits that `openssl x509 -noout -fingerprint -sha256 -in FILE` shows

        error: `ca` has no effect: with `fingerprint` the certificates themselves are trusted
         --> evenkeel.toml:8:41
          |
        8 | tls = { fingerprint = 'sha256:aa', ca = 'a.pem', verify_name = 'x' }
          |                                         ^^^^^^^
          |
          = help: leave one of them out

        error: `verify_name` has no effect: with `fingerprint` no name is checked
         --> evenkeel.toml:8:64
          |
        8 | tls = { fingerprint = 'sha256:aa', ca = 'a.pem', verify_name = 'x' }
          |                                                                ^^^
          |
          = help: leave one of them out
    "##
    );
}

#[test]
fn a_check_under_tls_needs_a_name_to_ask_by() {
    assert_snapshot!(in_backend("tls = true\nhealth = '/'"), @r##"
        error: checks over TLS need a host name: by default `sni` is the request's host, and a check has none
         --> evenkeel.toml:9:10
          |
        9 | health = '/'
          |          ^^^
          |
          = help: write `host = "app.example.com"` in `health`, or `sni = "app.example.com"` in `tls`
    "##);
}

#[test]
fn files_for_certificates_that_clients_are_not_asked_for_are_warned_about() {
    let tls = "tls = { certificates = '/a.pem', client_auth = { mode = 'off', ca = '/ca.pem' } }\n";
    let key = "backend = \"app\"\n";
    let text = BASE.replacen(key, &format!("{key}{tls}"), 1);
    assert_snapshot!(warnings(&text), @r##"
        warning: these files have no effect: with `mode = "off"` clients are not asked for a certificate
         --> evenkeel.toml:5:69
          |
        5 | tls = { certificates = '/a.pem', client_auth = { mode = 'off', ca = '/ca.pem' } }
          |                                                                     ^^^^^^^^^
          |
          = help: write `mode = "required"` or `"optional"`, or leave them out
    "##);
}

#[test]
fn a_name_without_rules_of_its_own_is_warned_about_unless_a_wildcard_has_some() {
    let with = |names: &str| {
        let tls = format!("tls = {{ certificates = '/a.pem', names = {{ {names} }} }}\n");
        let key = "backend = \"app\"\n";
        warnings(&BASE.replacen(key, &format!("{key}{tls}"), 1))
    };
    assert_snapshot!(with("'a.test' = {}, '*.b.test' = { min_version = '1.3' }"), @r##"
        warning: this name has no keys, so it changes nothing
         --> evenkeel.toml:5:44
          |
        5 | tls = { certificates = '/a.pem', names = { 'a.test' = {}, '*.b.test' = { min_version = '1.3' } } }
          |                                            ^^^^^^^^
          |
          = help: write what is different for this name, such as `client_auth`, or leave the name out
    "##);
    let with_wildcard = "'a.b.test' = {}, '*.b.test' = { min_version = '1.3' }";
    assert_eq!(with(with_wildcard), "");
    let deeper = "'a.c.b.test' = {}, '*.b.test' = { min_version = '1.3' }";
    assert!(with(deeper).contains("this name has no keys"));
}

#[test]
fn keys_of_requests_are_warned_about_where_only_connections_go() {
    let with = |backend: &str, frontends: &str| {
        warnings(&format!(
            "[frontend.tls]\nlisten = ':443'\nmode = 'tcp'\nbackend = 'app'\n{frontends}\
             [backend.app]\nservers = '10.0.0.1:443'\n{backend}"
        ))
    };
    let both = "protocol = 'h2'\nheader_case = 'title'\n";
    assert_snapshot!(with(both, ""), @r##"
        warning: `protocol` has no effect: only frontends in TCP mode use the backend `app`
         --> evenkeel.toml:7:12
          |
        7 | protocol = 'h2'
          |            ^^^^
          |
          = help: leave it out: in TCP mode client and server choose the protocol themselves

        warning: `header_case` has no effect: only frontends in TCP mode use the backend `app`
         --> evenkeel.toml:8:15
          |
        8 | header_case = 'title'
          |               ^^^^^^^
          |
          = help: leave it out: in TCP mode client and server choose the protocol themselves
    "##);
    // The defaults.
    assert_eq!(with("protocol = 'auto'\nheader_case = 'lower'\n", ""), "");
    // A check uses it.
    assert_eq!(with("protocol = 'h2'\nhealth = '/'\n", ""), "");
    let more = "rule = [{ del_header = 'x-a' }]\nretry = { on = ['connect', 503] }\n";
    assert_snapshot!(with(more, ""), @r##"
        warning: `rule` has no effect: only frontends in TCP mode use the backend `app`
         --> evenkeel.toml:7:8
          |
        7 | rule = [{ del_header = 'x-a' }]
          |        ^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: leave it out: in TCP mode there are no requests, only bytes

        warning: `retry.on` has no effect: only frontends in TCP mode use the backend `app`
         --> evenkeel.toml:8:16
          |
        8 | retry = { on = ['connect', 503] }
          |                ^^^^^^^^^^^^^^^^
          |
          = help: leave the statuses out: in TCP mode there are no answers, only bytes
    "##);
    assert_eq!(with("retry = { on = ['connect'] }\n", ""), "");
    let http = "[frontend.web]\nlisten = ':80'\nbackend = 'app'\n";
    assert_eq!(with(&format!("{both}{more}"), http), "");
}

#[test]
fn a_route_of_connections_that_never_matches_is_warned_about() {
    let with = |routes: &[&str]| {
        let routes = routes
            .iter()
            .map(|route| format!("[[frontend.tls.route]]\n{route}\nbackend = 'app'\n"));
        let routes: String = routes.collect();
        warnings(&format!(
            "[frontend.tls]\nlisten = ':443'\nmode = 'tcp'\n{routes}\
             [backend.app]\nservers = '10.0.0.1:443'\n"
        ))
    };
    assert_snapshot!(with(&["sni = '*'", "sni = 'a.test'"]), @r##"
        warning: route `2` never matches
         --> evenkeel.toml:7:1
          |
        4 | [[frontend.tls.route]]
          | ---------------------- route `1` matches all its connections first
        ...
        7 | [[frontend.tls.route]]
          | ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: the first match wins: put the narrower route first
    "##);
    for (earlier, later) in [
        ("sni = 'a.test'", "sni = 'A.test'"),
        ("sni = '*.test'", "sni = ['a.test', '*.b.test']"),
        ("sni = 'a.test'", "sni = 'a.test'\nalpn = 'h2'"),
        ("alpn = ['h2', 'x']", "sni = 'a.test'\nalpn = 'h2'"),
    ] {
        assert!(
            with(&[earlier, later]).contains("route `2` never matches"),
            "{later}"
        );
    }
    for (earlier, later) in [
        ("sni = 'a.test'", "sni = ['a.test', 'b.test']"),
        ("sni = '*.test'", "sni = 'test'"),
        ("sni = 'a.test'\nalpn = 'h2'", "sni = 'a.test'"),
        ("sni = 'a.test'", "alpn = 'h2'"),
        ("sni = 'a.test'", "sni = '*'"),
    ] {
        assert_eq!(with(&[earlier, later]), "", "{later}");
    }
}

#[test]
fn a_mistake_in_a_condition_is_shown_at_its_character() {
    let route = |when: &str| {
        errors(&with_routes(&format!(
            "[[frontend.web.route]]\nwhen = {when}\nbackend = 'app'\n"
        )))
    };
    let text = route(r#"'path == "/a" and req.hdrr(host)'"#);
    let said = "unknown fetch `req.hdrr`, did you mean `req.hdr`?\n --> evenkeel.toml:7:26\n  |\n\
                7 | when = 'path == \"/a\" and req.hdrr(host)'\n  |                          ^^^^^^^^\n";
    assert!(text.contains(said), "{text}");
    let text = route(r#""path == \"/a\" && ssl_fc""#);
    assert!(text.contains("evenkeel.toml:7:24\n"), "{text}");
    // The value of a variable may be a secret.
    let text = route("'path == ${TOKEN}'");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn names_of_fields_that_cannot_be_set_are_explained() {
    assert_snapshot!(in_frontend("forwarding = { trusted_only = ['x-forwarded-for', 'host', 'x y', 'x-a', 'X-A'] }"), @r##"
        error: "x-forwarded-for" is always replaced for clients that are not trusted
         --> evenkeel.toml:5:32
          |
        5 | forwarding = { trusted_only = ['x-forwarded-for', 'host', 'x y', 'x-a', 'X-A'] }
          |                                ^^^^^^^^^^^^^^^^^
          |
          = help: leave it out: `x_forwarded` and `forwarded` say what servers get instead

        error: HTTP itself uses the field "host"
         --> evenkeel.toml:5:51
          |
        5 | forwarding = { trusted_only = ['x-forwarded-for', 'host', 'x y', 'x-a', 'X-A'] }
          |                                                   ^^^^^^
          |
          = help: leave it out: requests of all clients have it

        error: "x y" is not a valid field name
         --> evenkeel.toml:5:59
          |
        5 | forwarding = { trusted_only = ['x-forwarded-for', 'host', 'x y', 'x-a', 'X-A'] }
          |                                                           ^^^^^
          |
          = help: write the name of a request field, such as "x-real-ip"

        error: "X-A" is in the list twice
         --> evenkeel.toml:5:73
          |
        5 | forwarding = { trusted_only = ['x-forwarded-for', 'host', 'x y', 'x-a', 'X-A'] }
          |                                                                         ^^^^^
          |
          = help: keep one of the two
    "##);
    assert_snapshot!(in_frontend("field_names = 'strip'"), @r##"
        error: `field_names` cannot be "strip"
         --> evenkeel.toml:5:15
          |
        5 | field_names = 'strip'
          |               ^^^^^^^
          |
          = help: known are `pass`, `drop`, `reject`
    "##);
    assert_snapshot!(in_frontend("underscores_in_headers = 'off'"), @r##"
        error: unknown key `underscores_in_headers` in `[frontend.web]`
         --> evenkeel.toml:5:1
          |
        5 | underscores_in_headers = 'off'
          | ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: write `field_names`: "pass", "drop" or "reject"
    "##);
}

#[test]
fn a_message_quotes_only_the_beginning_of_what_is_long() {
    let long = "é".repeat(1 << 20);
    let cut = &long[..9_000];
    let text = |lines: &str| {
        let lines = format!("backend = \"app\"\n{lines}\n");
        BASE.replace("backend = \"app\"\n", &lines)
    };
    let route = "[[frontend.web.route]]\nbackend = \"app\"";
    let backend = "[backend.b]\nservers = [\"10.0.0.1:80\"]";
    for lines in [
        format!("mode = \"{long}\""),
        format!("max_connections = \"{long}\""),
        format!("timeout.head = \"{long}\""),
        format!("limits.head = \"{long}\""),
        format!("upgrades = [\"{long}\"]"),
        format!("trusted_proxies = [\"{long}\"]"),
        format!("client_field = \"{long}\""),
        format!("socket_mode = \"{long}\""),
        format!("\"{long}\" = true"),
        format!("{route}\nhost = \"/{long}\""),
        format!("{route}\npath = \"{long}\""),
        format!("{route}\nwhen = \"{long}\""),
        format!("{route}\nwhen = \"src == '{cut}'\""),
        format!("{route}\nwhen = \"path,field({cut},/) == 'a'\""),
        format!("[[frontend.web.route]]\nbackend = \"{long}\""),
        format!("[backend.\"{long}\"]\nservers = [\"10.0.0.1:80\"]"),
        format!("[backend.b]\nservers = [\"{long}\"]"),
        format!("{backend}\nhealth = \"{long}\""),
        format!("{backend}\nhealth.path = \"{long}\""),
    ] {
        let name: String = lines.chars().take(60).collect();
        let said = errors(&text(&lines));
        assert!(said.starts_with("error: "), "{name}");
        assert!(said.len() < 16 << 10, "{name}: {} bytes", said.len());
    }
}

#[test]
fn constants_that_can_never_work_are_refused_when_they_are_loaded() {
    for (action, said) in [
        (
            r#"set_header = { x-a = "b\nc" }"#,
            "the value of `x-a` has a line break",
        ),
        (
            r#"set_header = { x-a = "%[path]\u0000b" }"#,
            "the value of `x-a` has a control character",
        ),
        (r#"add_header = { x-a = "b\rc" }"#, "has a line break"),
        (
            r#"early_hint = { link = "b\nc" }"#,
            "the value of `link` has a line break",
        ),
        (
            r#"deny = { headers = { x-a = "b\nc" } }"#,
            "the value of `x-a` has a line break",
        ),
        (
            r#"return = { content_type = "a\nb", body = "" }"#,
            "the value of `content-type` has a line break",
        ),
        (
            r#"replace_value = { name = "x-a", match = "b", with = "c\nd" }"#,
            "has a line break",
        ),
        (
            "set_header = { host = 'a b' }",
            "the value of `host` is not a host",
        ),
        (
            "set_header = { host = '' }",
            "the value of `host` is not a host",
        ),
        ("set_method = ''", "an empty text is not a method"),
        ("set_method = 'A B'", "`A B` is not a valid method"),
        ("set_path = ''", "write `set_path = \"/\"`"),
        ("set_pathq = ''", "write `set_pathq = \"/\"`"),
        (r#"set_path = "/a\n""#, "a target cannot have a line break"),
        (
            r#"set_query = "a\u0000%[src]""#,
            "a target cannot have a control character",
        ),
        (
            r#"replace_path = { match = "a", with = "/\n" }"#,
            "a target cannot have a line break",
        ),
        (
            "set_uri = ''",
            "a URI begins with `/`, `http://` or `https://`",
        ),
        (
            "set_uri = '*a'",
            "a URI begins with `/`, `http://` or `https://`",
        ),
        (
            "set_uri = '*'",
            "only requests with OPTIONS have the target `*`",
        ),
        (
            "set_uri = 'http:///a'",
            "the host of this URI is not a host",
        ),
        (
            "redirect = { location = '' }",
            "an empty `location` leads to the same page again",
        ),
        (
            "redirect = { prefix = '' }",
            "an empty `prefix` leads to the same page again",
        ),
        (
            "redirect = { scheme = 'https://' }",
            "write `scheme = \"https\"`",
        ),
        (
            "on = 'response', set_status = 206",
            "`set_status` cannot make a part (206)",
        ),
        (
            "set_header = { x-a = '%[path,field(0,/)]' }",
            "`index` must be a whole number other than 0, and is `0`",
        ),
        (
            "set_header = { x-a = '%[path,word(0,/)]' }",
            "`index` must be a whole number other than 0, and is `0`",
        ),
        (
            "set_header = { x-a = '%[path,word(1,\"\")]' }",
            "`delimiters` must be a text that is not empty",
        ),
        (
            "set_header = { x-a = '%[src,be2dec(:,0)]' }",
            "`size` must be a whole number from 1 to 8, and is `0`",
        ),
        (
            "set_header = { x-a = '%[src,be2dec(:,9)]' }",
            "`size` must be a whole number from 1 to 8, and is `9`",
        ),
        (
            "set_header = { x-a = '%[src,be2dec(:,8,2)]' }",
            "`truncate` must be a whole number from 0 to 1, and is `2`",
        ),
        (
            "set_header = { x-a = '%[src,be2hex(:,-1)]' }",
            "`size` must be a whole number from 0 on, and is `-1`",
        ),
        (
            "set_header = { x-a = '%[src,be2hex(:,0)]' }",
            "`be2hex` needs a `size` from 1 on if it has another argument",
        ),
        (
            "set_header = { x-a = '%[src,be2hex(:)]' }",
            "`be2hex` needs a `size` from 1 on if it has another argument",
        ),
        (
            "set_header = { x-a = '%[src,be2hex(,,1)]' }",
            "`be2hex` needs a `size` from 1 on if it has another argument",
        ),
        (
            "set_header = { x-a = '%[rand(0)]' }",
            "`range` must be a whole number from 1 on, and is `0`",
        ),
    ] {
        let found = in_frontend(&format!("rule = [{{ {action} }}]"));
        assert!(found.contains(said), "{action}: {found}");
        assert_eq!(found.matches("error: ").count(), 1, "{action}: {found}");
    }
    for action in [
        // Space around a value is removed, as that of a text over several lines.
        r#"set_header = { x-a = "b\n" }"#,
        "set_query = ''",
        "when = 'method == \"OPTIONS\"', set_uri = '*'",
        "set_header = { host = 'a:81' }",
        "set_uri = 'http://a:81/b?c'",
    ] {
        let found = in_frontend(&format!("rule = [{{ {action} }}]"));
        assert!(found.starts_with("no error"), "{action}: {found}");
    }
}

#[test]
fn names_of_converters_elsewhere_are_translated() {
    for (written, ours) in [
        ("b64", "base64"),
        ("base64_decode", "b64dec"),
        ("sha256", "sha2(256)"),
        ("toupper", "upper"),
        ("gsub(a,b)", "regsub(regex,replacement,g)"),
    ] {
        let rule = format!("rule = [{{ set_header = {{ x-a = '%[path,{written}]' }} }}]");
        let found = in_frontend(&rule);
        let said = format!("did you mean `{ours}`?");
        assert!(found.contains(&said), "{written}: {found}");
    }
}

#[test]
fn mistakes_in_rules_are_reported_once_and_in_their_words() {
    for (line, said) in [
        (
            "rule = [{ set-header = { x-a = 'b' } }]",
            &["unknown key `set-header`, did you mean `set_header`?"][..],
        ),
        ("rule = [{ when = 'ssl_fc' }]", &["this rule does nothing"]),
        (
            "rule = [{ set_var = { txn.a = 'src' } }]",
            &["the name of the variable `txn.…` is not in quotes"],
        ),
        (
            "rule = [{ deny = 403, pause = '1s' }]",
            &["a rule has one action, and this one has `deny` and `pause`"],
        ),
        (
            "rule = [{ redirect = { code = 301 } }]",
            &[
                "this redirect leads nowhere",
                "unknown key `code` in `[frontend.web.rule.redirect]`",
            ],
        ),
        (
            "rule = [{ on = 'response', set_path = '/a' }]",
            &["`set_path` cannot run with `on = \"response\"`"],
        ),
        (
            "rule = [{ on = 'response', set_path = '%[path]a' }]",
            &["`set_path` cannot run with `on = \"response\"`"],
        ),
        (
            "rule = [{ on = 'response', when = 'path == \"/\"', deny = 403 }]",
            &["`path` is not known here any more"],
        ),
        (
            "rule = [{ set_header = { x-forwarded-for = '%[src]' } }]",
            &["Evenkeel itself writes `x-forwarded-for`, after all rules"],
        ),
    ] {
        let found = in_frontend(line);
        let messages: Vec<&str> = found
            .lines()
            .filter_map(|line| line.strip_prefix("error: "))
            .collect();
        assert_eq!(messages, said, "{found}");
    }
}

#[test]
fn a_rule_chooses_a_server_that_its_backend_has() {
    let servers = "servers = ['10.0.0.1:80', { name = 'canary', address = '10.0.0.2:80' }]";
    for (lines, said) in [
        (
            format!("[backend.b]\n{servers}\nrule = [{{ use_server = 'canry' }}]"),
            &[
                "`[backend.b]` has no server `canry`",
                "did you mean `canary`?",
            ][..],
        ),
        (
            format!("[backend.b]\n{servers}\nrule = [{{ use_server = '10.0.0.2:80' }}]"),
            &["`[backend.b]` has no server `10.0.0.2:80`"],
        ),
        (
            format!(
                "[backend.b]\n{servers}\nrule = [{{ on = 'response', use_server = 'canary' }}]"
            ),
            &["`use_server` cannot run with `on = \"response\"`"],
        ),
        (
            format!("[backend.b]\n{servers}\nrule = [{{ use_server = 'a b' }}]"),
            &["\"a b\" cannot be the name of a server"],
        ),
        (
            format!("[backend.b]\n{servers}\nrule = [{{ use-server = 'canary' }}]"),
            &["unknown key `use-server`, did you mean `use_server`?"],
        ),
        (
            "[[frontend.web.rule]]\nuse_server = '10.0.0.1:80'".to_owned(),
            &[
                "`use_server` belongs to the rules of a backend, which has the server",
                "write a `[[backend.NAME.rule]]` with it and with the same `when`",
            ],
        ),
        (
            "[[frontend.web.route]]\nbackend = 'app'\nrule = [{ use_server = '10.0.0.1:80' }]"
                .to_owned(),
            &["`use_server` belongs to the rules of a backend, which has the server"],
        ),
    ] {
        let found = errors(&format!("{BASE}\n{lines}"));
        for said in said {
            assert!(found.contains(said), "{lines}:\n{found}");
        }
        assert_eq!(found.matches("error: ").count(), 1, "{found}");
    }
}

#[test]
fn servers_without_weight_serve_if_a_rule_chooses_one() {
    let text = BASE.replace(
        "[\"10.0.0.1:80\"]",
        "{ name = 'a', address = '10.0.0.1:80', weight = 0 }",
    );
    assert!(warnings(&text).contains("has only servers of weight 0"));
    assert_eq!(
        warnings(&format!("{text}rule = {{ use_server = 'a' }}")),
        ""
    );
}

#[test]
fn a_route_of_connections_can_only_ask_what_is_known_of_them() {
    for (route, said) in [
        (
            "when = 'ssl_fc_sni == \"a\"'",
            "`ssl_fc_sni` is not known here: the connection is passed on as it is",
        ),
        (
            "when = 'path == \"/\"'",
            "`path` is not known here: the connection is passed on as it is",
        ),
        (
            "name = 'all'",
            "a route of `passthrough` without `sni`, `alpn` and `when` would match every connection",
        ),
    ] {
        let found = in_frontend(&format!(
            "tls = '/a.pem'\npassthrough = [{{ {route}, backend = 'app' }}]"
        ));
        let messages: Vec<&str> = found
            .lines()
            .filter_map(|line| line.strip_prefix("error: "))
            .collect();
        assert_eq!(messages, [said], "{found}");
    }
}

#[test]
fn a_rule_cannot_set_a_field_that_evenkeel_writes_after_it() {
    for (lines, field, without) in [
        ("", "x-forwarded-for", "forwarding.x_forwarded = false"),
        ("", "x-forwarded-host", "forwarding.x_forwarded = false"),
        ("", "x-forwarded-proto", "forwarding.x_forwarded = false"),
        ("forwarding.forwarded = true", "forwarded", ""),
        ("", "x-request-id", "request_id = 'off'"),
        ("request_id = 'x-trace'", "x-trace", ""),
        ("forwarding.client_certificate.subject = 'x-dn'", "x-dn", ""),
        ("forwarding.client_certificate.sans = 'x-san'", "x-san", ""),
    ] {
        for action in ["set_header", "add_header"] {
            let rule = |on: &str| format!("rule = [{{ on = '{on}', {action}.{field} = 'a' }}]");
            let of_route = "[[frontend.web.route]]\nbackend = 'app'\npath = '/a'";
            for rule in [rule("request"), format!("{of_route}\n{}", rule("request"))] {
                let said = in_frontend(&format!("{lines}\n{rule}"));
                let message = format!("error: Evenkeel itself writes `{field}`, after all rules\n");
                assert!(said.starts_with(&message), "{rule}: {said}");
                assert_eq!(said.matches("error: ").count(), 1, "{said}");
            }
            // If Evenkeel does not write it, and in responses, a rule can.
            for lines in [
                format!("{without}\n{}", rule("request")),
                format!("{lines}\n{}", rule("response")),
            ] {
                let text = BASE.replacen(
                    "backend = \"app\"\n",
                    &format!("backend = \"app\"\n{lines}\n"),
                    1,
                );
                assert_eq!(warnings(&text), "", "{lines}");
            }
        }
    }
}

#[test]
fn a_rule_of_a_backend_is_warned_about_that_never_runs() {
    let rules = "rule = [{ deny = 403 }, { set_header.x-a = 'b' }]";
    let said = warnings(&format!("{BASE}{rules}\n"));
    assert_eq!(
        said.matches("warning: this rule never runs").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_rule_of_a_backend_is_warned_about_that_sets_a_field_which_any_frontend_writes() {
    let other = "[frontend.other]\nlisten = ':81'\nbackend = 'app'\nrequest_id = 'x-trace'\n";
    let with = |field: &str| {
        warnings(&format!(
            "{BASE}rule = [{{ set_header.{field} = 'a' }}]\n{other}"
        ))
    };
    for field in ["x-forwarded-for", "x-request-id", "x-trace"] {
        let said = with(field);
        let message =
            format!("warning: a frontend writes `{field}` after the rules of the backend `app`\n");
        assert!(said.starts_with(&message), "{said}");
        assert_eq!(said.matches("warning: ").count(), 1, "{said}");
    }
    assert_eq!(with("x-other"), "");
}

#[test]
fn words_of_haproxy_for_tls_and_checks_of_a_server_have_an_answer() {
    for (servers, help) in [
        (
            "['10.0.0.1:80 ssl verify none']",
            "tls = { verify = \"none\" } }`",
        ),
        (
            "['10.0.0.1:80 no-check-ssl']",
            "health = { tls = false } }`",
        ),
        (
            "['10.0.0.1:80 addr 10.0.0.2 port 81']",
            "health = { address = \"10.0.0.2\", port = 81 } }`",
        ),
        (
            "[{ address = '10.0.0.1:80', no-ssl = true }]",
            "write `tls = false`",
        ),
        (
            "[{ address = '10.0.0.1:80', check-ssl = true }]",
            "write `health = { tls = true }`",
        ),
        (
            "[{ address = '10.0.0.1:80', check-sni = 'a' }]",
            "write `health = { tls = { sni = \"…\" } }`",
        ),
        (
            "[{ address = '10.0.0.1:80', addr = '10.0.0.2' }]",
            "or `health = { address = \"…\" }`",
        ),
        (
            "[{ address = '10.0.0.1:80', port = 81 }]",
            "or `health = { port = … }`",
        ),
        (
            "['10.0.0.1:80']\nhealth = { check-ssl = true }",
            "write `tls = true`",
        ),
    ] {
        let said = errors(&BASE.replace("[\"10.0.0.1:80\"]", servers));
        assert!(said.contains(help), "{servers}: {said}");
    }
}

#[test]
fn a_check_needs_a_host_name_only_where_it_asks_by_one() {
    for servers in [
        "[{ address = '10.0.0.1:80', tls = false }]\ntls = true\nhealth = '/'",
        "[{ address = '10.0.0.1:80', health = { tls = false } }]\ntls = true\nhealth = '/'",
        "['10.0.0.1:80']\ntls = true\nhealth = { path = '/', tls = false }",
        "['10.0.0.1:80']\ntls = true\nhealth = { path = '/', tls = { sni = 'a.example' } }",
        "[{ address = '10.0.0.1:80', tls = true }]\nhealth = { path = '/', tls = false }",
        "[{ address = '10.0.0.1:80', tls = true, health = { tls = false } }]\nhealth = '/'",
        "[{ address = '10.0.0.1:80', tls = true }]\nhealth = 'tcp'",
        // `sni` is for the servers that have no `tls` of their own.
        "[{ address = '10.0.0.1:80', tls = false }, { name = 'a.example', address = '10.0.0.2:80' }]\n\
         tls = { sni = 'server' }\nhealth = '/'",
    ] {
        let text = BASE.replace("[\"10.0.0.1:80\"]", servers);
        assert_eq!(warnings(&text), "", "{servers}");
    }
}

#[test]
fn settings_of_one_server_must_have_an_effect() {
    for (servers, message) in [
        (
            "[{ address = '10.0.0.1:80', health = { port = 81 } }]",
            "`[backend.app]` has no checks, so `health` of a server does nothing",
        ),
        (
            "[{ address = '/run/a.sock', health = { port = 81 } }]\nhealth = 'tcp'",
            "`/run/a.sock` is a Unix socket, which has no ports",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { port = 0 } }]\nhealth = 'tcp'",
            "`port` must be a whole number from 1 to 65535, and is the number 0",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { path = '/a' } }]\nhealth = 'tcp'",
            "write it in the backend's `health`",
        ),
        (
            "[{ address = '/run/a.sock', health = { address = '10.0.0.1' } }]\nhealth = 'tcp'",
            "write the `port` that is checked, too",
        ),
        (
            "['/run/a.sock']\nhealth = { path = '/', port = 81 }",
            "`/run/a.sock` is a Unix socket, which has no ports",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { address = '10.0.0.1:81' } }]\nhealth = 'tcp'",
            "write `address = \"10.0.0.1\", port = 81`",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { address = 'a.example' } }]\nhealth = 'tcp'",
            "\"a.example\" is not an IP address",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { address = '0.0.0.0' } }]\nhealth = 'tcp'",
            "\"0.0.0.0\" is not an IP address",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { tls = true } }]\nhealth = 'tcp'",
            "`tls` has no effect in checks with `type = \"tcp\"`",
        ),
        (
            "['10.0.0.1:80']\nhealth = { type = 'tcp', tls = true }",
            "`tls` has no effect with `type = \"tcp\"`",
        ),
        (
            "[{ address = '10.0.0.1:80', tls = '/ca.pem' }]",
            "write `tls = { ca = \"/ca.pem\" }`",
        ),
        (
            "[{ address = '10.0.0.1:80', tls = { sni = 'server' } }]",
            "`sni = \"server\"` sends a server's `name`, and `10.0.0.1:80` is not a host name",
        ),
        (
            "[{ address = '10.0.0.1:80', tls = false }]\ntls = { verify = 'none', sni = 'server' }\n\
             health = { path = '/', tls = true }",
            "evenkeel.toml:8:7\n",
        ),
        (
            "['10.0.0.1:80']\nhealth = { path = '/', tls = { sni = 'server' } }",
            "evenkeel.toml:8:30\n",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { tls = { sni = 'server' } } }]\nhealth = '/'",
            "`sni = \"server\"` sends a server's `name`, and `10.0.0.1:80` is not a host name",
        ),
        (
            "[{ address = '10.0.0.1:80', tls = true }]\nhealth = '/'",
            "or `sni = \"app.example.com\"` in this `tls`",
        ),
        (
            "[{ address = '10.0.0.1:80', health = { tls = true } }]\nhealth = '/'",
            "or `sni = \"app.example.com\"` in this `tls`",
        ),
        (
            "['10.0.0.1:80']\nhealth = { path = '/', tls = true }",
            "or `sni = \"app.example.com\"` in `tls`",
        ),
        (
            "[{ address = '10.0.0.1:80', send_proxy = { version = 'v1', tls = true } }]",
            "version 1 of the PROXY protocol cannot carry `tls`",
        ),
        (
            "[{ address = '10.0.0.1:80', send_proxy = true }]",
            "write `send_proxy = \"v2\"`",
        ),
    ] {
        let said = errors(&BASE.replace("[\"10.0.0.1:80\"]", servers));
        assert!(said.contains(message), "{servers}: {said}");
    }
}

#[test]
fn conditions_for_a_second_attempt_where_there_is_none_are_warned_of() {
    let said = |lines: &str| warnings(&format!("{BASE}{lines}\n"));
    let warned = said("retry = { attempts = 1, on = ['503'] }");
    assert!(warned.contains("`on` has no effect"), "{warned}");
    let warned = said("attempts = 1\nretry.on = ['empty']");
    assert!(warned.contains("`on` has no effect"), "{warned}");
    for fine in [
        "retry = { attempts = 2, on = ['503'] }",
        "retry = { attempts = 1, on = ['connect', 'refused'] }",
        "attempts = 1\n[defaults.backend]\nretry = { on = ['503'] }",
    ] {
        assert_eq!(said(fine), "", "{fine}");
    }
}

#[test]
fn a_word_of_haproxy_that_is_off_is_answered_with_what_is_off_here() {
    for (lines, help) in [
        ("health = { ssl = false }", "write `tls = false`"),
        ("health = { check-ssl = true }", "write `tls = true`"),
        ("health = { no-check-ssl = false }", "write `tls = true`"),
        ("ssl = false", "write `tls = false`"),
        ("ssl = 'off'", "write `tls = false`"),
        ("send-proxy-v2 = false", "write `send_proxy = \"off\"`"),
        ("h2 = false", "write `protocol = \"h1\"`"),
        ("tls = { insecure = false }", "leave it out"),
        (
            "health = { type = 'https' }",
            "write `type = \"http\"` and `tls = true`",
        ),
        ("send_proxy = 'v3'", "write `\"v2\"`"),
        ("send_proxy = 'send-proxy'", "write `\"v1\"`"),
    ] {
        let said = in_backend(lines);
        assert!(said.contains(help), "{lines}\n{said}");
    }
    for (key, help) in [
        ("ssl = false", "write `tls = false`"),
        ("no-ssl = false", "write `tls = true`"),
        ("disabled = false", "leave it out"),
        ("check = false", "one server cannot be left out of checks"),
    ] {
        let server = format!("{{ address = \"10.0.0.1:80\", {key} }}");
        let said = errors(&BASE.replace("\"10.0.0.1:80\"", &server));
        assert!(said.contains(help), "{key}\n{said}");
    }
    let said = in_frontend("ssl = false");
    assert!(said.contains("help: leave `tls` out"), "{said}");
    let said = in_frontend("tls = { certificates = '/a', alpn = 'h2,http/1.1' }");
    assert!(
        said.contains("write a list: `[\"h2\", \"http/1.1\"]`"),
        "{said}"
    );
}

#[test]
fn keys_of_tls_beside_it_are_answered_with_the_table() {
    for (line, help) in [
        ("client_auth = 'x'", "client_auth = { mode = \"required\""),
        (
            "ssl_verify_client = 'on'",
            "client_auth = { mode = \"required\"",
        ),
        ("client_ca = '/a'", "client_auth = { mode = \"required\""),
        ("min_version = '1.3'", "min_version = \"1.2\""),
        ("strict_sni = true", "strict_sni = true"),
        ("alpn = ['h2']", "alpn = […]"),
    ] {
        for said in [
            in_frontend(line),
            errors(&BASE.replace(
                "\"127.0.0.1:8080\"",
                &format!("[{{ address = \":80\", {line} }}]"),
            )),
        ] {
            let help = format!("write `tls = {{ certificates = \"…\", {help}");
            assert!(said.contains(&help), "{line}\n{said}");
        }
    }
}

#[test]
fn words_of_elsewhere_for_servers_and_listeners_are_answered() {
    for (line, help) in [
        ("check-port = 81", "write `health = { port = … }`"),
        ("http-check = 'x'", "write `health = { path = "),
        ("proxy_ssl_verify = 'on'", "write `tls = { ca = "),
        ("retry_policy = 'x'", "write `retry = { on = "),
        ("proxy_protocol = 'v1'", "write `send_proxy = \"v1\"`"),
        (
            "[entryPoints.web]\na = 1",
            "write `listen` in a `[frontend.NAME]`",
        ),
        (
            "[[listeners]]\na = 1",
            "write `listen` in a `[frontend.NAME]`",
        ),
        (
            "[clusters.app]\na = 1",
            "a group of servers is a `[backend.NAME]`",
        ),
    ] {
        let said = in_backend(line);
        assert!(said.contains(help), "{line}\n{said}");
    }
    for (key, help) in [
        ("check-port = 81", "write `health = { port = … }`"),
        ("proxy_protocol = 'v1'", "write `send_proxy = \"v1\"`"),
        ("health = 8081", "write `health = { port = 8081 }`"),
        (
            "health = '/x'",
            "what is checked is in the backend's `health`",
        ),
        ("health = 'off'", "one server cannot be left out of checks"),
        ("health = false", "one server cannot be left out of checks"),
    ] {
        let server = format!("{{ address = \"10.0.0.1:80\", {key} }}");
        let said = errors(&BASE.replace("\"10.0.0.1:80\"", &server));
        assert!(said.contains(help), "{key}\n{said}");
    }
}

#[test]
fn a_key_below_the_header_of_an_inner_table_is_reported_with_its_table() {
    let said = errors(
        "[[frontend.web.listen]]\naddress = ':80'\nbackend = 'app'\n\
         [backend.app.retry]\nattempts = 2\nservers = ['10.0.0.1:80']\n",
    );
    for help in [
        "`backend` belongs to `[frontend.web]`: write it above the first `[[frontend.web.listen]]`",
        "`servers` belongs to `[backend.app]`: write it above the first `[backend.app.retry]`",
    ] {
        assert!(said.contains(help), "{said}");
    }
}

#[test]
fn tls_of_a_frontend_as_a_list_of_tables_is_one_mistake() {
    let said = errors(&format!(
        "{BASE}[[frontend.web.tls]]\ncertificates = '/a'\nmin_version = '1.3'\n"
    ));
    assert!(said.contains("help: write `[frontend.web.tls]`"), "{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert_eq!(
        in_frontend("tls = [{ certificate = '/a', key = '/b' }]"),
        "no error; 0 warnings"
    );
}

#[test]
fn tls_of_an_address_replaces_the_frontends() {
    let with = |tls: &str| {
        let item = format!("[\":80\", {{ address = \":443\", tls = {tls} }}]");
        let text = BASE.replace("\"127.0.0.1:8080\"", &item);
        errors(&text.replace("[backend.app]", "tls = '/a'\n[backend.app]"))
    };
    let said = with("{ min_version = '1.3' }");
    assert!(
        said.contains("replaces the frontend's `tls` and is not joined with it"),
        "{said}"
    );
    for (tls, help) in [
        ("'on'", "write `tls = \"/path"),
        ("'yes'", "write `tls = \"/path"),
        ("'off'", "write `tls = false`"),
    ] {
        let said = with(tls);
        assert!(said.contains(help), "{tls}\n{said}");
    }
}

#[test]
fn a_server_whose_own_tls_loses_the_backends_ca_is_warned_of() {
    let said = |tls: &str| {
        let server = format!("{{ address = \"10.0.0.1:80\", tls = {tls} }}");
        warnings(&format!(
            "{}tls = {{ ca = '/ca' }}\n",
            BASE.replace("\"10.0.0.1:80\"", &server)
        ))
    };
    let warned = said("{ sni = 'a.test' }");
    assert!(
        warned.contains("the backend's `ca` does not hold here"),
        "{warned}"
    );
    for fine in ["true", "false", "{ ca = '/b' }"] {
        assert_eq!(said(fine), "", "{fine}");
    }
}

#[test]
fn a_file_of_haproxy_is_called_so_once() {
    let said = errors("[log]\nglobal\n    maxconn 100\nfrontend web\n    bind *:80\n");
    assert_eq!(said.matches("this is an haproxy.cfg").count(), 1, "{said}");
    let first = said.split("\n\n").next().unwrap_or_default();
    assert!(
        first.contains("see conf/recipes/from-haproxy.toml"),
        "{said}"
    );
    let said = errors(&BASE.replace("[frontend.web]", "frontend web"));
    assert!(
        said.contains("write `[frontend.NAME]` on a line of its own"),
        "{said}"
    );
}
