//! 1,000 clients in one room: from the answer of a command to the state at the last of them.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;

use crate::client::Socket;
use crate::process::{Gateway, folder};
use crate::{now, percentile};

const CLIENTS: usize = 1000;
const COMMANDS: u64 = 400;

/// What the clients have seen of the state that is on its way.
#[derive(Default)]
struct Seen {
    clients: Cell<usize>,
    last: RefCell<Option<Instant>>,
    all: Notify,
}

pub(crate) async fn measure() {
    let folder = folder();
    let gateway = Gateway::start(folder.path(), "[[systems]]\nid = \"north\"\n");
    let address = gateway.address;
    LocalSet::new().run_until(run(address)).await;
}

async fn run(address: SocketAddr) {
    let seen = Rc::new(Seen::default());
    for _ in 0..CLIENTS {
        let mut socket = Socket::join(address, "north").await;
        let seen = Rc::clone(&seen);
        tokio::task::spawn_local(async move {
            loop {
                if socket.next(|text| text.starts_with(b"42[\"state\"")).await {
                    seen.clients.set(seen.clients.get() + 1);
                    if seen.clients.get() == CLIENTS {
                        *seen.last.borrow_mut() = Some(now());
                        seen.all.notify_one();
                    }
                }
            }
        });
    }
    // The commands come from a thread of their own: on this one, the answer would be noticed after the states.
    let (ask, asked) = std::sync::mpsc::channel();
    let (answer, mut answers) = mpsc::channel(1);
    let commander = std::thread::spawn(move || command(address, &asked, &answer));
    let (mut from_answer, mut from_sent) = (Vec::new(), Vec::new());
    for _ in 0..COMMANDS {
        ask.send(()).unwrap();
        seen.all.notified().await;
        let (sent, answered): (Instant, Instant) = answers.recv().await.unwrap();
        let last = seen.last.take().unwrap();
        from_answer.push(last.saturating_duration_since(answered).as_secs_f64() * 1000.0);
        from_sent.push((last - sent).as_secs_f64() * 1000.0);
        seen.clients.set(0);
    }
    drop(ask);
    commander.join().unwrap();
    for (name, mut values) in [("answered", from_answer), ("sent", from_sent)] {
        values.sort_by(f64::total_cmp);
        let [p50, p99, most] = [50.0, 99.0, 100.0].map(|p| percentile(&values, p));
        println!(
            "| {CLIENTS} clients in one room: command {name} → `state` at the last client \
             | p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.1} ms |"
        );
    }
}

/// Sends a command whenever it is asked to, and tells when it was sent and when it was answered.
fn command(
    address: SocketAddr,
    asked: &std::sync::mpsc::Receiver<()>,
    answer: &mpsc::Sender<(Instant, Instant)>,
) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    for verb in ["manual", "stop"].iter().cycle() {
        if asked.recv().is_err() {
            return;
        }
        let request = format!("POST /systems/north/{verb} HTTP/1.1\r\nHost: gateway\r\n\r\n");
        let sent = now();
        stream.write_all(request.as_bytes()).unwrap();
        let read = stream.read(&mut buffer).unwrap();
        let answered = now();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
        answer.blocking_send((sent, answered)).unwrap();
    }
}
