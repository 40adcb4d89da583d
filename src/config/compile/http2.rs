//! `[frontend.NAME.http2]`.

use crate::base::ByteSize;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::Http2;

/// What HTTP/2 begins with (RFC 9113 §6.9.2): a smaller window is only in force after a round trip.
const LEAST_WINDOW: ByteSize = ByteSize(64 << 10);
/// 2 GiB less one is the most that HTTP/2 knows (RFC 9113 §6.9.1); this is what a client may make us hold.
const MOST_WINDOW: ByteSize = ByteSize(1 << 30);
/// Less would refuse what each browser sends; more is what a client may make us hold.
const LEAST_HEADS: ByteSize = ByteSize(64 << 10);
const MOST_HEADS: ByteSize = ByteSize(1 << 30);
const MOST_STREAMS: i64 = 10_000;
const MOST_A_SECOND: i64 = 1_000_000;

pub(super) fn http2(frontend: &Section<'_>, report: &mut Report<'_>) -> Http2 {
    let default = Http2::default();
    let Some(section) = frontend.section("http2", &keys::FRONTEND_HTTP2, report) else {
        return default;
    };
    let number = |key, most, default: u32, report: &mut Report<'_>| {
        section
            .number(key, 1, most, report)
            .map_or(default, |number| number as u32)
    };
    let window = |key, default, report: &mut Report<'_>| {
        section
            .size(key, LEAST_WINDOW, MOST_WINDOW, report)
            .unwrap_or(default)
    };
    let max_streams = number("max_streams", MOST_STREAMS, default.max_streams, report);
    let http2 = Http2 {
        enabled: section
            .boolean("enabled", report)
            .unwrap_or(default.enabled),
        max_streams,
        stream_window: window("stream_window", default.stream_window, report),
        connection_window: window("connection_window", default.connection_window, report),
        open_heads: section
            .size("open_heads", LEAST_HEADS, MOST_HEADS, report)
            .unwrap_or(Http2::open_heads_of(max_streams)),
        resets_per_second: number(
            "resets_per_second",
            MOST_A_SECOND,
            default.resets_per_second,
            report,
        ),
        idle_frames_per_second: number(
            "idle_frames_per_second",
            MOST_A_SECOND,
            default.idle_frames_per_second,
            report,
        ),
    };
    if http2.stream_window > http2.connection_window {
        let setting = section
            .setting("stream_window")
            .or_else(|| section.setting("connection_window"));
        if let Some(setting) = setting {
            report.error(
                setting.span(),
                "`stream_window` is larger than `connection_window`",
                "write a `connection_window` of several times the `stream_window`: one slow upload must not block the others on its connection",
            );
        }
    }
    http2
}
