//! Random partial writes, the library and the rooms at the same time, and a strict parser at the other end.

use std::io::{self, Cursor, Write};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::*;
use crate::link::marked;

/// Frames that one run sends at least.
const FRAMES: usize = 50_000;
const SYSTEMS: u64 = 3;

fn text(payload: &str) -> Text {
    let mut text = Text::with_capacity(0);
    text.write_all(payload.as_bytes()).unwrap();
    text
}

fn message(payload: &str, late: Late) -> Message {
    Message::new(text(payload), late)
}

fn id(system: u64) -> SystemId {
    SystemId::parse(&format!("s{system}")).unwrap()
}

fn state(system: u64, seq: u64) -> Message {
    let text = format!(r#"42["state",{{"system":"s{system}","seq":{seq}}}]"#);
    message(&text, Late::Newest(id(system)))
}

fn clock(system: u64, seq: u64) -> Message {
    let text = format!(r#"42["clock",{{"system":"s{system}","seq":{seq}}}]"#);
    message(&text, Late::Dropped)
}

fn kept(text: &str) -> Message {
    message(text, Late::Kept)
}

/// The kernel: takes as much as there is room for, never more than it is offered.
struct Stream {
    taken: Vec<u8>,
    room: usize,
}

impl Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = bytes.len().min(self.room);
        if written < bytes.len().min(1) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.taken.extend_from_slice(&bytes[..written]);
        self.room -= written;
        Ok(written)
    }

    fn say(&mut self, out: &mut Out, message: &Message) -> Said {
        out.say(message, |bytes| self.write(bytes)).unwrap()
    }

    fn write_all(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for part in parts {
            match self.write(part) {
                Ok(n) if n == part.len() => written += n,
                Ok(n) => return Ok(written + n),
                Err(_) if written > 0 => return Ok(written),
                Err(e) => return Err(e),
            }
        }
        Ok(written)
    }
}

/// The library: a buffer of frames that it writes when it can.
#[derive(Default)]
struct Library {
    buffer: Vec<u8>,
    given: u64,
}

impl Library {
    fn frame(&mut self, payload: &str) {
        self.buffer.extend(text(payload).frame());
    }

    /// Messages that nobody of ours sends, told apart by their number. Some are long enough for each form of a header.
    fn own(&mut self, chance: &mut ChaCha8Rng) {
        let len = [0, 1, 80, 200, 70_000]
            [chance.random_range(0..if self.given.is_multiple_of(500) { 5 } else { 4 })];
        let (number, filler) = (self.given, "x".repeat(len));
        self.frame(&format!("2{number} {filler}"));
        self.given += 1;
    }

    fn write_all(&mut self, out: &mut Out, stream: &mut Stream) {
        while !self.buffer.is_empty() {
            self.write(out, stream, false);
        }
    }

    fn write(&mut self, out: &mut Out, stream: &mut Stream, vectored: bool) {
        if self.buffer.is_empty() {
            return;
        }
        let middle = if vectored { self.buffer.len() / 2 } else { 0 };
        let (a, b) = self.buffer.split_at(middle);
        let parts = [io::IoSlice::new(a), io::IoSlice::new(b)];
        let written = out.write(&parts, |parts| stream.write_all(parts));
        match written {
            Ok(written) => drop(self.buffer.drain(..written)),
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

const HEAD: &[u8] = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n";

/// A websocket on which this message of the library has passed.
fn begun(first: &str) -> (Out, Stream) {
    let mut out = Out::new(64);
    let mut stream = Stream {
        taken: Vec::new(),
        room: usize::MAX,
    };
    let mut library = Library::default();
    library.buffer.extend(HEAD);
    out.begin();
    library.frame(first);
    library.write_all(&mut out, &mut stream);
    stream.taken.clear();
    (out, stream)
}

/// A websocket that was opened without the library.
fn straight() -> (Out, Stream) {
    let (mut out, mut stream) = held(usize::MAX);
    stream.say(&mut out, &kept("0{}"));
    stream.taken.clear();
    (out, stream)
}

/// The same before the first message, on a stream that takes so much.
fn held(room: usize) -> (Out, Stream) {
    let mut out = Out::new(64);
    let mut stream = Stream {
        taken: Vec::new(),
        room,
    };
    let mut library = Library::default();
    out.begin_held();
    let (one, other) = HEAD.split_at(10);
    for part in [one, other] {
        library.buffer.extend(part);
        library.write(&mut out, &mut stream, false);
        assert!(stream.taken.is_empty() && library.buffer.is_empty());
    }
    (out, stream)
}

/// The payloads that a strict parser finds; it must find no rest.
fn parse(bytes: Vec<u8>) -> Vec<String> {
    let config = WebSocketConfig::default().read_buffer_size(1 << 16);
    let mut parser = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, Some(config));
    let mut texts = Vec::new();
    loop {
        match parser.read() {
            Ok(Frame::Text(text)) => texts.push(text.to_string()),
            Ok(other) => panic!("{other:?}"),
            // The end of what was written.
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return texts,
            Err(e) => panic!("{e} after {} frames", texts.len()),
        }
    }
}

/// What one run says: the newest `seq` of each system, and how many kept messages.
#[derive(Default)]
struct Saying {
    seqs: [u64; SYSTEMS as usize],
    kept: u64,
}

impl Saying {
    fn something(&mut self, chance: &mut ChaCha8Rng) -> Message {
        let system = chance.random_range(0..SYSTEMS);
        let seq = &mut self.seqs[usize::try_from(system).unwrap()];
        match chance.random_range(0..10) {
            0..3 => {
                *seq += 1;
                state(system, *seq)
            }
            3..9 => clock(system, *seq),
            _ => {
                self.kept += 1;
                kept(&format!("43{}[{{}}]", self.kept))
            }
        }
    }
}

/// Says and writes at random on a stream that takes a few bytes now and then, beginning straight or as a session that has
/// just moved here; returns all that came out.
fn run(seed: u64) -> (Vec<String>, Saying, Library) {
    let chance = &mut ChaCha8Rng::seed_from_u64(seed);
    let moved = seed % 2 == 1;
    let (mut out, mut stream) = if moved { begun("3probe") } else { straight() };
    let (mut saying, mut library) = (Saying::default(), Library::default());
    for _ in 0..FRAMES {
        if chance.random_bool(0.9) {
            let message = saying.something(chance);
            let said = stream.say(&mut out, &message);
            if said != Said::Here {
                assert!(moved);
                library.frame(&given(&message, said));
            }
        }
        if chance.random_bool(0.2) {
            library.own(chance);
        }
        stream.room = match chance.random_range(0..8) {
            0..3 => chance.random_range(0..8),
            3..6 => chance.random_range(0..400),
            _ => 1 << 17,
        };
        library.write(&mut out, &mut stream, chance.random_bool(0.5));
        if out.waits() {
            out.flush(|bytes| stream.write(bytes)).unwrap();
        }
    }
    stream.room = usize::MAX;
    library.write_all(&mut out, &mut stream);
    out.flush(|bytes| stream.write(bytes)).unwrap();
    assert!(out.is_straight() && !out.waits());
    (parse(stream.taken), saying, library)
}

/// What the library is given of a message.
fn given(message: &Message, said: Said) -> String {
    let text = parse(message.frame.to_vec()).remove(0);
    match (said, text.strip_suffix("}]")) {
        (Said::Marked, Some(open)) => format!("{open} }}]"),
        _ => text,
    }
}

fn number(text: &str, key: &str) -> u64 {
    let (_, number) = text.split_once(key).unwrap();
    let end = number.find(|c: char| !c.is_ascii_digit());
    number[..end.unwrap_or(number.len())].parse().unwrap()
}

#[test]
fn a_million_frames_are_whole_and_in_order_however_the_stream_takes_them() {
    let mut frames = 0;
    for seed in 0.. {
        if frames >= 1_000_000 {
            break;
        }
        let (texts, saying, library) = run(seed);
        frames += texts.len();
        let mut seen = [0; SYSTEMS as usize];
        let (mut kept, mut own) = (0, 0);
        for text in &texts {
            if text.starts_with("43") {
                let number = number(text, "43");
                assert!(number > kept, "seed {seed}: {text} after {kept}");
                kept = number;
            } else if text.starts_with('2') {
                assert_eq!(number(text, "2"), own, "seed {seed}");
                own += 1;
            } else {
                let system = usize::try_from(number(text, "\"system\":\"s")).unwrap();
                let (seq, newest) = (number(text, "\"seq\":"), &mut seen[system]);
                if text.starts_with("42[\"state\"") {
                    assert!(seq > *newest, "seed {seed}: {text} after {newest}");
                    *newest = seq;
                } else {
                    assert_eq!(seq, *newest, "seed {seed}: {text}");
                }
            }
        }
        assert_eq!(seen, saying.seqs, "seed {seed}: the newest states");
        assert_eq!(own, library.given, "seed {seed}: the library's frames");
        assert!(kept > 0);
    }
}

/// Says numbered messages while the library still holds some of them; returns what came out, and what was said.
fn hand_over(seed: u64, connects_here: bool) -> (Vec<u64>, Vec<u64>, bool) {
    let chance = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut out = Out::new(usize::MAX);
    let mut stream = Stream {
        taken: Vec::new(),
        room: 0,
    };
    let mut library = Library::default();
    out.begin();
    stream.room = usize::MAX;
    library.buffer.extend(HEAD);
    library.frame("3probe");
    library.write_all(&mut out, &mut stream);
    if connects_here {
        out.await_connect();
        library.frame("40{}");
    } else {
        // What was given before the session moved, some of it equal to what will be marked.
        for before in 0..chance.random_range(0..4) {
            library.frame(&format!("42[\"e\",{{\"n\":{before}}}]"));
        }
    }
    let mut said = Vec::new();
    for n in 10..60 {
        let json = format!("{{\"n\":{n}}}");
        let message = kept(&format!("42[\"e\",{json}]"));
        let way = stream.say(&mut out, &message);
        let payload = if way == Said::Marked {
            marked(&json)
        } else {
            json
        };
        if way == Said::Here {
            said.push(n);
        } else if chance.random_bool(0.1) {
            out.not_taken(way);
        } else {
            library.frame(&format!("42[\"e\",{payload}]"));
            said.push(n);
        }
        if chance.random_bool(0.2) {
            library.frame("2");
        }
        stream.room = chance.random_range(0..120);
        library.write(&mut out, &mut stream, chance.random_bool(0.5));
        if out.waits() {
            out.flush(|bytes| stream.write(bytes)).unwrap();
        }
    }
    stream.room = usize::MAX;
    library.write(&mut out, &mut stream, false);
    out.flush(|bytes| stream.write(bytes)).unwrap();
    let texts = parse(stream.taken.split_off(HEAD.len()));
    let heard = texts.iter().filter(|text| text.starts_with("42"));
    let heard = heard
        .map(|text| number(text, "\"n\":"))
        .filter(|n| *n >= 10);
    (heard.collect(), said, matches!(out.way, Way::Straight))
}

#[test]
fn no_message_overtakes_what_the_library_still_holds() {
    let mut straight = 0;
    for seed in 0..4_000 {
        let (heard, said, is_straight) = hand_over(seed, seed % 2 == 0);
        assert_eq!(heard, said, "seed {seed}");
        straight += u32::from(is_straight);
    }
    assert!(
        straight > 3_900,
        "{straight} of 4,000 came to be written straight"
    );
}

#[test]
fn the_answer_that_opens_a_session_goes_out_with_its_first_message() {
    for most in [usize::MAX, 1, 7, HEAD.len(), HEAD.len() + 2] {
        let (mut out, mut stream) = held(most);
        let open = kept("0{}");
        stream.say(&mut out, &open);
        let all = [HEAD, &open.frame].concat();
        assert_eq!(stream.taken, all[..most.min(all.len())]);
        while stream.taken.len() < all.len() {
            stream.room = most;
            out.flush(|bytes| stream.write(bytes)).unwrap();
        }
        assert_eq!(stream.taken, all);
        assert!(out.is_straight() && !out.waits());
    }
}

#[test]
fn nothing_follows_a_close_frame_or_an_end() {
    let (mut out, mut stream) = straight();
    let close = [0x88, 2, 0x03, 0xe8];
    let parts = [io::IoSlice::new(&close)];
    out.write(&parts, |parts| stream.write_all(parts)).unwrap();
    stream.say(&mut out, &state(0, 1));
    assert_eq!(stream.taken, close);

    let (mut out, mut stream) = straight();
    stream.room = 3;
    stream.say(&mut out, &state(0, 1));
    assert!(out.waits());
    out.close();
    stream.room = usize::MAX;
    assert!(!out.waits() && out.flush(|bytes| stream.write(bytes)).unwrap());
    stream.say(&mut out, &state(0, 2));
    assert_eq!(stream.taken.len(), 3);
}

#[test]
fn a_frame_in_several_parts_is_not_broken_into() {
    let (mut out, mut stream) = straight();
    let first = [0x01, 1, b'2'];
    let last = [0x80, 1, b'x'];
    let mut library = Library::default();
    library.buffer.extend(first);
    library.write(&mut out, &mut stream, false);
    stream.say(&mut out, &state(0, 1));
    assert_eq!(stream.taken, first);
    library.buffer.extend(last);
    library.write(&mut out, &mut stream, false);
    out.flush(|bytes| stream.write(bytes)).unwrap();
    let texts = parse(stream.taken);
    assert_eq!(texts, ["2x", r#"42["state",{"system":"s0","seq":1}]"#]);
}

#[test]
fn only_so_many_messages_wait_besides_the_newest_states() {
    let (mut out, mut stream) = straight();
    stream.room = 0;
    for n in 0..1_000 {
        for message in [state(n % SYSTEMS, n), clock(n % SYSTEMS, n), kept("43[]")] {
            stream.say(&mut out, &message);
        }
    }
    stream.room = usize::MAX;
    assert!(out.flush(|bytes| stream.write(bytes)).unwrap());
    let texts = parse(stream.taken);
    let acks = texts.iter().filter(|text| text.starts_with("43")).count();
    assert_eq!(acks, 64);
    assert_eq!(texts.len() - acks, 3, "{texts:?}");
}

#[test]
fn a_client_that_is_told_clocks_alone_is_seen_to_accept_nothing_or_something() {
    let (mut out, mut stream) = straight();
    stream.room = 0;
    stream.say(&mut out, &clock(0, 1));
    assert!(out.waits());
    assert!(!out.try_once_more(|bytes| stream.write(bytes)).unwrap());
    stream.room = 2;
    assert!(out.try_once_more(|bytes| stream.write(bytes)).unwrap());
    stream.room = usize::MAX;
    assert!(out.flush(|bytes| stream.write(bytes)).unwrap());
    assert_eq!(parse(stream.taken).len(), 1);
}

#[test]
fn a_system_that_was_left_is_not_told_of_later() {
    let (mut out, mut stream) = straight();
    stream.room = 0;
    for system in 0..SYSTEMS {
        stream.say(&mut out, &state(system, 1));
        out.forget(&id(system));
    }
    stream.room = usize::MAX;
    assert!(out.flush(|bytes| stream.write(bytes)).unwrap());
    assert!(stream.taken.is_empty(), "{:?}", stream.taken);
}

#[test]
fn pings_do_not_wait_for_all_that_waits() {
    let (mut out, mut stream) = straight();
    stream.room = 5;
    for system in 0..SYSTEMS {
        stream.say(&mut out, &state(system, 1));
    }
    stream.room = state(0, 1).frame.len() - 5 + 3;
    let mut library = Library::default();
    library.frame("2");
    library.write_all(&mut out, &mut stream);
    let texts = parse(stream.taken);
    assert_eq!(texts, [r#"42["state",{"system":"s0","seq":1}]"#, "2"]);
}
