//! nginx behind us: it reads a path in its own way.

use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::case::{Case, case};
use crate::need::NGINX;
use crate::rig::{Folder, Origin, Setup, until};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(
        nginx_behind_us_never_answers_for_a_route_that_was_passed_by,
        NGINX
    )]
}

/// An nginx with a `location` for `/partners/`; killed when dropped.
struct Nginx {
    child: Child,
    folder: Folder,
}

impl Nginx {
    #[track_caller]
    fn start(settings: &str) -> Self {
        let folder = Folder::new();
        let socket = folder.path("nginx.sock");
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", folder.path(kind).display()))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log /dev/null;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{settings}\nserver {{\nlisten unix:{};\n\
             location = /partners {{ return 200 partners; }}\nlocation /partners/ {{ return 200 partners; }}\nlocation / {{ return 200 other; }}\n}}\n}}\n",
            folder.path("nginx.pid").display(),
            socket.display(),
        );
        let file = folder.write("nginx.conf", &text);
        let child = NGINX
            .command()
            .arg("-e")
            .arg("/dev/null")
            .arg("-c")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.expect("it runs");
        let nginx = Self { child, folder };
        until("nginx listens", || UnixStream::connect(&socket).ok());
        nginx
    }

    fn socket(&self) -> String {
        format!("\"{}\"", self.folder.path("nginx.sock").display())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself, and the test has failed then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nginx_behind_us_never_answers_for_a_route_that_was_passed_by() {
    let parts = [
        "/",
        "//",
        "/.",
        "/..",
        "%2f",
        "%2e",
        "%5c",
        "\\",
        ";",
        ";a=b",
        "%00",
        "%3f",
        "%252f",
        "x",
        "partners",
        "%70artners",
    ];
    let mut passed = 0;
    for settings in ["merge_slashes on;", "merge_slashes off;"] {
        let nginx = Nginx::start(settings);
        let partners = Origin::named("partners' own server");
        let proxy = Setup::servers([nginx.socket()])
            .also("partners", &partners)
            .route("path = \"/partners/*\"\nbackend = \"partners\"")
            .start();
        let mut client = proxy.client();
        let mut ask = |path: &str| {
            let response = client.ask(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
            if response.status() == 400 {
                // Our answer has it and keeps the connection; nginx's, to a path that it refuses,
                // too.
                if response.field("connection") == Some("close") {
                    client = proxy.client();
                }
                return;
            }
            assert_ne!(response.text(), "partners", "{path} with {settings}");
            passed += 1;
        };
        for first in parts {
            for second in parts {
                for third in ["partners", "/partners/x", "x"] {
                    ask(&format!("/{first}{second}{third}"));
                }
            }
        }
    }
    assert!(passed > 200, "most of this has to reach nginx: {passed}");
}
