//! Writes the reference page `conf/reference/log-formats.md` from the tables of variables, presets
//! and termination states; a test compares them.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes it.

use std::fmt::Write as _;

use crate::exchange::{Reason, Step, Termination};
use crate::observe::reference::held;
use crate::plan::log::{NOT_HERE, Preset, Variable};

const HEAD: &str = r#"# Formats of log lines

`format` of an access log (`[[log.access]]`) says what a line is. Written from the code's own tables
(`src/plan/log`, `src/exchange/termination.rs`) and held to them by a test.

| `format` | a line |
|---|---|
| `"json"` | a JSON object with all facts: see [access log](access-log.md). The default. `fields = ["time", "status"]` chooses. |
| `"ecs"` | a JSON object in the Elastic Common Schema 8, with dotted names (`"http.request.method"`); facts that do not apply are left out |
"#;

const TEMPLATES: &str = r#"| any text with a `%` | a template |

Several logs, each with its target and its format, also two with the same target:

```toml
[[log.access]]
to = "/var/log/evenkeel/access.log"
format = "haproxy-http"
[[log.access]]
to = "stdout"
format = "%ci %{+Q}r %ST %Ta %reason"
```

## Templates

HAProxy's notation: `%ci` is a variable, `%%` a percent sign, `%{+Q}r` a variable with flags. `%{+Q}o` sets flags for all
variables after it, which `-` removes: `%{-Q}ci`. A name ends at the first character that is no letter or digit. `%[…]` is an
[expression](expressions.md) of what is left of the exchange: the client's connection, the names of frontend, backend and
server, the status, the variables that rules have set, and [tables](tables.md): `sc_http_req_rate(0)` has this exchange in it. Its
fields are not kept:

```toml
[[log.access]]
format = "%ci %{+Q}r %ST %{+Q}[var(txn.tenant)]"
when = "status >= 500 or var(txn.tenant)"
sample = "1:100"
[[frontend.web.rule]]
set_var = { "txn.tenant" = "req.hdr(x-tenant)" }
```

`when` is a condition on the same facts: exchanges for which it does not hold have no line in this log. `sample` writes some of
the lines: `"1:100"` the first of each 100, `"1,3-5:10"` four of each ten, as HAProxy's `sample`. Each worker counts its own.

| flag | what |
|---|---|
| `+Q` | the text in double quotes; an absent one is `""` and not `-` |
| `+E` | a backslash before `\` and `]`, for the structured data of RFC 5424 |
| `+X` | addresses, ports, `%Ts` and `%pid` in hexadecimal digits |

- Spaces are merged. A variable without anything to write (`%hr` without captures) takes the space behind it along.
- A byte of a client that is not visible ASCII, `"` and `#` are written as `#` with two hexadecimal digits (`#22`): no text can
  end its quotes, begin a line or move the cursor of a terminal.
- Texts are cut as in [JSON](access-log.md).
- Times are whole milliseconds; -1 is a step that was not reached. Dates are in UTC.

## JSON by a template

A template that begins with `%{+json}o`, as in HAProxy 3.0, writes one JSON object with names of your own:

```toml
[[log.access]]
format = "%{+json}o %(client)ci %(request)r %(status)ST %(tenant)[var(txn.tenant)] %(ms:str)Ta"
```

`%(name)` or `%(name:type)` is before each value. Types are `str`, `sint` and `bool`; without one, a number stays a number and what is
true or false a boolean. What is absent or empty is `null`, and so is a `sint` that is no number. Text between values is a mistake.

## Privacy

`mask_query = ["token"]` writes the values of these parameters of the query as `***`, in targets and in `Referer`; `"*"` those of
all. Names are compared decoded and without case. `mask = ["client"]` shortens the client's address to its network (/24, /48)
and leaves out its port; `"user_agent"`, `"referer"`, `"host"` and `"sni"` are written as `***`. Both hold for one log, in any
format. Variables are not masked: what a rule keeps with `set_var` is written as it is.

## Variables

| variable | what |
|---|---|
"#;

const TARGETS: &str = r#"
## Targets

`to` is `"stdout"`, `"stderr"`, the path of a file, or a syslog:

| `to` | what |
|---|---|
| `"unix:/dev/log"` | the system's log, a datagram for each line |
| `"udp://HOST:PORT"` | a syslog server, a datagram for each line; port 514 if none is written |
| `"tcp://HOST:PORT"` | the same over a connection, each message ends with a line feed (RFC 6587 §3.4.2) |

A name is resolved by the system when its server is connected to. `syslog = { … }` sets the `format` of the head (`"rfc3164"`,
`"rfc5424"`), the `facility` (`"local0"`) and the `tag` (`"evenkeel"`). The severity is that of the outcome: *err* if a server or
Evenkeel failed (a status of 5xx, a response that was cut), *warning* if the client left or was refused, else *info*.

Lines wait in memory, at most 8 MiB for each target. A target that is slow or gone loses its lines: they are counted
(`evenkeel_access_log_dropped_total`) and an event says so. Nothing else waits for it. A syslog server is connected to again
after a second; until then its lines are lost at once. One that takes nothing is waited for up to 2 seconds, and after that only
0.1 seconds at each new connection, until it takes lines again.

"#;

const TERMINATION: &str = r#"
## Termination

The first two letters of `%ts` and `%tsc`, as HAProxy has them, made of the [reason](reasons.md): the cause, and the step that
the exchange had reached. An exchange that went well has `--`. *reached* stands for the letter of the step: `R` the request was
not complete or not passed on, `Q` in the queue, `C` connecting, `H` waiting for the head of the response, `D` in the body.
The last two letters of `%tsc` are about a cookie of persistence: always `--`.

| reason | state |
|---|---|
"#;

fn page() -> String {
    let mut page = String::from(HEAD);
    for preset in Preset::ALL {
        let (name, meaning) = (preset.name(), preset.meaning());
        let template = preset.template();
        writeln!(page, "| `\"{name}\"` | {meaning} `{template}` |").expect("text");
    }
    page.push_str(TEMPLATES);
    for variable in Variable::ALL {
        let (name, meaning) = (variable.name(), variable.meaning().trim());
        writeln!(page, "| `%{name}` | {meaning} |").expect("text");
    }
    page.push_str("\nOf HAProxy's, these do not exist here:\n\n");
    for (name, why) in NOT_HERE {
        writeln!(page, "- `%{name}`: {why}.").expect("text");
    }
    page.push_str(TARGETS.trim_end());
    page.push('\n');
    page.push_str(TERMINATION);
    for reason in Reason::ALL {
        let Termination { cause, step } = Termination::of(*reason);
        let step = step.map_or_else(|| "*reached*".to_owned(), |step| letter(step.letter()));
        let (code, cause) = (reason.code(), letter(cause));
        writeln!(page, "| `{code}` | {cause} {step} |").expect("text");
    }
    page
}

fn letter(letter: u8) -> String {
    format!("`{}`", char::from(letter))
}

#[test]
fn the_page_of_log_formats_is_that_of_the_tables() {
    held("conf/reference/log-formats.md", &page());
}

#[test]
fn every_reason_has_a_state_of_haproxy() {
    let steps = [
        Step::Request,
        Step::Queue,
        Step::Connect,
        Step::Headers,
        Step::Data,
    ];
    for reason in Reason::ALL {
        for reached in steps {
            let [cause, step] = Termination::of(*reason).letters(reached);
            assert!(b"CcSsPLRIK".contains(&cause), "{}", reason.code());
            assert!(b"RQCHDT".contains(&step), "{}", reason.code());
        }
    }
}

#[test]
fn a_variable_is_here_or_has_a_reason_not_to_be() {
    for (name, _) in NOT_HERE {
        assert_eq!(Variable::named(name), None, "%{name}");
    }
    // HAProxy's configuration manual, 8.2.6.
    let all = "B CC CS H HM HP HPO HQ HU HV ID ST T Ta Tc Td Tl Th Ti Tq TR Tr Ts Tt Tu Tw U ac b bc bi bp bq \
               ci cp f fc fi fp ft lc hr hs ms pid r rc rt s sc sq sslc sslv t tr trg trl ts tsc";
    for name in all.split(' ') {
        let is_known =
            Variable::named(name).is_some() || NOT_HERE.iter().any(|(known, _)| *known == name);
        assert!(is_known, "%{name}");
    }
}
