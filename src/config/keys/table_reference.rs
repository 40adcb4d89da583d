//! Writes the reference page `conf/reference/tables.md` from the table of data; a test compares them.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::plan::Data;

use super::table::form_of;

const HEAD: &str = r#"# Tables

Written from the table in `src/plan/table.rs` and held to it by a test.

A **table** counts what happens to a key: a client's address, a session cookie, an API key. It is HAProxy's stick table; names and
meaning are HAProxy's. A rule chooses the key, and conditions read the counts:

```toml
[table.clients]
key = "ip"
size = 100000
expire = "10m"
store = ["http_req_rate(10s)", "http_err_rate(1m)"]

[frontend.web]
listen = ":8080"
backend = "app"
rule = [
  { track = { table = "clients", key = "src" } },
  { when = "sc_http_req_rate(0) > 100 or sc_http_err_rate(0) > 20", deny = 429 },
]
```

## The table

| key | what |
|---|---|
| `key` | The type of the keys. `"ip"`: IPv4 and IPv6 addresses (HAProxy's `ip` has IPv4 alone: here that is `"ipv4"`). `"integer"`: 32 bits. `"string(64)"`: a text, of which so many bytes count. `"binary(20)"`: so many bytes. Without a length it is 32. |
| `size` | The most entries. An entry takes about 50 bytes, the bytes of its key (16 for an address), 8 for a number and 24 for a rate. |
| `expire` | How long an entry is kept after its last change; `"off"`, the default: until its place is needed. An entry that is tracked does not expire. |
| `nopurge` | `true`: a full table takes no new keys. Else the entry that was not changed for the longest time makes room; in a table of 1,024 entries and more this holds for each of 64 parts. |
| `store` | What is kept for each key: below. |

All workers share a table. A reload keeps its entries as long as its name and the type of its keys stay, also with another `size`,
`expire` or `store`: data that both have is kept, except rates over another period. A restart begins with empty tables.

## Tracking

`track = { table = "clients", key = "src" }` looks the key up, makes an entry if there is none, and counts a request in it. Until the
exchange is over, what happens to it is counted there too.

- An exchange tracks as many entries as it has **counters**, 0 to 11. `counter` says which; without it, it is the position of the rule
  among those of its list with `track`, from 0. A rule of a route or a backend should say which, because the rules of the frontend have
  begun at 0 too.
- The first entry that is tracked as a counter stays: a later rule with the same counter does nothing.
- A key whose value is absent, or cannot be a key of the table, is not tracked, and neither is a new key in a full table with
  `nopurge`, or in one whose entries are all tracked: they make no room. A condition on its counter is then false, so give a table
  more room than clients can hold open at once (`evenkeel_table_refusals_total` counts these keys).
- `sc_http_req_rate(0)` reads the entry that is tracked as counter 0; it is absent where nothing is tracked. `sc_http_req_rate(0,other)`
  reads the entry with the same key in another table, and is 0 if it has none.
- As in HAProxy, `sc0_http_req_rate` is short for `sc_http_req_rate(0)`, and so for the counters 1 and 2.
- `src,table_http_req_rate(clients)` reads the entry of any key without tracking it, and is 0 without one. `src_http_req_rate(clients)`
  is short for it. To read is no change: it does not prolong the life of an entry.
- `sc_inc_gpc` and `sc_set_gpt` change what only rules write: counters and tags. HAProxy's fetches that write (`sc_inc_gpc0` as a
  condition) do not exist.
- A rule for connections tracks too ([connection-rules.md](connection-rules.md)): then `conn_cur`, `conn_cnt` and `conn_rate` count
  connections, and the other data the requests of the connection. Its counter is taken for each of these requests.
- With `on = "response"` the request is counted when the answer has come, and an error or a failure with it.

## What a table keeps

A **rate** is counted as in HAProxy: the events of the present period, and of the period before it the part that is less than one
period ago.

| in `store` | what |
|---|---|
"#;

const END: &str = "
`sess_cnt` and `sess_rate` of HAProxy count connections that a rule for connections tracks, and `glitch_cnt` and `glitch_rate` errors of
the protocol: they do not exist here. `server_id` is for stickiness, which does not exist yet. Tables are not replicated to other
machines (`peers`).

Bytes are those of bodies and tunnels; HAProxy counts heads too.
";

fn page() -> String {
    let mut page = String::from(HEAD);
    for data in Data::ALL {
        let (form, meaning) = (form_of(*data), data.meaning());
        writeln!(page, "| `{form}` |{meaning} |").expect("text");
    }
    page.push_str(END);
    page
}

#[test]
fn the_page_of_tables_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/reference/tables.md");
    if env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        page(),
        "run EVENKEEL_BLESS=1 cargo test to write the page anew"
    );
}
