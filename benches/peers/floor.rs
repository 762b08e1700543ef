//! The floor under every server: what cannot be left out when a room is told the time. `cargo bench --bench load -- floor`
//! serves the clients of the fan-out: their handshake is answered with fixed texts, one client after another, and at the turn
//! of each second the ready frame of a room is written to each of its sockets, one after another.
//!
//! It never reads from who has joined, never waits for more than one socket, and checks nothing: it is no server.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use acequia::time::{Clock, Moment, SystemClock};
use socket2::SockRef;

/// The answer to the key that every client of the load program sends.
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECTED: &str = r#"40{"sid":"floor"}"#;
const JOINED: &str = r#"430[{"ok":true}]"#;
/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);

type Rooms = BTreeMap<String, Vec<TcpStream>>;

/// Serves for ever.
pub(crate) fn serve() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    say(address);
    let clock = SystemClock::new().unwrap();
    let mut rooms = Rooms::new();
    let mut last = clock.now();
    loop {
        let now = clock.now();
        // Who wakes up a moment early waits again: that is no second turn.
        if now.second() != last.second() {
            tell(&mut rooms, &now);
            last = now;
            continue;
        }
        let left = now.next_turn().since(now.ticks).unsigned_abs();
        let wait = Some(Duration::from_millis(left));
        SockRef::from(&listener).set_read_timeout(wait).unwrap();
        match listener.accept() {
            Ok((stream, _)) => {
                // Who leaves in the middle of it has not come.
                let _ = welcome(stream, &mut rooms);
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => {}
            Err(cause) => panic!("{cause}"),
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "who started it reads the address there"
)]
fn say(address: SocketAddr) {
    eprintln!("floor on http://{address} ");
}

fn tell(rooms: &mut Rooms, now: &Moment) {
    let wall = now.wall().local().format("%Y-%m-%dT%H:%M:%S");
    for (system, members) in rooms {
        let frame = frame(&format!(
            r#"42["clock",{{"system":"{system}","now":"{wall}","seq":0}}]"#
        ));
        members.retain_mut(
            |member| matches!(member.write(&frame), Ok(written) if written == frame.len()),
        );
    }
}

fn welcome(mut stream: TcpStream, rooms: &mut Rooms) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 1024];
    let mut read = 0;
    while !buffer[..read].ends_with(b"\r\n\r\n") {
        read += some(stream.read(&mut buffer[read..])?)?;
    }
    let mut answer = ACCEPTED.as_bytes().to_vec();
    answer.extend(frame(OPEN));
    stream.write_all(&answer)?;
    some(stream.read(&mut buffer)?)?;
    stream.write_all(&frame(CONNECTED))?;
    // The clients mask with zeros: what they send can be read as it is.
    let read = some(stream.read(&mut buffer)?)?;
    let join = String::from_utf8_lossy(&buffer[..read]);
    let system = join.split('"').nth(3).ok_or(ErrorKind::InvalidData)?;
    stream.write_all(&frame(JOINED))?;
    rooms.entry(system.to_owned()).or_default().push(stream);
    Ok(())
}

/// Nothing more will come of a stream that has ended.
fn some(read: usize) -> io::Result<usize> {
    match read {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

/// A short text frame.
fn frame(text: &str) -> Vec<u8> {
    assert!(text.len() < 126, "{text}");
    let mut frame = vec![0x81, text.len() as u8];
    frame.extend_from_slice(text.as_bytes());
    frame
}
