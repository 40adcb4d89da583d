//! A line by a template: HAProxy's variables, and text between them.
//!
//! Written piece by piece into the worker's buffer. A space of the template is written only where no
//! space was written before it: a variable that has nothing to write (`%hr` without captures) takes the space
//! behind it along, as in HAProxy.

use crate::expr::Program;
use crate::observe::access_log::entry::{Entry, Evaluation};
use crate::observe::access_log::json_template;
use crate::observe::access_log::values;
use crate::observe::calendar::Calendar;
use crate::plan::expr::Type;
use crate::plan::log::{Flags, LineTemplate, Piece as PlanPiece, Variable};

/// A compiled template.
#[derive(Debug)]
pub(crate) enum Template {
    Text(Box<[Piece]>),
    /// A JSON object.
    Json(Box<[json_template::Item]>),
}

#[derive(Debug)]
pub(crate) enum Piece {
    Text(Box<[u8]>),
    Space,
    Variable(Variable, Flags),
    /// An expression, and the type of its value.
    Program(Program, Type, Flags),
}

impl Template {
    pub(super) fn compile(template: &LineTemplate) -> Self {
        if let Some(names) = &template.names {
            let items = template.pieces.iter().zip(names).enumerate();
            let items = items.filter_map(|(index, (piece, name))| {
                json_template::Item::compile(index, piece, name)
            });
            return Self::Json(items.collect());
        }
        let pieces = template.pieces.iter().map(|piece| match piece {
            PlanPiece::Text(text) => Piece::Text(text.as_bytes().into()),
            PlanPiece::Space => Piece::Space,
            PlanPiece::Expr(expr, flags) => {
                Piece::Program(Program::compile(expr), expr.yields(), *flags)
            }
            PlanPiece::Variable(variable, flags) => match values::of_process(*variable, *flags) {
                Some(text) => Piece::Text(text.into()),
                None => Piece::Variable(*variable, *flags),
            },
        });
        Self::Text(pieces.collect())
    }

    /// Appends `entry` as one line, its end included.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        calendar: &mut Calendar,
        entry: &Entry<'_>,
        evaluation: &mut Evaluation<'_>,
    ) {
        let pieces = match self {
            Self::Text(pieces) => pieces,
            Self::Json(items) => {
                return json_template::write(items, out, calendar, entry, evaluation);
            }
        };
        let mut is_after_space = true;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    out.extend_from_slice(text);
                    is_after_space = false;
                }
                Piece::Space if is_after_space => {}
                Piece::Space => {
                    out.push(b' ');
                    is_after_space = true;
                }
                Piece::Variable(variable, flags) => {
                    let variables = evaluation.facts.variables;
                    let has_value =
                        values::write(*variable, *flags, entry, variables, calendar, out);
                    is_after_space &= !has_value;
                }
                Piece::Program(program, yields, flags) => {
                    let Evaluation { facts, scratch } = evaluation;
                    scratch.clear();
                    let value = program.value(facts, scratch);
                    let value = scratch.cast(value, *yields, Type::Text);
                    values::of_expression(out, scratch.text(value), *flags);
                    is_after_space = false;
                }
            }
        }
        out.push(b'\n');
    }

    /// Whether it has the numbers of connections and exchanges.
    pub(super) fn wants_load(&self) -> bool {
        match self {
            Self::Text(pieces) => pieces.iter().any(|piece| match piece {
                Piece::Variable(variable, _) => variable.is_load(),
                Piece::Text(_) | Piece::Space | Piece::Program(..) => false,
            }),
            Self::Json(items) => items.iter().any(json_template::Item::is_load),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use http::Version;

    use crate::base::clock::{self, Duration};
    use crate::base::{TlsKeys, TlsVersion};
    use crate::config::written::line_template;
    use crate::exchange::{Attempt, ClientTls, Load, LoggedRequest, Reason, Record, RequestTexts};
    use crate::observe::{FrontendMetrics, LeftByRules, OpenConnections, WorkerObserver, fixture};
    use crate::plan::LogTarget;
    use crate::plan::log::{LineFormat, Preset};

    /// The line of `record` by the template `text`.
    #[track_caller]
    fn line(text: &str, record: &Record) -> String {
        let format = LineFormat::Template(line_template(text));
        let log = fixture::log(&LogTarget::Stdout, format);
        let observer = WorkerObserver::new(0, &log);
        let open = || OpenConnections {
            of_process: 9,
            of_frontend: 8,
        };
        observer.finish(
            record,
            &FrontendMetrics::new(1),
            LeftByRules::default(),
            open,
        );
        observer.flush();
        fixture::lines(&log)
    }

    /// `GET /v1/a?b=c`, which was answered by the second server.
    fn answered() -> Record {
        let began = clock::now();
        let record = fixture::record(began);
        record.backend.set("app".into()).expect("unset");
        let servers = ["s1", "s2"].map(fixture::server);
        record.attempts.begin(Attempt {
            reason: Some(Reason::ServerConnectRefused),
            ..fixture::attempt(&servers[0])
        });
        record.attempts.begin(Attempt {
            is_connected: true,
            connect: Some(Duration::from_millis(30)),
            response: Some(Duration::from_millis(69)),
            status: 200,
            ..fixture::attempt(&servers[1])
        });
        record.queued.set(Duration::from_millis(2));
        record.load.set(Load {
            at_backend: 7,
            at_server: 6,
            waiting_for_any: 5,
            waiting_for_server: 4,
        });
        record.status.set(200);
        record.body_bytes_in.set(3);
        record.body_bytes_out.set(2_750);
        record.ended.set(Some(began + Duration::from_millis(109)));
        record
    }

    /// With these texts of a request.
    fn with(texts: &RequestTexts<'_>) -> Record {
        let mut record = answered();
        record.opening.request = Some(LoggedRequest::of(texts));
        record
    }

    #[test]
    fn the_presets_of_haproxy_are_lines_as_it_writes_them() {
        let record = answered();
        assert_eq!(
            line(Preset::HaproxyHttp.template(), &record),
            "192.0.2.7:51234 [01/Mar/2026:12:34:56.788] web app/s2 0/2/30/69/109 200 2750 - - ---- \
             9/8/7/6/+1 4/5 \"GET /v1/a?b=c HTTP/1.1\"\n"
        );
        assert_eq!(
            line(Preset::HaproxyTcp.template(), &record),
            "192.0.2.7:51234 [01/Mar/2026:12:34:56.788] web app/s2 2/30/109 2750 -- 9/8/7/6/+1 4/5\n"
        );
    }

    #[test]
    fn the_presets_of_apache_are_lines_as_it_writes_them() {
        let record = answered();
        let common =
            "192.0.2.7 - - [01/Mar/2026:12:34:56 +0000] \"GET /v1/a?b=c HTTP/1.1\" 200 2750";
        assert_eq!(line(Preset::Clf.template(), &record), format!("{common}\n"));
        assert_eq!(
            line(Preset::Combined.template(), &record),
            format!("{common} \"\" \"curl/8.5.0\"\n")
        );
    }

    #[test]
    fn a_request_that_reached_no_server_has_the_words_of_haproxy() {
        let mut record = fixture::record(clock::now());
        record.status.set(404);
        record.blame(Reason::RouteNone);
        let template = "%b/%s %Tw/%Tc/%Tr/%Td %ST %tsc %rc %reason %sslv %CC";
        let expected = "web/<NOSRV> -1/-1/-1/-1 404 PR-- 0 route.none - -\n";
        assert_eq!(line(template, &record), expected);
        record.opening.request = None;
        let template = "%{+Q}r %HM %HP %HQ %HU %HV %host";
        let bad = "\"<BADREQ>\" <BADREQ> <BADREQ> <BADREQ> <BADREQ> <BADREQ> -\n";
        assert_eq!(line(template, &record), bad);
    }

    #[test]
    fn parts_of_the_request_line() {
        let template = "%HM|%HP|%HPO|%HQ|%HU|%HV|%host|%agent|%ID|%U|%Td|%TR|%fp|%{+Q}fp";
        let expected = "GET|/v1/a|/v1/a|?b=c|/v1/a?b=c|HTTP/1.1|example.com|curl/8.5.0|\
                        0123456789abcdef|3|7|0|-|\"\"\n";
        assert_eq!(line(template, &answered()), expected);
        let record = with(&RequestTexts {
            method: Some(b"GET"),
            target: Some(b"/"),
            version: Some(Version::HTTP_2),
            ..RequestTexts::default()
        });
        assert_eq!(line("%HQ|%r|%{+Q}HQ", &record), "|GET / HTTP/2.0|\"\"\n");
    }

    #[test]
    fn flags_change_what_follows_as_in_haproxy() {
        let mut record = answered();
        let template = "%{+X}ci:%{+X}cp %{+X}ST %{+Q}o %ci %{-Q}ci %ST %{+X}o %ft";
        let expected = "C0000207:C822 200 \"192.0.2.7\" 192.0.2.7 200 \"web\"\n";
        assert_eq!(line(template, &record), expected);
        record.opening.tls = Some(Rc::new(ClientTls {
            version: TlsVersion::V1_3,
            keys: TlsKeys::Fresh,
            cipher: "TLS_AES_256_GCM_SHA384",
            server_name: None,
            alpn: None,
            certificate: None,
            shown: None,
        }));
        let expected = "web~ TLS_AES_256_GCM_SHA384 TLSv1.3\n";
        assert_eq!(line("%ft %sslc %sslv", &record), expected);
    }

    #[test]
    fn spaces_are_merged_and_an_absent_text_leaves_none() {
        let record = answered();
        assert_eq!(line("  a  b %hr %hs c", &record), "a b c\n");
        assert_eq!(line("%HM %% %hr", &record), "GET % \n");
    }

    #[test]
    fn dates_are_in_utc() {
        let template = "%trg|%trl|%t|%T|%Tl|%Ts|%{+X}Ts|%ms|%time";
        let date = "01/Mar/2026:12:34:56";
        let gmt = format!("{date} +0000");
        let expected = format!(
            "{gmt}|{gmt}|{date}.788|{gmt}|{gmt}|1772368496|69A43270|788|2026-03-01T12:34:56.788Z\n"
        );
        assert_eq!(line(template, &answered()), expected);
    }

    #[test]
    fn no_byte_of_a_request_ends_a_text_or_a_line_or_moves_a_cursor() {
        let hostile: Vec<u8> = (0..=255).collect();
        let record = with(&RequestTexts {
            method: Some(&hostile[..32]),
            target: Some(&hostile),
            host: Some(&hostile),
            user_agent: Some(&hostile),
            referer: Some(&hostile),
            version: Some(Version::HTTP_11),
        });
        for variable in ["r", "HM", "HP", "HQ", "HU", "host", "agent", "referer"] {
            for flags in ["", "{+Q}", "{+Q,+E}", "{+X}"] {
                let written = line(&format!("<%{flags}{variable}>"), &record);
                let text = written.strip_suffix(">\n").expect("one line");
                let text = text.strip_prefix('<').expect("its beginning");
                let inner = match flags.contains('Q') {
                    true => text
                        .strip_prefix('"')
                        .and_then(|text| text.strip_suffix('"')),
                    false => Some(text),
                };
                let inner = inner.expect("its quotes");
                let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"';
                assert!(inner.bytes().all(is_plain), "{flags}{variable}: {written}");
            }
        }
        let record = with(&RequestTexts {
            user_agent: Some(b"a\"b]\\ #\xff\n"),
            ..RequestTexts::default()
        });
        assert_eq!(line("%agent", &record), "a#22b]\\ #23#FF#0A\n");
        assert_eq!(line("%{+E}agent", &record), "a#22b\\]\\\\ #23#FF#0A\n");
    }

    #[test]
    fn a_template_of_json_has_its_names_and_types() {
        let mut record = answered();
        record.opening.local = Some(([10, 0, 0, 1], 443).into());
        let template = "%{+json}o %(client)ci %(port)cp %(status)ST %(text:str)ST %(target)HU \
            %(tls)[ssl_fc] %(n)[int(-5)] %(s:sint)[str(x)] %(b:bool)[str(yes)] %(none)[var(txn.a)] \
            %(hex){+X}ci %(a b\"c)[str('d\"e#é')] %(local)[dst] %(cookie)CC %(retries)rc";
        let expected = [
            r#"{"client":"192.0.2.7","port":51234,"status":200,"text":"200","target":"/v1/a?b=c","#,
            r#""tls":false,"n":-5,"s":null,"b":true,"none":null,"hex":"C0000207","#,
            r#""a b\"c":"d\"e#\u00e9","local":"10.0.0.1","cookie":null,"retries":1}"#,
        ];
        let written = line(template, &record);
        assert_eq!(written.trim_end(), expected.concat());
        let read: serde_json::Value = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read["a b\"c"], "d\"e#é");
    }

    #[test]
    fn an_expression_is_a_text_like_any_other() {
        let mut record = answered();
        record.opening.local = Some(([10, 0, 0, 1], 443).into());
        let template =
            "%[src] %{+Q}[dst_port] %[status] %[srv_name] %[be_name,upper] %[fe_name] %[unique-id]";
        let expected = "192.0.2.7 \"443\" 200 s2 APP web 0123456789abcdef\n";
        assert_eq!(line(template, &record), expected);
        let template = "%[var(txn.a)]|%{+Q}[var(txn.a)]|%[ssl_fc]|%{+X}[src]";
        assert_eq!(line(template, &record), "-|\"\"|0|192.0.2.7\n");
        // Words are counted in lines, and an empty one would be none.
        assert_eq!(
            line("%[str('')] %{+Q}[str('')] %{+E}[str('')]", &record),
            "- \"\" -\n"
        );
        // HAProxy 2.6 writes the quotes of the first as they are: they would end a text in quotes.
        let quoted = "str('a\"b]\\#')";
        assert_eq!(line(&format!("%[{quoted}]"), &record), "a#22b]\\#23\n");
        assert_eq!(
            line(&format!("%{{+E}}[{quoted}]"), &record),
            "a\\\"b\\]\\\\#23\n"
        );
    }

    #[test]
    fn the_termination_state_has_the_step_that_was_reached() {
        let cases = [
            (None, "R"),
            (Some((false, false)), "C"),
            (Some((true, false)), "H"),
            (Some((true, true)), "D"),
        ];
        for (attempt, step) in cases {
            let record = fixture::record(clock::now());
            record.blame(Reason::ClientLeft);
            if let Some((is_connected, has_response)) = attempt {
                record.backend.set("app".into()).expect("unset");
                record.attempts.begin(Attempt {
                    is_connected,
                    response: has_response.then_some(Duration::ZERO),
                    ..fixture::attempt(&fixture::server("s1"))
                });
            }
            assert_eq!(line("%ts", &record), format!("C{step}\n"));
        }
    }
}
