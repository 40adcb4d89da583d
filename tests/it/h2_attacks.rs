//! Attacks of one HTTP/2 client: the other clients are not affected.
//!
//! Each attack runs against the real program, whose memory is measured, while another client is
//! served all the time. It is bounded in count; the program answers it with GOAWAY and a reason, or
//! simply holds. All of them run with and without TLS, because reading ahead and the end of a
//! connection that still sends differ.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::rig::framed::{
    self as frames, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR, Framed, GOAWAY, HEADERS, PADDED, PING, PROTOCOL_ERROR, REFUSED_STREAM,
    SETTINGS,
};
use crate::rig::{Gate, Origin, Program, Setup, Way, by_each_way, until};

by_each_way![
    rapid_reset,
    rapid_reset_at_the_pace_of_the_server,
    made_you_reset,
    streams_that_are_opened_and_left,
    settings,
    windows_that_change,
    pings,
    priorities,
    unknown_frames,
    grants_of_window,
    empty_data,
    data_that_is_nothing_but_padding,
    tiny_data_that_no_server_takes,
    continuations_without_an_end,
    a_head_without_bounds,
    heads_of_open_requests_are_bounded_together,
    heads_and_uploads_of_one_connection_share_one_bound,
    heads_that_are_not_needed_any_more_make_room_for_others,
    a_client_that_asks_on_beyond_that_bound_is_sent_away,
    a_hundred_calls_with_five_kilobytes_of_metadata_are_let_in,
    a_bomb_of_many_references_is_sent_away,
    cookies_in_crumbs,
    heads_that_trickle,
    windows_that_stay_shut,
    windows_that_grow_by_crumbs,
    uploads_that_no_server_takes,
    windows_that_are_wide_open_before_a_socket_that_is_not_read,
    a_client_that_does_not_read_its_socket,
    data_beyond_the_window,
    nonsense,
];

/// The most memory by which the program may grow. A build without the bound in question grows by
/// tens of megabytes.
const MORE_MEMORY: u64 = 12 << 20;

/// The most processor time of the program while a neighbour waits for an answer. Not wall-clock
/// time, which depends on other processes of the machine.
const SOON: Duration = Duration::from_secs(5);

/// So slow a leak that the duration of an attack does not matter.
const LITTLE_LEAKS: &str = "http2 = { resets_per_second = 10, idle_frames_per_second = 100 }";

/// A program under attack.
struct Attacked<'a> {
    way: &'a Way,
    program: Program,
    memory_before: u64,
    neighbour: Option<Neighbour>,
    origin: Origin,
}

/// A client that sends requests all the time, and must be answered.
struct Neighbour {
    stop: Arc<AtomicBool>,
    slowest: Arc<Mutex<Duration>>,
    asking: JoinHandle<usize>,
}

impl<'a> Attacked<'a> {
    #[track_caller]
    fn new(way: &'a Way) -> Self {
        Self::with(way, Origin::named("a"), |setup| {
            setup.frontend(LITTLE_LEAKS)
        })
    }

    #[track_caller]
    fn with(way: &'a Way, origin: Origin, setup: impl Fn(Setup) -> Setup) -> Self {
        // One worker: the neighbour is on the one under attack.
        let setup = setup(way.of(Setup::of(&[&origin]).workers(1)));
        let program = Program::start(&setup);
        let address = program.address();
        // What is allocated once is allocated by now.
        let mut client = way.connect(address);
        client.send(frames::request_for(1, "/neighbour"));
        assert_eq!(client.status(1), 200);
        let memory_before = program.memory();
        Self {
            way,
            neighbour: Some(Neighbour::of(way, &program)),
            program,
            memory_before,
            origin,
        }
    }

    #[track_caller]
    fn client(&self) -> Framed {
        self.way.connect(self.program.address())
    }

    /// Checks that it has not grown beyond its bounds.
    #[track_caller]
    fn holds(&self) {
        self.holds_within(MORE_MEMORY);
    }

    #[track_caller]
    fn holds_within(&self, more: u64) {
        let memory = self.program.memory();
        let grown = memory.saturating_sub(self.memory_before);
        assert!(grown < more, "it has grown by {} kB", grown >> 10);
    }

    /// Checks that the neighbour was served, and that `reason` was counted and logged.
    #[track_caller]
    fn survived(mut self, reason: &str) {
        self.is_served();
        let series = format!("evenkeel_replies_total{{frontend=\"web\",reason=\"{reason}\"}} ");
        until("the reason is counted", || {
            let metrics = self.program.admin("GET", "/metrics").text();
            metrics.contains(&series).then_some(())
        });
        let logged = format!("\"reason\":\"{reason}\"");
        until("the reason is logged", || {
            self.program.log().contains(&logged).then_some(())
        });
        assert!(self.program.runs());
    }

    /// Checks that the neighbour was served.
    #[track_caller]
    fn is_served(&mut self) {
        let neighbour = self.neighbour.take().expect("it was not asked before");
        neighbour.stop.store(true, Ordering::SeqCst);
        let answers = neighbour.asking.join().expect("it was answered");
        assert!(answers > 0);
        let slowest = *neighbour.slowest.lock().expect("no thread panics with it");
        assert!(slowest < SOON, "an answer took {slowest:?} of computing");
        assert!(self.origin.connections() > 0);
    }
}

impl Neighbour {
    #[track_caller]
    fn of(way: &Way, program: &Program) -> Self {
        let mut ask = way.neighbour(program.address(), "/neighbour");
        let computed = program.cpu_clock();
        let stop = Arc::new(AtomicBool::new(false));
        let slowest = Arc::new(Mutex::new(Duration::ZERO));
        let asking = thread::spawn({
            let (stop, slowest) = (Arc::clone(&stop), Arc::clone(&slowest));
            move || {
                let mut answers = 0;
                loop {
                    let before = computed();
                    assert_eq!(ask(), 200);
                    answers += 1;
                    let mut slowest = slowest.lock().expect("no thread panics with it");
                    *slowest = (computed() - before).max(*slowest);
                    drop(slowest);
                    if stop.load(Ordering::SeqCst) {
                        return answers;
                    }
                    thread::park_timeout(Duration::from_millis(2));
                }
            }
        });
        Self {
            stop,
            slowest,
            asking,
        }
    }
}

/// A server that answers the neighbour, and no other before `gate` is open.
fn deaf(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::scripted(move |visit| {
        while let Some(head) = visit.head() {
            if head.target() != "/neighbour" {
                gate.pass();
                return;
            }
            if !visit.send(crate::rig::OK) {
                return;
            }
        }
    })
}

/// A server with a megabyte for every client except the neighbour.
fn generous() -> Origin {
    Origin::scripted(|visit| {
        while let Some(request) = visit.request() {
            if request.target() == "/neighbour" {
                visit.send(crate::rig::OK);
                continue;
            }
            visit.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
            if !visit.send(vec![b'x'; 1_000_000]) {
                return;
            }
        }
    })
}

/// Sends `bytes` and checks that the connection ends because of a flood, although it still sends.
#[track_caller]
fn is_a_flood(way: &Way, bytes: &[u8], times: usize) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.flood(times, bytes);
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
}

// Streams.

fn rapid_reset(way: &Way) {
    // CVE-2023-44487.
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| setup.frontend(LITTLE_LEAKS));
    let mut client = attacked.client();
    let mut bytes = Vec::new();
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        bytes.extend(frames::ask(stream));
        bytes.extend(frames::reset(stream, CANCEL));
    }
    let _ = client.try_send(bytes);
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    assert!(
        attacked.origin.connections() < 2_000,
        "{} reached the server",
        attacked.origin.connections()
    );
    gate.open();
    attacked.survived("client.flood");
}

fn rapid_reset_at_the_pace_of_the_server(way: &Way) {
    // One at a time; the server sees each before it is reset.
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| {
        setup.frontend("http2.resets_per_second = 1")
    });
    let mut client = attacked.client();
    let mut sent = 0;
    for number in 0..400 {
        let stream = 2 * number + 1;
        let mut bytes = frames::ask(stream);
        bytes.extend(frames::frame(PING, 0, 0, "a moment"));
        if client.try_send(bytes).is_err() {
            break;
        }
        let Some(_) = pong(&mut client) else { break };
        sent += 1;
        if client.try_send(frames::reset(stream, CANCEL)).is_err() {
            break;
        }
    }
    assert!((5..300).contains(&sent), "{sent} were let in");
    gate.open();
    attacked.holds();
    attacked.survived("client.flood");
}

/// The answer to a ping, or `None` if the connection ends.
fn pong(client: &mut Framed) -> Option<()> {
    loop {
        let frame = client.frame()?;
        match frame.kind {
            PING => return Some(()),
            GOAWAY => {
                assert_eq!(frame.code(), ENHANCE_YOUR_CALM);
                return None;
            }
            _ => {}
        }
    }
}

fn made_you_reset(way: &Way) {
    // CVE-2025-8671: we reset the stream, and the request continues at the server.
    let overflow = |stream| frames::grant(stream, 0x7fff_ffff);
    let depends_on_itself = |stream| frames::priority(stream, stream);
    let too_long = |stream| frames::frame(DATA, END_STREAM, stream, "more than nothing");
    let oversteps: [&dyn Fn(u32) -> Vec<u8>; 3] = [&overflow, &depends_on_itself, &too_long];
    for overstep in oversteps {
        let gate = Gate::default();
        let attacked = Attacked::with(way, deaf(&gate), |setup| setup.frontend(LITTLE_LEAKS));
        let mut client = attacked.client();
        let mut head = frames::request("POST", "/");
        head.extend(frames::field("content-length", "0"));
        let mut bytes = Vec::new();
        for number in 0..5_000 {
            let stream = 2 * number + 1;
            bytes.extend(frames::frame(HEADERS, END_HEADERS, stream, &head));
            bytes.extend(overstep(stream));
        }
        let _ = client.try_send(bytes);
        assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
        attacked.holds();
        assert!(attacked.origin.connections() < 1_200);
        gate.open();
        attacked.survived("client.flood");
    }
}

fn streams_that_are_opened_and_left(way: &Way) {
    let gate = Gate::default();
    let mut attacked = Attacked::with(way, deaf(&gate), |setup| setup);
    let mut client = attacked.client();
    // Ten times the limit.
    for number in 0..900 {
        client.send(frames::begin(2 * number + 1));
    }
    client.is_alive();
    until("the server has what may be open", || {
        (attacked.origin.open() >= 100).then_some(())
    });
    attacked.holds();
    assert!(attacked.origin.connections() <= 105);
    attacked.is_served();
    gate.open();
}

// Frames that ask for nothing.

fn settings(way: &Way) {
    is_a_flood(way, &frames::settings(&[(3, 100)]), 40_000);
}

fn windows_that_change(way: &Way) {
    is_a_flood(
        way,
        &[
            frames::settings(&[(4, 0)]),
            frames::settings(&[(4, 0x7fff_ffff)]),
        ]
        .concat(),
        20_000,
    );
}

fn pings(way: &Way) {
    is_a_flood(way, &frames::frame(PING, 0, 0, "is it up"), 40_000);
}

fn priorities(way: &Way) {
    is_a_flood(way, &frames::priority(7, 3), 40_000);
}

fn unknown_frames(way: &Way) {
    is_a_flood(way, &frames::frame(0xbb, 0, 0, "what?"), 40_000);
}

fn grants_of_window(way: &Way) {
    is_a_flood(way, &frames::grant(0, 1), 60_000);
}

fn empty_data(way: &Way) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.send(frames::begin(1));
    client.flood(40_000, frames::frame(DATA, 0, 1, ""));
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
}

fn data_that_is_nothing_but_padding(way: &Way) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.send(frames::begin(1));
    client.flood(40_000, frames::frame(DATA, PADDED, 1, [3, 0, 0, 0]));
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
}

fn tiny_data_that_no_server_takes(way: &Way) {
    let gate = Gate::default();
    let mut attacked = Attacked::with(way, deaf(&gate), |setup| setup);
    let mut client = attacked.client();
    client.send(frames::begin(1));
    client.flood(200_000, frames::frame(DATA, 0, 1, "x"));
    let _ = client.try_send(frames::frame(frames::PING, 0, 0, b"hearing?"));
    let end = client.frame_that(|frame| [frames::PING, frames::GOAWAY].contains(&frame.kind));
    if end.kind == frames::PING {
        // The server's socket has taken them all, each as it came.
        attacked.holds();
        gate.open();
        return attacked.is_served();
    }
    // It has taken some, so the fault is either the pieces or the window.
    let code = end.code();
    assert!(
        [ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR].contains(&code),
        "{code}"
    );
    attacked.holds();
    gate.open();
    let reason = if code == ENHANCE_YOUR_CALM {
        "client.flood"
    } else {
        "client.protocol"
    };
    attacked.survived(reason);
}

// Heads.

fn continuations_without_an_end(way: &Way) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.send(frames::frame(HEADERS, END_STREAM, 1, frames::get()));
    client.flood(20_000, frames::frame(CONTINUATION, 0, 1, ""));
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
}

fn a_head_without_bounds(way: &Way) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.send(frames::frame(HEADERS, END_STREAM, 1, frames::get()));
    let field = frames::field("x", &"y".repeat(8_000));
    client.flood(5_000, frames::frame(CONTINUATION, 0, 1, field));
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
}

/// Many heads of many references to one large field of the dynamic table (CVE-2026-49975): a byte
/// each on the wire. The client grants no window for the answers, so all of it stays.
#[track_caller]
fn bomb(way: &Way, references: usize) -> (Attacked<'_>, Framed, Gate) {
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| setup);
    let mut client = way.greeting(attacked.program.address(), &[(4, 0)]);
    for number in 0..100 {
        let mut head = frames::get();
        // RFC 7541 section 6.2.1: it enters the table, where it is the first (section 2.3.3).
        head.push(0x40);
        head.extend(frames::string("x-bomb"));
        head.extend(frames::string(&"b".repeat(3_900)));
        head.extend(vec![0x80 | 62; references]);
        let head = frames::head(END_STREAM, 2 * number + 1, &head);
        if client.try_send(head).is_err() {
            break;
        }
    }
    (attacked, client, gate)
}

fn heads_of_open_requests_are_bounded_together(way: &Way) {
    let (attacked, mut client, gate) = bomb(way, 15);
    // Sixty kilobytes each: twenty-four are half of three megabytes, and the others may be sent again.
    let refused = (0..76)
        .map(|_| client.frame_that(|frame| frame.kind == frames::RST_STREAM))
        .filter(|reset| reset.code() == REFUSED_STREAM);
    assert_eq!(refused.count(), 76);
    client.is_alive();
    attacked.holds();
    gate.open();
    attacked.survived("request.heads.too_large");
}

/// Half of the bound is 112 KiB, and beside uploads that fill the window of the connection it leaves 96 KiB.
const SMALL_BOUND: &str = "http2.stream_window = \"64KiB\"\nhttp2.connection_window = \"128KiB\"
    http2.open_requests = \"224KiB\"";

/// Whether `head`, of the stream that `client` opens with it, is let in.
#[track_caller]
fn lets_in(client: &mut Framed, stream: u32, head: Vec<u8>) -> bool {
    client.send(head);
    let mut is_let_in = true;
    // The first answer may overtake the refusal, and the second leave together with it.
    for _ in 0..3 {
        client.send(frames::frame(PING, 0, 0, "is it in"));
        loop {
            let frame = client.frame_that(|_| true);
            match frame.kind {
                PING => break,
                frames::RST_STREAM if frame.stream == stream => {
                    assert_eq!(frame.code(), REFUSED_STREAM);
                    is_let_in = false;
                }
                _ => {}
            }
        }
    }
    is_let_in
}

/// Opens streams from `first` on with heads of 20 kB until one is refused, and gives the number of those that
/// were let in; 10: none was refused.
#[track_caller]
fn let_in_from(client: &mut Framed, first: u32) -> usize {
    let field = frames::field("x-large", &"y".repeat(20_000));
    let head = [frames::get(), field].concat();
    let streams = (first..).step_by(2).take(10);
    let let_in = streams.take_while(|stream| {
        let head = frames::head(END_STREAM, *stream, &head);
        lets_in(client, *stream, head)
    });
    let_in.count()
}

fn heads_and_uploads_of_one_connection_share_one_bound(way: &Way) {
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| setup.frontend(SMALL_BOUND));
    let mut client = attacked.client();
    assert_eq!(let_in_from(&mut client, 1), 5);

    // Other uploads may bring less, or their windows are the same window.
    let mut client = attacked.client();
    for stream in [1, 3, 5] {
        assert!(lets_in(&mut client, stream, frames::begin(stream)));
    }
    let upload = frames::frame(DATA, 0, 1, vec![0; 16 << 10]);
    client.send(&upload).send(&upload);
    assert_eq!(let_in_from(&mut client, 7), 4);
    // What is left of them may bring as much.
    client.send(frames::reset(1, CANCEL)).is_alive();
    assert_eq!(let_in_from(&mut client, 101), 0);
    client.send(frames::reset(3, CANCEL)).is_alive();
    assert_eq!(let_in_from(&mut client, 201), 1);
    // The servers end what is left, and with it all that it counts.
    gate.open();
    for _ in 0..6 {
        client.frame_that(|frame| frame.kind == HEADERS && frame.status() == 502);
    }
    assert!(lets_in(&mut client, 301, frames::ask(301)));
    attacked.holds();
    attacked.survived("request.heads.too_large");
}

/// Nine heads of 20 kB, where five would fill the bound.
fn heads_that_are_not_needed_any_more_make_room_for_others(way: &Way) {
    let field = frames::field("x-large", &"y".repeat(20_000));
    let streams = || (1..18).step_by(2);

    // Answered, and without a window for the answers.
    let mut attacked = Attacked::with(way, generous(), |setup| setup.frontend(SMALL_BOUND));
    let mut client = way.greeting(attacked.program.address(), &[(4, 0)]);
    let head = [frames::get(), field.clone()].concat();
    for stream in streams() {
        client.send(frames::head(END_STREAM, stream, &head));
        let reply = client.frame_that(|frame| frame.stream == stream);
        assert_eq!(reply.kind, HEADERS, "stream {stream}");
    }
    drop(client);
    attacked.holds();
    attacked.is_served();

    // Sent, and never to be sent again.
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| setup.frontend(SMALL_BOUND));
    let mut client = attacked.client();
    let head = [frames::request("POST", "/"), field].concat();
    for (count, stream) in streams().enumerate() {
        client.send(frames::head(0, stream, &head));
        until("the server has the head", || {
            let connections = 0..attacked.origin.connections();
            let received = connections.map(|number| attacked.origin.received(number));
            // One may be on a connection that has carried the neighbour's requests.
            let has_head = |text: &String| text.contains("POST / ") && text.ends_with("\r\n\r\n");
            (received.filter(has_head).count() > count).then_some(())
        });
    }
    client.is_alive();
    gate.open();
    for _ in streams() {
        client.frame_that(|frame| frame.kind == HEADERS && frame.status() == 502);
    }
    attacked.holds();
    attacked.survived("server.response.empty");
}

fn a_client_that_asks_on_beyond_that_bound_is_sent_away(way: &Way) {
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| {
        setup.frontend(&format!("{SMALL_BOUND}\nhttp2.resets_per_second = 1"))
    });
    let mut client = attacked.client();
    let field = frames::field("x-large", &"y".repeat(20_000));
    for number in 0..1_000 {
        let head = [frames::get(), field.clone()].concat();
        if client
            .try_send(frames::head(END_STREAM, 2 * number + 1, &head))
            .is_err()
        {
            break;
        }
    }
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    gate.open();
    attacked.survived("client.flood");
}

fn a_hundred_calls_with_five_kilobytes_of_metadata_are_let_in(way: &Way) {
    let gate = Gate::default();
    let origin = {
        let gate = gate.clone();
        Origin::scripted(move |visit| {
            while let Some(request) = visit.request() {
                if request.target() != "/neighbour" {
                    gate.pass();
                }
                visit.send(crate::rig::OK);
            }
        })
    };
    let mut attacked = Attacked::with(way, origin, |setup| setup);
    let mut client = attacked.client();
    let metadata: Vec<u8> = (0..20)
        .flat_map(|number| frames::field(&format!("x-metadata-{number}"), &"m".repeat(250)))
        .collect();
    let head = [frames::get(), metadata].concat();
    for number in 0..100 {
        client.send(frames::head(END_STREAM, 2 * number + 1, &head));
    }
    until("all of them are at the server", || {
        (attacked.origin.open() > 100).then_some(())
    });
    gate.open();
    for _ in 0..100 {
        let answer = client.frame_that(|frame| [HEADERS, frames::RST_STREAM].contains(&frame.kind));
        assert_eq!(answer.status(), 200);
    }
    attacked.is_served();
}

fn a_bomb_of_many_references_is_sent_away(way: &Way) {
    let (attacked, mut client, gate) = bomb(way, 10_000);
    assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    attacked.holds();
    attacked.survived("client.flood");
    gate.open();
}

fn cookies_in_crumbs(way: &Way) {
    // The same with cookies, which are joined.
    let mut attacked = Attacked::new(way);
    let mut client = attacked.client();
    for number in 0..50 {
        let mut head = frames::get();
        for _ in 0..2_000 {
            head.extend(frames::field("cookie", "a"));
        }
        let stream = 2 * number + 1;
        client.send(frames::head(END_STREAM, stream, &head));
        assert_eq!(client.status(stream), 431);
    }
    attacked.holds();
    attacked.is_served();
}

fn heads_that_trickle(way: &Way) {
    let attacked = Attacked::with(way, Origin::named("a"), |setup| {
        setup.frontend("timeout.head = \"3s\"")
    });
    // Each begins at once: a client that is silent for as long is closed for another reason.
    let begin = |_| {
        let mut client = attacked.client();
        client.send(frames::frame(HEADERS, 0, 1, "\x00"));
        client
    };
    let mut clients: Vec<Framed> = (0..200).map(begin).collect();
    for client in &mut clients {
        assert_eq!(client.sent_away(), ENHANCE_YOUR_CALM);
    }
    attacked.holds();
    attacked.survived("request.head.timeout");
}

// Windows.

fn windows_that_stay_shut(way: &Way) {
    let mut attacked = Attacked::with(way, generous(), |setup| {
        setup.frontend("timeout.body = \"1500ms\"")
    });
    // No stream may send a byte; each has requested a hundred megabytes.
    let mut clients: Vec<Framed> = (0..3)
        .map(|_| way.greeting(attacked.program.address(), &[(1, 0), (4, 0)]))
        .collect();
    for client in &mut clients {
        for number in 0..100 {
            client.send(frames::ask(2 * number + 1));
        }
    }
    for client in &mut clients {
        client.frame_that(|frame| frame.kind == HEADERS);
    }
    // Only what the server's connections have read of their answers.
    attacked.holds_within(64 << 20);
    for client in &mut clients {
        for _ in 0..100 {
            let reset = client.frame_that(|frame| frame.kind == frames::RST_STREAM);
            assert_eq!(reset.code(), CANCEL);
        }
    }
    attacked.is_served();
    until("all are logged", || {
        let log = attacked.program.log();
        (log.matches("client.stalled").count() == 300).then_some(())
    });
}

fn windows_that_grow_by_crumbs(way: &Way) {
    // A byte of room now and then must not keep an answer, and its server's connection, for ever.
    let attacked = Attacked::with(way, generous(), |setup| {
        setup.frontend("timeout.body = \"1s\"\nhttp2.idle_frames_per_second = 1_000_000")
    });
    let mut client = way.greeting(attacked.program.address(), &[(1, 0), (4, 0)]);
    client.send(frames::ask(1));
    client.frame_that(|frame| frame.kind == HEADERS);
    let since = Instant::now();
    let reset = loop {
        assert!(since.elapsed() < Duration::from_secs(60), "it is kept");
        // Each grant comes in time: the answer to the ping has been waited for.
        client.send(frames::grant(1, 1));
        client.send(frames::frame(PING, 0, 0, "is it up"));
        let frame = client.frame_that(|frame| [PING, frames::RST_STREAM].contains(&frame.kind));
        if frame.kind == frames::RST_STREAM {
            break frame;
        }
        thread::park_timeout(Duration::from_millis(20));
    };
    assert_eq!(reset.code(), CANCEL);
    attacked.survived("client.stalled");
}

/// Sends nearly the window of 64 KiB on stream 1 whenever all sent bytes were granted anew, until no
/// more is granted in many rounds, and returns the number of granted bytes.
#[track_caller]
fn granted_in_the_end(client: &mut Framed) -> usize {
    // Many small ones are gathered here before they are written.
    const FRAME: usize = 2 << 10;
    // The window of HTTP/2 before the settings are known is a byte smaller.
    const NEARLY_WINDOW: usize = 62 << 10;
    const MOST: usize = 64 << 20;
    let mut head = frames::request("POST", "/");
    head.extend(frames::field("content-length", &MOST.to_string()));
    client.send(frames::frame(HEADERS, END_HEADERS, 1, &head));
    let (mut sent, mut granted) = (0, 0);
    // Rounds and not a time: a slow machine has slow rounds.
    let mut quiet_rounds = 0;
    while quiet_rounds < 500 {
        assert!(granted < MOST, "it is granted more and more");
        if granted == sent {
            for _ in 0..NEARLY_WINDOW / FRAME {
                client.send(frames::frame(DATA, 0, 1, vec![0; FRAME]));
                sent += FRAME;
            }
        }
        quiet_rounds += 1;
        // Earlier grants are read before the answer to the ping.
        client.send(frames::frame(PING, 0, 0, "is it up"));
        loop {
            let frame = client.frame_that(|_| true);
            match frame.kind {
                PING => break,
                frames::WINDOW_UPDATE if frame.stream == 1 => {
                    granted += frame.code() as usize;
                    quiet_rounds = 0;
                }
                _ => {}
            }
        }
        if granted < sent {
            thread::park_timeout(Duration::from_millis(2));
        }
    }
    granted
}

fn uploads_that_no_server_takes(way: &Way) {
    let gate = Gate::default();
    let mut attacked = Attacked::with(way, deaf(&gate), |setup| {
        setup.frontend("http2.stream_window = \"64KiB\"\nhttp2.idle_frames_per_second = 1_000_000")
    });
    let mut client = attacked.client();
    let granted = granted_in_the_end(&mut client);
    let written = attacked.origin.bytes_written_from("POST / ");
    let written = written.expect("the server has the head");
    assert!(granted > 64 << 10, "the sockets take {granted} bytes");
    // What waits in the proxy counts against the windows: only what was written is granted anew.
    let held = granted.saturating_sub(written);
    assert_eq!(held, 0, "{held} bytes of {granted} are held");
    attacked.is_served();
    gate.open();
}

fn windows_that_are_wide_open_before_a_socket_that_is_not_read(way: &Way) {
    let mut attacked = Attacked::with(way, generous(), |setup| {
        setup.frontend("timeout.body = \"1500ms\"")
    });
    let mut client = way.narrow(attacked.program.address());
    let most = 0x7fff_ffff;
    client
        .send(frames::PREFACE)
        .send(frames::settings(&[(4, most)]));
    client.send(frames::grant(0, most - 65_535));
    for number in 0..100 {
        client.send(frames::ask(2 * number + 1));
    }
    until("all have come", || {
        let requests = attacked.origin.requests();
        let ours = requests.iter().filter(|one| one.target() == "/");
        (ours.count() == 100).then_some(())
    });
    // 64 KiB each, and what their servers' connections have read; not the hundred megabytes.
    until("they are given up", || {
        attacked.holds_within(32 << 20);
        let log = attacked.program.log();
        let given_up = |line: &&str| {
            line.contains("\"method\":\"GET\"") && line.contains("\"reason\":\"client.stalled\"")
        };
        // If the connection's end is noticed before the last of them, it has a line, too.
        (log.lines().filter(given_up).count() == 100).then_some(())
    });
    // Nor does the kernel keep anything for it.
    until("the socket has gone", || {
        (!client.is_kept_at(attacked.program.address())).then_some(())
    });
    attacked.is_served();
}

fn a_client_that_does_not_read_its_socket(way: &Way) {
    // Answers to pings queue up before it, until it is closed.
    let attacked = Attacked::with(way, Origin::named("a"), |setup| {
        setup.frontend("timeout.body = \"500ms\"\nhttp2.idle_frames_per_second = 1_000_000")
    });
    let mut client = way.narrow(attacked.program.address());
    client.send(frames::PREFACE).send(frames::settings(&[]));
    // It ends when the program breaks the connection.
    client.flood(4_000_000, frames::frame(PING, 0, 0, "is it up"));
    attacked.holds();
    attacked.survived("client.stalled");
}

fn data_beyond_the_window(way: &Way) {
    let gate = Gate::default();
    let attacked = Attacked::with(way, deaf(&gate), |setup| {
        setup.frontend("http2.stream_window = \"64KiB\"\nhttp2.connection_window = \"64KiB\"")
    });
    let mut client = attacked.client();
    client.send(frames::begin(1));
    client.flood(2_000, frames::frame(DATA, 0, 1, vec![0; 16 << 10]));
    let code = client.sent_away();
    assert_eq!(code, FLOW_CONTROL_ERROR);
    attacked.holds();
    attacked.survived("client.protocol");
    gate.open();
}

fn nonsense(way: &Way) {
    let attacked = Attacked::new(way);
    let mut client = attacked.client();
    client.send(frames::frame(SETTINGS, 0, 1, ""));
    assert_eq!(client.sent_away(), PROTOCOL_ERROR);
    attacked.survived("client.protocol");
}
