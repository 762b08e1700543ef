//! The raw feed of a system, as an actuator follows it: a frame every second, with everything in it.
//!
//! Knows how to hear, not what to do about it, and never gives up.

use std::time::Duration;

use chrono::NaiveDateTime;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::actuator::Heard;

/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(1);

/// A feed that is silent for so long is given up: a frame comes every second.
const SILENCE: Duration = Duration::from_secs(5);

/// Names of the original, and one of ours: it is there while the gateway does not reach its store.
#[derive(Deserialize)]
struct Frame {
    mode: String,
    timestamp: String,
    to: Option<String>,
    stale_ms: Option<u64>,
}

/// Follows the feed for as long as somebody listens at the other end.
pub async fn follow(authority: String, id: String, heard: mpsc::Sender<Heard>) {
    let connection = async || {
        let mut feed = connect(&authority, &id).await?;
        while let Ok(Some(Ok(message))) = tokio::time::timeout(SILENCE, feed.next()).await {
            let frame = message.to_text().ok().and_then(understood);
            if let Some(frame) = frame
                && heard.send(frame).await.is_err()
            {
                break;
            }
        }
        Some(())
    };
    while !heard.is_closed() {
        if connection().await.is_none() {
            tracing::debug!(id, "the feed cannot be followed yet");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn connect(authority: &str, id: &str) -> Option<WebSocketStream<TcpStream>> {
    let connecting = async {
        let port = if authority
            .rsplit(']')
            .next()
            .is_some_and(|end| end.contains(':'))
        {
            ""
        } else {
            ":80"
        };
        let stream = TcpStream::connect(format!("{authority}{port}"))
            .await
            .ok()?;
        let address = format!("ws://{authority}/systems/{id}/ws");
        Some(client_async(address, stream).await.ok()?.0)
    };
    tokio::time::timeout(SILENCE, connecting).await.ok()?
}

/// What remains is the distance of two times of one frame: they were read from one clock at one moment. A frame of a
/// gateway that does not reach its store is no sign of life: somebody may have stopped the run at another one.
fn understood(text: &str) -> Option<Heard> {
    let frame: Frame = serde_json::from_str(text).ok()?;
    if frame.stale_ms.is_some() {
        return None;
    }
    let time = |text: &str| text.parse::<NaiveDateTime>().ok();
    let now = time(&frame.timestamp)?;
    let remaining = frame
        .to
        .as_deref()
        .and_then(time)
        .map(|to| (to - now).num_milliseconds());
    Some(Heard {
        is_running: frame.mode != "wait_mode",
        remaining_ms: remaining.map(|left| left.max(0)),
    })
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    #[test]
    fn a_frame_says_what_runs_and_for_how_long() {
        let timer = r#"{"mode":"timer_mode","timestamp":"2026-11-23T09:14:01","since":"2026-11-23T09:14:00.250","to":"2026-11-23T09:14:10.250"}"#;
        let heard = Heard {
            is_running: true,
            remaining_ms: Some(9250),
        };
        assert_eq!(understood(timer), Some(heard));
        let manual = r#"{"mode":"manual_mode","timestamp":"2026-11-23T09:14:01","since":"2026-11-23T09:14:00.250","to":null}"#;
        assert_eq!(
            understood(manual),
            Some(Heard {
                is_running: true,
                remaining_ms: None
            })
        );
        let wait =
            r#"{"mode":"wait_mode","timestamp":"2026-11-23T09:14:01","since":null,"to":null}"#;
        assert_eq!(
            understood(wait),
            Some(Heard {
                is_running: false,
                remaining_ms: None
            })
        );
        assert_eq!(understood("close"), None);
    }

    #[test]
    fn a_frame_of_a_gateway_that_does_not_reach_its_store_is_not_heard() {
        let stale = r#"{"mode":"manual_mode","timestamp":"2026-11-23T09:14:01","since":"2026-11-23T09:14:00.250","to":null,"stale_ms":0}"#;
        assert_eq!(understood(stale), None);
    }

    #[tokio::test]
    async fn a_feed_whose_gateway_does_not_reach_its_store_goes_on_unheard() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (sender, mut heard) = mpsc::channel(4);
        let following = tokio::spawn(follow(authority, "north".into(), sender));
        let (stream, _) = listener.accept().await.unwrap();
        let mut feed = accept_async(stream).await.unwrap();
        for (mode, stale) in [
            ("manual", ""),
            ("manual", r#","stale_ms":1000"#),
            ("manual", r#","stale_ms":2000"#),
            ("wait", ""),
        ] {
            let frame = format!(
                r#"{{"mode":"{mode}_mode","timestamp":"2026-11-23T09:14:01","since":null,"to":null{stale}}}"#
            );
            feed.send(Message::text(frame)).await.unwrap();
        }
        assert!(heard.recv().await.unwrap().is_running);
        let next = heard.recv().await.unwrap();
        assert!(!next.is_running, "what lies between is not heard");
        following.abort();
    }
}
