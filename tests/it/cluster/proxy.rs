//! A line between a gateway and its Redis that can be cut, slow, dead in one direction or both, or closed by halves. It
//! carries bytes and does not understand them. What it holds back it passes on later, as a network does that was down
//! for a while: the kernel of the sender has had its acknowledgement long before.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How one direction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Open,
    /// Everything is late by so much.
    Late(Duration),
    /// Nothing comes through until it is something else again.
    Held,
}

/// What is the matter with the line.
#[derive(Clone, Copy, Debug)]
struct Condition {
    to_redis: Flow,
    to_gateway: Flow,
    /// New connections are cut at once.
    down: bool,
    /// How often all connections were cut.
    cuts: usize,
    /// How often all were closed from the side of Redis alone.
    half_closed: usize,
    /// How often all were stranded, and how many of these times are over.
    stranded: usize,
    washed_up: usize,
}

/// The line; gone when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    condition: watch::Sender<Condition>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// To the Redis behind a socket, on a free port.
    pub(crate) async fn start(redis: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let condition = watch::Sender::new(Condition {
            to_redis: Flow::Open,
            to_gateway: Flow::Open,
            down: false,
            cuts: 0,
            half_closed: 0,
            stranded: 0,
            washed_up: 0,
        });
        let line = condition.subscribe();
        let accepting = tokio::spawn(async move {
            loop {
                let (gateway, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(gateway, redis.clone(), line.clone()));
            }
        });
        Self {
            address,
            condition,
            accepting,
        }
    }

    /// Where a gateway finds its Redis over this line.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Every connection ends, now; new ones are as good as ever.
    pub(crate) fn cut(&self) {
        self.condition.send_modify(|line| line.cuts += 1);
    }

    /// Every connection ends, and none comes about until [`Proxy::heal`].
    pub(crate) fn go_down(&self) {
        self.condition.send_modify(|line| {
            line.cuts += 1;
            line.down = true;
        });
    }

    /// Redis seems to have closed every connection; what the gateway writes on it still comes through.
    pub(crate) fn half_close(&self) {
        self.condition.send_modify(|line| line.half_closed += 1);
    }

    /// Redis seems to have closed every connection, and what the gateway has written on it stays on the line until
    /// [`Proxy::wash_up`]. New connections are as good as ever.
    pub(crate) fn strand(&self) {
        self.condition.send_modify(|line| {
            line.half_closed += 1;
            line.stranded += 1;
            line.to_redis = Flow::Open;
        });
    }

    /// What was stranded comes to Redis after all.
    pub(crate) fn wash_up(&self) {
        self.condition
            .send_modify(|line| line.washed_up = line.stranded);
    }

    pub(crate) fn set(&self, to_redis: Flow, to_gateway: Flow) {
        self.condition.send_modify(|line| {
            line.to_redis = to_redis;
            line.to_gateway = to_gateway;
        });
    }

    /// All is as it should be; what was held back comes through.
    pub(crate) fn heal(&self) {
        self.set(Flow::Open, Flow::Open);
        self.condition.send_modify(|line| line.down = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries one connection.
async fn carry(mut gateway: TcpStream, redis: PathBuf, line: watch::Receiver<Condition>) {
    let before = *line.borrow();
    if before.down {
        return;
    }
    // Who finds no Redis is told so, by the end of the connection.
    let Ok(mut redis) = UnixStream::connect(redis).await else {
        return;
    };
    gateway.set_nodelay(true).unwrap();
    let (from_gateway, to_gateway) = gateway.split();
    let (from_redis, to_redis) = redis.split();
    let to_redis_now = |line: &Condition| {
        let stranded = line.stranded > before.stranded && line.washed_up <= before.stranded;
        if stranded { Flow::Held } else { line.to_redis }
    };
    let up = pump(from_gateway, to_redis, line.clone(), to_redis_now);
    let down = async {
        let mut to_gateway = to_gateway;
        let to_gateway_now = |line: &Condition| line.to_gateway;
        tokio::select! {
            () = pump(from_redis, &mut to_gateway, line.clone(), to_gateway_now) => {}
            () = come(line.clone(), |line| line.half_closed > before.half_closed) => {
                // It may be closed already.
                let _ = to_gateway.shutdown().await;
            }
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(up, down) } => {}
        () = come(line.clone(), |line| line.cuts > before.cuts) => {}
    }
}

/// Returns when something has come about, or cannot any more.
async fn come(mut line: watch::Receiver<Condition>, is_it: impl Fn(&Condition) -> bool) {
    let _ = line.wait_for(is_it).await;
}

/// Carries one direction until its sender closes it or nobody takes it any more.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Condition>,
    flow: impl Fn(&Condition) -> Flow,
) {
    let mut bytes = vec![0; 65_536];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        let now = line.wait_for(|line| flow(line) != Flow::Held).await;
        let Ok(now) = now.map(|line| flow(&line)) else {
            return;
        };
        if let Flow::Late(by) = now {
            tokio::time::sleep(by).await;
        }
        let passed = if read == 0 {
            to.shutdown().await
        } else {
            to.write_all(&bytes[..read]).await
        };
        if read == 0 || passed.is_err() {
            return;
        }
    }
}
