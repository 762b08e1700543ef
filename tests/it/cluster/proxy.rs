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

/// Which connections there are, and which of their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cuts {
    /// How often all connections were cut.
    whole: usize,
    /// How often all were closed from the side of Redis alone.
    half: usize,
    /// New connections are cut at once.
    down: bool,
}

/// The line; gone when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    to_redis: watch::Sender<Flow>,
    to_gateway: watch::Sender<Flow>,
    cuts: watch::Sender<Cuts>,
    accepting: JoinHandle<()>,
}

/// What a connection looks at all the time.
#[derive(Clone)]
struct Line {
    to_redis: watch::Receiver<Flow>,
    to_gateway: watch::Receiver<Flow>,
    cuts: watch::Receiver<Cuts>,
}

impl Proxy {
    /// To the Redis behind a socket, on a free port.
    pub(crate) async fn start(redis: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (to_redis, to_gateway) = (
            watch::Sender::new(Flow::Open),
            watch::Sender::new(Flow::Open),
        );
        let cuts = watch::Sender::new(Cuts::default());
        let line = Line {
            to_redis: to_redis.subscribe(),
            to_gateway: to_gateway.subscribe(),
            cuts: cuts.subscribe(),
        };
        let accepting = tokio::spawn(async move {
            loop {
                let (gateway, _) = listener.accept().await.unwrap();
                tokio::spawn(line.clone().carry(gateway, redis.clone()));
            }
        });
        Self {
            address,
            to_redis,
            to_gateway,
            cuts,
            accepting,
        }
    }

    /// Where a gateway finds its Redis over this line.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Every connection ends, now; new ones are as good as ever.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| cuts.whole += 1);
    }

    /// Every connection ends, and none comes about until [`Proxy::heal`].
    pub(crate) fn go_down(&self) {
        self.cuts.send_modify(|cuts| {
            cuts.whole += 1;
            cuts.down = true;
        });
    }

    /// Redis seems to have closed every connection; what the gateway writes on it still comes through.
    pub(crate) fn half_close(&self) {
        self.cuts.send_modify(|cuts| cuts.half += 1);
    }

    pub(crate) fn set(&self, to_redis: Flow, to_gateway: Flow) {
        self.to_redis.send_replace(to_redis);
        self.to_gateway.send_replace(to_gateway);
    }

    /// All is as it should be; what was held back comes through.
    pub(crate) fn heal(&self) {
        self.set(Flow::Open, Flow::Open);
        self.cuts.send_modify(|cuts| cuts.down = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Line {
    async fn carry(mut self, mut gateway: TcpStream, redis: PathBuf) {
        let before = *self.cuts.borrow_and_update();
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
        let whole = come(self.cuts.clone(), |cuts| cuts.whole > before.whole);
        let half = come(self.cuts.clone(), |cuts| cuts.half > before.half);
        let up = pump(from_gateway, to_redis, self.to_redis);
        let down = async {
            let mut to_gateway = to_gateway;
            tokio::select! {
                () = pump(from_redis, &mut to_gateway, self.to_gateway) => {}
                () = half => {
                    // It may be closed already.
                    let _ = to_gateway.shutdown().await;
                }
            }
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(up, down) } => {}
            () = whole => {}
        }
    }
}

/// Returns when a cut has come, or none can come any more.
async fn come(mut cuts: watch::Receiver<Cuts>, is_it: impl Fn(&Cuts) -> bool) {
    let _ = cuts.wait_for(is_it).await;
}

/// Carries one direction until its sender closes it or nobody takes it any more.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
) {
    let mut bytes = vec![0; 65_536];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        let now = flow.wait_for(|flow| *flow != Flow::Held).await;
        let Ok(now) = now.map(|flow| *flow) else {
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
