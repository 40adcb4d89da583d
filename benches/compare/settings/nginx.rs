//! nginx's configuration, for each face.

use crate::face::Face;
use crate::machine::NGINX_STREAM;
use crate::proxies::Mode;
use crate::rules::Parts;

use super::Setup;

pub(crate) fn config(setup: &Setup, mode: Mode, face: Face) -> String {
    let dir = setup.dir.display();
    let module = match face {
        Face::Tcp => format!("load_module {NGINX_STREAM};\n"),
        _ => String::new(),
    };
    // On both sides.
    let connections = match face {
        Face::Upgrades => 19_900,
        _ => 10_240,
    };
    let (http, stream) = match face {
        Face::Tcp => (status(setup, mode), stream(setup, mode)),
        _ => (
            format!("{}{}", http(setup, mode, face), status(setup, mode)),
            String::new(),
        ),
    };
    format!(
        "{module}daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
worker_processes 1;
events {{
    worker_connections {connections};
}}
http {{
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
{http}}}
{stream}"
    )
}

fn http(setup: &Setup, mode: Mode, face: Face) -> String {
    let Setup {
        listen,
        servers: [first, second],
        log,
        ..
    } = setup;
    let access = match mode {
        Mode::On => format!("access_log {} combined buffer=64k flush=1s;", log.display()),
        Mode::Off => "access_log off;".to_owned(),
    };
    let port = match face {
        Face::Tls(key) => {
            let file = key.file(setup.dir);
            let file = file.display();
            format!(
                "listen {listen} ssl http2 backlog=4096;
        ssl_certificate {file};
        ssl_certificate_key {file};
        ssl_protocols TLSv1.3;"
            )
        }
        Face::H2 | Face::H2Narrow | Face::H2Both => {
            format!("listen {listen} http2 backlog=4096;")
        }
        Face::Plain | Face::Upgrades | Face::Rules(_) | Face::Tcp => {
            format!("listen {listen} backlog=4096;")
        }
    };
    let connection = match face {
        Face::Upgrades => {
            "proxy_set_header Connection $connection_upgrade;
            proxy_set_header Upgrade $http_upgrade;
            proxy_read_timeout 1h;"
        }
        _ => "proxy_set_header Connection \"\";",
    };
    let map = match face {
        Face::Upgrades => "    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n",
        _ => "",
    };
    let Parts {
        outside,
        inside,
        location,
    } = match face {
        Face::Rules(rules) => rules.of_nginx(setup.dir),
        _ => Parts::default(),
    };
    format!(
        r"    {access}
{map}{outside}    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    tcp_nodelay on;
    upstream origin {{
        server {first};
        server {second};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        {port}
{inside}        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            {connection}
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
{location}        }}
    }}
"
    )
}

/// The metrics.
fn status(setup: &Setup, mode: Mode) -> String {
    let admin = setup.admin;
    match mode {
        Mode::On => format!(
            "    server {{ listen {admin}; access_log off; location = /status {{ stub_status; }} }}\n"
        ),
        Mode::Off => String::new(),
    }
}

fn stream(setup: &Setup, mode: Mode) -> String {
    let Setup {
        listen,
        servers: [first, second],
        log,
        ..
    } = setup;
    // The example of ngx_stream_log_module's documentation: there is no format of its own.
    let access = match mode {
        Mode::On => format!(
            "log_format basic '$remote_addr [$time_local] $protocol $status $bytes_sent \
             $bytes_received $session_time';
    access_log {} basic buffer=64k flush=1s;",
            log.display()
        ),
        Mode::Off => "access_log off;".to_owned(),
    };
    format!(
        r"stream {{
    {access}
    tcp_nodelay on;
    upstream origin {{
        server {first};
        server {second};
    }}
    server {{
        listen {listen} backlog=4096;
        proxy_pass origin;
    }}
}}
"
    )
}
