//! Conditions of rules and routes with long lists, files and flags, end to end.

use crate::rig::{Folder, OK, Origin, Setup};

#[test]
fn a_client_on_a_list_in_a_file_is_refused() {
    let origin = Origin::answering(OK);
    let folder = Folder::new();
    let mut list = String::from("# blocked\n");
    for index in 0..20_000 {
        list += &format!("10.{}.{}.0/24\n", index / 256, index % 256);
    }
    list += "127.0.0.1\n";
    let blocked = folder.write("blocked.txt", &list);
    let hosts = folder.write("hosts.map", "a.test app\nB.test other\n");
    let proxy = Setup::of(&[&origin])
        .frontend(&format!(
            "rule = [
                {{ when = 'src in @file(\"{}\") and path has_dir \"admin\"', deny = 403 }},
                {{ when = 'not req.hdr(host) in -i @map(\"{}\")', deny = 421 }},
                {{ when = 'path ends_with -i [\".bak\", \".old\"] or LOCALHOST and METH_POST', deny = 404 }},
            ]",
            blocked.display(),
            hosts.display()
        ))
        .start();
    let status = |line: &str, host: &str| {
        let answer = proxy.ask(format!("{line} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        answer.status()
    };
    assert_eq!(status("GET /", "a.test"), 200);
    assert_eq!(status("GET /x/admin/y", "a.test"), 403);
    assert_eq!(status("GET /administrator", "A.TEST"), 200);
    assert_eq!(status("GET /", "b.test"), 200);
    assert_eq!(status("GET /", "other"), 421);
    assert_eq!(status("GET /a.BAK", "a.test"), 404);
    assert_eq!(status("POST /", "a.test"), 404);
}
