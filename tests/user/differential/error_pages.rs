//! Files with whole answers, which HAProxy and Evenkeel read alike.

use crate::case::{Case, case};
use crate::rig::Folder;

use super::{IPV4, Pair};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(a_file_of_haproxy_is_the_same_answer_here, HAPROXY)]
}

fn a_file_of_haproxy_is_the_same_answer_here() {
    let folder = Folder::new();
    let denied = "HTTP/1.0 403 Go away\r\nCache-Control: no-cache\r\nConnection: close\r\n\
                  Content-Type: text/html\r\nX-A: 1\r\nX-A: 2\r\n\r\n<p>no %[src]\n";
    let denied = folder.write("403.http", denied);
    // Lines that end without CR, a length, another status, and no body.
    let limited = folder.write(
        "429.http",
        "HTTP/1.1 200 Fine\nContent-Length: 2\nContent-Type: text/plain\n\nok",
    );
    let empty = folder.write("404.http", "HTTP/1.1 410 Gone\r\n\r\n");
    let (denied, limited, empty) = (denied.display(), limited.display(), empty.display());
    let pair = Pair::start(
        &format!(
            "errorfile 403 {denied}\nerrorfile 429 {limited}\nerrorfile 404 {empty}\n\
             http-request deny if {{ path /403 }}\n\
             http-request deny deny_status 429 if {{ path /429 }}\n\
             http-request deny deny_status 404 if {{ path /404 }}\n\
             http-request deny deny_status 400 if {{ path /400 }}"
        ),
        &format!(
            "error_page = [{{ status = 403, errorfile = '{denied}' }}, {{ status = 429, errorfile = '{limited}' }},
               {{ status = 404, errorfile = '{empty}' }}]
             rule = [{{ when = 'path == \"/403\"', deny = true }}, {{ when = 'path == \"/429\"', deny = 429 }},
               {{ when = 'path == \"/404\"', deny = 404 }}, {{ when = 'path == \"/400\"', deny = 400 }}]"
        ),
    );
    for target in ["/403", "/429", "/404", "/ok"] {
        let [theirs, ours] = pair.ask(IPV4, &format!("GET {target} HTTP/1.1\r\nhost: a"));
        let (theirs, ours) = (theirs.client, ours.client);
        assert_eq!(ours.status(), theirs.status(), "{target}");
        assert_eq!(ours.text(), theirs.text(), "{target}");
        // Not `content-length`: where the file has none, HAProxy closes the connection.
        for field in ["cache-control", "content-type", "x-a"] {
            let (ours, theirs) = (ours.values(field), theirs.values(field));
            assert_eq!(ours, theirs, "{field} of {target}");
        }
    }
    // There is no page for it.
    let [theirs, ours] = pair.ask(IPV4, "GET /400 HTTP/1.1\r\nhost: a");
    assert_eq!(ours.client.status(), theirs.client.status());
}
