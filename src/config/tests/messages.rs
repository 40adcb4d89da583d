//! What is said about each kind of mistake, word by word.

use insta::assert_snapshot;

use super::{BASE, errors, load, warnings};
use crate::base::Place;
use crate::config::{Color, Diagnostic};

/// A frontend with these lines, and what it needs besides.
fn in_frontend(lines: &str) -> String {
    errors(&BASE.replace(
        "backend = \"app\"\n",
        &format!("backend = \"app\"\n{lines}\n"),
    ))
}

/// A backend with these lines, and what it needs besides.
fn in_backend(lines: &str) -> String {
    errors(&format!("{BASE}{lines}\n"))
}

/// Routes in the frontend, and what they need besides.
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
          = help: known in `[[backend.app.servers]]` are `name`, `address`, `weight`, `max_connections`, `backup`
    "##);
}

#[test]
fn an_unknown_key_gets_the_list_of_known_ones() {
    assert_snapshot!(in_frontend("gzip = true"), @r##"
        error: unknown key `gzip` in `[frontend.web]`
         --> evenkeel.toml:5:1
          |
        5 | gzip = true
          | ^^^^
          |
          = help: known in `[frontend.web]` are `listen`, `socket_mode`, `mode`, `tls`, `backend`, `max_connections`, `timeout`, `limits`, `http2`, `half_close`, `proxy_protocol`, `trusted_proxies`, `client_field`, `forwarding`, `request_id`, `header_case`, `upgrades`, `passthrough`, `route`
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
          = help: write `timeout = "5s"`
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
          = help: write `"5s"`

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
          = help: units are `us`, `ms`, `s`, `m`, `h` and `d`; write for example `"250ms"`
    "##);
    assert_snapshot!(in_frontend("limits = { head = 65536 }"), @r##"
        error: `head = 65536` has no unit
         --> evenkeel.toml:5:19
          |
        5 | limits = { head = 65536 }
          |                   ^^^^^
          |
          = help: write `head = "65536B"`
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
          = help: write `true` or `false`, without quotes

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
          = help: write `timeout = { head = …, body = … }`

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
           = help: write a whole number of at least 1, or "off"

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
          = help: write a whole number from 1 to 4294967295, or "off"
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
          = help: write a whole number of at least 1, or "off"
    "##);
    assert_snapshot!(in_frontend("timeout = { head = '0s' }"), @r##"
        error: `head` is no time at all
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
        error: `99999999999999999999` is no number of 64 bits
         --> evenkeel.toml:2:11
          |
        2 | workers = 99999999999999999999
          |           ^^^^^^^^^^^^^^^^^^^^
    "##);
}

#[test]
fn a_port_that_is_bound_twice_names_both_places() {
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
          = help: let each address and port stand in one place; `0.0.0.0` and `[::]` take the port on every address

        error: port 81 of `[frontend.b]` is also bound by `[frontend.a]`
         --> evenkeel.toml:7:42
          |
        3 | listen = ['0.0.0.0:8080', '10.0.0.1:81', ':0', ':0']
          |                           ------------- bound here first
        ...
        7 | listen = ['127.0.0.1:8080', '[::]:8080', '10.0.0.1:81']
          |                                          ^^^^^^^^^^^^^
          |
          = help: let each address and port stand in one place; `0.0.0.0` and `[::]` take the port on every address

        error: port 82 of `[frontend.c]` is bound twice
          --> evenkeel.toml:11:18
           |
        11 | listen = [':82', '*:82']
           |           -----  ^^^^^^
           |           |
           |           bound here first
           |
           = help: let each address and port stand in one place; `0.0.0.0` and `[::]` take the port on every address
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
        error: "www.example.com:80" is no IP address, and a name has none until it is looked up
         --> evenkeel.toml:3:10
          |
        3 | listen = "www.example.com:80"
          |          ^^^^^^^^^^^^^^^^^^^^
          |
          = help: write the IP address of this machine to listen on, or `":80"` for all of them

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
          = help: write an address or a table with `address`

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
          = help: write the address alone: `"10.0.0.2:80"`
    "##);
}

#[test]
fn what_is_missing_is_named() {
    assert_snapshot!(errors(""), @r##"
        error: there is no frontend, so nothing would be listened on
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

        error: `[frontend.web]` sends requests nowhere
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
          = help: write where the requests that it matches go: `backend = "…"`
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
        error: `host = "*.*.example.com"` has a `*` that is not its first label
         --> evenkeel.toml:8:9
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |         ^^^^^^^^^^^^^^^^^
          |
          = help: write `"*.example.com"`: a `*` stands at the beginning, for whole labels

        error: `host = "example.com:80"` has a port, and the port of a request's host does not count
         --> evenkeel.toml:8:28
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                            ^^^^^^^^^^^^^^^^
          |
          = help: write `"example.com"`

        error: `host = "bücher.example"` is not ASCII, which a request's host always is
         --> evenkeel.toml:8:46
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                              ^^^^^^^^^^^^^^^^
          |
          = help: write it as the browser sends it (`"xn--…"`)

        error: `host = "a b"` is no host
         --> evenkeel.toml:8:64
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                                                ^^^^^
          |
          = help: write a host as in `"example.com"`, `"*.example.com"`, `"10.0.0.1"` or `"[::1]"`

        error: `host = ""` is no host
         --> evenkeel.toml:8:71
          |
        8 | host = ['*.*.example.com', 'example.com:80', 'bücher.example', 'a b', '']
          |                                                                       ^^
          |
          = help: write a host as in `"example.com"`, `"*.example.com"`, `"10.0.0.1"` or `"[::1]"`

        error: `path = "v1"` does not begin with `/`
         --> evenkeel.toml:9:9
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |         ^^^^
          |
          = help: write `"/v1"`

        error: `path = "/v1*"` has a `*` that is not a last segment of its own
         --> evenkeel.toml:9:15
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |               ^^^^^^
          |
          = help: a path is matched by whole segments: write `"/v1/*"`

        error: `path = "/a?b=c"` has a `?`, and a query is no part of the path
         --> evenkeel.toml:9:23
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                       ^^^^^^^^
          |
          = help: write `path = "/a"` and the conditions as `query = { name = "value" }`

        error: `path = "/ü"` has the character 'ü', which a request's path never has
         --> evenkeel.toml:9:33
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                 ^^^^
          |
          = help: write `"/%C3%BC"`

        error: `path = "/a/../b"` has dot segments, which are resolved before a request is matched
         --> evenkeel.toml:9:39
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                       ^^^^^^^^^
          |
          = help: write `"/b"`

        error: `path = "/a/*/b"` has a `*` that is not a last segment of its own
         --> evenkeel.toml:9:50
          |
        9 | path = ['v1', '/v1*', '/a?b=c', '/ü', '/a/../b', '/a/*/b']
          |                                                  ^^^^^^^^
          |
          = help: write `"/start/*"`: it stands for `/start` and everything below it

        error: `method = "get"` is no method: methods are case-sensitive
          --> evenkeel.toml:10:11
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |           ^^^^^
           |
           = help: write `"GET"`

        error: `method = "CONNECT"` never comes to a route
          --> evenkeel.toml:10:18
           |
        10 | method = ['get', 'CONNECT', 'G E T', []]
           |                  ^^^^^^^^^
           |
           = help: such requests are answered 405

        error: `method = "G E T"` is no method
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

        error: `x y = "a"` stands under a name that no field can have
          --> evenkeel.toml:11:20
           |
        11 | header = { 'x y' = 'a', x-a = ' a', X-A = 'b', x-b = 5 }
           |                    ^^^
           |
           = help: a field's name has letters, digits and `-`

        error: `x-a = " a"` has space at its edge, which a field's value never has
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

        error: the list `path` is empty, so it is not clear what it should match
          --> evenkeel.toml:15:8
           |
        15 | path = []
           |        ^^
           |
           = help: leave `path` out to match any
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
           = help: give one another `name`; a route without one is called by its number
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
           | ---------------------- route `1` takes all its requests first
        ...
        12 | [[frontend.web.route]]
           | ^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: the first match wins: put the narrower route first
    "##);
}

#[test]
fn an_admin_listener_that_anybody_reaches_is_warned_about() {
    let admin = |listen: &str| warnings(&format!("{BASE}[admin]\nlisten = {listen}\n"));
    assert_snapshot!(admin("['127.0.0.1:9901', '*:9900']"), @r##"
        warning: whoever reaches port 9900 of this host can read metrics and status, and have the configuration read again
         --> evenkeel.toml:9:10
          |
        9 | listen = ['127.0.0.1:9901', '*:9900']
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: the admin listener asks nobody who they are: write `"127.0.0.1:9900"`, or an address that only those reach who may
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
        warning: `[backend.a]` has no servers, so every request is answered 503
          --> evenkeel.toml:15:11
           |
        15 | servers = []
           |           ^^
           |
           = help: write `servers = ["10.0.0.1:80"]`

        warning: `[backend.b]` has only servers of weight 0, so every request is answered 503
          --> evenkeel.toml:18:11
           |
        18 | servers = [{ address = '10.0.0.1:80', weight = 0 }]
           |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: a weight of 0 takes no new traffic: give one server a weight of at least 1

        warning: `[backend.c]` has only backup servers
          --> evenkeel.toml:21:11
           |
        21 | servers = [{ address = '10.0.0.1:80', backup = true }]
           |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: a backup server is used while no other can be: leave `backup` out where all are

        warning: nothing uses the backend `d`
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
          = help: write a path (`"/healthz"`), `"tcp"`, `"off"`, or a table with the keys of a check
    "##);
    assert_snapshot!(in_backend(
        "health = { type = 'tcp', path = '/healthz', interval = '1s', fast_interval = '2s' }"
    ), @r##"
        error: `path` says nothing to a check with `type = "tcp"`
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
          = help: it is the time between two checks while the state is changing: write a shorter one
    "##);
    assert_snapshot!(in_backend(
        "health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', \
         headers = { host = 'a', connection = 'close', x = \"\\n\", 'x y' = 'a' } }"
    ), @r##"
        error: "healthz" is no path to ask for
         --> evenkeel.toml:8:19
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                   ^^^^^^^^^
          |
          = help: write it as it goes over the line: beginning with `/`, spaces and the like as escapes (`%20`)

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

        error: "a b" is no host
         --> evenkeel.toml:8:69
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                     ^^^^^
          |
          = help: write a host as in `"app.example.com"`, with a port if the server wants one

        error: `body` must have 1 to 65536 bytes
         --> evenkeel.toml:8:83
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                   ^^
          |
          = help: write a text that the body of a good answer contains, or leave `body` out

        error: `host`: the field `Host` has a key of its own
         --> evenkeel.toml:8:99
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                                   ^^^^
          |
          = help: write `host = "…"` in the check

        error: `connection`: that field belongs to the connection, not to what is asked
         --> evenkeel.toml:8:111
          |
        8 | health = { path = 'healthz', status = [99, '300-200', 'ok'], host = 'a b', body = '', headers = { host = 'a', connection = 'close', x...
          |                                                                                                               ^^^^^^^^^^
          |
          = help: leave it out

        error: `x`: its value has characters that a field cannot have
         --> evenkeel.toml:8:133
          |
        8 | ...'a b', body = '', headers = { host = 'a', connection = 'close', x = "\n", 'x y' = 'a' } }
          |                                                                    ^
          |
          = help: leave out control characters and line breaks

        error: `x y`: that is no name of a field
         --> evenkeel.toml:8:143
          |
        8 | ...= '', headers = { host = 'a', connection = 'close', x = "\n", 'x y' = 'a' } }
          |                                                                  ^^^^^
          |
          = help: a field's name has letters, digits and `-`
    "##);
}

#[test]
fn variables_that_are_not_there_are_named_where_they_stand() {
    assert_snapshot!(errors(
        &BASE
            .replace("127.0.0.1:8080", "127.0.0.1:${WEB_PORT}")
            .replace("10.0.0.1:80", "${1}:${PORT")
    ), @r##"
        error: the environment has no variable `WEB_PORT`
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

        error: `${` is not closed by a `}`
         --> evenkeel.toml:7:18
          |
        7 | servers = ["${1}:${PORT"]
          |                  ^^^^^^
          |
          = help: write `${NAME}`, or `$${` for the two characters themselves
    "##);
    assert_snapshot!(errors(&BASE.replace("127.0.0.1:8080", "${file:port}")), @r##"
        error: the path `port` has nothing to be relative to
         --> evenkeel.toml:3:11
          |
        3 | listen = "${file:port}"
          |           ^^^^^^^^^^^^
          |
          = help: write an absolute path: this text is in no directory
    "##);
}

#[test]
fn what_a_variable_holds_is_never_shown() {
    let lines = "
header_case = '${TOKEN}'
request_id = '${TOKEN} x'
trusted_proxies = ['${TOKEN}']
timeout = { head = '5${TOKEN}', body = '${TOKEN}' }
limits = { head = '1${TOKEN}' }

[[frontend.web.route]]
name = '${TOKEN} x'
host = '*.${TOKEN}:80'
path = '/${TOKEN}*'
method = '${TOKEN} x'
header = { x = \"${TOKEN}\\n\" }
backend = '${TOKEN}'
";
    let text =
        BASE.replace(
            "backend = \"app\"\n",
            &format!("backend = \"app\"\n{lines}"),
        )
        .replace("127.0.0.1:8080", "${TOKEN}")
        .replace(
            "\"10.0.0.1:80\"",
            "\"${TOKEN}:80\", { name = '${TOKEN} ', address = '${TOKEN}' }",
        ) + "health = { path = '${TOKEN}', status = '${TOKEN}', host = '${TOKEN} x' }\n\
           [log]\nlevel = '${TOKEN}'\naccess = { to = '${TOKEN}' }\n";
    let said = load(&text).expect_err("mistakes").render(Color::Always);
    assert!(!said.contains("s3cret"), "{said}");
    assert!(said.matches("TOKEN").count() > 30, "{said}");
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
          = help: write a text in double quotes, and a number with digits alone

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
          = help: write a text in double quotes, and a number with digits alone

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
          = help: did you mean "stdout"? A file is written with a `/`: "./access.log"
    "##);
}

#[test]
fn a_network_has_no_bits_outside_its_mask() {
    assert_snapshot!(in_frontend(
        "trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']"
    ), @r##"
        error: "10.0.0.1/8" has bits set that its `/8` leaves out
         --> evenkeel.toml:5:20
          |
        5 | trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']
          |                    ^^^^^^^^^^^^
          |
          = help: write `"10.0.0.0/8"`, or one address without `/`

        error: "proxy" is no IP address and no network
         --> evenkeel.toml:5:34
          |
        5 | trusted_proxies = ['10.0.0.1/8', 'proxy', '10.0.0.0/33']
          |                                  ^^^^^^^
          |
          = help: write an address (`"192.0.2.1"`), a network (`"10.0.0.0/8"`), or `"unix"`

        error: "10.0.0.0/33" is no IP address and no network
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
        error: `[frontend.web]` listens on no file, so `socket_mode` does nothing
         --> evenkeel.toml:5:15
          |
        5 | socket_mode = '660'
          |               ^^^^^
          |
          = help: it is for a Unix socket with a path: `listen = "/run/app.sock"`
    "##);
    assert_snapshot!(errors(&format!("{BASE}[admin]\nsocket_mode = '660'")), @r##"
        error: `[admin]` listens on no file, so `socket_mode` does nothing
         --> evenkeel.toml:9:15
          |
        9 | socket_mode = '660'
          |               ^^^^^
          |
          = help: it is for a Unix socket with a path: `listen = "/run/app.sock"`
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
          = help: let each address stand in one place

        error: `fd://3` of `[frontend.web]` is bound twice
         --> evenkeel.toml:4:38
          |
        4 | listen = ['/run/web.sock', 'fd://3', 'fd://3']
          |                            --------  ^^^^^^^^
          |                            |
          |                            bound here first
          |
          = help: let each address stand in one place

        error: `/run/app.sock` is a Unix socket, which has no ports
         --> evenkeel.toml:8:19
          |
        8 | health = { port = 81 }
          |                   ^^
          |
          = help: leave `port` out, or let these servers have a backend of their own
    "##);
}

#[test]
fn a_proxy_header_is_wanted_from_somebody() {
    assert_snapshot!(in_frontend("proxy_protocol = true"), @r##"
        error: `proxy_protocol` must be "off", "required" or a table, and is `true`
         --> evenkeel.toml:5:18
          |
        5 | proxy_protocol = true
          |                  ^^^^
          |
          = help: write "required" where every peer sends a header, `{ from = ["10.0.0.0/8"] }` where these do
    "##);
    assert_snapshot!(in_frontend("proxy_protocol = { from = [] }"), @r##"
        error: `[frontend.web.proxy_protocol]` names nobody who sends a PROXY header
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
        error: version 1 of the PROXY protocol has no room for `unique_id`
         --> evenkeel.toml:8:44
          |
        8 | send_proxy = { version = 'v1', unique_id = true }
          |                                            ^^^^
          |
          = help: write `version = "v2"`, or leave it out
    "##);
    assert_snapshot!(in_backend("send_proxy = true"), @r##"
        error: `send_proxy` must be "v1" or "v2", and is `true`
         --> evenkeel.toml:8:14
          |
        8 | send_proxy = true
          |              ^^^^
          |
          = help: write "v1" or "v2"
    "##);
}

#[test]
fn ids_do_not_go_into_fields_of_the_protocol() {
    assert_snapshot!(in_frontend("request_id = 'Host'"), @r##"
        error: the field "Host" has a meaning of its own
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
fn nothing_is_said_about_what_a_mistake_of_grammar_blurs() {
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
          = help: the header of a table has a bracket on both sides: `[name]`
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
fn a_text_without_quotes_is_told_to_have_some() {
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
          = help: write a text in double quotes, and a number with digits alone

        error: not TOML: string values must be quoted, expected literal string
         --> evenkeel.toml:4:11
          |
        4 | backend = app
          |           ^^^
          |
          = help: write a text in double quotes, and a number with digits alone
    "##);
}

#[test]
fn what_haproxy_writes_behind_an_address_stands_elsewhere() {
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
    ), @r#"
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
          = help: write the address alone, and `tls = "/path/to/fullchain.pem"` in the frontend

        error: unknown key `redirect` in `[frontend.web]`
         --> evenkeel.toml:6:1
          |
        6 | redirect = 'https'
          | ^^^^^^^^
          |
          = help: Evenkeel does not have this: a server has to answer with the redirect

        error: unknown key `stick-table` in `[frontend.web]`
         --> evenkeel.toml:7:1
          |
        7 | stick-table = 'ip'
          | ^^^^^^^^^^^
          |
          = help: Evenkeel does not have this: each request goes to the server whose turn it is, whoever asks

        error: unknown key `cookie` in `[backend.app]`
          --> evenkeel.toml:10:1
           |
        10 | cookie = 'SRV'
           | ^^^^^^
           |
           = help: Evenkeel does not have this: each request goes to the server whose turn it is, whoever asks

        error: unknown key `on_marked_down` in `[backend.app]`
          --> evenkeel.toml:11:1
           |
        11 | on_marked_down = 'shutdown-sessions'
           | ^^^^^^^^^^^^^^
           |
           = help: Evenkeel does not have this: a server that goes down gets nothing new, and what it has begun goes on until its own timeouts

        error: "10.0.0.1:80 check" has more than an address
          --> evenkeel.toml:12:12
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |            ^^^^^^^^^^^^^^^^^^^
           |
           = help: write the address alone, and `health = "/path"` or `health = "tcp"` in the backend

        error: unknown key `ssl` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:60
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                            ^^^
           |
           = help: write `tls = true` in the `[backend.NAME]`, or `[backend.NAME.tls]` with its keys: it holds for all servers of the backend

        error: unknown key `verify` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:72
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                                        ^^^^^^
           |
           = help: write `tls = true` in the `[backend.NAME]`, or `[backend.NAME.tls]` with its keys: it holds for all servers of the backend

        error: unknown key `on-marked-down` in `[[backend.app.servers]]`
          --> evenkeel.toml:12:89
           |
        12 | servers = ['10.0.0.1:80 check', { address = '10.0.0.2:80', ssl = true, verify = 'none', on-marked-down = 'x' }]
           |                                                                                         ^^^^^^^^^^^^^^
           |
           = help: Evenkeel does not have this: a server that goes down gets nothing new, and what it has begun goes on until its own timeouts
    "#);
}

#[test]
fn there_are_no_regular_expressions() {
    for (path, said) in [
        (
            "^/foo/.*",
            "`\"/foo/*\"` stands for `/foo` and everything below it",
        ),
        (
            "/foo/.*",
            "`\"/foo/*\"` stands for `/foo` and everything below it",
        ),
        ("^/foo/?", "`\"/foo/*\"`"),
        ("^/foo", "`\"/foo/*\"`"),
        ("^/foo$", "`\"/foo\"` stands for that path alone"),
        ("^/api/v[0-9]+/x", "`\"/api/*\"`"),
        ("^/(a|b)", "`\"/*\"` stands for all paths"),
        (r"\.php$", "`\"/start/*\"`"),
        ("~ ^/foo", "`\"/foo/*\"`"),
    ] {
        let route = format!("[[frontend.web.route]]\npath = '{path}'\nbackend = 'app'\n");
        let text = errors(&with_routes(&route));
        assert!(text.contains("looks like a regular expression"), "{text}");
        let said = format!("there are no regular expressions here: {said}");
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
        @r#"
        warning: `timeout` of a check is longer than its `interval`
         --> evenkeel.toml:8:51
          |
        8 | health = { path = '/', interval = '1s', timeout = '2s' }
          |                                                   ^^^^
          |
          = help: a server has one check at a time: while it says nothing, the next ones are left out, and it goes down later than `interval` and `fall` say
    "#
    );
    for fine in [
        "interval = '1s', timeout = '1s'",
        "interval = '3s', fast_interval = '1s', timeout = '2s'",
    ] {
        assert_eq!(warnings(&with_health(fine)), "", "{fine}");
    }
}

#[test]
fn a_file_of_haproxy_is_told_how_to_begin() {
    assert_snapshot!(errors(
        "global\n  maxconn 100\nfrontend http\n  bind *:80\n  default_backend app\n"
    ), @r##"
        error: not TOML: a key without `=`
         --> evenkeel.toml:1:7
          |
        1 | global
          |       ^
          |
          = help: settings of the process are written in `[process]`, `[log]`, `[shutdown]` and `[admin]`

        error: not TOML: a key without `=`
         --> evenkeel.toml:2:11
          |
        2 |   maxconn 100
          |           ^
          |
          = help: write `key = value`

        error: not TOML: a key without `=`
         --> evenkeel.toml:3:10
          |
        3 | frontend http
          |          ^
          |
          = help: write `[frontend.NAME]` on a line of its own

        error: not TOML: a key without `=`
         --> evenkeel.toml:4:8
          |
        4 |   bind *:80
          |        ^
          |
          = help: write `listen = "…"`

        error: not TOML: a key without `=`
         --> evenkeel.toml:5:19
          |
        5 |   default_backend app
          |                   ^
          |
          = help: write `backend = "…"`
    "##);
}

#[test]
fn a_frontend_without_a_name_is_told_to_have_one() {
    assert_snapshot!(errors(
        "[frontend]\nlisten = ':80'\n[backend]\nservers = 'a'"
    ), @r##"
        error: `[frontend]` has a table for each frontend, and `listen` is none
         --> evenkeel.toml:2:1
          |
        2 | listen = ':80'
          | ^^^^^^
          |
          = help: give the frontend a name: write `[frontend.NAME]` above its keys

        error: `[backend]` has a table for each backend, and `servers` is none
         --> evenkeel.toml:4:1
          |
        4 | servers = 'a'
          | ^^^^^^^
          |
          = help: give the backend a name: write `[backend.NAME]` above its keys
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
          = help: a name has 1 to 128 visible ASCII characters, without quotes and backslashes
    "##);
}

#[test]
fn protocols_to_go_on_in_are_tokens_that_open_no_back_door() {
    assert_snapshot!(in_frontend("upgrades = ['h2c', 'web socket', 'x', 'X']"), @r##"
        error: `h2c` would be a way past all routes and limits
         --> evenkeel.toml:5:13
          |
        5 | upgrades = ['h2c', 'web socket', 'x', 'X']
          |             ^^^^^
          |
          = help: leave it out: what passes through a tunnel is not looked at

        error: "web socket" cannot be the name of a protocol
         --> evenkeel.toml:5:20
          |
        5 | upgrades = ['h2c', 'web socket', 'x', 'X']
          |                    ^^^^^^^^^^^^
          |
          = help: write what stands in the `Upgrade` field: `"websocket"`

        error: "X" stands here twice
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
        error: tunnels would be cut after 5s, the `timeout` of all, before their own time is over
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
          = help: write where the connections that it matches go: `backend = "…"`

        error: unknown key `host` in `[[frontend.db.route]]`
          --> evenkeel.toml:10:1
           |
        10 | host = 'db.example.com'
           | ^^^^
           |
           = help: write `sni`: the name that a client of TLS asks for

        error: `alpn = ""` is no name of a protocol
          --> evenkeel.toml:11:8
           |
        11 | alpn = ''
           |        ^^
           |
           = help: write one as in "h2", "http/1.1" or "postgresql"
    "##);
}

#[test]
fn what_is_found_later_shows_its_line_too() {
    let loaded = load(BASE).expect("no mistakes");
    let at = &loaded.plan.frontends[0].listen[0].at;
    let mut diagnostics = loaded.warnings.empty_over_same_text();
    diagnostics.push(Diagnostic::at(
        at,
        "port 8080 is in use",
        "stop what uses it",
    ));
    diagnostics.push(Diagnostic::at(
        &Place::nowhere(),
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
fn tls_without_a_certificate_says_what_to_write() {
    assert_snapshot!(in_frontend("tls = true"), @r##"
        error: `tls` must be a table with `certificates`, and is `true`
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
          = help: write `certificates = ["/path/to/fullchain.pem"]`; a directory will do, too
    "##);
    assert_snapshot!(in_frontend("tls = { certificates = [] }"), @r##"
        error: `certificates` names no certificate
         --> evenkeel.toml:5:24
          |
        5 | tls = { certificates = [] }
          |                        ^^
          |
          = help: write at least one file: `certificates = ["/path/to/fullchain.pem"]`
    "##);
    assert_snapshot!(in_frontend("tls = { certificates = { certificate = '/a.pem' } }"), @r##"
        error: a certificate that is written as a table has no `key`
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
          = help: leave "h2" out, or let it speak HTTP/2
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
        error: client certificates are asked for, and there is no `ca` that could have signed them
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
        error: `default = "*.a.test"` is no name of a host
         --> evenkeel.toml:7:11
          |
        7 | default = '*.a.test'
          |           ^^^^^^^^^^
          |
          = help: write a name that one of the certificates has, such as "www.example.com"

        warning: this name has no rules of its own here
         --> evenkeel.toml:9:1
          |
        9 | 'A.test' = {}
          | ^^^^^^^^
          |
          = help: write what is to be different, such as `client_auth`, or leave the name out

        error: this name has rules already
          --> evenkeel.toml:10:1
           |
         9 | 'A.test' = {}
           | -------- the first are here
        10 | 'a.test' = {}
           | ^^^^^^^^
           |
           = help: upper and lower case are the same here; keep one of the two

        error: "*" stands for all names, and what holds for all is written above
          --> evenkeel.toml:11:1
           |
        11 | '*' = {}
           | ^^^
           |
           = help: write these keys in the `tls` table itself
    "##
    );
}

#[test]
fn a_route_cannot_require_what_nobody_is_asked_for() {
    let route = "[[frontend.web.route]]\nclient_certificate = 'required'\nbackend = 'app'\n";
    assert_snapshot!(errors(&with_routes(route)), @r##"
        error: route `1` requires a client certificate, and `[frontend.web]` asks nobody for one
         --> evenkeel.toml:7:1
          |
        7 | client_certificate = 'required'
          | ^^^^^^^^^^^^^^^^^^
          |
          = help: write `tls = { certificates = …, client_auth = { mode = "optional", ca = … } }`
    "##);
}

#[test]
fn a_field_of_the_protocol_cannot_tell_of_a_certificate() {
    assert_snapshot!(
        in_frontend("forwarding = { client_certificate = { subject = 'Host', sans = 'a b' } }"),
        @r##"
        error: the field "Host" has a meaning of its own
         --> evenkeel.toml:5:49
          |
        5 | forwarding = { client_certificate = { subject = 'Host', sans = 'a b' } }
          |                                                 ^^^^^^
          |
          = help: write a field of your own, such as "x-client-subject"

        error: "a b" cannot be the name of a field
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
        warning: with `verify = "none"` anybody between here and the servers can read and change everything
         --> evenkeel.toml:8:18
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                  ^^^^^^
          |
          = help: name the authority that signs the servers' certificates: `ca = "/path/to/ca.pem"`

        error: `ca` says whom to believe, and `verify = "none"` believes anybody
         --> evenkeel.toml:8:31
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                               ^^^^^^^
          |
          = help: leave one of them out

        error: `verify_name` is the name that is checked, and `verify = "none"` checks none
         --> evenkeel.toml:8:54
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                      ^^^
          |
          = help: leave one of them out

        error: a `key` without a `certificate`
         --> evenkeel.toml:8:65
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                                 ^^^^^^^
          |
          = help: write both, or leave `key` out

        error: `sni = "a b"` is no name of a host
         --> evenkeel.toml:8:80
          |
        8 | tls = { verify = 'none', ca = 'a.pem', verify_name = 'x', key = 'b.pem', sni = 'a b' }
          |                                                                                ^^^^^
          |
          = help: write `"host"` for the request's host, `"server"` for the server's `name`, `"off"`, or a name
    "##
    );
}

#[test]
fn a_check_under_tls_needs_a_name_to_ask_by() {
    assert_snapshot!(in_backend("tls = true\nhealth = '/'"), @r##"
        error: servers are asked by the request's host, and a check has none
         --> evenkeel.toml:9:10
          |
        9 | health = '/'
          |          ^^^
          |
          = help: write `host = "app.example.com"` in `health`, or say in `tls` which `sni` to use
    "##);
}

#[test]
fn files_for_certificates_that_nobody_is_asked_for_are_warned_about() {
    let tls = "tls = { certificates = '/a.pem', client_auth = { mode = 'off', ca = '/ca.pem' } }\n";
    let key = "backend = \"app\"\n";
    let text = BASE.replacen(key, &format!("{key}{tls}"), 1);
    assert_snapshot!(warnings(&text), @r##"
    warning: nobody is asked for a certificate, so these files are not looked at
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
    warning: this name has no rules of its own here
     --> evenkeel.toml:5:44
      |
    5 | tls = { certificates = '/a.pem', names = { 'a.test' = {}, '*.b.test' = { min_version = '1.3' } } }
      |                                            ^^^^^^^^
      |
      = help: write what is to be different, such as `client_auth`, or leave the name out
"##);
    let with_wildcard = "'a.b.test' = {}, '*.b.test' = { min_version = '1.3' }";
    assert_eq!(with(with_wildcard), "");
    let deeper = "'a.c.b.test' = {}, '*.b.test' = { min_version = '1.3' }";
    assert!(with(deeper).contains("no rules of its own"));
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
    warning: `protocol` does nothing here: no requests are sent to `app`, only connections as they are
     --> evenkeel.toml:7:12
      |
    7 | protocol = 'h2'
      |            ^^^^
      |
      = help: leave it out: client and server decide between themselves what they speak

    warning: `header_case` does nothing here: no requests are sent to `app`, only connections as they are
     --> evenkeel.toml:8:15
      |
    8 | header_case = 'title'
      |               ^^^^^^^
      |
      = help: leave it out: client and server decide between themselves what they speak
"##);
    // As they are unless written.
    assert_eq!(with("protocol = 'auto'\nheader_case = 'lower'\n", ""), "");
    // A check speaks it.
    assert_eq!(with("protocol = 'h2'\nhealth = '/'\n", ""), "");
    let http = "[frontend.web]\nlisten = ':80'\nbackend = 'app'\n";
    assert_eq!(with(both, http), "");
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
      | ---------------------- route `1` takes all its connections first
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
